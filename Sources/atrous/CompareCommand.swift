import ArgumentParser
import Evaluation
import Foundation
import Inference
import Training

/// `atrous compare`: results side by side.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare checkpoints or results on the same images, with intervals.",
    discussion: """
      Each argument is a folder that evaluate --output wrote, or a checkpoint or run, which is \
      scored first, as the section evaluate of its configuration and the options say. Differences are \
      from the first.
      """)

  @Argument(help: "Folders of results, runs or checkpoint files, two or more.")
  var results: [String]

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "The part of the data that checkpoints are scored on.")
  var split: String?

  @Option(help: "Where the tables, the picture and the page index.html go.")
  var output: String

  @Option(help: "How often images are drawn anew for the intervals.")
  var repeats = 2000

  @OptionGroup var inference: InferenceOptions
  @OptionGroup var place: DeviceOptions

  func validate() throws {
    guard results.count > 1 else { throw ValidationError("Expected two results or more.") }
    guard (1...1_000_000).contains(repeats) else {
      throw ValidationError("--repeats is \(repeats), expected 1 to 1000000.")
    }
  }

  func run() throws {
    try reportingErrors {
      let monitor = ConsoleMonitor()
      let device = try place.prepared()
      let overrides = try settings.overrides + inference.overrides()
      for path in results where !ResultFolder.holdsResults(path) {
        try TrainingConfiguration.check(path, overrides: overrides)
      }
      try NetworkScoring.checkClasses(of: results, overrides: overrides)
      let folders = try results.enumerated().map { index, path in
        try NetworkScoring.results(
          of: path, in: "\(output)/\(index + 1)",
          overrides: overrides, split: split, device: device
        ) { monitor.evaluating($0, $1) }
      }
      let comparison = try Comparison(
        folders, names: Comparison.shortNames(results), paths: results, repeats: repeats)
      try comparison.write(to: output)
      monitor.finish()
      print(comparison.text)
      monitor.message("written to \(output): the page is \(output)/index.html")
    }
  }
}
