import Configuration
import Datasets
import Segmentation
import Torch

/// A network of a configuration, and what predicting with it needs: the classes and how images are
/// normalized.
///
/// A section `model` is enough. Of a section `data` without a section `train` only `classes`, the names in
/// order, and `normalization` are read, unless it names a `layout`.
public struct NetworkConfiguration {
  /// The whole configuration, where it says how to train.
  public let training: TrainingConfiguration?
  /// The classes, where the configuration names them.
  public let labelMap: LabelMap?
  /// What turns levels into the network's input.
  public let normalization: Normalization
  /// The configuration as text, overrides included.
  public let yaml: String
  private let root: Section

  /// Reads a file; `overrides` are of the form `key.path=value`.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public init(contentsOf file: String, overrides: [String] = []) throws {
    root = try Section(contentsOf: file, overrides: overrides)
    let data = try root.section("data")
    guard !root.has("train") else {
      let training = try TrainingConfiguration(contentsOf: file, overrides: overrides)
      self.training = training
      (labelMap, normalization) = (training.data.labelMap, training.data.normalization)
      yaml = training.yaml
      return
    }
    training = nil
    yaml = root.yaml
    if (try? data.string("normalization")) == "measured" {
      throw data.invalid(
        "normalization", "'measured'", expected: "numbers or a name, as there is no training")
    }
    if data.has("layout") {
      let described = try DataConfiguration(data)
      (labelMap, normalization) = (described.labelMap, described.normalization)
    } else {
      let names = try data.strings("classes", default: [])
      labelMap = names.isEmpty ? nil : try .identity(names.count, names: names)
      normalization = try DataConfiguration.normalization(data)
      try data.finish()
    }
  }

  /// The network, as the model's builder makes it.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong; `WeightFileError` for the backbone's file.
  public func buildModel(pretrained: Bool = true) throws -> SegmentationModel {
    if let training { return try training.buildModel(pretrained: pretrained) }
    let section = try root.section("model")
    let classes = try section.optionalInt("classes", in: 1...65_535)
    if let labelMap, let classes, classes != labelMap.count {
      throw section.invalid(
        "classes", "\(classes)",
        expected: "\(labelMap.count), the classes of the section 'data'")
    }
    return try attempt {
      try ModelBuilder.build(section, classes: labelMap?.count, pretrained: pretrained)
    }
  }
}
