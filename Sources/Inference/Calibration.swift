import Datasets
import Evaluation
import Files
import Foundation
import Graphs
import Segmentation
import Torch

/// How the ranges are found that whole numbers of eight bits need.
public struct Calibration: Sendable, Equatable {
  /// How many images of the training split are looked at, spread evenly over it.
  public var images: Int
  /// The file that ranges are read from, or written to if there is none; nil to keep them nowhere.
  public var file: String?

  /// A calibration.
  public init(images: Int = 32, file: String? = nil) {
    self.images = images
    self.file = file
  }

  /// `form` with the ranges that it needs and does not have.
  ///
  /// - Throws: What reading the file or the images throws; ``CalibrationError``.
  func completed(_ form: InferenceForm, for network: TrainedNetwork) throws -> InferenceForm {
    guard form.precision == .int8, form.ranges == nil else { return form }
    // Before anything takes long.
    try form.check(on: network.device)
    var form = form
    if let file, FileSystem.exists(file) {
      form.ranges = try Self.read(file, for: network.model)
      return form
    }
    if let file { try FileSystem.makeOutputFolder(of: file) }
    let settings = try network.configuration.evaluation()
    let dataset = try network.configuration.data().dataset("train").spread(to: images)
    let ranges = try network.model.calibrated { runner in
      let predictor = Predictor(
        network.model, NetworkForm(runner: runner), encoding: network.encoding,
        device: network.device, mode: InferenceMode(padding: settings.padding))
      try Evaluator(predictor, imageSize: settings.imageSize).run(on: dataset)
    }
    if let file { try Self.write(ranges, to: file) }
    form.ranges = ranges
    return form
  }

  /// Writes ranges to a file.
  ///
  /// - Throws: ``CalibrationError/notWritable(file:reason:)``.
  package static func write(_ ranges: InputRanges, to file: String) throws {
    do {
      try AtomicFile.write(file, Data(jsonText(ranges).utf8))
    } catch let error as WriteError {
      throw CalibrationError.notWritable(file: file, reason: error.reason)
    }
  }

  /// The ranges of a file, which are those of `model`.
  ///
  /// - Throws: ``CalibrationError``.
  package static func read(_ file: String, for model: SegmentationModel) throws -> InputRanges {
    let ranges: InputRanges
    do {
      ranges = try JSONDecoder().decode(
        InputRanges.self, from: FileSystem.contents(file) ?? Data())
    } catch {
      throw CalibrationError.unreadable(file: file)
    }
    if let name = ranges.unknown(in: model).first {
      throw CalibrationError.otherNetwork(file: file, layer: name)
    }
    return ranges
  }
}

/// What stands in the way of a calibration.
public enum CalibrationError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file is not one of ranges.
  case unreadable(file: String)
  /// A range in the file is not that of a layer.
  case otherNetwork(file: String, layer: String)
  /// The file cannot be written.
  case notWritable(file: String, reason: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unreadable(let file):
      "\(file): is not what a calibration writes, expected ranges by layer as JSON"
    case .otherNetwork(let file, let layer):
      "\(file): '\(layer)' has no range of a layer of this network, expected the calibration of the"
        + " same network"
    case .notWritable(let file, let reason): "\(file): cannot be written: \(reason)"
    }
  }
}
