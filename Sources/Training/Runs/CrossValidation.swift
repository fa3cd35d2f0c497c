import Configuration
import Datasets
import Evaluation
import Files
import Foundation
import Inference
import Torch

/// Trains a configuration once for each fold of the images, in folders of their own, and scores every image by the
/// network that was trained without it.
public struct CrossValidation {
  /// What the runs came to.
  public struct Result: JSONReport {
    /// The number of folds.
    public let count: Int
    /// The folds that are trained, in order.
    public let folds: [String]
    /// The scores of each run at its end, on what it held out.
    public let rows: [ScoreTable.Row]
    /// The scores of all images together; nil until every fold is trained.
    public let outOfFold: EvaluationResult?

    init(_ runs: [Scores], folds: [Fold], outOfFold: EvaluationResult? = nil) {
      count = folds.count
      self.folds = folds.prefix(runs.count).map(\.description)
      rows = ScoreTable(runs).rows
      self.outOfFold = outOfFold
    }

    /// The scores as mean ± standard deviation over the folds, then those of all images together.
    public var text: String {
      var lines = ScoreTable(rows).lines("folds")
      lines += ["", "folds \(folds.joined(separator: ", "))"]
      if let outOfFold { lines += ["", outOfFold.text] }
      return lines.joined(separator: "\n")
    }
  }

  private let runs: [RepeatedRun]
  private let folds: [Fold]
  private let folder: RunFolder
  private let device: Device

  /// Gets everything ready.
  ///
  /// - Parameters:
  ///   - file: The configuration.
  ///   - overrides: Changes of it, of the form `key.path=value`.
  ///   - count: The number of folds, at least 2.
  ///   - output: Where the runs and the result go; nil for the configuration's folder.
  ///   - device: Where networks are trained.
  /// - Throws: `ConfigurationError`, `DatasetError` for images that cannot be divided so,
  ///   ``RunError/noOutput``.
  public init(
    _ file: String, overrides: [String] = [], folds count: Int, output: String? = nil,
    device: Device = .cpu
  ) throws {
    folds = Fold.all(count)
    let configurations = try folds.map {
      try TrainingConfiguration(contentsOf: file, overrides: overrides + ["data.fold=\($0)"])
    }
    guard let first = configurations.first, let path = output ?? first.output else {
      throw RunError.noOutput
    }
    // Before anything is trained on images that cannot be divided so.
    _ = try first.data.listing("train").paired()
    folder = RunFolder(path: path)
    self.device = device
    runs = zip(folds, configurations).map { fold, configuration in
      RepeatedRun(
        configuration: configuration, folder: RunFolder(path: FoldRuns.run(fold, in: path)))
    }
  }

  /// Trains what is not finished, scores all images together, and writes folds.json and folds.txt.
  ///
  /// - Parameters:
  ///   - monitor: Is told how each run goes.
  ///   - shouldStop: Whether to stop after the current iteration; running again goes on.
  /// - Throws: What training and scoring throw, and `WriteError`.
  /// - Returns: The results so far, and whether everything is finished.
  public func run(
    monitor: any TrainingMonitor = SilentMonitor(), shouldStop: () -> Bool = { false }
  ) throws -> (result: Result, isFinished: Bool) {
    let lock = try folder.lock(monitor)
    defer { withExtendedLifetime(lock) {} }
    try FileSystem.makeOutputFolder(folder.path)
    var scores: [Scores] = []
    for (fold, run) in zip(folds, runs) {
      let title = "fold \(fold): \(run.folder.path)"
      guard
        let own = try run.scores(title, device: device, monitor: monitor, shouldStop: shouldStop)
      else { return (Result(scores, folds: folds), false) }
      scores.append(own)
      try write(Result(scores, folds: folds))
    }
    monitor.message("all images, each by the network that was trained without it")
    let together = try NetworkScoring(folder.path, device: device).run {
      monitor.evaluating($0, $1)
    }
    let result = Result(scores, folds: folds, outOfFold: together)
    try write(result)
    return (result, true)
  }

  private func write(_ result: Result) throws {
    try AtomicFile.write(folder.file(FoldRuns.fileName), Data(result.json()))
    try AtomicFile.write(folder.file("folds.txt"), Data((result.text + "\n").utf8))
  }
}
