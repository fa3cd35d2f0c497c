import Datasets

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How well probabilities fit what is found: of pixels whose class has a probability of p, a share of p should be right.
///
/// Memory does not grow with the number of images.
public struct ReliabilityCounts: Sendable, Equatable {
  /// The steps of equal width that probabilities are sorted into.
  public static let bins = 15

  /// The pixels of each step, and those of them whose class is right.
  public private(set) var pixels, hits: [Int64]
  /// The sum of the probabilities of the pixels of each step.
  public private(set) var confidence: [Double]
  /// The sums over all pixels of the squared differences from the truth, and of −ln of the true class's probability.
  public private(set) var squares = 0.0, logarithms = 0.0

  /// No pixels yet.
  public init() {
    pixels = [Int64](repeating: 0, count: Self.bins)
    hits = pixels
    confidence = [Double](repeating: 0, count: Self.bins)
  }

  /// Counts a pixel.
  ///
  /// - Parameters:
  ///   - own: The probability of the class that is found.
  ///   - isRight: Whether that class is the true one.
  ///   - truth: The probability of the true class.
  ///   - sum: The sum of the squared probabilities of all classes.
  @inline(__always)
  public mutating func add(confidence own: Float, isRight: Bool, truth: Float, squares sum: Float) {
    // The last step has both its ends.
    let bin = min(max(Int(own * Float(Self.bins)), 0), Self.bins - 1)
    pixels[bin] += 1
    if isRight { hits[bin] += 1 }
    confidence[bin] += Double(own)
    // Σ (p − y)², of which y is 1 for the true class.
    squares += Double(sum) - 2 * Double(truth) + 1
    logarithms -= log(Double(max(truth, .leastNormalMagnitude)))
  }

  /// Adds the counts of other pixels.
  public mutating func merge(_ other: ReliabilityCounts) {
    for i in pixels.indices {
      pixels[i] += other.pixels[i]
      hits[i] += other.hits[i]
      confidence[i] += other.confidence[i]
    }
    squares += other.squares
    logarithms += other.logarithms
  }
}

/// What counted probabilities come to.
public struct Reliability: Sendable, Codable, Equatable {
  /// The pixels whose probabilities lie in a step.
  public struct Bin: Sendable, Codable, Equatable {
    /// Where the step begins and ends.
    public let lower, upper: Double
    /// How many they are.
    public let pixels: Int64
    /// The mean of their probabilities, and the share of them that is right; nil without a pixel.
    public let confidence, accuracy: Double?
  }

  /// The pixels counted.
  public let pixels: Int64
  /// The share that is right, and the mean probability of what is found; nil without a pixel.
  public let accuracy, confidence: Double?
  /// The expected calibration error: the mean over pixels of the difference of their step's probability and share (Naeini,
  /// Cooper and Hauskrecht, 2015; Guo et al., 2017).
  public let expectedError: Double?
  /// The largest difference of a step.
  public let maximumError: Double?
  /// The mean of Σ (p − y)² over classes (Brier, 1950), 0 to 2; of two classes twice that of the foreground alone.
  public let brier: Double?
  /// The mean of −ln p of the true class.
  public let negativeLogLikelihood: Double?
  /// The steps, for a reliability diagram.
  public let bins: [Bin]

  /// What these counts come to.
  public init(_ counts: ReliabilityCounts) {
    let total = counts.pixels.reduce(0, +)
    func share(_ value: Double, _ count: Int64) -> Double? {
      count > 0 ? value / Double(count) : nil
    }
    let width = 1 / Double(ReliabilityCounts.bins)
    bins = counts.pixels.indices.map { i in
      Bin(
        lower: Double(i) * width, upper: Double(i + 1) * width, pixels: counts.pixels[i],
        confidence: share(counts.confidence[i], counts.pixels[i]),
        accuracy: share(Double(counts.hits[i]), counts.pixels[i]))
    }
    pixels = total
    accuracy = share(Double(counts.hits.reduce(0, +)), total)
    confidence = share(counts.confidence.reduce(0, +), total)
    let gaps = bins.map { bin in
      (bin.confidence).flatMap { own in bin.accuracy.map { abs(own - $0) } } ?? 0
    }
    expectedError = share(zip(gaps, bins).reduce(0) { $0 + $1.0 * Double($1.1.pixels) }, total)
    maximumError = total > 0 ? gaps.max() : nil
    brier = share(counts.squares, total)
    negativeLogLikelihood = share(counts.logarithms, total)
  }
}

/// The reliability of all pixels and of those near borders, as the network gives probabilities and as its temperature makes
/// them.
public struct ReliabilityScores: Sendable, Codable, Equatable {
  /// Of all labelled pixels.
  public let all: Reliability
  /// Of those within the width of the boundary IoU's strips of another class.
  public let borders: Reliability
  /// The share of the diagonal that those strips are wide.
  public let ratio: Double
  /// The same with the temperature that the checkpoint has; nil where it has none.
  public let calibrated: Calibrated?

  /// The reliability of probabilities that a temperature has changed.
  public struct Calibrated: Sendable, Codable, Equatable {
    /// The temperature; nil where several networks have others.
    public let temperature: Temperature?
    /// Of all labelled pixels, and of those near borders.
    public let all, borders: Reliability
  }
}

/// What an evaluation has counted so far of the probabilities.
struct ReliabilityTally {
  /// The share of the diagonal that strips along borders are wide.
  static let ratio = 0.02

  private var all = ReliabilityCounts(), borders = ReliabilityCounts()
  private var calibrated = (all: ReliabilityCounts(), borders: ReliabilityCounts())
  private var temperatures: [Temperature?] = []

  /// Counts the labelled pixels of an image.
  ///
  /// - Parameters:
  ///   - found: The class of each pixel.
  ///   - probabilities: As the network gives them.
  ///   - temperature: What they are softened by, too.
  mutating func add(
    truth: ClassMask, found: ClassMask, _ probabilities: ClassProbabilities,
    _ temperature: Temperature?
  ) {
    let isNear = BoundaryCounts.nearBorders(truth, ratio: Self.ratio)
    let (inner, outer) = Self.counts(truth, found, probabilities, Softening(nil), isNear)
    all.merge(inner)
    all.merge(outer)
    borders.merge(outer)
    if !temperatures.contains(temperature) { temperatures.append(temperature) }
    guard let temperature else { return }
    let (within, near) = Self.counts(truth, found, probabilities, Softening(temperature), isNear)
    calibrated.all.merge(within)
    calibrated.all.merge(near)
    calibrated.borders.merge(near)
  }

  /// The counts of the pixels away from borders and of those near them.
  private static func counts(
    _ truth: ClassMask, _ found: ClassMask, _ probabilities: ClassProbabilities,
    _ softening: Softening, _ isNear: [Bool]
  ) -> (inner: ReliabilityCounts, near: ReliabilityCounts) {
    let (pixels, classes) = (probabilities.pixels, probabilities.classes)
    let bands = max(1, min(truth.height, 16))
    // In bands of a fixed number, so that sums do not depend on the number of threads.
    var parts = [(inner: ReliabilityCounts, near: ReliabilityCounts)](
      repeating: (.init(), .init()), count: bands)
    parts.withUnsafeMutableBufferPointer { parts in
      probabilities.values.withUnsafeBufferPointer { values in
        nonisolated(unsafe) let (parts, values) = (parts, values)
        inParallel(bands) { band in
          var counts = (inner: ReliabilityCounts(), near: ReliabilityCounts())
          withUnsafeTemporaryAllocation(of: Float.self, capacity: max(1, classes)) { own in
            guard let base = own.baseAddress else { return }
            for i in band * pixels / bands..<(band + 1) * pixels / bands {
              let (label, guess) = (Int(truth.classes[i]), Int(found.classes[i]))
              guard label < classes else { continue }
              for k in 0..<classes { base[k] = values[k &* pixels &+ i] }
              if !softening.isNone { softening.apply(base, classes) }
              var squares: Float = 0
              for k in 0..<classes { squares += base[k] * base[k] }
              let confidence = guess < classes ? base[guess] : 0
              if isNear[i] {
                counts.near.add(
                  confidence: confidence, isRight: guess == label, truth: base[label],
                  squares: squares)
              } else {
                counts.inner.add(
                  confidence: confidence, isRight: guess == label, truth: base[label],
                  squares: squares)
              }
            }
          }
          parts[band] = counts
        }
      }
    }
    var sum = (inner: ReliabilityCounts(), near: ReliabilityCounts())
    for part in parts {
      sum.inner.merge(part.inner)
      sum.near.merge(part.near)
    }
    return sum
  }

  /// What was counted comes to.
  var scores: ReliabilityScores {
    let isCalibrated = !temperatures.isEmpty && !temperatures.contains(nil)
    return ReliabilityScores(
      all: Reliability(all), borders: Reliability(borders), ratio: Self.ratio,
      calibrated: isCalibrated
        ? .init(
          temperature: temperatures.count == 1 ? temperatures[0] : nil,
          all: Reliability(calibrated.all), borders: Reliability(calibrated.borders)) : nil)
  }
}
