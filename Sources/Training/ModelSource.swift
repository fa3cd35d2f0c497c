import Configuration
import Datasets
import Files
import Foundation
import Imaging
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
  /// Whether photographs are turned as EXIF says.
  public let orientation: ImageOrientation
  private let labelColors: [Color: UInt16]?
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
    let kind = path.fileSuffix
    if kind == "yaml" || kind == "yml" {
      let network = try NetworkConfiguration(contentsOf: path, overrides: overrides)
      Engine.seed(seed)
      model = try network.buildModel()
      normalization = network.normalization
      labelMap = network.labelMap
      labelColors = network.training?.data.labelColors
      orientation = network.training?.data.orientation ?? .applied
      configuration = network.training
      isUntrained = true
    } else {
      let checkpoint = try Checkpoint(path)
      model = try checkpoint.model(overrides: overrides)
      normalization = try checkpoint.normalization()
      labelMap = try checkpoint.labelMap()
      labelColors = checkpoint.labelColors(overrides: overrides)
      orientation = try checkpoint.orientation(overrides: overrides)
      configuration = try? checkpoint.configuration(overrides: overrides)
      isUntrained = false
    }
    Engine.setFlushDenormal(true)
    model.train(false)
    model.useChannelsLast()
    model.move(to: device)
  }
}

extension ModelSource {
  /// The network alone without memory for its weights, for use inside of `shapesOnly`.
  ///
  /// - Throws: As ``init(_:overrides:seed:device:)``.
  public static func shapes(_ path: String, overrides: [String] = []) throws -> SegmentationModel {
    let kind = path.fileSuffix
    guard kind == "yaml" || kind == "yml" else {
      let record = try Checkpoint(path).record
      let section = try Section(yaml: record.configuration, named: path, overrides: overrides)
      return try ModelBuilder.build(
        section.section("model"), classes: record.classes.count, pretrained: false)
    }
    // The number of classes is the label map's where the configuration names data.
    return try NetworkConfiguration(contentsOf: path, overrides: overrides)
      .buildModel(pretrained: false)
  }
}

extension ModelSource {
  /// The names of the classes, where they have any.
  public var classNames: [String] { labelMap?.classes.map(\.name) ?? [] }

  /// The place of a class given by its name or number.
  ///
  /// - Throws: `ConfigurationError` for a class that the network does not have.
  public func classIndex(_ label: String) throws -> Int {
    let names = classNames
    if let index = names.firstIndex(where: { $0.lowercased() == label.lowercased() }) {
      return index
    }
    if let index = Int(label), (0..<model.classes).contains(index) { return index }
    let known = names.isEmpty ? "a number below \(model.classes)" : names.joined(separator: ", ")
    throw ConfigurationError.invalid(
      place: "--class", key: "class", value: "'\(label)'", expected: known)
  }

  /// The data that the configuration names: a split, or the one that it is scored on.
  ///
  /// - Throws: `DatasetError`; `ConfigurationError` for a network without data.
  public func dataset(_ split: String? = nil, limit: Int? = nil) throws -> any Dataset {
    guard let configuration else {
      throw ConfigurationError.missing(
        place: "the network", key: "data", expected: "a configuration with sections data and train")
    }
    let all = try configuration.data.dataset(split ?? configuration.evaluate.split)
    return limit.map { all.spread(to: $0) } ?? all
  }

  /// The classes of a label file that belongs to a photograph.
  ///
  /// - Throws: What reading it throws, `DatasetError` for another size than the photograph's, and
  ///   `ConfigurationError` for a network whose classes are not known.
  public func mask(_ label: String, for image: Image, _ file: String) throws -> ClassMask {
    guard let labelMap else {
      throw ConfigurationError.missing(
        place: "the network", key: "data", expected: "a configuration that names the classes")
    }
    let mask = try labelMap.classes(
      of: LabelImage(contentsOf: label, colors: labelColors), file: label)
    try checkSizes(image: file, image.size, label: label, mask.size, orientation: orientation)
    return mask
  }
}

/// The image files that a path names: itself, or those in the folder, by name.
///
/// In a folder, pictures that Atrous wrote and kinds that are not read are passed over, and told to
/// `note`.
/// - Throws: `DatasetError` for a folder without images, or what is not there.
public func imageFiles(_ path: String, note: (String) -> Void = { _ in }) throws -> [String] {
  guard FileSystem.exists(path) else {
    throw DatasetError.missingFolder(path: path, expected: "an image or a folder of images")
  }
  guard FileSystem.isFolder(path) else { return [path] }
  guard let names = FileSystem.names(in: path) else {
    throw DatasetError.missingFolder(path: path, expected: "a folder that can be read")
  }
  let (read, unread) = PassedOver.pictures(in: names)
  var passedOver = PassedOver()
  passedOver.unread = unread
  passedOver.outputs = read.filter { OutputMark.isOn("\(path)/\($0)") }
  for text in passedOver.notes(in: path) { note(text) }
  let outputs = Set(passedOver.outputs)
  let files = read.filter { !outputs.contains($0) }
  guard !files.isEmpty else {
    throw DatasetError.emptyFolder(
      path: path, expected: "images (\(FileSelection.pictures.joined(separator: ", ")))")
  }
  return files.map { "\(path)/\($0)" }
}
