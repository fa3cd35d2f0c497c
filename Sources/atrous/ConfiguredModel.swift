import Checkpoints
import Configuration
import Segmentation
import Torch
import Training

/// The network of a configuration, and the data that it is for where the configuration names them.
struct ConfiguredModel {
  let model: SegmentationModel
  private let training: TrainingConfiguration?

  /// Builds the network without drawing its weights.
  init(_ file: String, overrides: [String]) throws {
    let section = try Section(contentsOf: file, overrides: overrides)
    // The number of classes is the label map's where the configuration names data.
    let training =
      section.has("data")
      ? try TrainingConfiguration(contentsOf: file, overrides: overrides) : nil
    model = try Initialization.skipped {
      try training?.buildModel(pretrained: false)
        ?? ModelBuilder.build(section.section("model"), pretrained: false)
    }
    self.training = training
  }

  /// Writes the network's weights, with the record of a run if the classes are known.
  func write(to path: String) throws {
    if let training {
      try Checkpoint.write(path, imported: model, for: training)
    } else {
      try WeightFile.write(model.state, to: path)
    }
  }
}
