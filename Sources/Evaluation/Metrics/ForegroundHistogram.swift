import Datasets

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How probable the foreground of two classes was found where it is, and where it is not, in pixels.
///
/// A pixel is counted by its log-odds, the logarithm of p / (1 − p), in steps of 1/512 between −16 and 16:
/// evenly spaced probabilities would put most pixels of a sure network into the first and the last step.
/// Memory does not grow with the number of images, and counts do not depend on their order.
public struct ForegroundHistogram: Sendable, Equatable {
  /// The number of steps.
  static let bins = 16_384
  /// The steps of a unit of log-odds.
  private static let density: Float = 512
  /// The step that begins at a probability of a half.
  static let even = bins / 2

  /// The pixels of each step whose truth is the foreground, and those whose truth is the background.
  public private(set) var positives, negatives: [Int64]

  /// A histogram of nothing yet.
  public init() {
    positives = [Int64](repeating: 0, count: Self.bins)
    negatives = positives
  }

  /// The step of log-odds; of a number that is none the first.
  @inline(__always)
  static func level(_ odds: Float) -> UInt16 {
    // From the step's number, not from a sum that would round small odds to even ones.
    let step = (odds * density).rounded(.down) + Float(even)
    return step > 0 ? UInt16(min(step, Float(bins - 1))) : 0
  }

  /// The probability at which a step begins.
  static func probability(_ level: Int) -> Double {
    1 / (1 + exp(-Double(level - even) / Double(density)))
  }

  /// Counts the pixels of one image, of whose truth `foreground` is one class of two; others are left
  /// out.
  mutating func add(truth: ClassMask, levels: [UInt16], foreground: Int) {
    precondition(truth.classes.count == levels.count, "truth and probabilities differ in size")
    let (own, other) = (UInt8(foreground), UInt8(1 - foreground))
    positives.withUnsafeMutableBufferPointer { positives in
      negatives.withUnsafeMutableBufferPointer { negatives in
        for (value, level) in zip(truth.classes, levels) {
          if value == own {
            positives[Int(level)] += 1
          } else if value == other {
            negatives[Int(level)] += 1
          }
        }
      }
    }
  }

  /// Adds the counts of another histogram.
  public mutating func merge(_ other: ForegroundHistogram) {
    for i in positives.indices {
      positives[i] += other.positives[i]
      negatives[i] += other.negatives[i]
    }
  }
}

/// What follows from the probabilities of the foreground: curves, the areas under them, and the
/// probability from which on Dice is best.
public struct ForegroundCurve: Sendable, Codable, Equatable {
  /// What is found if pixels are foreground from a probability on.
  public struct Point: Sendable, Codable, Equatable {
    /// The probability.
    public let threshold: Double
    /// Precision, recall and Dice of the foreground.
    public let precision, recall, dice: Double
    /// The share of the background that is called foreground.
    public let falsePositiveRate: Double
  }

  /// The area under the curve of recall over false positive rate; nil unless the truth has both classes.
  public let rocAUC: Double?
  /// By how much ``rocAUC`` can differ from that of the probabilities themselves, as pixels of one step
  /// count as equally probable.
  public let rocAUCError: Double?
  /// The area under the curve of precision over recall as scikit-learn sums it: the mean of the precision
  /// at each threshold, weighted by the gain in recall; nil if the truth has no foreground.
  public let averagePrecision: Double?
  /// The best Dice that a threshold gives on these images, which is better than what it will give on
  /// others.
  public let best: Point?
  /// Points from the highest threshold to the lowest, near enough to each other to be drawn.
  public let points: [Point]

  /// The curves of counted pixels.
  public init(_ histogram: ForegroundHistogram) {
    let total = histogram.positives.reduce(0, +)
    let others = histogram.negatives.reduce(0, +)
    var (hits, claims) = (Int64(0), Int64(0))
    // Of these thresholds a table tells.
    let tenths = Set((1...9).map { Self.level(of: Double($0) / 10) })
    var (area, ties, average) = (0.0, 0.0, 0.0)
    var points: [Point] = []
    var best: Point?
    for level in stride(from: ForegroundHistogram.bins - 1, through: 0, by: -1) {
      let (own, wrong) = (histogram.positives[level], histogram.negatives[level])
      let isTold = tenths.contains(level)
      guard total > 0, own + wrong > 0 || isTold && hits + claims > 0 else { continue }
      area += Double(wrong) * (Double(hits) + Double(own) / 2)
      ties += Double(wrong) * Double(own) / 2
      hits += own
      claims += wrong
      let precision = Double(hits) / Double(hits + claims)
      average += Double(own) / Double(total) * precision
      let point = Point(
        threshold: ForegroundHistogram.probability(level), precision: precision,
        recall: Double(hits) / Double(total),
        dice: Double(2 * hits) / Double(total + hits + claims),
        falsePositiveRate: others == 0 ? 0 : Double(claims) / Double(others))
      if point.dice > best?.dice ?? 0 { best = point }
      if let last = points.last, level > 0, !isTold, last.isNear(point) { continue }
      points.append(point)
    }
    let pairs = Double(total) * Double(others)
    rocAUC = pairs > 0 ? area / pairs : nil
    rocAUCError = pairs > 0 ? ties / pairs : nil
    averagePrecision = total > 0 ? average : nil
    self.best = best
    self.points = points
  }

  private static func level(of probability: Double) -> Int {
    Int(ForegroundHistogram.level(Float(log(probability / (1 - probability)))))
  }

  /// What is found if pixels are foreground from a tenth of probability on.
  func at(_ threshold: Double) -> Point? {
    points.min { abs($0.threshold - threshold) < abs($1.threshold - threshold) }
  }
}

extension ForegroundCurve.Point {
  fileprivate func isNear(_ other: Self) -> Bool {
    abs(threshold - other.threshold) < 0.01 && abs(precision - other.precision) < 0.01
      && abs(recall - other.recall) < 0.01
      && abs(falsePositiveRate - other.falsePositiveRate) < 0.01
  }
}
