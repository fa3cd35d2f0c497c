import Checkpoints
import Configuration
import Datasets
import Evaluation
import Foundation
import Imaging
import Segmentation
import Torch

/// Trains a network as a configuration says, scores it as it goes and saves it so that nothing is
/// lost.
///
/// On the CPU a run is a function of its configuration: interrupted anywhere and resumed, it ends
/// with the same bits. Order and augmentation follow from (seed, epoch, index), dropout from
/// libtorch's random state, which a checkpoint keeps; scoring leaves that state alone.
public final class Trainer {
  /// How a run ended.
  public enum Outcome: Sendable, Equatable {
    /// All iterations are done.
    case finished
    /// It was asked to stop, and saved what it had.
    case interrupted
  }

  /// What to do with a run that is in the folder already.
  public enum ExistingRun: Sendable {
    /// Throw ``RunError/exists(folder:)``.
    case refuse
    /// Go on with it.
    case resume
    /// Remove it.
    case overwrite
  }

  /// What the run is made of.
  public let configuration: TrainingConfiguration
  /// The network.
  public let model: SegmentationModel
  /// The iterations of the whole run.
  public let steps: Int
  /// The iterations that are done.
  public private(set) var step = 0
  /// The scores of the last evaluation.
  public private(set) var lastResult: EvaluationResult?
  /// The best mean IoU so far, and after which iteration.
  public private(set) var best: (meanIoU: Double, step: Int)?

  private let settings: TrainingSettings
  private let device: Device
  private let folder: RunFolder
  private let loader: Loader
  private let validation: any Dataset
  private let loss: Loss
  private let optimizer: Optimizer
  private let average: MovingAverage?
  private let evaluator: Evaluator
  private let monitor: any TrainingMonitor
  private let log: RunLog
  private var meter = Meter()
  private var lastEvaluatedStep = -1
  private var plateau = Plateau()

  /// Gets everything ready, and refuses what cannot work before anything runs.
  ///
  /// - Parameters:
  ///   - configuration: What the run is made of.
  ///   - output: The run's folder; nil for the one that the configuration names.
  ///   - existing: What to do with a run that is there already.
  ///   - device: Where the network runs.
  ///   - monitor: Is told how the run goes.
  /// - Throws: ``RunError``, ``CheckpointError``, ``WriteError``, `DatasetError`, `TorchError`.
  public init(
    _ configuration: TrainingConfiguration, output: String? = nil,
    existing: ExistingRun = .refuse, device: Device = .cpu,
    monitor: any TrainingMonitor = SilentMonitor()
  ) throws {
    guard let output = output ?? configuration.output else { throw RunError.noOutput }
    self.configuration = configuration
    self.device = device
    self.monitor = monitor
    let settings = configuration.train
    self.settings = settings
    folder = RunFolder(path: output)

    let training = try configuration.data.dataset("train")
    let scored = try configuration.data.dataset(configuration.evaluate.split)
    validation = configuration.evaluate.limit.map { scored.spread(to: $0) } ?? scored
    loader = try Loader(
      training, pipeline: settings.augmentation, normalization: configuration.data.normalization,
      batchSize: settings.batchSize, shuffle: true, dropLast: true, seed: settings.seed,
      threads: settings.workers, cacheBytes: settings.cacheBytes)
    switch settings.length {
    case .iterations(let count): steps = count
    case .epochs(let count): steps = count * loader.steps
    }
    try Self.checkSizes(loader)
    loss = try Self.loss(settings, training)

    if settings.threads > 0 { Engine.threads = settings.threads }
    Engine.setFlushDenormal(true)
    Engine.seed(settings.seed)
    model = try configuration.buildModel(
      pretrained: !(existing == .resume && folder.hasCheckpoint))
    for line in configuration.rateWarnings(for: model) { monitor.message("warning: \(line)") }
    model.useChannelsLast()
    model.move(to: device)
    optimizer = Self.optimizer(settings, model)
    average = settings.movingAverage.map { [model] in MovingAverage(of: model, decay: $0) }
    evaluator = Evaluator(
      Predictor(
        model, normalization: configuration.data.normalization, device: device,
        precision: settings.precision), imageSize: configuration.evaluate.imageSize)

    switch existing {
    case .refuse: try folder.prepare(.refuse)
    case .resume: try folder.prepare(.resume)
    case .overwrite: try folder.prepare(.overwrite)
    }
    if existing == .resume && folder.hasCheckpoint {
      let checkpoint = try Checkpoint(folder.file(Checkpoint.Name.last))
      try folder.check(configuration.yaml, against: checkpoint.record.configuration)
      try checkpoint.restore(model, optimizer, average)
      step = checkpoint.record.step
      if let meanIoU = checkpoint.record.bestMeanIoU, let at = checkpoint.record.bestStep {
        best = (meanIoU, at)
      }
      plateau = checkpoint.record.plateau ?? plateau
    }
    if existing == .resume && step == 0 {
      monitor.message("\(output): holds no checkpoint; the run begins anew")
    }
    log = try RunLog(folder.file(Checkpoint.Name.log), keepingUpTo: step)
    try AtomicFile.write(
      folder.file(Checkpoint.Name.configuration), Data(configuration.yaml.utf8))
  }

  /// Trains to the end, or until `shouldStop` says so between two steps.
  ///
  /// - Throws: What reading images and writing checkpoints throw, `TorchError`, and
  ///   ``RunError/lossNotFinite(step:value:learningRate:)``.
  public func fit(shouldStop: () -> Bool = { false }) throws -> Outcome {
    monitor.begin(description)
    if step == steps { monitor.message("all \(steps) iterations are done already") }
    model.train()
    while step < steps {
      let batches = loader.batches(epoch: step / loader.steps, from: step % loader.steps)
      defer { batches.cancel() }

      while step < steps, let batch = try batches.next() {
        let rate =
          settings.learningRate
          * settings.schedule.factor(step: step, of: steps, fallen: plateau.factor)
        optimizer.learningRate = rate
        let (value, norm) = try attempt { update(batch) }
        guard value.isFinite else {
          throw RunError.lossNotFinite(step: step, value: "\(value)", learningRate: rate)
        }
        average?.update()
        step += 1
        meter.add(loss: value, norm: norm, images: batch.count, waited: batches.secondsWaited)

        let isLast = step == steps
        if step % settings.logEvery == 0 || isLast { try report(rate) }
        monitor.step(progress(rate))

        if isLast || settings.evaluateEvery.isDue(step, perEpoch: loader.steps) {
          try evaluateAndKeepBest()
          try save()
        } else if settings.checkpointEvery.isDue(step, perEpoch: loader.steps) {
          try save()
        }
        if !isLast && shouldStop() {
          try save()
          monitor.message("stopped after iteration \(step) of \(steps); --resume goes on from here")
          return .interrupted
        }
      }
      meter.forgetWaiting()
    }
    return .finished
  }

  /// One step: scores, loss, gradients, new weights.
  private func update(_ batch: Batch) -> (loss: Double, norm: Double?) {
    let (images, target) = (batch.images(on: device), batch.target(on: device))
    optimizer.clearGradients()
    let output = autocast(to: settings.precision, on: device) { model.output(images) }
    let total = loss.total(output, of: model, for: images, target)
    total.backward()
    let norm = settings.clip.map { optimizer.clipGradients(to: $0) }
    optimizer.step()
    return (total.detached().item, norm)
  }

  /// Scores the network without touching what the next step depends on.
  private func evaluateAndKeepBest() throws {
    meter.pause()
    defer { meter.resume() }
    let count = validation.count
    let score = { [self] in
      try evaluator.evaluate(validation, model: "iteration \(step) of \(folder.path)") {
        [monitor] _, _, done in monitor.evaluating(done, count)
      }
    }
    let result = try withPreservedRandomState { try average?.inPlace(score) ?? score() }
    lastResult = result
    lastEvaluatedStep = step
    try log.write(
      LogLine(
        kind: "evaluate", step: step, epoch: Double(step) / Double(loader.steps),
        meanIoU: result.scores.meanIoU, pixelAccuracy: result.scores.pixelAccuracy,
        classes: Dictionary(
          result.scores.classes.compactMap { entry in entry.iou.map { (entry.name, $0) } },
          uniquingKeysWith: { first, _ in first }), seconds: meter.total))
    monitor.evaluated(result, step)
    if case .plateau(let rule) = settings.schedule.curve, let meanIoU = result.scores.meanIoU {
      plateau.observe(meanIoU, rule)
    }
    if let meanIoU = result.scores.meanIoU, meanIoU > best?.meanIoU ?? -1 {
      best = (meanIoU, step)
      try write(Checkpoint.Name.best)
    }
  }

  private func save() throws {
    try write(Checkpoint.Name.last)
    try AtomicFile.write(folder.file(Checkpoint.Name.record), record.json())
  }

  private func write(_ name: String) throws {
    try attempt {
      try Checkpoint.write(
        folder.file(name), model: model, optimizer: optimizer, average: average, record: record)
    }
  }

  private var record: CheckpointRecord {
    let map = loader.dataset.labelMap
    let isScored = lastResult != nil && lastEvaluatedStep == step
    return CheckpointRecord(
      configuration: configuration.yaml, step: step, steps: steps, epoch: step / loader.steps,
      position: step % loader.steps, images: step * settings.batchSize, labelMap: map.name,
      classes: CheckpointRecord.classes(of: map), ignored: CheckpointRecord.ignored(by: map),
      mean: loader.normalization.mean, deviation: loader.normalization.deviation,
      scores: isScored ? lastResult?.scores : nil, scoring: isScored ? lastResult?.scoring : nil,
      bestMeanIoU: best?.meanIoU, bestStep: best?.step,
      plateau: plateau == Plateau() ? nil : plateau, libtorch: Engine.version,
      threads: Engine.threads)
  }
}

// MARK: - What the monitor sees

extension Trainer {
  /// What is trained on what, in one line.
  private var description: String {
    let (total, trained) = model.parameters.reduce(into: (0, 0)) { sum, entry in
      sum.0 += entry.parameter.count
      sum.1 += entry.parameter.requiresGrad ? entry.parameter.count : 0
    }
    let begun = step > 0 ? ", going on after iteration \(step)" : ""
    return "\(loader.dataset.name): \(loader.dataset.count) images, \(loader.steps) iterations of"
      + " \(settings.batchSize) an epoch; \(steps) iterations\(begun). \(trained) of \(total)"
      + " parameters are trained, on \(device) with \(Engine.threads) threads. Scored on"
      + " \(validation.name): \(validation.count) images."
  }

  private func progress(_ rate: Double) -> TrainingProgress {
    TrainingProgress(
      step: step, steps: steps, epoch: Double(step) / Double(loader.steps), loss: meter.recentLoss,
      learningRate: rate, imagesPerSecond: meter.imagesPerSecond,
      waiting: meter.waitingShare, secondsLeft: meter.secondsPerStep * Double(steps - step),
      isLogged: step % settings.logEvery == 0 || step == steps)
  }

  private func report(_ rate: Double) throws {
    try log.write(
      LogLine(
        kind: "train", step: step, epoch: Double(step) / Double(loader.steps),
        loss: meter.takeLoss(), learningRate: rate, gradientNorm: meter.norm,
        imagesPerSecond: meter.imagesPerSecond, waiting: meter.waitingShare, seconds: meter.total))
  }
}

// MARK: - Getting ready

extension Trainer {
  private static func loss(_ settings: TrainingSettings, _ dataset: any Dataset) throws -> Loss {
    var loss = settings.loss
    switch settings.classWeights {
    case .none: break
    case .given(let weights):
      guard weights.count == dataset.labelMap.count else {
        throw ConfigurationError.invalid(
          place: "train.loss", key: "classWeights", value: "\(weights.count) numbers",
          expected: "\(dataset.labelMap.count), one for each class")
      }
      loss.classWeights = weights
    case .inverseFrequency: loss.classWeights = try histogram(dataset).inverseFrequencyWeights
    case .sqrtInverseFrequency:
      let roots = try histogram(dataset).inverseFrequencyWeights.map { $0.squareRoot() }
      let present = roots.filter { $0 > 0 }
      let mean = present.reduce(0, +) / Double(max(present.count, 1))
      loss.classWeights = roots.map { $0 / max(mean, .leastNormalMagnitude) }
    case .medianFrequency: loss.classWeights = try histogram(dataset).medianFrequencyWeights
    }
    return loss
  }

  private static func histogram(_ dataset: some Dataset) throws -> ClassHistogram {
    try ClassHistogram(of: dataset)
  }

  private static func optimizer(
    _ settings: TrainingSettings, _ model: SegmentationModel
  ) -> Optimizer {
    let trained = model.parameters.filter(\.parameter.requiresGrad)
    var groups: [ParameterGroup] = []
    for (isBackbone, rate) in [(true, settings.backboneRate), (false, 1)] {
      let part = trained.filter { $0.name.hasPrefix("backbone.") == isBackbone }
      let isPlain = { (entry: (name: String, parameter: Parameter)) in
        settings.decaysNorms || entry.parameter.rank > 1
      }
      groups.append(ParameterGroup(part.filter(isPlain), rateFactor: rate))
      groups.append(
        ParameterGroup(part.filter { !isPlain($0) }, rateFactor: rate, weightDecay: 0))
    }
    return Optimizer(
      settings.rule, groups.filter { !$0.parameters.isEmpty }, learningRate: settings.learningRate,
      weightDecay: settings.weightDecay)
  }

  /// Refuses crops that the images cannot fill, and batches of images of different sizes.
  private static func checkSizes(_ loader: Loader) throws {
    let first = try loader.dataset.load(0)
    let file = first.imagePath.isEmpty ? first.name : first.imagePath
    var largest = first.image.size
    var open: Size?
    for transform in loader.pipeline.transforms {
      switch transform {
      case .resize(let size, _): largest = size
      case .randomResize(let ratio, let box, _):
        let base = box ?? largest
        largest = Size(
          width: Int(Double(base.width) * ratio.upperBound),
          height: Int(Double(base.height) * ratio.upperBound))
      case .randomCrop(let size, _):
        if size.width > largest.width || size.height > largest.height { open = size }
      case .pad(let size, _):
        if let crop = open, size.width >= crop.width, size.height >= crop.height { open = nil }
      default: break
      }
    }
    if let open {
      throw RunError.cropTooLarge(
        crop: "\(open.width)x\(open.height)", image: file,
        size: "\(largest.width)x\(largest.height)")
    }
    guard loader.batchSize > 1 else { return }
    let sizes = try (0..<4).map { try loader.sample(0, epoch: $0).image.size }
    if let odd = sizes.first(where: { $0 != sizes[0] }) {
      throw DatasetError.unevenBatch(file: file, size: sizes[0], other: file, otherSize: odd)
    }
  }
}
