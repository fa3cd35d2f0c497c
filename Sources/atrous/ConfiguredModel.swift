import Files
import Foundation
import Inference
import Segmentation
import Torch
import Training

/// The network of a configuration, for weights from elsewhere.
struct ConfiguredModel {
  let model: SegmentationModel
  let network: NetworkConfiguration
  /// Whether nobody wrote the configuration before.
  private let isTold: Bool

  /// Builds the network of a file without drawing its weights.
  init(_ file: String, overrides: [String]) throws {
    try self.init(NetworkConfiguration(contentsOf: file, overrides: overrides), isTold: false)
  }

  /// Builds a network that says itself what it is, without its weights.
  init(_ pretrained: PretrainedNetwork, overrides: [String]) throws {
    try self.init(pretrained.configuration(overrides: overrides), isTold: true)
  }

  private init(_ network: NetworkConfiguration, isTold: Bool) throws {
    model = try Initialization.skipped { try network.buildModel(pretrained: false) }
    self.network = network
    self.isTold = isTold
  }

  /// Writes the network's weights as a checkpoint; the files that were written.
  ///
  /// A path without an ending is a folder, which is laid out as a run's, with the configuration. Beside a
  /// file a configuration is written where nobody wrote one before.
  func write(to path: String) throws -> [String] {
    let ending = path.fileSuffix
    let isFolder = ending.isEmpty || FileSystem.isFolder(path)
    let file = isFolder ? "\(path)/best.safetensors" : path
    let beside = isFolder ? "\(path)/config.yaml" : String(path.dropLast(ending.count)) + "yaml"
    try FileSystem.makeOutputFolder(of: file)
    try Checkpoint.write(file, imported: model, for: network)
    guard isFolder || isTold && !FileSystem.exists(beside) else { return [file] }
    try AtomicFile.write(beside, Data(network.yaml.utf8))
    return [file, beside]
  }
}
