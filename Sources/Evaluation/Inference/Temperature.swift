#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// What a network's probabilities are softened or sharpened by, so that of pixels found with a probability of p a share of p
/// is right (Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks", ICML 2017).
///
/// Every probability p of a pixel becomes p^(1/T), and their sum 1 again: above 1 a temperature T softens, below it
/// sharpens. That is dividing the logits by T where a pixel is seen once; where windows, scales or mirror images are averaged
/// it is done to what the average is. A power keeps the order of a pixel's classes, so that the class of no pixel changes.
/// With a temperature for each class a pixel takes that of the class that was found there, one for all its probabilities:
/// the order stays, too, which a temperature for each logit or a matrix would not keep.
public struct Temperature: Sendable, Codable, Equatable {
  /// One temperature for all pixels, or one for each class that is found.
  public let values: [Double]

  /// One for all pixels, or one for each class; all above 0.
  public init?(_ values: [Double]) {
    guard !values.isEmpty, values.allSatisfy({ $0 > 0 && $0.isFinite }) else { return nil }
    self.values = values
  }

  /// Reads what ``encode(to:)`` writes.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let own = Temperature(try container.decode([Double].self)) else {
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "a temperature is a number above 0")
    }
    self = own
  }

  /// Writes the numbers as a list.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(values)
  }

  /// Whether a network of so many classes can have it.
  package func fits(classes: Int) -> Bool { values.count == 1 || values.count == classes }

  /// That of pixels where a class is found.
  public subscript(found: Int) -> Double { values.count == 1 ? values[0] : values[found] }

  /// What the foreground's probability of two classes becomes: what a threshold has to be compared with.
  public func softened(_ probability: Double, foreground: Int) -> Double {
    guard probability > 0, probability < 1 else { return probability }
    let own = 1 / self[probability > 0.5 ? foreground : 1 - foreground]
    let odds = pow(probability / (1 - probability), own)
    return odds.isFinite ? odds / (1 + odds) : 1
  }

  /// What scores are multiplied by: one number, or one for each class.
  var inverses: [Float] { values.map { Float(1 / $0) } }

  /// The temperature in words.
  public var text: String {
    func shown(_ value: Double) -> String { fixed(value, 3) }
    guard values.count > 1 else { return "temperature \(shown(values[0]))" }
    return "temperatures \(shown(values.min() ?? 1)) to \(shown(values.max() ?? 1)), one for each"
      + " class"
  }
}

/// Softens the probabilities of one pixel after the other.
struct Softening {
  /// What logarithms are multiplied by: one number, or one for each class; empty for nothing.
  let inverses: [Float]

  init(_ temperature: Temperature?) { inverses = temperature?.inverses ?? [] }

  /// Whether probabilities stay as they are.
  var isNone: Bool { inverses.isEmpty }

  /// What logarithms are multiplied by where a class is found.
  @inline(__always)
  func inverse(_ found: Int) -> Float { inverses.count == 1 ? inverses[0] : inverses[found] }

  /// Whether it depends on the class.
  var isByClass: Bool { inverses.count > 1 }

  /// Softens probabilities of a pixel, of any sum above 0, which then sum to 1.
  @inline(__always)
  func apply(_ values: UnsafeMutablePointer<Float>, _ classes: Int) {
    var (top, found) = (values[0], 0)
    for k in 1..<max(1, classes) where values[k] > top { (top, found) = (values[k], k) }
    guard top > 0 else { return }
    let (inverse, shift) = (inverse(found), logf(top))
    var total: Float = 0
    for k in 0..<classes {
      let value = values[k]
      let own = value > 0 ? expf(inverse * (logf(value) - shift)) : 0
      values[k] = own
      total += own
    }
    for k in 0..<classes { values[k] /= total }
  }
}
