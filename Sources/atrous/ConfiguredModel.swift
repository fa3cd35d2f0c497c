import Inference
import Segmentation
import Torch
import Training

/// The network of a configuration, for weights from elsewhere.
struct ConfiguredModel {
  let model: SegmentationModel
  private let network: NetworkConfiguration

  /// Builds the network without drawing its weights.
  init(_ file: String, overrides: [String]) throws {
    let network = try NetworkConfiguration(contentsOf: file, overrides: overrides)
    model = try Initialization.skipped { try network.buildModel(pretrained: false) }
    self.network = network
  }

  /// Writes the network's weights as a checkpoint.
  func write(to path: String) throws {
    try Checkpoint.write(path, imported: model, for: network)
  }
}
