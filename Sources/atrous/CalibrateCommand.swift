import ArgumentParser
import Evaluation
import Inference
import Torch
import Training

/// `atrous calibrate`: probabilities that are those of being right.
struct CalibrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "calibrate",
    abstract: "Fit a temperature by which a network's probabilities are those of being right.",
    discussion: """
      The most likely temperature on images that the network was not trained on goes into the checkpoint, and \
      predict --confidence, --probabilities and --uncertainty, and serve, give probabilities by it. No pixel's \
      class changes. Of a folder of folds each network gets its own, by the images that it has not seen. \
      evaluate --reliability tells how well probabilities fit, before and after.
      """)

  @Argument(
    help: "The folder of a run (its best checkpoint), a checkpoint file, or a folder of folds.")
  var checkpoint: String

  @Flag(
    help: ArgumentHelp(
      "Fit a temperature for each class that is found.",
      discussion: "Classes found at fewer than 1000 of the pixels take that of all."))
  var perClass = false

  @Flag(help: "Take the temperature out of the checkpoint.")
  var remove = false

  @Option(help: "The part of the data: val, test or a split of the data set.")
  var split: String?

  @OptionGroup var settings: ConfigurationOptions
  @OptionGroup var inference: InferenceOptions

  @Option(help: "The memory that an image may take, such as 4G.")
  var memoryBudget: ByteCount?

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var preparation: PreparationOptions
  @OptionGroup var place: DeviceOptions

  func validate() throws {
    guard !remove || !perClass && split == nil else {
      throw ValidationError("--remove fits nothing, without --per-class and --split.")
    }
  }

  func run() throws {
    try reportingErrors {
      let files = try FoldRuns.checkpoints(checkpoint)
      if remove {
        for file in files {
          let found = try Checkpoint(file)
          try found.write(temperature: nil)
          print("\(found.file): probabilities are as the network gives them")
        }
        return
      }
      let overrides = try settings.overrides + inference.overrides()
      try TrainingConfiguration.check(checkpoint, overrides: overrides)
      var options = InferenceSession.Options()
      preparation.apply(to: &options)
      if let memoryBudget { options.memoryBudget = memoryBudget.value }
      let device = try place.prepared()
      let monitor = ConsoleMonitor()
      for file in files {
        let result = try TemperatureCalibration.run(
          file, byClass: perClass, overrides: overrides, split: split, inference: options,
          device: device
        ) { monitor.evaluating($0, $1) }
        monitor.finish()
        try show(result, text: result.text, asJSON: json)
        monitor.message("written to \(result.checkpoint); classes stay the same")
      }
    }
  }
}
