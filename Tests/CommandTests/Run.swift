import Foundation
import Synchronization
import TestSupport

/// Files to train on, and a finished run on them that the tests share.
struct Run {
  /// The steps of the run, and how many lie between two checkpoints.
  static let (steps, checkpointEvery) = (60, 15)

  let folder: String
  /// The configuration file.
  var configuration: String { "\(folder)/tiny.yaml" }
  /// The run's folder.
  var path: String { "\(folder)/run" }

  /// Writes images, labels and a configuration into `folder`.
  init(in folder: String) throws {
    self.folder = folder
    try writePairs(folder, count: 6)
    try Data(tinyYAML(folder, iterations: Self.steps).utf8)
      .write(to: URL(fileURLWithPath: configuration))
  }

  /// The command line that trains; `output` is another folder than the configuration's.
  func training(_ output: String? = nil, _ more: String...) -> [String] {
    ["train", configuration]
      + ["evaluateEvery=30", "checkpointEvery=\(Self.checkpointEvery)"].flatMap {
        ["--set", "train.\($0)"]
      } + (output.map { ["--output", $0] } ?? []) + more
  }

  /// The last checkpoint of a run.
  static func checkpoint(_ run: String) -> Data? {
    FileManager.default.contents(atPath: "\(run)/last.safetensors")
  }

  /// The last step that a run's log tells of.
  static func loggedStep(_ run: String) -> Int {
    let log = FileManager.default.contents(atPath: "\(run)/log.jsonl") ?? Data()
    struct Line: Decodable { let step: Int }
    // The last line may be written just now.
    return log.split(separator: 10).suffix(2).compactMap {
      try? JSONDecoder().decode(Line.self, from: $0).step  // may fail: half a line
    }.last ?? 0
  }

  /// The step of a run's record.
  static func savedStep(_ run: String) -> Int? {
    struct Record: Decodable { let step: Int }
    return FileManager.default.contents(atPath: "\(run)/record.json").flatMap {
      try? JSONDecoder().decode(Record.self, from: $0).step  // may fail: nil says so
    }
  }

  /// A run that went to its end without an interruption, made once.
  static func finished() throws -> Run { try shared.get() }

  private static let shared = Result {
    let folder =
      NSTemporaryDirectory() + "atrous-commands-\(ProcessInfo.processInfo.processIdentifier)"
    sharedFolder.withLock { $0 = folder }
    atexit {
      // Nothing is left to tell a failure to.
      sharedFolder.withLock { try? FileManager.default.removeItem(atPath: $0) }  // may fail: so
    }
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let run = try Run(in: folder)
    let outcome = try Command(run.training()).wait()
    guard outcome.status == 0 else { throw Failure(outcome: outcome) }
    return run
  }

  private struct Failure: Error { let outcome: Command.Outcome }
}

private let sharedFolder = Mutex("")
