import Datasets
import Evaluation
import Files
import Foundation
import Graphs
import Imaging
import Segmentation
import Torch

/// How the ranges are found that whole numbers of eight bits need.
public struct Calibration: Sendable, Equatable {
  /// How many images are looked at, spread evenly over those there are.
  public var images: Int
  /// The file that ranges are read from, or written to if there is none; nil to keep them nowhere.
  public var file: String?
  /// A photograph or a folder of them; nil for the training split.
  public var photographs: String?
  /// How ranges follow from what is seen.
  public var method: InputRanges.Method

  /// A calibration.
  public init(
    images: Int = 32, file: String? = nil, photographs: String? = nil,
    method: InputRanges.Method = .minmax
  ) {
    (self.images, self.file, self.photographs) = (images, file, photographs)
    self.method = method
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
    let ranges = try ranges(of: network)
    if let file { try Self.write(ranges, to: file) }
    form.ranges = ranges
    return form
  }

  /// The ranges of what the layers of a network take of the images.
  ///
  /// - Throws: As ``look(at:through:_:)``.
  func ranges(of network: TrainedNetwork) throws -> InputRanges {
    let encoding = network.encoding
    let ends = zip(encoding.mean, encoding.deviation).map { (-$0 / $1, (1 - $0) / $1) }
    let low = Float(ends.map(\.0).min() ?? 0), high = Float(ends.map(\.1).max() ?? 0)
    return try network.model.calibrated(by: method, image: min(low, high)...max(low, high)) {
      try look(at: network, through: $0)
    }
  }

  /// Runs the images through a runner of the network.
  ///
  /// - Parameter seen: Gets what the network takes of the first image.
  /// - Throws: What reading the images throws; `ConfigurationError` for a network without data.
  func look(
    at network: TrainedNetwork, through runner: Runner, _ seen: (Tensor) -> Void = { _ in }
  ) throws {
    let settings = try network.configuration.evaluation()
    let predictor = Predictor(
      network.model, NetworkForm(runner: runner), encoding: network.encoding,
      device: network.device, mode: InferenceMode(padding: settings.padding))
    let found = try found(for: network)
    for index in 0..<found.count {
      let (image, _, file) = try found.load(index)
      if index == 0 { seen(predictor.input(image)) }
      _ = try predictor.classes(of: image, size: image.size, file: file)
    }
  }

  /// The images of a calibration, at the size at which the network sees them.
  struct Found {
    /// How many there are.
    let count: Int
    /// Whether their labels are known.
    let isLabelled: Bool
    /// Reads one with its labels and the name of its file.
    let load: (Int) throws -> (image: Image, truth: ClassMask?, file: String)
  }

  /// The images for a network.
  ///
  /// - Throws: `DatasetError`; `ConfigurationError` for a network without data.
  func found(for network: TrainedNetwork) throws -> Found {
    let size = try network.configuration.evaluation().imageSize
    func shown(_ image: Image) -> Image {
      size.map { image.resampled(to: $0.size(for: image.size), by: network.imageResizing) } ?? image
    }
    if let photographs {
      try network.checkDescribed()
      let files = try imageFiles(photographs)
      let count = min(images, files.count)
      return Found(count: count, isLabelled: false) { index in
        let file = files[index * files.count / count]
        return (shown(try Image(contentsOf: file, orientation: network.orientation)), nil, file)
      }
    }
    let dataset = try network.dataset("train").spread(to: images)
    return Found(count: dataset.count, isLabelled: true) { index in
      let sample = try dataset.load(index)
      return (shown(sample.image), sample.mask, dataset.item(index).imagePath)
    }
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
