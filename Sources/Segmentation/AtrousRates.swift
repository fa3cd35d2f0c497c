/// The rule of Kim et al., 2023, for the base rate r of an ASPP with the rates r, 2r and 3r.
///
/// The pyramid sees 6 r s pixels from the centre of its outermost tap to that of the opposite one,
/// and 6 r s + 32 from end to end, s being the output stride. That should be the crop's side N.
public struct RateRule: Sendable, Equatable {
  /// The side of the crop in pixels.
  public let size: Int
  /// The output stride of the features that the pyramid sees.
  public let stride: Int

  /// The rule for square crops of side `size`, both at least 1.
  public init(size: Int, stride: Int) {
    self.size = size
    self.stride = max(1, stride)
  }

  /// The rule for rectangular crops, of which the paper does not speak: it takes the shorter side.
  public init(width: Int, height: Int, stride: Int) {
    self.init(size: min(width, height), stride: stride)
  }

  /// r* = (N − 32) / (6 s), which is Table 1 of the paper.
  public var optimal: Double { Double(size - 32) / Double(6 * stride) }
  /// The whole number nearest to r*, at least 1.
  public var nearest: Int { max(1, Int(optimal.rounded())) }
  /// The rates r, 2r, 3r for the nearest whole r.
  public var rates: [Int] { [nearest, 2 * nearest, 3 * nearest] }

  /// The pixels between the centres of the outermost taps for a base rate, 6 r s.
  public func fieldOfView(_ rate: Int) -> Int { 6 * rate * stride }
  /// The same from end to end, 6 r s + 32.
  public func fieldOfViewWithEnds(_ rate: Int) -> Int { fieldOfView(rate) + 32 }

  /// Whether a base rate is within a quarter of r*, or within 1.
  public func accepts(_ rate: Int) -> Bool {
    abs(Double(rate) - optimal) <= max(1, optimal / 4)
  }
}

/// For how many positions of a map the taps of an atrous 3×3 kernel lie inside of it.
public struct TapShares: Sendable, Equatable, Codable {
  /// The rate of the kernel.
  public let rate: Int
  /// The shares of positions with all nine taps, with some, and with the one in the middle only.
  public let nine, some, one: Double

  /// The shares for a map of this size, at least 1×1, and a rate of at least 1.
  public init(rate: Int, height: Int, width: Int) {
    // A position has two, one or no neighbours along each axis, independently of the other.
    func counts(_ length: Int) -> (three: Int, one: Int) {
      (max(0, length - 2 * rate), min(length, max(0, 2 * rate - length)))
    }
    let (rows, columns) = (counts(height), counts(width))
    let all = Double(max(1, height * width))
    self.rate = rate
    nine = Double(rows.three * columns.three) / all
    one = Double(rows.one * columns.one) / all
    some = 1 - nine - one
  }

  /// Whether the kernel is a 1×1 convolution everywhere.
  public var isDegenerate: Bool { one == 1 }
}
