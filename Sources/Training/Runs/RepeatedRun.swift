import Checkpoints
import Evaluation
import Files
import Foundation
import Inference
import Torch

/// One of several trainings: what is finished is not trained again, what was interrupted goes on.
struct RepeatedRun {
  let configuration: TrainingConfiguration
  let folder: RunFolder

  /// A finished run, in the file `result.json` of its folder.
  private struct Finished: Codable {
    let configuration: String
    let scores: Scores
  }

  /// The scores at the end; nil if the run was interrupted.
  ///
  /// - Throws: What training throws, and `WriteError`.
  func scores(
    _ title: String, device: Device, monitor: any TrainingMonitor, shouldStop: () -> Bool
  ) throws -> Scores? {
    let file = folder.file(FoldRuns.finishedName)
    if let data = FileSystem.contents(file),
      let done = try? JSONDecoder().decode(Finished.self, from: data),
      done.configuration == configuration.yaml
    {
      return done.scores
    }
    if shouldStop() { return nil }
    monitor.message(title)
    let trainer = try Trainer(
      configuration, output: folder.path, existing: folder.hasCheckpoint ? .resume : .overwrite,
      device: device, monitor: monitor)
    guard try trainer.fit(shouldStop: shouldStop) == .finished else { return nil }
    let last =
      try trainer.lastResult?.scores
      ?? Checkpoint(folder.file(Checkpoint.Name.last)).record.scores
    guard let last else { return nil }
    let finished = Finished(configuration: configuration.yaml, scores: last)
    try AtomicFile.write(file, JSONEncoder().encode(finished))
    return last
  }
}

/// Numbers of several runs.
public struct Spread: Sendable, Encodable, Equatable {
  /// The numbers in the order of the runs.
  public let values: [Double]

  /// The mean, if there is a number.
  public var mean: Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }
  /// The standard deviation with n − 1, from two numbers on.
  public var deviation: Double? {
    guard let mean, values.count > 1 else { return nil }
    let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    return (squares / Double(values.count - 1)).squareRoot()
  }

  private enum CodingKeys: String, CodingKey { case values, mean, deviation }
  /// Writes the numbers with what follows from them.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(values, forKey: .values)
    try container.encode(mean, forKey: .mean)
    try container.encode(deviation, forKey: .deviation)
  }
}
