import Checkpoints
import Datasets
import Evaluation
import Foundation
import Imaging
import Torch

/// Scores a checkpoint on a part of the data that its configuration names.
public struct CheckpointScoring {
  private let checkpoint: Checkpoint
  private var evaluator: Evaluator
  private let dataset: any Dataset

  /// Gets everything ready.
  ///
  /// - Parameters:
  ///   - path: A checkpoint file, or the folder of a run.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - split: The part of the data; nil for the configuration's.
  ///   - device: Where the network runs.
  ///   - memoryBudget: The memory that an image may take, in bytes; nil for what is free.
  ///   - tiles: Whether an image that needs more is cut into tiles.
  ///   - labelSize: The size at which is scored; nil for that of the truth.
  ///   - boundaryRatio: The width of strips for the boundary IoU; nil leaves it out.
  ///   - form: The form in which the network runs.
  ///   - calibration: How ranges for int8 are found where the form has none.
  ///   - graphs: Whether a GPU gets the work for sizes that come again as a whole; see `RecordedFunction`.
  /// - Throws: ``CheckpointError``, `ConfigurationError`, `DatasetError`, `UnsupportedPrecision`, ``CalibrationError``.
  public init(
    _ path: String, overrides: [String] = [], split: String? = nil, device: Device = .cpu,
    memoryBudget: Int? = nil, tiles: Bool = false, labelSize: Size? = nil,
    boundaryRatio: Double? = nil, form: InferenceForm = InferenceForm(),
    calibration: Calibration = Calibration(), graphs: Bool = false
  ) throws {
    checkpoint = try Checkpoint(path)
    let configuration = try checkpoint.configuration(overrides: overrides)
    if configuration.train.threads > 0 { Engine.threads = configuration.train.threads }
    Engine.setFlushDenormal(true)
    let model = try checkpoint.model(overrides: overrides)
    model.move(to: device)
    let form = try calibration.completed(
      form, for: model, of: checkpoint, overrides: overrides, device: device)
    let precision = try form.apply(
      to: model, on: device, trained: configuration.train.precision)
    let (own, named) = (
      checkpoint.record.classes.map(\.name), configuration.data.labelMap.classes.map(\.name)
    )
    guard own.count == named.count, own == named || Set(own) != Set(named) else {
      throw CheckpointError.otherClassOrder(
        file: checkpoint.file, ours: named, theirs: own,
        reason: "expected the network's classes in the network's order")
    }
    let scored: (dataset: any Dataset, subset: String?) = try configuration.evaluate.part(
      of: configuration.data.dataset(split ?? configuration.evaluate.split))
    dataset = scored.dataset
    evaluator = Evaluator(
      Predictor(
        model, normalization: try checkpoint.normalization(), device: device,
        precision: precision,
        memoryBudget: memoryBudget ?? MemoryBudget.standard, oversize: tiles ? .tile : .refuse,
        mode: configuration.evaluate.mode, graphs: graphs),
      imageSize: configuration.evaluate.imageSize, labelSize: labelSize)
    evaluator.boundaryRatio = boundaryRatio
    evaluator.computesCurves = true
    evaluator.subset = scored.subset
  }

  /// The scores beside those of `other`, the same checkpoint in another precision; `progress` is told
  /// how many images of how many are done.
  ///
  /// - Throws: What reading an image throws, `PredictionError`.
  public func compared(
    with other: CheckpointScoring, progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> PrecisionComparison {
    try PrecisionComparison(evaluator, against: other.evaluator, on: dataset, model: model) {
      progress($0, dataset.count)
    }
  }

  /// What results call the network.
  private var model: String { "\(checkpoint.file), iteration \(checkpoint.record.step)" }

  /// A folder with results: `path` itself if it is one, or the scores of the checkpoint there, written
  /// into `folder`.
  ///
  /// - Throws: What making the scoring and running it throw.
  public static func results(
    of path: String, in folder: String, overrides: [String], split: String?, device: Device,
    progress: (_ done: Int, _ count: Int) -> Void
  ) throws -> String {
    if ResultFolder.isOne(path) { return path }
    _ = try CheckpointScoring(
      path, overrides: overrides, split: split, device: device
    ).run(output: folder, progress: progress)
    return folder
  }

  /// The scores; `progress` is told how many images of how many are done.
  ///
  /// - Parameters:
  ///   - output: The folder for tables, pictures and predictions; nil for none.
  ///   - submission: The folder for label ids as the Cityscapes server takes them; nil for none.
  ///   - progress: Is told how many images of how many are done.
  /// - Throws: What reading an image throws, `PredictionError`, and what writing throws.
  public func run(
    output: String? = nil, submission: String? = nil,
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> EvaluationResult {
    // Before anything is computed that could not be kept.
    for path in [output, submission] {
      if let path { try RunFolder(path: path).make() }
    }
    let folder = try output.map { try ResultFolder($0) }
    defer { folder?.discard() }
    var images: [ImageCounts] = []
    let map = dataset.labelMap
    let palette = map.palette
    let result = try evaluator.evaluate(
      dataset, model: model
    ) { sample, prediction, done in
      try folder?.keep(prediction, name: sample.name, colors: palette)
      if let submission {
        try CityscapesSubmission.write(prediction, name: sample.name, map: map, to: submission)
      }
      progress(done, dataset.count)
    } counted: {
      if output != nil { images.append($0) }
    }
    if let folder {
      try folder.write(
        result, images: images, map: map, labelColors: dataset.labelColors
      ) { index in
        try folder.shown(dataset.load(index), labelSize: evaluator.labelSize)
      }
    }
    return result
  }
}
