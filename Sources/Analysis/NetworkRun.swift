import Foundation
import Segmentation
import Torch

/// One forward pass of a network, as far as it can be seen from outside.
public struct NetworkRun: Sendable, Codable {
  /// The shape of the scores at the image's size (N, classes, H, W).
  public let scores: [Int]
  /// How long the pass took, the first one with all that it prepares.
  public let seconds: Double
  /// The most memory that the process has held since its start, in bytes.
  public let peakBytes: Int

  /// Runs `model` once, in evaluation mode and without gradients, on noise of this size.
  ///
  /// - Throws: `TorchError` if the network cannot run at this size.
  public init(_ model: SegmentationModel, height: Int, width: Int, inputChannels: Int = 3) throws {
    let image = Tensor(uninitialized: [1, inputChannels, height, width])
    image.drawNormal()
    let wasTraining = model.isTraining
    model.train(false)
    defer { model.train(wasTraining) }
    var shape: [Int] = []
    let time = try ContinuousClock().measure {
      shape = try attempt { inferenceMode { model(image).shape } }
    }
    scores = shape
    seconds = time / .seconds(1)
    peakBytes = Self.peakBytes
  }

  /// The most memory that this process has held.
  static var peakBytes: Int {
    var usage = rusage()
    #if canImport(Darwin)
      let (who, unit) = (RUSAGE_SELF, 1)
    #else
      let (who, unit) = (__rusage_who_t(RUSAGE_SELF.rawValue), 1024)
    #endif
    return getrusage(who, &usage) == 0 ? usage.ru_maxrss * unit : 0
  }

  /// The pass in two lines.
  var lines: [String] {
    [
      "one pass         \(ModelSummary.rounded(seconds)) s, scores"
        + " \(scores.map(String.init).joined(separator: "x"))",
      "peak memory      \(ModelSummary.rounded(Double(peakBytes) / 1_048_576)) MiB, the process's",
    ]
  }
}
