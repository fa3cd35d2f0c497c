import Checkpoints
import Configuration
import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// What a checkpoint says about the run that it was taken from.
public struct CheckpointRecord: Sendable, Codable, Equatable {
  /// A class of the label map.
  public struct Class: Sendable, Codable, Equatable {
    /// The class's name.
    public var name: String
    /// Red, green and blue, 0 to 255.
    public var color: [UInt8]
    /// The values that stand for the class in label files.
    public var values: [Int]
  }

  /// The version of this record's form.
  public var version = Self.currentVersion
  /// The configuration as YAML, overrides included.
  public var configuration: String
  /// The iterations done, and those of the whole run.
  public var step, steps: Int
  /// The epoch that comes next, and how many of its batches are done.
  public var epoch, position: Int
  /// The images that have been seen.
  public var images: Int
  /// The name of the label map, its classes, and the file values that are ignored.
  public var labelMap: String
  /// The classes in order.
  public var classes: [Class]
  /// The file values that count nowhere.
  public var ignored: [Int]
  /// What turns levels into the network's input.
  public var mean, deviation: [Double]
  /// The scores at this step, if the network was scored then.
  public var scores: Scores?
  /// The protocol that the scores were computed by.
  public var scoring: ScoringProtocol?
  /// The best score so far, and what follows from the scores.
  public var standing = Standing()
  /// What the loss is multiplied by, where gradients are those of half precision.
  var gradientScale: GradientScaler.State?
  /// The version of libtorch, and the number of threads, which the last bits depend on.
  public var libtorch: String
  /// The number of threads of the network.
  public var threads: Int
  /// The number of processes, if there was more than one.
  public var processes: Int?
  /// The images that the run trains on; older records do not tell.
  public var trainingImages: TrainingImages?

  /// The version of records that this program writes, and the newest that it reads.
  static let currentVersion = 1

  /// What a record of any version has.
  struct Form: Decodable {
    let version: Int
  }

  /// The record as JSON with sorted keys.
  func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }
}

/// What is wrong with a file that should be a checkpoint.
public enum CheckpointError: Error, CustomStringConvertible {
  case notFound(path: String, expected: String)
  case unreadable(file: String, reason: String)
  case noRecord(file: String)
  case newer(file: String, version: Int, known: Int)
  case anotherNetwork(file: String, report: String)
  case incomplete(file: String, reason: String)
  case unknownConvention(name: String, known: [String])
  case otherClassOrder(file: String, ours: [String], theirs: [String], reason: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .notFound(let path, let expected): "\(path): is not there; expected \(expected)"
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .noRecord(let file):
      "\(file): has no record of a run; expected a checkpoint that `atrous train` wrote"
    case .newer(let file, let version, let known):
      "\(file): a newer Atrous wrote it (version \(version) of a checkpoint's record, this one reads up"
        + " to \(known)); expected that Atrous, or a checkpoint of this one"
    case .anotherNetwork(let file, let report):
      "\(file): holds the weights of another network than the configuration describes: \(report)"
    case .incomplete(let file, let reason): "\(file): cannot be resumed from: \(reason)"
    case .unknownConvention(let name, let known):
      "no names '\(name)' for this network; expected \(known.joined(separator: " or "))"
    case .otherClassOrder(let file, let ours, let theirs, let reason):
      "\(file): its classes are \(theirs.joined(separator: ", ")), the configuration's are"
        + " \(ours.joined(separator: ", ")); \(reason)"
    }
  }
}

/// One file with everything that a run needs to go on: weights under their plain names, and under
/// `optimizer/`, `ema/` and `random/` what else changes from step to step.
///
/// The record is the file's metadata, so that a checkpoint is written whole or not at all.
public struct Checkpoint {
  /// Where it was read from.
  public let file: String
  /// What it says about its run.
  public let record: CheckpointRecord
  private let weights: WeightFile

  /// The names of a run's files.
  enum Name {
    static let last = "last.safetensors"
    static let best = "best.safetensors"
    static let record = "record.json"
    static let log = "log.jsonl"
    static let configuration = "config.yaml"
  }

  static let metadataKey = "atrous"

  /// Reads a checkpoint file, or the best checkpoint of a run's folder, or else its last.
  ///
  /// - Throws: ``CheckpointError``; `WeightFileError` for a file that is damaged.
  public init(_ path: String) throws {
    file = try Self.locate(path)
    weights = try WeightFile.open(file)
    guard let text = weights.metadata[Self.metadataKey] else {
      throw CheckpointError.noRecord(file: file)
    }
    let form = try? JSONDecoder().decode(CheckpointRecord.Form.self, from: Data(text.utf8))
    if let form, form.version > CheckpointRecord.currentVersion {
      throw CheckpointError.newer(
        file: file, version: form.version, known: CheckpointRecord.currentVersion)
    }
    do {
      record = try JSONDecoder().decode(CheckpointRecord.self, from: Data(text.utf8))
    } catch {
      throw CheckpointError.unreadable(file: file, reason: "its record has another form: \(error)")
    }
  }

  private static func locate(_ path: String) throws -> String {
    let expected = "a checkpoint file, or the folder of a run with \(Name.best) or \(Name.last)"
    guard FileSystem.exists(path) else {
      throw CheckpointError.notFound(path: path, expected: expected)
    }
    guard FileSystem.isFolder(path) else { return path }
    for name in [Name.best, Name.last] {
      let file = "\(path)/\(name)"
      if FileSystem.exists(file) { return file }
    }
    throw CheckpointError.notFound(path: "\(path)/\(Name.best)", expected: expected)
  }

  /// Writes a checkpoint, or leaves the one that stood there.
  ///
  /// - Throws: ``WriteError``.
  static func write(
    _ path: String, model: Module, optimizer: Optimizer, average: MovingAverage?,
    record: CheckpointRecord
  ) throws {
    var tensors = model.state
    tensors += optimizer.state.map { ("optimizer/\($0.name)", $0.tensor) }
    tensors += (average?.state ?? []).map { ("ema/\($0.name)", $0.tensor) }
    tensors.append(("random/state", Engine.randomState))
    let text = String(decoding: try record.json(), as: UTF8.self)
    try WeightFile.write(tensors, metadata: [metadataKey: text, "format": "pt"], to: path)
  }

  /// The tensors under a prefix, without it; those without a slash for none.
  private func part(_ prefix: String) -> WeightFile {
    weights.renamed { name in
      if prefix.isEmpty { return name.contains("/") ? nil : name }
      return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
    }
  }

  /// The averaged weights, or the weights where there is no average.
  var averaged: WeightFile {
    let average = part("ema/")
    return average.entries.isEmpty ? part("") : average
  }

  /// Puts the averaged weights, or the weights where there is no average, into a network.
  ///
  /// - Throws: ``CheckpointError/anotherNetwork(file:report:)`` with the names that differ.
  public func load(into model: Module, averaged: Bool = true) throws {
    do {
      try (averaged ? self.averaged : part("")).load(into: model)
    } catch WeightFileError.otherNetwork(_, let report) {
      throw CheckpointError.anotherNetwork(file: file, report: report.description)
    }
  }

  /// Puts everything that changes from step to step back where it was.
  ///
  /// - Throws: ``CheckpointError``.
  func restore(_ model: Module, _ optimizer: Optimizer, _ average: MovingAverage?) throws {
    try load(into: model, averaged: false)
    do {
      try optimizer.load(part("optimizer/").tensors)
    } catch let error as LoadError {
      throw CheckpointError.incomplete(
        file: file, reason: "the optimizer's state does not fit: \(error.report)")
    }
    if let average {
      let stored = part("ema/")
      for (name, tensor) in average.state {
        guard stored.entry(name)?.shape == tensor.shape else {
          throw CheckpointError.incomplete(file: file, reason: "the moving average lacks '\(name)'")
        }
        tensor.assign(try stored.tensor(name))
      }
    }
    guard weights.entry("random/state") != nil else {
      throw CheckpointError.incomplete(file: file, reason: "the state of random numbers is missing")
    }
    Engine.randomState = try weights.tensor("random/state")
  }

  /// The configuration of the run, with overrides of the form `key.path=value`.
  ///
  /// A network that was imported without a run has none; its training is one iteration then, which
  /// nothing asks for, so that it can be scored on data that the overrides name.
  /// - Throws: `ConfigurationError` naming what is wrong.
  public func configuration(overrides: [String] = []) throws -> TrainingConfiguration {
    let section = try Section(yaml: record.configuration, named: file, overrides: overrides)
    let run =
      section.has("train")
      ? [] : ["train={iterations: 1, optimizer: {name: sgd, learningRate: 0.01}}"]
    return try TrainingConfiguration(
      yaml: record.configuration, named: file, overrides: overrides + run)
  }

  /// What the configuration has images extended by.
  ///
  /// - Throws: `ConfigurationError` for another word.
  func padding(overrides: [String] = []) throws -> Padding {
    try Section(yaml: record.configuration, named: file, overrides: overrides)
      .section("evaluate").choice("pad", default: .unchanged)
  }

  /// The network with this checkpoint's weights.
  ///
  /// Data need not be there: classes and normalization are part of the record.
  /// - Throws: `ConfigurationError`, ``CheckpointError``.
  public func model(overrides: [String] = []) throws -> SegmentationModel {
    let section = try Section(yaml: record.configuration, named: file, overrides: overrides)
    let model = try withPreservedRandomState {
      try attempt {
        try ModelBuilder.build(
          section.section("model"), classes: record.classes.count, pretrained: false)
      }
    }
    model.useChannelsLast()
    try load(into: model)
    return model
  }

  /// Whether the run's photographs are turned as EXIF says, with overrides of the form
  /// `key.path=value`.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  func orientation(overrides: [String] = []) throws -> ImageOrientation {
    try DataConfiguration.orientation(data(overrides))
  }

  /// For coloured labels the value of each colour; nil where the run's labels are none, or the file that
  /// names the colours is gone.
  func labelColors(overrides: [String] = []) -> [Color: UInt16]? {
    (try? DataConfiguration(data(overrides)))?.labelColors
  }

  private func data(_ overrides: [String]) throws -> Section {
    try Section(yaml: record.configuration, named: file, overrides: overrides).section("data")
  }

  /// The label map of the run, with the background that its configuration names.
  ///
  /// - Throws: `DatasetError` for a record that makes no sense.
  public func labelMap(overrides: [String] = []) throws -> LabelMap {
    var rows: [LabelMap.Row] = []
    for (index, entry) in record.classes.enumerated() {
      rows += entry.values.compactMap { UInt16(exactly: $0) }
        .map { .init(value: $0, index: index, label: entry.name) }
    }
    rows += record.ignored.compactMap { UInt16(exactly: $0) }
      .map { .init(value: $0, index: nil, label: "ignored") }
    let classes = record.classes.map { entry in
      let color = entry.color + [UInt8](repeating: 0, count: max(0, 3 - entry.color.count))
      return LabelMap.Class(entry.name, Color(color[0], color[1], color[2]))
    }
    let map = try LabelMap(name: record.labelMap, classes: classes, rows: rows)
    let background = try data(overrides).optionalString("background")
    return try background.map { try map.withBackground($0) } ?? map
  }

  /// What turns levels into the network's input.
  ///
  /// - Throws: `DatasetError` for a record that makes no sense.
  public func normalization() throws -> Normalization {
    try Normalization(mean: record.mean, deviation: record.deviation)
  }
}
