/// Random numbers that are a function of (seed, epoch, sample index) and nothing else.
///
/// The thread that happens to make a sample, and what was made before it, do not matter. The stream
/// is SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014)
/// with a starting point mixed from the three numbers. The draws are defined here and not by the
/// standard library, so that they do not change with its version.
public struct SampleRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// The stream of one sample in one epoch.
  public init(seed: UInt64, epoch: Int, index: Int) {
    var key = Self.mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    key = Self.mix(key ^ Self.mix(UInt64(bitPattern: Int64(epoch)) &+ 0xD1B5_4A32_D192_ED03))
    state = Self.mix(key ^ Self.mix(UInt64(bitPattern: Int64(index)) &+ 0x8CB9_2BA7_2F3D_8DD7))
  }

  /// SplitMix64 itself, started at `state`.
  init(state: UInt64) { self.state = state }

  /// SplitMix64's finalizer: a bijection in which every input bit affects every output bit.
  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  /// A number in 0 ..< 1, one of 2⁵³ equally spaced ones.
  public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// A number between the range's bounds, uniformly.
  public mutating func uniform(_ range: ClosedRange<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }

  /// An integer in 0 ..< `count`; 0 if `count` is less than 1.
  public mutating func integer(below count: Int) -> Int {
    guard count > 0 else { return 0 }
    return Int(next().multipliedFullWidth(by: UInt64(count)).high)
  }

  /// True with a probability; draws one number whatever the probability is.
  public mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// The order in which an epoch visits `count` samples: a function of (seed, epoch, count).
  public static func order(count: Int, seed: UInt64, epoch: Int) -> [Int] {
    var random = SampleRandom(seed: seed, epoch: epoch, index: -1)
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(i, random.integer(below: i + 1))
    }
    return order
  }
}
