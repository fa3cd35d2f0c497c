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

  /// A place of `weights`, with a probability in proportion to its weight; nil where all are 0.
  public mutating func place(weights: [Double]) -> Int? {
    let total = weights.reduce(0, +)
    guard total > 0 else { return nil }
    var left = unit() * total
    for (place, weight) in weights.enumerated() where weight > 0 {
      left -= weight
      if left < 0 { return place }
    }
    // Rounding may leave a last bit.
    return weights.lastIndex { $0 > 0 }
  }

  /// The order in which an epoch visits `count` samples: a function of (seed, epoch, count).
  public static func order(count: Int, seed: UInt64, epoch: Int) -> [Int] {
    var random = SampleRandom(seed: seed, epoch: epoch, index: -1)
    var order = Array(0..<count)
    random.shuffle(&order)
    return order
  }

  /// The order in which an epoch visits samples that come as often as their weights say, as many visits as
  /// there are samples: a function of (weights, seed, epoch).
  ///
  /// Systematic sampling of the shuffled samples (Madow, "On the theory of systematic sampling, II", 1949): one
  /// that is due 2.3 times is visited twice or three times, and with equal weights each is once.
  ///
  /// - Parameter weights: At least 0, and one above 0.
  /// - Returns: Draws: the sample's place, and as many times the number of samples more as it was visited before.
  static func draws(weights: [Double], seed: UInt64, epoch: Int) -> [Int] {
    let count = weights.count
    var random = SampleRandom(seed: seed, epoch: epoch, index: -1)
    var places = Array(0..<count)
    random.shuffle(&places)
    let total = weights.reduce(0, +)
    var draws: [Int] = []
    draws.reserveCapacity(count)
    var next = random.unit()
    var sum = 0.0
    for place in places {
      sum += weights[place] * Double(count) / total
      var draw = place
      while next < sum, draws.count < count {
        draws.append(draw)
        draw += count
        next += 1
      }
    }
    // Rounding may leave the last one out.
    if let last = draws.last {
      var draw = last
      while draws.count < count {
        draw += count
        draws.append(draw)
      }
    }
    random.shuffle(&draws)
    return draws
  }

  /// Brings values into an order in which each is equally likely at each place (Fisher and Yates).
  private mutating func shuffle(_ values: inout [Int]) {
    for i in stride(from: values.count - 1, to: 0, by: -1) {
      values.swapAt(i, integer(below: i + 1))
    }
  }
}
