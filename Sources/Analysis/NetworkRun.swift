import Evaluation
import Foundation
import Segmentation
import Torch

/// One forward pass of a network, as far as it can be seen from outside.
public struct NetworkRun: Sendable, Codable {
  /// The shape of the scores at the image's size (N, classes, H, W).
  public let scores: [Int]
  /// How long the pass took, the first one with all that it prepares.
  public let seconds: Double
  /// The processor's time for it, which other programs do not lengthen; all cores together.
  public let processorSeconds: Double
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
    let before = ProcessUsage.current
    let time = try ContinuousClock().measure {
      shape = try attempt { inferenceMode { model(image).shape } }
    }
    scores = shape
    seconds = time / .seconds(1)
    let after = ProcessUsage.current
    processorSeconds = (after?.processorSeconds ?? 0) - (before?.processorSeconds ?? 0)
    peakBytes = Int((after?.peakKilobytes ?? 0) * 1024)
  }

  /// The pass in two lines.
  var lines: [String] {
    [
      "one pass         \(ModelSummary.rounded(seconds)) s"
        + " (\(ModelSummary.rounded(processorSeconds)) s of the processor), scores"
        + " \(scores.map(String.init).joined(separator: "x"))",
      "peak memory      \(ModelSummary.rounded(Double(peakBytes) / 1_048_576)) MiB, the process's",
    ]
  }
}
