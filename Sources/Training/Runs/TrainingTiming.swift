import Datasets
import Evaluation
import Foundation
import Segmentation
import Torch

/// How long a training step of a network takes.
package struct TrainingTiming: JSONReport {
  /// The threads of an operator.
  package let threads: Int
  /// The images of a step.
  package let batch: Int
  /// The median seconds of a step.
  package private(set) var trainingSeconds = 0.0
  /// The median seconds of a step that the processor was at work, all cores together.
  package private(set) var processorSeconds = 0.0
  /// The most memory that the process has held, in megabytes.
  package private(set) var peakMegabytes: Double?
  /// The loss of the last step.
  package private(set) var loss = 0.0

  /// Times steps of `model` on a batch of noise whose classes are drawn and in part ignored, `repeats`
  /// times after two that do not count: cross-entropy, and SGD with momentum.
  ///
  /// - Parameter precision: The type to which convolutions and matrix products are cast; nil for none.
  /// - Throws: `TorchError` if the network cannot run at this size.
  package init(
    _ model: SegmentationModel, batch: Int, height: Int, width: Int, repeats: Int,
    precision: DType? = nil
  ) throws {
    threads = Engine.threads
    self.batch = batch
    model.train()
    let images = Tensor(uninitialized: [batch, model.inputChannels, height, width])
    images.drawNormal()
    let device = model.state.first?.tensor.device ?? .cpu
    let target = Self.classes(model.classes, [batch, height, width]).to(device)
    let optimizer = Optimizer(
      .sgd(momentum: 0.9), model, learningRate: 0.01, weightDecay: 1e-4)
    let pass = TrainingPass(
      model: model, loss: Loss(.crossEntropy), precision: precision, device: device)
    let input = images.contiguous(.channelsLast).to(device)
    var steps: [(seconds: Double, processor: Double)] = []
    for _ in 0..<repeats + 2 {
      let before = ProcessUsage.current?.processorSeconds ?? 0
      let time = try ContinuousClock().measure {
        loss = try attempt {
          optimizer.clearGradients()
          let value = pass.total(input, target)
          value.backward()
          optimizer.step()
          Engine.synchronize(device)
          return value.detached().item
        }
      }
      let after = ProcessUsage.current?.processorSeconds ?? 0
      steps.append((time / .seconds(1), after - before))
    }
    // The first ones make gradients and momenta.
    trainingSeconds = steps.dropFirst(2).map(\.seconds).median
    processorSeconds = steps.dropFirst(2).map(\.processor).median
    peakMegabytes = ProcessUsage.current.map { $0.peakKilobytes / 1e3 }
  }

  /// Classes of pixels, each image a few regions, and a twentieth of the pixels ignored.
  private static func classes(_ count: Int, _ shape: [Int]) -> Tensor {
    let pixels = shape.reduce(1, *)
    return Tensor(
      (0..<pixels).map { $0 % 20 == 0 ? Int64(LabelMap.ignored) : Int64($0 / 50 % count) }, shape)
  }

  /// The report as text.
  package var text: String {
    var lines = [
      "threads        \(threads)", "images         \(batch)",
      String(format: "step           %.3f s", trainingSeconds),
      String(format: "processor      %.3f s", processorSeconds),
      String(format: "images/s       %.2f", Double(batch) / trainingSeconds),
    ]
    if let peakMegabytes {
      lines.append(String(format: "peak memory    %.0f MB", peakMegabytes))
    }
    return lines.joined(separator: "\n")
  }
}
