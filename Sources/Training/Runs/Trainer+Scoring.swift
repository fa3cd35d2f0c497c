import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Inference
import Torch

extension Trainer {
  /// What is due after a step: scores, and checkpoints.
  func scoreAndSave() throws {
    func isDue(_ interval: Interval) -> Bool { interval.isDue(step, perEpoch: stepsPerEpoch) }
    let isLast = step == steps
    if let validation, isLast || isDue(settings.evaluateEvery) {
      try evaluateAndKeepBest(validation)
      try save()
    } else if isLast || isDue(settings.checkpointEvery) {
      try save()
    }
    if let snapshots = settings.snapshots, isDue(snapshots.every) {
      try write(RunFolder.snapshot(step))
      if let count = snapshots.keep, processes.isFirst { folder.keepNewestSnapshots(count) }
    }
  }

  /// Scores the network without touching what the next step depends on.
  private func evaluateAndKeepBest(_ images: any Dataset) throws {
    meter.pause()
    defer { meter.resume() }
    let (result, value) = try withPreservedRandomState {
      try average?.inPlace { try score(images) } ?? score(images)
    }
    lastResult = result
    lastEvaluatedStep = step
    try note(
      LogLine(
        kind: "evaluate", step: step, epoch: Double(step) / Double(stepsPerEpoch), loss: value,
        meanIoU: result.scores.meanIoU, pixelAccuracy: result.scores.pixelAccuracy,
        classes: Dictionary(
          result.scores.classes.compactMap { entry in entry.iou.map { (entry.name, $0) } },
          uniquingKeysWith: { first, _ in first }), seconds: meter.total))
    try events?.write(result.scores.classes, step: step)
    monitor.evaluated(result, step)
    let isBest = standing.observe(
      settings.best.value(result.scores, loss: value), step: step, settings)
    if isBest { try write(Checkpoint.Name.best) }
    if standing.hasStopped && step < steps, let best = standing.best {
      monitor.message(
        "iteration \(step): the \(best.metric) has not got better for"
          + " \(settings.earlyStopping?.patience ?? 0) evaluations; the best,"
          + " \(String(format: "%.4f", best.value)), was that of iteration \(best.step)")
    }
  }

  /// The scores with the weights as they are, and the loss where it decides.
  private func score(_ images: any Dataset) throws -> (EvaluationResult, loss: Double?) {
    let (count, map) = (images.count, loader.dataset.labelMap)
    try attempt { processes.shareBuffers(of: model) }
    let result = try evaluator.evaluate(
      images, model: "iteration \(step) of \(folder.path)", over: processes
    ) { [monitor, processes, events, page, settings, step] sample, prediction, done in
      monitor.evaluating(min(done * processes.count, count), count)
      guard let page, done <= settings.tensorBoardImages ?? 4 else { return }
      let panel = map.panel(sample, prediction)
      try page.add(panel, sample.name, isFirst: done == 1)
      try events?.write(panel, sample.name, step: step)
    }
    return (result, settings.best == .loss ? try meanLoss(on: images) : nil)
  }

  /// The mean loss over the labelled pixels of the images that are scored.
  private func meanLoss(on dataset: any Dataset) throws -> Double {
    let resize: [Transform] =
      switch evaluator.imageSize {
      case .exact(let size): [.resize(size)]
      case .shortSide(let length): [.resizeShorterSide(length)]
      // A configuration refuses `near` beside this score.
      case .near, nil: []
      }
    let images = try Loader(
      dataset, pipeline: Pipeline(resize).resizingImages(by: evaluator.imageRule),
      encoding: loader.encoding,
      shard: processes.shard, threads: processes.loaderThreads(settings.workers))
    model.train(false)
    defer { model.train() }
    var (sum, mass) = (0.0, 0.0)
    let batches = images.batches(epoch: 0)
    defer { batches.cancel() }
    while let batch = try batches.next() {
      let weight = Self.mass(of: batch, loss.classWeights)
      sum += weight * (try attempt { try inferenceMode { try total(batch).item } })
      mass += weight
    }
    let sums = try attempt { processes.sum([sum, mass]) }
    return sums[1] > 0 ? sums[0] / sums[1] : .nan
  }

  /// Saves what a run goes on from, and its record as a file of its own for people.
  func save() throws {
    guard processes.isFirst else { return }
    try write(Checkpoint.Name.last)
    try AtomicFile.write(folder.file(RunFolder.Name.record), record.json())
  }

  private func write(_ name: String) throws {
    guard processes.isFirst else { return }
    try attempt {
      try record.write(
        folder.file(name), model: model, optimizer: optimizer, average: average)
    }
  }

  private var record: RunRecord {
    let isScored = lastResult != nil && lastEvaluatedStep == step
    return RunRecord(
      CheckpointRecord(
        configuration: configuration.yaml, step: step, loader.dataset.labelMap, loader.encoding,
        result: isScored ? lastResult : nil),
      RunState(
        steps: steps, epoch: step / stepsPerEpoch, position: step % stepsPerEpoch,
        images: step * imagesPerStep, standing: standing, gradientScale: scaler?.state,
        processes: processes.count > 1 ? processes.count : nil, trainingImages: trainingImages))
  }
}
