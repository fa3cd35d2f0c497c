import Checkpoints
import Configuration
import Evaluation
import Files
import Foundation
import Torch

/// Trains a configuration several times from seeds that follow each other, in folders of their own:
/// one run tells little about a difference of a percent.
public struct Repeats {
  /// What the runs came to.
  public struct Result: JSONReport {
    /// The seeds of the runs.
    public let seeds: [Int]
    /// The scores over classes, then the IoU of each class.
    public let rows: [ScoreTable.Row]

    init(_ runs: [Scores], seeds: [Int]) {
      self.seeds = seeds
      rows = ScoreTable(runs).rows
    }

    /// The scores in per cent as mean ± standard deviation.
    public var text: String {
      let list = seeds.map(String.init).joined(separator: ", ")
      return (ScoreTable(rows).lines("runs") + ["", "seeds \(list)"]).joined(separator: "\n")
    }
  }

  private let runs: [RepeatedRun]
  private let folder: RunFolder
  private let device: Device

  /// Gets everything ready.
  ///
  /// - Parameters:
  ///   - file: The configuration.
  ///   - overrides: Changes of it, of the form `key.path=value`.
  ///   - count: How often is trained; the seeds are the configuration's and those after.
  ///   - output: Where the runs and the result go; nil for the configuration's folder.
  ///   - device: Where networks are trained.
  /// - Throws: `ConfigurationError`, `DatasetError`, ``RunError/noOutput``.
  public init(
    _ file: String, overrides: [String] = [], count: Int, output: String? = nil,
    device: Device = .cpu
  ) throws {
    let first = try TrainingConfiguration(contentsOf: file, overrides: overrides)
    try first.requireScores()
    guard let path = output ?? first.output else { throw RunError.noOutput }
    folder = RunFolder(path: path)
    self.device = device
    runs = try (0..<max(1, count)).map { number in
      let seed = Int(
        first.train.seed.addingReportingOverflow(UInt64(number)).partialValue & .intMax)
      return RepeatedRun(
        configuration: try TrainingConfiguration(
          contentsOf: file, overrides: overrides + ["train.seed=\(seed)"]),
        folder: RunFolder(path: "\(path)/seed-\(seed)"))
    }
  }

  /// Trains what is not finished, and writes repeats.json and repeats.txt.
  ///
  /// - Parameters:
  ///   - monitor: Is told how each run goes.
  ///   - shouldStop: Whether to stop after the current iteration; running again goes on.
  /// - Throws: What training throws, and `WriteError`.
  /// - Returns: The results so far, and whether everything is finished.
  public func run(
    monitor: any TrainingMonitor = SilentMonitor(), shouldStop: () -> Bool = { false }
  ) throws -> (result: Result, isFinished: Bool) {
    let lock = try folder.lock(monitor)
    defer { withExtendedLifetime(lock) {} }
    try FileSystem.makeOutputFolder(folder.path)
    var scores: [Scores] = []
    func result() -> Result {
      Result(scores, seeds: runs.prefix(scores.count).map { Int($0.configuration.train.seed) })
    }
    for (number, run) in runs.enumerated() {
      let title =
        "run \(number + 1) of \(runs.count), seed \(run.configuration.train.seed):"
        + " \(run.folder.path)"
      guard
        let own = try run.scores(title, device: device, monitor: monitor, shouldStop: shouldStop)
      else { return (result(), false) }
      scores.append(own)
      let now = result()
      try AtomicFile.write(folder.file("repeats.json"), Data(now.json()))
      try AtomicFile.write(folder.file("repeats.txt"), Data((now.text + "\n").utf8))
    }
    return (result(), true)
  }
}

extension UInt64 {
  fileprivate static let intMax = UInt64(Int.max)
}
