import Checkpoints
import Configuration
import Evaluation
import Files
import Foundation
import Inference
import TensorBoard

/// What stands in the way of beginning or going on with a run.
public enum RunError: Error, Sendable, Equatable, CustomStringConvertible {
  case noOutput
  case exists(folder: String)
  case locked(folder: String, holder: String)
  case otherConfiguration(folder: String, key: String, before: String, now: String)
  case otherImages(folder: String, before: String, now: String)
  case lossNotFinite(step: Int, value: String, learningRate: Double)
  case unsupportedPrecision(precision: String, device: String, reason: String)
  case cropTooLarge(crop: String, image: String, size: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .noOutput:
      "output: no folder for the run is given; expected `output:` in the configuration or --output"
    case .exists(let folder):
      "\(folder): holds a run already; expected another folder, --resume to go on with it or"
        + " --overwrite to begin anew"
    case .locked(let folder, let holder):
      "\(folder): \(holder) trains there; expected another folder, or that it has ended"
    case .otherConfiguration(let folder, let key, let before, let now):
      "\(folder): the run began with \(key) = \(before) and the configuration now says \(now);"
        + " expected the same to resume\(Self.same(key, before)), or --overwrite to begin anew"
        + (Self.lengths.contains(key) ? ". \(Self.longer(folder))" : "")
    case .otherImages(let folder, let before, let now):
      "\(folder): the run began with \(before), and there are \(now); expected the same images to"
        + " resume, --overwrite to begin anew, or another folder with `startFrom: \(folder)` in the"
        + " section train to go on from its weights"
    case .lossNotFinite(let step, let value, let rate):
      "step \(step): the loss is \(value) at a learning rate of \(rate); expected a number. A lower"
        + " learning rate, a warm-up or `clip` may help"
    case .unsupportedPrecision(let precision, let device, let reason):
      "train.precision: \(precision) does not work on \(device) here: \(reason); expected float32"
        + " or bfloat16"
    case .cropTooLarge(let crop, let image, let size):
      "train.augmentation: randomCrop \(crop) is larger than \(image), which is \(size) at most;"
        + " expected a smaller crop or a `pad: \(crop)` after it"
    }
  }

  /// What stands for the value that a run began with, in words.
  static let nothing = "nothing"
  /// The keys that say how long a run is, of which a configuration has one.
  static let lengths = ["train.minutes", "train.iterations", "train.epochs"]

  /// What gives a key the value that the run began with.
  private static func same(_ key: String, _ before: String) -> String {
    switch (key, before) {
    case ("train.minutes", nothing): " (without --minutes)"
    case ("train.minutes", _): " (--minutes \(before))"
    // An entry of a list cannot be taken out of it.
    case (_, nothing): key.contains("[") ? "" : " (--set \(key)=null)"
    default: " (--set \("\(key)=\(before)".inShell))"
    }
  }

  /// How a run's network is trained for longer than the run.
  static func longer(_ folder: String) -> String {
    "A run keeps its length; to train longer, begin another one from its weights, by --set"
      + " \("train.startFrom=\(folder)".inShell) --output OTHER"
  }
}

/// The folder of a run and what may happen to it.
struct RunFolder {
  /// The names of a run's files beside its checkpoints.
  enum Name {
    static let record = "record.json"
    static let log = "log.jsonl"
    static let configuration = "config.yaml"
  }

  let path: String

  /// What a run writes.
  private static let files = [
    Checkpoint.Name.last, Checkpoint.Name.best, Name.record, Name.log,
    Name.configuration, RunPage.name,
  ]

  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// The name of the checkpoint that stays of a step.
  static func snapshot(_ step: Int) -> String {
    "step-" + String(repeating: "0", count: max(0, 8 - "\(step)".count)) + "\(step).safetensors"
  }

  /// The checkpoints that have stayed, the oldest first.
  private var snapshots: [String] {
    let names = FileSystem.names(in: path) ?? []
    return names.filter { $0.hasPrefix("step-") && $0.hasSuffix(".safetensors") }.sorted()
  }

  /// Removes all but the newest `count` of them.
  func keepNewestSnapshots(_ count: Int) {
    for name in snapshots.dropLast(count) { FileSystem.remove(file(name)) }
  }

  private var holdsRun: Bool {
    [Checkpoint.Name.last, Name.log, Name.configuration].contains {
      FileSystem.exists(file($0))
    }
  }

  /// Whether there is something to go on from.
  var hasCheckpoint: Bool {
    FileSystem.exists(file(Checkpoint.Name.last))
  }

  /// Makes the folder and sees that it can be written to.
  ///
  /// - Throws: ``RunError``.
  func prepare(_ policy: Trainer.ExistingRun) throws {
    if policy == .refuse && holdsRun { throw RunError.exists(folder: path) }
    try FileSystem.makeOutputFolder(path)
    // A run that was killed while it wrote leaves a part of a file under another name.
    let names = FileSystem.names(in: path) ?? []
    for name in names
    where name.hasSuffix(AtomicFile.suffix)
      && (Self.files + ["step-"]).contains(where: name.hasPrefix)
    {
      FileSystem.remove(file(name))
    }
    if policy == .overwrite {
      for name in Self.files + snapshots + EventFile.files(in: path) {
        FileSystem.remove(file(name))
      }
    }
  }

  /// Refuses to go on with another configuration than the run began with.
  ///
  /// - Throws: ``RunError/otherConfiguration(folder:key:before:now:)`` for the first key that differs.
  func check(_ now: String, against before: String) throws {
    let (old, new) = (try Self.flattened(before), try Self.flattened(now))
    // The length first: minutes take the place of iterations, and are what was asked for.
    let others = Set(old.keys).union(new.keys).subtracting(RunError.lengths).sorted()
    for key in RunError.lengths + others where old[key] != new[key] {
      let isFree = Self.free.contains { key == $0 || key.hasPrefix($0 + ".") }
      if !isFree {
        let nothing = RunError.nothing
        throw RunError.otherConfiguration(
          folder: path, key: key, before: old[key] ?? nothing, now: new[key] ?? nothing)
      }
    }
  }

  /// What may change in the middle of a run, as the weights do not depend on it.
  private static let free = [
    "output", "evaluate", "data.root", "data.val", "data.test", "data.limitVal",
    "train.evaluateEvery", "train.checkpointEvery", "train.logEvery", "train.workers",
    "train.threads", "train.cacheMegabytes", "train.snapshots", "train.featureCache",
    "train.tensorBoard",
    "train.earlyStopping", "train.best",
  ]

  /// A configuration as values by their full names, without those that are null: they count as not given.
  private static func flattened(_ yaml: String) throws -> [String: String] {
    var result: [String: String] = [:]
    func visit(_ section: Section, _ prefix: String) {
      for key in section.keys where section.has(key) {
        let name = prefix.isEmpty ? key : "\(prefix).\(key)"
        if let inner = try? section.section(key), !inner.keys.isEmpty {
          visit(inner, name)
        } else if let list = try? section.sectionList(key), !list.isEmpty {
          for (index, inner) in list.enumerated() { visit(inner, "\(name)[\(index)]") }
        } else if let texts = try? section.strings(key) {
          result[name] = texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]"
        } else {
          result[name] = ""
        }
      }
    }
    visit(try Section(yaml: yaml, named: "the configuration"), "")
    return result
  }
}
