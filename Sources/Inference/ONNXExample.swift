import Evaluation
import Files
import Foundation
import Graphs
import Torch

/// What an ONNX file's network gives for an input beside what another program gave for it, in the form of ONNX's
/// own test data: `input_0.pb` and `output_0.pb`.
package struct ONNXExample: JSONReport {
  /// The shape of the first result.
  package let shape: [Int]
  /// The largest difference of a number, and that in standard deviations of all numbers that were expected.
  package let largest, difference: Double
  /// The share of places with the same best class, or of equal whole numbers.
  package let agreement: Double
  /// How long the network took, the first time.
  package let seconds: Double

  /// Runs the file's network, as it is in the file, up to its first result.
  ///
  /// - Throws: `ONNXError` for files that cannot be read and results of other shapes.
  package init(_ file: String, folder: String) throws {
    let network = try ONNXNetwork(file, giving: .whole)
    let image = try ONNXFile.tensor("\(folder)/input_0.pb")
    let expected = try ONNXFile.tensor("\(folder)/output_0.pb")
    var result = image
    seconds =
      try ContinuousClock().measure { result = try inferenceMode { try network.run(image) } }
      / .seconds(1)
    guard result.shape == expected.shape, result.dtype == expected.dtype else {
      throw ONNXError.input(
        file: "\(folder)/output_0.pb", found: "\(expected.dtype) \(expected.shape)",
        expected: "\(result.dtype) \(result.shape), which the network gives")
    }
    shape = result.shape
    let (own, theirs) = (result.to(.float64), expected.to(.float64))
    let numbers: [Double] = try attempt {
      let deviation = theirs.standardDeviation(correction: 0).item
      let apart = (own - theirs).abs()
      return [
        apart.reshaped(-1).maximum(along: [0]).item, deviation,
        Self.agreement(
          own, theirs, isWhole: !result.dtype.isFloatingPoint,
          classes: image.rank == 4 && image.size(1) != 3 && image.size(3) == 3 ? 3 : 1),
      ]
    }
    largest = numbers[0]
    difference = numbers[0] / max(numbers[1], 1e-30)
    agreement = numbers[2]
  }

  /// The share of places that agree, where `classes` is the dimension of the classes of a map: the last one
  /// of a network that takes images with their bands last.
  private static func agreement(
    _ own: Tensor, _ theirs: Tensor, isWhole: Bool, classes: Int
  ) -> Double {
    let isMap = own.rank == 4 && !isWhole
    let isSingle = isMap && own.size(classes) == 1
    let (a, b) =
      isSingle
      ? (own.atLeast(0), theirs.atLeast(0))
      : isMap ? (own.argmax(classes), theirs.argmax(classes)) : (own, theirs)
    return a.equal(to: b).to(.float64).mean().item
  }

  /// The report as text.
  package var text: String {
    [
      "result         \(shape.map(String.init).joined(separator: "x"))",
      String(format: "difference     %.1e deviations, %.1e at most", difference, largest),
      String(format: "equal          %.4f %%", agreement * 100),
      String(format: "one pass       %.3f s", seconds),
    ].joined(separator: "\n")
  }
}
