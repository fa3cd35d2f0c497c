import Foundation

/// Horizontal bars, each with its name and its number.
public struct BarChart: Sendable {
  /// The line above the chart.
  public var title = ""
  /// What the bars' lengths are, which stands below.
  public var quantity = ""
  /// The bars from top to bottom; they may reach below zero.
  public var bars: [(name: String, value: Double)] = []
  /// How many digits numbers have after the point.
  public var digits = 2

  /// An empty chart.
  public init() {}

  /// The chart as a picture whose bars together are `width` pixels wide, and which is as large as its
  /// words need.
  public func image(width: Double = 420) -> Image {
    let ruler = Canvas(Size(width: 1, height: 1))
    func extent(_ texts: [String], _ size: Double) -> Double {
      texts.map { ruler.width(of: $0, size: size) }.max() ?? 0
    }
    let numbers = bars.map { String(format: "%.\(digits)f", $0.value) }
    let (room, line) = (extent(numbers, 12) + 10, 30.0)
    let left = extent(bars.map(\.name), 13) + 30
    let values = bars.map(\.value).filter(\.isFinite)
    let (low, high) = (min(0, values.min() ?? 0), max(0, values.max() ?? 0))
    let scale = high > low ? width / (high - low) : 0
    // Numbers stand at the bars' ends, on either side.
    let zero = left + (low < 0 ? room : 0) - low * scale
    let top = 46.0, bottom = top + line * Double(bars.count)
    let whole = max(
      zero + high * scale + room, extent([title], 14) + 20, extent([quantity], 12) + left)
    let canvas = Canvas(Size(width: Int(whole + 14), height: Int(bottom + 34)))
    canvas.text(title, x: 14, y: 24, size: 14)
    for (index, bar) in bars.enumerated() {
      let y = top + line * Double(index)
      canvas.text(bar.name, rightX: left - 14, y: y + 19, size: 13)
      let end = zero + (bar.value.isFinite ? bar.value : 0) * scale
      let color = LineChart.palette[bar.value < 0 ? 1 : 0]
      canvas.fill(x: min(zero, end), y: y + 4, width: max(1, abs(end - zero)), height: 20, color)
      if bar.value < 0 {
        canvas.text(numbers[index], rightX: end - 5, y: y + 19, size: 12)
      } else {
        canvas.text(numbers[index], x: end + 5, y: y + 19, size: 12)
      }
    }
    canvas.line([(zero, top - 4), (zero, bottom + 4)], Color(60, 60, 60))
    canvas.text(quantity, x: left, y: bottom + 22, size: 12, Color(60, 60, 60))
    return canvas.image
  }
}
