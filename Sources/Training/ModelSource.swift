import Configuration
import Datasets
import Foundation
import Segmentation
import Torch

/// A network named on a command line, by a configuration or by a checkpoint, with what belongs to it.
public struct ModelSource {
  /// The network, in evaluation mode.
  public let model: SegmentationModel
  /// What turns levels into the network's input.
  public let normalization: Normalization
  /// The classes, where they have names.
  public let labelMap: LabelMap?
  /// The configuration, where it says how to train.
  public let configuration: TrainingConfiguration?
  /// Whether the weights are drawn at random.
  public let isUntrained: Bool

  /// Builds the network of a file ending in .yaml or .yml with weights drawn from `seed`, or reads a
  /// checkpoint file or the best checkpoint of a run's folder.
  ///
  /// - Throws: `ConfigurationError`, ``CheckpointError``, `WeightFileError`, `DatasetError`.
  public init(
    _ path: String, overrides: [String] = [], seed: UInt64 = 0, device: Device = .cpu
  ) throws {
    let kind = (path as NSString).pathExtension.lowercased()
    if kind == "yaml" || kind == "yml" {
      let section = try Section(contentsOf: path, overrides: overrides)
      let configuration =
        section.has("data")
        ? try TrainingConfiguration(contentsOf: path, overrides: overrides) : nil
      Engine.seed(seed)
      model = try attempt {
        try configuration?.buildModel() ?? ModelBuilder.build(section.section("model"))
      }
      normalization = configuration?.data.normalization ?? .imageNet
      labelMap = configuration?.data.labelMap
      self.configuration = configuration
      isUntrained = true
    } else {
      let checkpoint = try Checkpoint(path)
      model = try checkpoint.model(overrides: overrides)
      normalization = try checkpoint.normalization()
      labelMap = try checkpoint.labelMap()
      configuration = try? checkpoint.configuration(overrides: overrides)
      isUntrained = false
    }
    Engine.setFlushDenormal(true)
    model.train(false)
    model.useChannelsLast()
    model.move(to: device)
  }
}

/// The image files that a path names: itself, or those in the folder, by name.
///
/// - Throws: `DatasetError` for a folder without images, or what is not there.
public func imageFiles(_ path: String) throws -> [String] {
  var isFolder: ObjCBool = false
  guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
    throw DatasetError.missingFolder(path: path, expected: "an image or a folder of images")
  }
  guard isFolder.boolValue else { return [path] }
  let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  let files = names.filter {
    FileSelection.pictures.contains(($0 as NSString).pathExtension.lowercased())
      && !$0.hasPrefix(".")
  }
  guard !files.isEmpty else {
    throw DatasetError.emptyFolder(
      path: path, expected: "images (\(FileSelection.pictures.joined(separator: ", ")))")
  }
  return files.map { "\(path)/\($0)" }
}
