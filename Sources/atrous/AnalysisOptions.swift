import Evaluation
import Analysis
import ArgumentParser
import Foundation
import Inference
import Segmentation
import Training

/// The network that an analysis looks at.
struct NetworkOptions: ParsableArguments {
  @Argument(
    help:
      "A configuration (YAML; weights are drawn), the folder of a run, a checkpoint or an ONNX file."
  )
  var network: String

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "What the weights of a configuration are drawn from.")
  var seed: UInt64 = 0

  @OptionGroup var place: DeviceOptions

  func load() throws -> TrainedNetwork {
    try TrainingConfiguration.check(network, overrides: settings.overrides)
    return try TrainedNetwork(
      network, overrides: settings.overrides, seed: seed, device: place.prepared())
  }

  /// The network, for what looks at a backbone and a head, which that of an ONNX file has not.
  ///
  /// - Throws: `ONNXError` for an ONNX file, beside what ``load()`` throws.
  func loadWithParts(for command: String) throws -> TrainedNetwork {
    try TrainedNetwork.refuseONNX(network, for: command)
    return try load()
  }

  /// The network without memory for its weights, for use inside of `shapesOnly`.
  func shapes() throws -> SegmentationModel {
    try TrainingConfiguration.check(network, overrides: settings.overrides)
    return try TrainedNetwork.shapes(network, overrides: settings.overrides)
  }
}

/// Refuses a photograph in the network's place and a network in the photograph's.
func refuseSwapped(_ network: String, _ photograph: String) throws {
  let isNetwork = {
    TrainedNetwork.isConfiguration($0) || TrainedNetwork.isONNX($0) || (try? Checkpoint($0)) != nil
  }
  guard isNetwork(photograph), !isNetwork(network) else { return }
  throw ValidationError(
    "'\(photograph)' is a network, expected it first and the photograph '\(network)' after it.")
}

/// A point of an image: `120,80`.
struct ImagePoint: ExpressibleByArgument {
  let x: Int, y: Int

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard parts.count == 2, let x = parts[0], let y = parts[1], x >= 0, y >= 0 else { return nil }
    (self.x, self.y) = (x, y)
  }
}

/// Prints a report's text or its JSON.
func show(_ report: some JSONReport, text: String, asJSON: Bool) throws {
  print(asJSON ? String(decoding: try report.json(), as: UTF8.self) : text)
}
