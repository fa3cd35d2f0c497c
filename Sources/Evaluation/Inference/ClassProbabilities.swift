import Datasets
import Imaging
import Segmentation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// How probable each class is at every pixel of an image.
public struct ClassProbabilities: Sendable, Equatable {
  /// The image's size.
  public let size: Size
  /// The number of classes.
  public let classes: Int
  /// The probabilities (classes, H, W), row-major.
  ///
  /// Those of a pixel sum to 1; where nothing was measured all are 0.
  public internal(set) var values: [Float]

  /// Probabilities, of which there must be `size.width * size.height * classes`.
  public init(size: Size, classes: Int, values: [Float]) {
    precondition(
      values.count == size.width * size.height * classes, "probabilities do not fill the image")
    (self.size, self.classes, self.values) = (size, classes, values)
  }

  /// The number of pixels.
  public var pixels: Int { size.width * size.height }

  /// The probability of each class at a column and a row.
  public subscript(x: Int, y: Int) -> [Float] {
    (0..<classes).map { values[$0 * pixels + y * size.width + x] }
  }

  /// The probability of each pixel's most probable class, row-major (H, W).
  public var confidence: [Float] {
    var best = Array(values.prefix(pixels))
    combine(into: &best) { $0 = max($0, $1) }
    return best
  }

  /// The most probable class of each pixel, the first of equal ones; `LabelMap.ignored` where all are 0.
  public var mask: ClassMask {
    var mask = ClassMask(size: size)
    let (pixels, classes) = (pixels, classes)
    mask.classes.withUnsafeMutableBufferPointer { labels in
      values.withUnsafeBufferPointer { values in
        nonisolated(unsafe) let (labels, values) = (labels, values)
        inBands { span in
          var best = [Float](repeating: 0, count: span.count)
          for k in 0..<classes {
            for i in span where values[k &* pixels &+ i] > best[i &- span.lowerBound] {
              best[i &- span.lowerBound] = values[k &* pixels &+ i]
              labels[i] = UInt8(truncatingIfNeeded: k)
            }
          }
        }
      }
    }
    return mask
  }

  /// The entropy of each pixel's probabilities in nats, row-major (H, W): 0 where one class is certain, the
  /// logarithm of ``classes`` where all are equally probable.
  public var entropy: [Float] {
    var sums = [Float](repeating: 0, count: pixels)
    combine(into: &sums) { if $1 > 0 { $0 -= $1 * logf($1) } }
    return sums
  }

  /// Changes a number of each pixel by the probability of each class in turn, on all cores.
  private func combine(
    into numbers: inout [Float], _ change: @Sendable (inout Float, Float) -> Void
  ) {
    let (pixels, classes) = (pixels, classes)
    numbers.withUnsafeMutableBufferPointer { numbers in
      values.withUnsafeBufferPointer { values in
        nonisolated(unsafe) let (numbers, values) = (numbers, values)
        inBands { span in
          for k in 0..<classes {
            for i in span { change(&numbers[i], values[k &* pixels &+ i]) }
          }
        }
      }
    }
  }

  /// Runs `body` on bands of the pixels, on all cores.
  private func inBands(_ body: @Sendable (Range<Int>) -> Void) {
    let (bands, pixels) = (max(1, min(size.height, 64)), pixels)
    inParallel(bands) { body($0 * pixels / bands..<($0 + 1) * pixels / bands) }
  }

  /// Makes the probabilities of each pixel a mean: a share of the others, and the rest of their own.
  ///
  /// - Parameters:
  ///   - other: Probabilities of the same size and classes.
  ///   - shares: What the others count, 0 to 1, row-major (H, W).
  package mutating func blend(with other: ClassProbabilities, shares: [Float]) {
    precondition(
      other.size == size && other.classes == classes && shares.count == pixels,
      "probabilities of another image")
    let (classes, pixels) = (classes, pixels)
    let bands = max(1, min(size.height, 64))
    values.withUnsafeMutableBufferPointer { own in
      other.values.withUnsafeBufferPointer { other in
        shares.withUnsafeBufferPointer { shares in
          nonisolated(unsafe) let (own, other, shares) = (own, other, shares)
          inParallel(bands) { band in
            for k in 0..<classes {
              for i in band * pixels / bands..<(band + 1) * pixels / bands {
                let at = k &* pixels &+ i
                own[at] += shares[i] * (other[at] - own[at])
              }
            }
          }
        }
      }
    }
  }

  /// Makes the probabilities a mean: `share` of the others, and the rest of their own.
  ///
  package mutating func blend(with other: ClassProbabilities, share: Float) {
    precondition(other.size == size && other.classes == classes, "probabilities of another image")
    let (count, bands) = (values.count, max(1, min(size.height, 64)))
    values.withUnsafeMutableBufferPointer { own in
      other.values.withUnsafeBufferPointer { other in
        nonisolated(unsafe) let (own, other) = (own, other)
        inParallel(bands) { band in
          for i in band * count / bands..<(band + 1) * count / bands {
            own[i] = own[i] * (1 - share) + other[i] * share
          }
        }
      }
    }
  }

  /// The same with nothing said of the pixels where nothing was measured.
  package func ignoring(_ missing: [Bool]?) -> ClassProbabilities {
    guard let missing, missing.count == pixels else { return self }
    var result = self
    for i in missing.indices where missing[i] {
      for k in 0..<classes { result.values[k * pixels + i] = 0 }
    }
    return result
  }
}

/// The weighted mean of what several networks find probable in an image, one after the other.
package struct MeanProbabilities {
  /// The mean so far; nil before the first.
  package private(set) var mean: ClassProbabilities?
  private var total = 0.0

  /// None yet.
  package init() {}

  /// Adds what a network finds, which counts `weight`: its share of all so far.
  package mutating func add(_ own: ClassProbabilities, weight: Double) {
    total += weight
    if mean == nil { mean = own } else { mean?.blend(with: own, share: Float(weight / total)) }
  }
}

extension ClassProbabilities {
  /// The steps of a ``ForegroundHistogram`` that the log-odds of one of two classes fall into, row-major (H, W).
  func levels(of foreground: Int) -> [UInt16] {
    let (own, other) = (foreground * pixels, (1 - foreground) * pixels)
    return (0..<pixels).map {
      ForegroundHistogram.level(logf(values[own + $0]) - logf(values[other + $0]))
    }
  }
}

extension Predictor {
  /// What is computed beside the class of each pixel; what is not asked for costs nothing.
  public struct Wanted: OptionSet, Sendable, Hashable {
    /// The bits.
    public let rawValue: Int

    /// A set of these bits.
    public init(rawValue: Int) { self.rawValue = rawValue }

    /// The probability of the pixel's class.
    public static let confidence = Wanted(rawValue: 1)
    /// The probability of each class: four bytes for each class and pixel.
    public static let probabilities = Wanted(rawValue: 2)
    /// How much several networks disagree, where several answer.
    public static let disagreement = Wanted(rawValue: 4)
    /// Probabilities as the network gives them, whatever its ``Predictor/temperature`` is.
    public static let uncalibrated = Wanted(rawValue: 8)
  }

  /// What was found in an image.
  public struct Found: Sendable {
    /// The class of each pixel.
    public let mask: ClassMask
    /// The probability of each pixel's class, row-major (H, W), where it is asked for.
    public let confidence: [Float]?
    /// The probability of each class, where it is asked for.
    public let probabilities: ClassProbabilities?
  }

  /// The class of each pixel of an image, at its own size or at `size`, and what else is wanted.
  ///
  /// The classes are those of ``classes(of:size:file:)``, whatever is wanted. Windows, scales and mirror images
  /// are averaged as the mode says.
  /// - Parameters:
  ///   - image: The image.
  ///   - size: The size of the result; nil for the image's.
  ///   - file: What messages call the image.
  ///   - wanted: What is computed beside the classes.
  /// - Throws: ``PredictionError``, also where the probabilities would not fit into the memory budget;
  ///   `TorchError` for a network that cannot take the image.
  public func predict(
    _ image: Image, size: Size? = nil, file: String = "image", wanted: Wanted = []
  ) throws -> Found {
    guard !wanted.isEmpty else {
      return Found(
        mask: try classes(of: image, size: size, file: file), confidence: nil, probabilities: nil)
    }
    let size = size ?? image.size
    if wanted.contains(.probabilities) { try checkProbabilities(size, file: file) }
    let sureness = PixelSureness(
      wanted: wanted, views: mode.views,
      temperature: wanted.contains(.uncalibrated) ? nil : temperature)
    let mask = try classes(of: image, size: size, file: file, sureness: sureness)
    return Found(
      mask: mask, confidence: wanted.contains(.confidence) ? sureness.confidence : nil,
      probabilities: wanted.contains(.probabilities)
        ? ClassProbabilities(
          size: size, classes: model.classes, values: sureness.probabilities) : nil)
  }

  /// Refuses to compute the probabilities of all classes where they would not fit.
  ///
  /// - Throws: ``PredictionError/tooLarge(file:size:need:budget:)``.
  func checkProbabilities(_ size: Size, file: String) throws {
    let need = (4 * model.classes).multipliedReportingOverflow(by: size.width * size.height)
    guard !need.overflow, need.partialValue <= memoryBudget / 2 else {
      throw PredictionError.tooLarge(
        file: file, size: size, need: need.overflow ? .max : 2 * need.partialValue,
        budget: memoryBudget)
    }
  }
}
