import Checkpoints
import Configuration
import Datasets
import Evaluation
import Files
import Foundation
import Inference
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
    /// All iterations are done, or early stopping has ended the run.
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
  /// The iterations of the whole run; until the first of them are measured, where minutes are given, more
  /// than any run has.
  public internal(set) var steps: Int
  /// The iterations that are done.
  public private(set) var step = 0
  /// The scores of the last evaluation.
  public internal(set) var lastResult: EvaluationResult?
  /// The best score so far, and what follows from the scores.
  public internal(set) var standing = Standing()

  let settings: TrainingSettings
  let device: Device
  let folder: RunFolder
  /// The configuration as the run's folder has it, which it names.
  ///
  /// A checkpoint says what was given, so that it does not depend on the folder.
  let yaml: String
  let loader: Loader
  /// The images that are scored; nil where the configuration has none.
  let validation: (any Dataset)?
  let loss: Loss
  let optimizer: Optimizer
  let average: MovingAverage?
  let scaler: GradientScaler?
  let features: FeatureCache?
  let evaluator: Evaluator
  let monitor: any TrainingMonitor
  let log: RunLog?
  let events: RunEvents?
  var page: RunPage?
  let processes: Processes
  let averaging: GradientAveraging?
  var meter = Meter()
  var lastEvaluatedStep = -1
  /// What records say of the training images, found once: a set may have very many.
  lazy var trainingImages = TrainingImages(loader.dataset)
  /// Keeps other processes out of the folder, until training ends.
  private var lock: FolderLock?
  private var isLockDue = false
  /// What the run's length follows from while it is not known.
  var budget: TimeBudget?

  /// The iterations of an epoch.
  var stepsPerEpoch: Int { loader.steps / settings.accumulation }
  /// The images of an iteration.
  var imagesPerStep: Int { settings.batchSize * settings.accumulation }

  /// Gets everything ready, and refuses what cannot work before anything runs.
  ///
  /// - Parameters:
  ///   - configuration: What the run is made of.
  ///   - output: The run's folder; nil for the one that the configuration names.
  ///   - existing: What to do with a run that is there already.
  ///   - device: Where the network runs.
  ///   - monitor: Is told how the run goes.
  ///   - processes: The processes that share each batch; the first alone writes files.
  /// - Throws: ``RunError``, `CheckpointError`, `WriteError`, `ConfigurationError`,
  ///   `DatasetError`, `TorchError`.
  public init(
    _ configuration: TrainingConfiguration, output: String? = nil,
    existing: ExistingRun = .refuse, device: Device = .cpu,
    monitor: any TrainingMonitor = SilentMonitor(), processes: Processes = .one
  ) throws {
    guard let output = output ?? configuration.output else { throw RunError.noOutput }
    self.configuration = configuration
    self.device = device
    self.monitor = monitor
    self.processes = processes
    let settings = configuration.train
    self.settings = settings
    folder = RunFolder(path: output)
    yaml = try configuration.yaml(output: output)
    // Before anything is read that another process may be about to write.
    lock = try Self.lock(folder, processes, monitor)

    let training = try configuration.data.dataset("train")
    let scored = try configuration.scoredImages()
    validation = configuration.evaluate.limit.flatMap { scored?.spread(to: $0) } ?? scored
    for note in Set(training.notes + (scored?.notes ?? [])).sorted() { monitor.message(note) }
    loader = try Loader(
      training,
      pipeline: settings.augmentation.resizingLabels(by: configuration.data.labelResizing)
        .resizingImages(by: configuration.data.imageResizing),
      encoding: configuration.data.encoding,
      batchSize: try processes.share(of: settings.batchSize), shuffle: true,
      sampling: settings.sampling, dropLast: true,
      seed: settings.seed, shard: processes.shard,
      threads: processes.loaderThreads(settings.workers),
      cacheBytes: settings.cacheBytes)
    steps = try Self.steps(settings, loader)
    try Self.checkSizes(loader)
    let checkpoint =
      existing == .resume && folder.hasCheckpoint
      ? try Checkpoint(folder.file(Checkpoint.Name.last)) : nil
    let before = try checkpoint?.run()
    if checkpoint == nil, processes.isFirst {
      let survey = try LabelSurvey(
        training, limit: settings.countsLabels ? nil : LabelSurvey.usualLimit,
        cache: Inspection.cacheFile)
      for line in survey.warnings { monitor.message("warning: \(line)") }
    }
    if let visits = loader.visits {
      let times = [visits.lowerBound, visits.upperBound].map { String(format: "%.2f", $0) }
      monitor.message("sampling: images are seen \(times[0]) to \(times[1]) times an epoch")
    }
    loss = try Self.loss(settings, loader)
    if processes.threads > 0 { Engine.threads = processes.threads }
    Self.prepareEngine(settings, goingOnFrom: before)
    try PrecisionCheck.run(settings.precision, on: device)
    if let warning = PrecisionCheck.warning(settings.precision, on: device) {
      monitor.message("warning: \(warning)")
    }
    let remarks = WeightRemarks()
    model = try WeightRemarks.$current.withValue(remarks) {
      try configuration.buildModel(pretrained: checkpoint == nil)
    }
    for line in remarks.lines { monitor.message("note: \(line)") }
    if checkpoint == nil, let path = settings.startFrom {
      let names = configuration.data.labelMap.classes.map(\.name)
      monitor.message(
        try attempt { [model] in
          try Checkpoint.start(model, from: path, classes: names) {
            try configuration.buildModel(pretrained: false, classes: $0)
          }
        })
    }
    for line in configuration.rateWarnings(for: model) { monitor.message("warning: \(line)") }
    model.useChannelsLast()
    model.move(to: device)
    model.recomputeActivations(settings.recomputesActivations)
    if settings.freeze.backbone { model.backbone.freeze() }
    optimizer = settings.optimizer.optimizer(of: model)
    average = settings.movingAverage.map { [model] in MovingAverage(of: model, decay: $0) }
    scaler = settings.precision == .float16 ? GradientScaler() : nil
    var evaluator = Evaluator(
      Predictor(
        model, encoding: configuration.data.encoding, device: device,
        precision: settings.precision, mode: configuration.evaluate.mode),
      imageSize: configuration.evaluate.imageSize)
    evaluator.imageRule = configuration.data.imageResizing
    self.evaluator = evaluator

    try processes.together { [folder] in
      guard processes.isFirst else { return }
      try folder.prepare(existing)
    }
    if let checkpoint, let before {
      try folder.check(configuration.yaml, against: checkpoint.record.configuration)
      if case .minutes = settings.length { steps = before.steps }
      try folder.check(training, steps: steps, against: before)
      try checkpoint.restore(model, optimizer, average)
      if before.libtorch != Engine.version {
        monitor.message(
          "the run began with libtorch \(before.libtorch) and goes on with"
            + " \(Engine.version): the last bits of its weights may differ")
      }
      step = checkpoint.record.step
      standing = before.standing
      if let state = before.gradientScale { scaler?.state = state }
    } else if existing == .resume {
      monitor.message("\(output): holds no checkpoint; the run begins anew")
    }
    features = try Self.featureCache(
      settings, folder, model, loader, device, monitor, isShared: processes.count > 1)
    averaging = try processes.prepare(model, step: step, settings)
    guard processes.isFirst else {
      log = nil
      events = nil
      page = nil
      return
    }
    let log = try RunLog(folder.file(RunFolder.Name.log), keepingUpTo: step)
    self.log = log
    let path = output
    page = RunPage(
      in: path, title: "\(path.fileName): \(training.name)", training.labelMap,
      lines: log.kept)
    events = try settings.tensorBoardImages.map { [step] _ in
      try RunEvents(in: path, after: step, training.labelMap)
    }
    try AtomicFile.write(folder.file(RunFolder.Name.configuration), Data(yaml.utf8))
  }

  /// The first process's lock on the folder; the others learn of a failure.
  private static func lock(
    _ folder: RunFolder, _ processes: Processes, _ monitor: any TrainingMonitor
  ) throws -> FolderLock? {
    try processes.together { processes.isFirst ? try folder.lock(monitor) : nil }
  }

  /// Trains to the end, or until `shouldStop` says so between two steps.
  ///
  /// - Throws: What reading images and writing checkpoints throw, `TorchError`, and
  ///   ``RunError/lossNotFinite(step:value:learningRate:)``.
  public func fit(shouldStop: () -> Bool = { false }) throws -> Outcome {
    if isLockDue { lock = try Self.lock(folder, processes, monitor) }
    defer { (lock, isLockDue) = (nil, true) }
    monitor.begin(description)
    if step == steps || standing.hasStopped {
      let ended =
        standing.hasStopped
        ? "early stopping has ended the run after iteration \(step)"
        : "all \(steps) iterations are done already"
      monitor.message("\(ended). \(RunError.longer(folder.path))")
    }
    model.train()
    let isDone = step >= steps || standing.hasStopped
    if case .minutes(let minutes) = settings.length, steps == longest {
      budget = TimeBudget(minutes: minutes)
      monitor.message("the first iterations are timed, to find out how many fit into the time")
    }
    while step < steps && !standing.hasStopped {
      if try runEpoch(shouldStop) == .interrupted {
        writePage(.interrupted)
        return .interrupted
      }
    }
    if !isDone { writePage(standing.hasStopped ? .stoppedEarly : .finished) }
    return .finished
  }

  /// The rest of the epoch, or less of it at the run's end.
  private func runEpoch(_ shouldStop: () -> Bool) throws -> Outcome {
    let batches = loader.batches(
      epoch: step / stepsPerEpoch, from: step % stepsPerEpoch * settings.accumulation)
    defer { batches.cancel() }
    repeat {
      let parts = try (0..<settings.accumulation).compactMap { _ in try batches.next() }
      let rate =
        settings.optimizer.learningRate
        * settings.schedule.factor(step: step, of: steps, fallen: standing.plateau.factor)
      optimizer.learningRate = rate
      let (value, norm) = try attempt { try update(parts) }
      let mayOverflow = scaler.map { $0.state.scale > GradientScaler.State.smallest } ?? false
      guard value.isFinite || mayOverflow else {
        throw RunError.lossNotFinite(step: step, value: "\(value)", learningRate: rate)
      }
      average?.update(after: step)
      step += 1
      meter.add(
        loss: value, norm: norm, images: imagesPerStep, waited: batches.secondsWaited)
      try fitIntoTime()

      if step % settings.logEvery == 0 || step == steps { try report(rate) }
      monitor.step(progress(rate))
      try scoreAndSave()
      writePage(.training(secondsLeft: secondsLeft))
      if step < steps, !standing.hasStopped, try attempt({ processes.any(shouldStop()) }) {
        try save()
        let length = steps == longest ? "" : " of \(steps)"
        monitor.message("stopped after iteration \(step)\(length); --resume goes on from here")
        return .interrupted
      }
    } while step < steps && step % stepsPerEpoch != 0 && !standing.hasStopped
    meter.forgetWaiting()
    return .finished
  }
}
