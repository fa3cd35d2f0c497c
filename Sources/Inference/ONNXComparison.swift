import Foundation
import Graphs
import Torch

/// An ONNX file that was written, and how what it gives compares with the network.
package struct WrittenONNX {
  /// What was written.
  package let file: ONNXFile
  /// How it compares.
  package let comparison: ONNXComparison
}

/// What the network of an ONNX file gives, read again and run by its graph, beside what the network gives that
/// it was written from.
package struct ONNXComparison {
  /// The size of the image of noise.
  package let size: InputSize
  /// The largest difference of a number, in standard deviations of all of the network's.
  package private(set) var difference = 0.0
  /// The root of the mean square difference in the same unit.
  package private(set) var meanDifference = 0.0
  /// The share of pixels with the same best class.
  package private(set) var agreement = 1.0

  /// The largest difference, and the smallest share, that rounding explains.
  private static let mostDifference = 1e-3, leastAgreement = 0.999

  /// Where a network enlarges rounding: how many times the difference may be what the image's last bits make of it, and the
  /// largest difference even then.
  private static let shareOfRounding = 8.0, mostEnlarged = 0.05

  /// The largest root of the mean square difference, in the same unit, and the smallest share that rounding to
  /// eight bits explains.
  private static let mostRoundedDifference = 0.5, leastRoundedAgreement = 0.5

  /// Whether the file's network rounds maps and weights to eight bits.
  private let isRounded: Bool

  init(_ size: InputSize, isRounded: Bool = false) {
    (self.size, self.isRounded) = (size, isRounded)
  }

  /// Compares for an image: of noise, or a photograph for a network that rounds.
  ///
  /// - Parameters:
  ///   - written: The file, which has not got its name yet.
  ///   - path: That name.
  ///   - image: The image.
  ///   - network: What gives what the file is to give.
  /// - Throws: ``Failure``; `ONNXError` for a file that cannot be read.
  mutating func compare(
    _ written: String, named path: String, _ image: Tensor, with network: (Tensor) -> Tensor
  ) throws {
    let read = try ONNXNetwork(written, giving: .whole)
    let (expected, found) = try attempt {
      inferenceMode { (network(image), Runner(read) { read($0) }(image)) }
    }
    guard found.shape == expected.shape, found.dtype == expected.dtype else {
      throw Failure(file: path, what: "\(found.dtype) \(found.shape)")
    }
    // Networks with drawn weights may enlarge rounding a thousandfold, whoever computes them.
    func enlarged(_ numbers: Tensor, _ deviation: Double) -> Double {
      let moved = inferenceMode { network(image * (1 + 0x1p-22)).to(.float64) }
      let rounding = (moved - numbers).abs().reshaped(-1).maximum(along: [0]).item / deviation
      return min(Self.mostEnlarged, max(Self.mostDifference, Self.shareOfRounding * rounding))
    }
    var isSame = 1.0
    var allowed = Self.mostDifference
    try attempt {
      let isOfClasses = expected.rank == 4
      let (a, b) = isOfClasses ? (found.argmax(1), expected.argmax(1)) : (found, expected)
      agreement = a.equal(to: b).to(.float64).mean().item
      isSame = agreement
      guard isOfClasses else { return }
      let numbers = expected.to(.float64)
      let apart = (found.to(.float64) - numbers).abs()
      let deviation = max(numbers.standardDeviation(correction: 0).item, 1e-30)
      difference = apart.reshaped(-1).maximum(along: [0]).item / deviation
      meanDifference = (apart * apart).mean().item.squareRoot() / deviation
      // Classes whose scores are as near as rounding brings them are the same one.
      let chosen = numbers.gathered(1, a.unsqueezed(1))
      let lost = numbers.maximum(along: [1], keep: true) - chosen
      if !isRounded, difference > allowed { allowed = enlarged(numbers, deviation) }
      isSame = lost.below(2 * allowed * deviation).to(.float64).mean().item
    }
    // No number is no match.
    let isMatch =
      isRounded
      ? meanDifference <= Self.mostRoundedDifference && agreement >= Self.leastRoundedAgreement
      : difference <= allowed && isSame >= Self.leastAgreement
    guard isMatch else { throw Failure(file: path, what: text) }
  }

  /// The comparison in a line.
  package var text: String {
    let share = "the same class at \(Self.short(agreement * 100)) % of pixels"
    guard isRounded else {
      return
        "largest difference \(Self.short(difference)) of the deviation, \(share), on noise, \(size)"
    }
    return
      "difference \(Self.short(meanDifference)) of the deviation, as the root of its mean square,"
      + " \(Self.short(difference)) at most, \(share), on a photograph of the calibration, \(size)"
  }

  private static func short(_ value: Double) -> String {
    String(format: "%.4g", value)
  }

  /// A file whose network is another one.
  package struct Failure: Error, CustomStringConvertible {
    let file: String, what: String

    /// The message for a person.
    package var description: String {
      "\(file): was not written, as what was read of it again gives something else: \(what)"
    }
  }
}
