import ArgumentParser
import Evaluation
import Torch
import Training

/// `atrous train`: trains the network that a configuration describes.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a network as a configuration says, or on two folders.",
    usage: """
      atrous train <configuration> [<options>]
      atrous train --images <folder> --labels <folder> [--classes <classes>] [<options>]
      """,
    discussion: """
      With --images and --labels a look at the labels says which classes there are, a small U-Net \
      learns them, and a fifth of the images is scored; the configuration that does it is \
      config.yaml in the run's folder.

      Writes last.safetensors, best.safetensors, record.json, config.yaml, log.jsonl, index.html \
      (curves, scores and predictions, as they come) and TensorBoard's events to the run's folder. \
      Ctrl-C finishes the step and saves; --resume goes \
      on, and on the CPU ends with the same bits as a run that was not interrupted. With --repeats \
      each seed has a folder of its own below, the table of mean and deviation goes to \
      repeats.txt and .json, and the same command goes on.

      With --folds 5 each of five networks is trained without a fifth of the images, by which it is scored: \
      mean and deviation, and the scores of all images together, go to folds.txt and .json. The folder then \
      stands for the five networks in evaluate, which scores each image by the network that was trained \
      without it, and in predict, which averages their probabilities.
      """)

  @Argument(help: "The configuration (YAML).")
  var configuration: String?

  @OptionGroup var folders: FolderOptions

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "The run's folder, instead of the configuration's.")
  var output: String?

  @Option(help: "Train about so long, in place of the configuration's iterations or epochs.")
  var minutes: Double?

  @Flag(help: "Go on with the run that is in the folder.")
  var resume = false

  @Flag(help: "Remove the run that is in the folder.")
  var overwrite = false

  @Option(help: "Train so many times, each time from the next seed, and print the deviation.")
  var repeats: Int?

  @OptionGroup var held: FoldOptions

  @Option(help: "Train so many times, each time without one fold of the images.")
  var folds: Int?

  @Flag(help: "Allow only algorithms that give the same bits on every run.")
  var deterministic = false

  @OptionGroup var place: DeviceOptions

  @OptionGroup var job: JobOptions

  func validate() throws {
    if resume && overwrite { throw ValidationError("--resume and --overwrite exclude each other.") }
    try folders.check(besides: configuration)
    if let minutes, !(0.01...1e6).contains(minutes) {
      throw ValidationError("--minutes is \(minutes), expected a number from 0.01 to 1000000.")
    }
    if let repeats { try checkSeveral("--repeats", repeats, 1...1000) }
    if let folds {
      try checkSeveral("--folds", folds, 2...1000)
      guard repeats == nil, held.fold == nil else {
        throw ValidationError(
          "--folds trains all folds once, without \(repeats == nil ? "--fold" : "--repeats").")
      }
    }
  }

  private func checkSeveral(_ option: String, _ count: Int, _ range: ClosedRange<Int>) throws {
    guard configuration != nil else {
      throw ValidationError("\(option) expects a configuration, such as a run's config.yaml.")
    }
    guard range.contains(count) else {
      throw ValidationError(
        "\(option) is \(count), expected a number from \(range.lowerBound) to \(range.upperBound).")
    }
    if resume || overwrite {
      throw ValidationError("\(option) goes on by itself, without --resume or --overwrite.")
    }
    if (job.processes ?? 1) > 1 {
      throw ValidationError("\(option) trains with one process, without --processes.")
    }
  }

  private var overrides: [String] {
    let length = minutes.map {
      ["train.minutes=\($0)", "train.iterations=null", "train.epochs=null"]
    }
    return settings.overrides + held.overrides + (length ?? [])
      + (deterministic ? ["train.deterministic=true"] : [])
  }

  func run() throws {
    try reportingErrors {
      if let repeats { return try trainRepeatedly(repeats) }
      if let folds { return try trainFolds(folds) }
      if try job.launch() { return }
      try job.run(on: place) { device, processes in try train(on: device, with: processes) }
    }
  }

  private func train(on device: Device, with processes: Processes) throws {
    let monitor: any TrainingMonitor = processes.isFirst ? ConsoleMonitor() : SilentMonitor()
    let trainer = try Trainer(
      configured(telling: monitor), output: output,
      existing: resume ? .resume : overwrite ? .overwrite : .refuse, device: device,
      monitor: monitor, processes: processes)
    Interruption.watch()
    switch try trainer.fit(shouldStop: { Interruption.signalNumber != nil }) {
    case .finished:
      if processes.isFirst, let result = trainer.lastResult { print(result.text) }
      monitor.message(trainer.nextSteps)
    case .interrupted:
      monitor.message("go on with:\n  \(Arguments.resuming)")
      throw ExitCode(128 + (Interruption.signalNumber ?? 2))
    }
  }

  /// The configuration in the file, or the one for the folders.
  private func configured(telling monitor: any TrainingMonitor) throws -> TrainingConfiguration {
    guard let found = try folders.found() else {
      return try TrainingConfiguration(contentsOf: configuration ?? "", overrides: overrides)
    }
    for line in found.notes { monitor.message(line) }
    return try TrainingConfiguration(
      yaml: found.yaml, named: "the configuration for the folders", overrides: overrides)
  }

  private func trainRepeatedly(_ count: Int) throws {
    try job.requireOne("--repeats")
    let repeats = try Repeats(
      configuration ?? "", overrides: overrides, count: count, output: output,
      device: place.prepared())
    Interruption.watch()
    let (result, isFinished) = try repeats.run(
      monitor: ConsoleMonitor(), shouldStop: { Interruption.signalNumber != nil })
    try show(result.seeds.isEmpty ? nil : result.text, isFinished)
  }

  private func trainFolds(_ count: Int) throws {
    try job.requireOne("--folds")
    let folds = try CrossValidation(
      configuration ?? "", overrides: overrides, folds: count, output: output,
      device: place.prepared())
    Interruption.watch()
    let monitor = ConsoleMonitor()
    let (result, isFinished) = try folds.run(
      monitor: monitor, shouldStop: { Interruption.signalNumber != nil })
    monitor.finish()
    try show(result.folds.isEmpty ? nil : result.text, isFinished)
  }

  /// Prints what several runs came to, and ends if they were stopped.
  private func show(_ text: String?, _ isFinished: Bool) throws {
    if let text { print(text) }
    if !isFinished {
      note("stopped; the same command goes on")
      throw ExitCode(128 + (Interruption.signalNumber ?? 2))
    }
  }
}
