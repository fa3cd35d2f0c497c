import ArgumentParser
import Evaluation
import Training

/// `atrous train`: trains the network that a configuration describes.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Train a network as a configuration says.",
    discussion: """
      Writes last.safetensors, best.safetensors (by mean IoU), record.json, config.yaml and \
      log.jsonl to the run's folder. Ctrl-C finishes the step and saves; --resume goes on, and on \
      the CPU ends with the same bits as a run that was not interrupted.
      """)

  @Argument(help: "The configuration (YAML).")
  var configuration: String

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "The run's folder, instead of the configuration's.")
  var output: String?

  @Flag(help: "Go on with the run that is in the folder.")
  var resume = false

  @Flag(help: "Remove the run that is in the folder.")
  var overwrite = false

  @OptionGroup var place: DeviceOptions

  func validate() throws {
    if resume && overwrite { throw ValidationError("--resume and --overwrite exclude each other.") }
  }

  func run() throws {
    try reportingErrors {
      let trainer = try Trainer(
        TrainingConfiguration(contentsOf: configuration, overrides: settings.overrides),
        output: output, existing: resume ? .resume : overwrite ? .overwrite : .refuse,
        device: place.prepared(), monitor: ConsoleMonitor())
      Interruption.watch()
      switch try trainer.fit(shouldStop: { Interruption.signalNumber != nil }) {
      case .finished: if let result = trainer.lastResult { print(result.text) }
      case .interrupted: throw ExitCode(128 + (Interruption.signalNumber ?? 2))
      }
    }
  }
}
