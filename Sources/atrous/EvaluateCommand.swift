import ArgumentParser
import Evaluation
import Foundation
import Training

/// `atrous evaluate`: scores a checkpoint.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Score a checkpoint: IoU per class, mean IoU and more, with the protocol.",
    discussion: "Predictions are compared at the size of the ground truth.")

  @Argument(help: "The folder of a run (its best checkpoint) or a checkpoint file.")
  var checkpoint: String

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "The part of the data: train, val, test or a split of the data set.")
  var split: String?

  @Option(help: "Where evaluation.txt, .md and .json go.")
  var output: String?

  @Flag(help: "Print JSON instead of the table.")
  var json = false

  @Option(help: "The memory that an image may take, such as 4G.")
  var memoryBudget: ByteCount?

  @OptionGroup var place: DeviceOptions

  func run() throws {
    try reportingErrors {
      let monitor = ConsoleMonitor()
      let scoring = try CheckpointScoring(
        checkpoint, overrides: settings.overrides, split: split, device: place.prepared(),
        memoryBudget: memoryBudget?.value)
      let result = try scoring.run { monitor.evaluating($0, $1) }
      if let output { try result.write(to: output) }
      monitor.finish()
      print(json ? String(decoding: try result.json(), as: UTF8.self) : result.text)
    }
  }
}
