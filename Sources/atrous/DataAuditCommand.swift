import Annotations
import ArgumentParser
import Evaluation
import Inference
import Torch
import Training

/// `atrous data audit`: labels that a network does not believe.
struct DataAudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Rank regions, classes and images by how little a network believes their labels.",
    discussion: """
      The network should not have been trained on the images: those that are scored, or with a folder of \
      train --folds all of them, each by the network that was trained without it. Writes index.html with pictures, \
      audit.json with the pixels of every region, and with --annotations the labels for a tool to correct them in, \
      in which a region that is not believed has the class that the network finds with a question mark, 'car?'.
      """)

  @Argument(
    help: "The folder of a run (its best checkpoint), a checkpoint file, or a folder of folds.")
  var checkpoint: String

  @Option(help: "Where the page, the JSON and the network's predictions go.")
  var output = "audit"

  @Option(help: "The part of the data: train, val, test or a split of the data set.")
  var split: String?

  @Option(help: ArgumentHelp("The pixels that a region has at least.", valueName: "pixels"))
  var minimumArea = 30

  @Option(help: "How many regions the page shows.")
  var shown = 100

  @Option(
    help: ArgumentHelp(
      "Write labels for a tool, too: \(ConversionTarget.allCases.map(\.rawValue).joined(separator: ", ")).",
      valueName: "form"))
  var annotations: ConversionTarget?

  @Option(help: "How many regions are marked in them, the least believed.")
  var marked = 200

  @Flag(help: "Print JSON instead of tables.")
  var json = false

  @OptionGroup var settings: ConfigurationOptions
  @OptionGroup var held: FoldOptions
  @OptionGroup var inference: InferenceOptions

  @Option(help: "The memory that an image may take, such as 4G.")
  var memoryBudget: ByteCount?

  @OptionGroup var preparation: PreparationOptions
  @OptionGroup var place: DeviceOptions

  func validate() throws {
    guard held.fold == nil || split == nil else {
      throw ValidationError("--fold looks at the images that are held out, without --split.")
    }
    for (name, value) in [("minimum-area", minimumArea), ("shown", shown), ("marked", marked)] {
      guard (0...1_000_000).contains(value) else {
        throw ValidationError("--\(name) is \(value), expected a number from 0 to 1000000.")
      }
    }
  }

  func run() throws {
    try reportingErrors {
      let overrides = try settings.overrides + held.overrides + inference.overrides()
      try TrainingConfiguration.check(checkpoint, overrides: overrides)
      var session = InferenceSession.Options()
      preparation.apply(to: &session)
      if let memoryBudget { session.memoryBudget = memoryBudget.value }
      var options = AuditRun.Options()
      (options.split, options.minimumArea, options.shown) = (split, max(1, minimumArea), shown)
      (options.annotations, options.marked) = (annotations, marked)
      let monitor = ConsoleMonitor()
      let audit = try AuditRun(
        checkpoint, overrides: overrides, options, inference: session, device: place.prepared()
      ).run(output: output) { monitor.evaluating($0, $1) }
      monitor.finish()
      try show(audit, text: audit.text, asJSON: json)
      monitor.message("written to \(output): the page is \(output)/index.html")
    }
  }
}
