import Checkpoints
import Evaluation
import Files
import Foundation
import Torch

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
  case unfinishedFolds(folder: String, missing: [Int], count: Int)
  case trainedOn(file: String, fold: String, asked: String)
  case otherFolds(file: String, fold: String, reason: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .notFound(let path, let expected): "\(path): is not there; expected \(expected)"
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .noRecord(let file):
      "\(file): has no record of a run; expected a checkpoint that `atrous train` wrote. Of weights of another"
        + " program `atrous import \(file.inShell) --model CONFIG.yaml --output NEW.safetensors` makes one"
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
    case .unfinishedFolds(let folder, let missing, let count):
      "\(folder): of \(count) folds \(missing.map(String.init).joined(separator: ", "))"
        + " \(missing.count == 1 ? "is" : "are") not trained to the end; expected all, which the same"
        + " `atrous train` with --folds \(count) goes on with"
    case .trainedOn(let file, let fold, let asked):
      "\(file): was trained without fold \(fold), and on images of fold \(asked); expected --fold \(fold), or the"
        + " network that was trained without fold \(asked)"
    case .otherFolds(let file, let fold, let reason):
      "\(file): was trained without fold \(fold) of other images than there are now: \(reason). Expected the same"
        + " images, so that those of the fold were never trained on, or --split for others"
    }
  }
}

/// One file with a network's weights under their plain names, and under `optimizer/`, `ema/` and `random/`
/// what else changes from step to step of a run.
///
/// The record is the file's metadata, so that a checkpoint is written whole or not at all.
public struct Checkpoint {
  /// Where it was read from.
  public let file: String
  /// What it says about its network.
  public let record: CheckpointRecord
  /// All its tensors.
  package let weights: WeightFile
  /// The record as it stands in the file.
  package let recordText: String

  /// The names of a run's checkpoints.
  package enum Name {
    package static let last = "last.safetensors"
    package static let best = "best.safetensors"
  }

  package static let metadataKey = "atrous"

  /// Reads a checkpoint file, or the best checkpoint of a run's folder, or else its last.
  ///
  /// - Throws: ``CheckpointError``; `WeightFileError` for a file that is damaged.
  public init(_ path: String) throws {
    file = try Self.locate(path)
    weights = try WeightFile.open(file)
    guard let text = weights.metadata[Self.metadataKey] else {
      throw CheckpointError.noRecord(file: file)
    }
    recordText = text
    let form = try? JSONDecoder().decode(CheckpointRecord.Form.self, from: Data(text.utf8))
    if let form, form.version > CheckpointRecord.currentVersion {
      throw CheckpointError.newer(
        file: file, version: form.version, known: CheckpointRecord.currentVersion)
    }
    record = try Self.decoded(CheckpointRecord.self, from: text, file: file)
    if let temperature = record.temperature, !temperature.fits(classes: record.classes.count) {
      throw CheckpointError.unreadable(
        file: file,
        reason: "its record has \(temperature.values.count) temperatures for"
          + " \(record.classes.count) classes")
    }
  }

  /// What a record says, in one of its forms.
  ///
  /// - Throws: ``CheckpointError/unreadable(file:reason:)``.
  package static func decoded<Record: Decodable>(
    _ type: Record.Type, from text: String, file: String
  ) throws -> Record {
    do {
      return try JSONDecoder().decode(type, from: Data(text.utf8))
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

  /// The tensors under a prefix, without it; those without a slash for none.
  package func part(_ prefix: String) -> WeightFile {
    weights.renamed { name in
      if prefix.isEmpty { return name.contains("/") ? nil : name }
      return name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : nil
    }
  }

  /// The averaged weights, or the weights where there is no average.
  package var averaged: WeightFile {
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
}
