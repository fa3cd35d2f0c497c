import Checkpoints
import Datasets
import Evaluation
import Foundation
import Torch

/// Scores a checkpoint on a part of the data that its configuration names.
public struct CheckpointScoring {
  private let checkpoint: Checkpoint
  private let evaluator: Evaluator
  private let dataset: any Dataset

  /// Gets everything ready.
  ///
  /// - Parameters:
  ///   - path: A checkpoint file, or the folder of a run.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - split: The part of the data; nil for the configuration's.
  ///   - device: Where the network runs.
  ///   - memoryBudget: The memory that an image may take, in bytes; nil for what is free.
  /// - Throws: ``CheckpointError``, `ConfigurationError`, `DatasetError`.
  public init(
    _ path: String, overrides: [String] = [], split: String? = nil, device: Device = .cpu,
    memoryBudget: Int? = nil
  ) throws {
    checkpoint = try Checkpoint(path)
    let configuration = try checkpoint.configuration(overrides: overrides)
    if configuration.train.threads > 0 { Engine.threads = configuration.train.threads }
    Engine.setFlushDenormal(true)
    let model = try checkpoint.model(overrides: overrides)
    model.move(to: device)
    // All images: `evaluate.limit` is for the scores on the way.
    dataset = try configuration.data.dataset(split ?? configuration.evaluate.split)
    evaluator = Evaluator(
      Predictor(
        model, normalization: try checkpoint.normalization(), device: device,
        precision: configuration.train.precision,
        memoryBudget: memoryBudget ?? MemoryBudget.standard),
      imageSize: configuration.evaluate.imageSize)
  }

  /// The scores; `progress` is told how many images of how many are done.
  ///
  /// - Throws: What reading an image throws, and `PredictionError`.
  public func run(progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }) throws
    -> EvaluationResult
  {
    try evaluator.evaluate(
      dataset, model: "\(checkpoint.file), iteration \(checkpoint.record.step)"
    ) { _, _, done in progress(done, dataset.count) }
  }
}

extension EvaluationResult {
  /// Writes `evaluation.txt`, `.md` and `.json` into a folder, which is made if need be.
  ///
  /// - Throws: ``WriteError``, ``RunError/notWritable(folder:reason:)``.
  public func write(to folder: String) throws {
    try RunFolder(path: folder).make()
    try AtomicFile.write("\(folder)/evaluation.txt", Data((text + "\n").utf8))
    try AtomicFile.write("\(folder)/evaluation.md", Data(markdown.utf8))
    try AtomicFile.write("\(folder)/evaluation.json", json())
  }
}
