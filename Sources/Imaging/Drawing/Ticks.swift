import Foundation

/// Round numbers for axes.
enum Ticks {
  /// The largest of 1, 2 and 5 times a power of ten that is not above `value`.
  static func niceBelow(_ value: Double) -> Double {
    guard value > 0, value.isFinite else { return 1 }
    let power = pow(10, floor(log10(value)))
    let lead = value / power
    return (lead >= 5 ? 5 : lead >= 2 ? 2 : 1) * power
  }

  /// Round numbers from `low` to `high`, at least `count` steps apart where there is room.
  static func between(_ low: Double, _ high: Double, about count: Int) -> [Double] {
    guard high > low, low.isFinite, high.isFinite else { return [low] }
    let step = niceBelow((high - low) / Double(max(1, count)) * 1.5)
    let first = Int((low / step).rounded(.up)), last = Int((high / step + 1e-9).rounded(.down))
    guard last >= first, last - first < 100 else { return [low, high] }
    return (first...last).map { Double($0) * step }
  }

  /// The number without needless digits.
  static func text(_ value: Double) -> String { String(format: "%.4g", value) }
}
