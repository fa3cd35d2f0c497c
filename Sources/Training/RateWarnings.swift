import Configuration
import Datasets
import Files
import Foundation
import Imaging
import Inference
import Segmentation
import Torch

extension TrainingConfiguration {
  /// The size of the images that training shows the network; nil where they keep their own.
  package var cropSize: Size? {
    var size: Size?
    for transform in train.augmentation.transforms {
      switch transform {
      case .randomCrop(let crop, _), .centerCrop(let crop): size = crop
      case .resize(let whole, _): size = whole
      default: break
      }
    }
    return size
  }

  /// What of the network's atrous rates does not fit the crops, a line each.
  package func rateWarnings(for model: SegmentationModel) -> [String] {
    cropSize.map { RateCheck.warnings(model, width: $0.width, height: $0.height) } ?? []
  }
}

extension TrainingConfiguration {
  /// The size of the images that the network of a configuration, a run or a checkpoint is trained on; nil
  /// where that is not said.
  ///
  /// - Throws: `ConfigurationError`, `CheckpointError`, `WeightFileError`, `DatasetError`.
  package static func trainedSize(_ path: String, overrides: [String] = []) throws -> Size? {
    guard !TrainedNetwork.isONNX(path) else { return nil }
    guard TrainedNetwork.isConfiguration(path) else {
      return try? Checkpoint(path).configuration(overrides: overrides).cropSize
    }
    let section = try Section(contentsOf: path, overrides: overrides)
    return section.has("data")
      ? try TrainingConfiguration(contentsOf: path, overrides: overrides).cropSize : nil
  }

  /// Refuses what nothing reads in the section `train` of a configuration, or in what `overrides` make of a
  /// checkpoint's: the network that is run asks for little of it.
  ///
  /// - Throws: `ConfigurationError`, `CheckpointError`, `WeightFileError`, `DatasetError`.
  package static func check(_ path: String, overrides: [String]) throws {
    try shapesOnly {
      if TrainedNetwork.isONNX(path) {
        // Of what stands beside such a file only what running needs is read.
        return
      } else if TrainedNetwork.isConfiguration(path) {
        guard try Section(contentsOf: path, overrides: overrides).has("train") else { return }
        _ = try TrainingConfiguration(contentsOf: path, overrides: overrides)
      } else if !overrides.isEmpty {
        for file in try FoldRuns.checkpoints(path) {
          _ = try Checkpoint(file).configuration(overrides: overrides)
        }
      }
    }
  }
}
