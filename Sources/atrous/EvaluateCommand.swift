import ArgumentParser
import Evaluation
import Foundation
import Imaging
import Inference
import Torch
import Training

/// `atrous evaluate`: scores a checkpoint.
struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Score a checkpoint: IoU per class, mean IoU and more, with the protocol.",
    discussion: """
      Predictions are compared at the size of the ground truth. How images go through the network, and \
      how many, says the section evaluate of the configuration; options win. Of two classes Dice, \
      precision, recall and the areas under the curves of the foreground come first. Of several checkpoints \
      the mean of their probabilities is scored, on the data of the first.
      """)

  @Argument(
    help: """
      The folder of a run (its best checkpoint), a checkpoint file, or a folder of folds (each image by the \
      network that was trained without it); or several checkpoints.
      """)
  var checkpoint: [String]

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "The part of the data: train, val, test or a split of the data set.")
  var split: String?

  @OptionGroup var held: FoldOptions

  @Option(help: "Where the tables, pictures, predictions and the page index.html go.")
  var output: String?

  @Option(help: "Where predictions go as label ids, named for the Cityscapes server.")
  var submission: String?

  @OptionGroup var inference: InferenceOptions
  @OptionGroup var ensemble: EnsembleOptions
  @OptionGroup var cut: ThresholdOptions

  @Option(
    help:
      "Resize labels to WIDTHxHEIGHT by data.labelResizing and score there, which the protocol then says."
  )
  var labelSize: String?

  @Flag(help: "Compute the boundary IoU too.")
  var boundary = false

  @Flag(
    help: ArgumentHelp(
      "Tell how well probabilities fit, too: calibration error, Brier score, likelihood, reliability diagrams.",
      discussion: "Over all pixels and near borders; with the temperature of atrous calibrate, too."
    ))
  var reliability = false

  @OptionGroup var definitions: DefinitionOptions

  @Flag(help: "Print JSON instead of the table.")
  var json = false

  @Option(help: "The memory that an image may take, such as 4G.")
  var memoryBudget: ByteCount?

  @Flag(help: "Cut images that need more memory into tiles instead of refusing them.")
  var tiles = false

  @OptionGroup var preparation: PreparationOptions

  @Option(help: "Score in this precision, too, and print only what --precision gains and loses.")
  var against: InferencePrecision?

  @Flag(
    help: ArgumentHelp(
      "Print what each layer in int8 takes away from the scores, and how long it takes, in the place of scores.",
      discussion:
        "It runs the first image of the calibration with each layer's products of whole numbers alone."
    ))
  var explain = false

  @OptionGroup var place: DeviceOptions
  @OptionGroup var work: GraphOptions

  func validate() throws {
    guard held.fold == nil || split == nil else {
      throw ValidationError("--fold scores the images that are held out, without --split.")
    }
    try ensemble.validate(networks: checkpoint.count)
    guard checkpoint.count == 1 || !explain && against == nil else {
      throw ValidationError(
        "\(explain ? "--explain" : "--against") expects one checkpoint; there are \(checkpoint.count)."
      )
    }
    guard definitions.libraries.isEmpty || !explain && against == nil else {
      throw ValidationError("--as expects scores, without --explain and --against.")
    }
    if explain {
      guard preparation.precision == .int8, preparation.prepare else {
        throw ValidationError("--explain expects --precision int8, without --no-prepare.")
      }
      guard output == nil, submission == nil, !boundary, !reliability, against == nil else {
        throw ValidationError(
          "--explain has no --output, --submission, --boundary, --reliability or --against.")
      }
    }
    guard labelSize == nil || labelSize.flatMap({ Size(text: $0) }) != nil else {
      throw ValidationError(
        "--label-size is '\(labelSize ?? "")', expected WIDTHxHEIGHT such as 1024x512.")
    }
    if let against {
      guard let precision = preparation.precision?.fixed, precision != against else {
        throw ValidationError("--against \(against) expects another --precision beside it.")
      }
      guard output == nil, submission == nil, !boundary, !reliability else {
        throw ValidationError(
          "--against has no --output, --submission, --boundary or --reliability.")
      }
    }
  }

  func run() throws {
    try reportingErrors {
      let monitor = ConsoleMonitor()
      let device = try place.prepared()
      let overrides = try settings.overrides + held.overrides + inference.overrides()
      for path in checkpoint { try TrainingConfiguration.check(path, overrides: overrides) }
      if explain {
        let report = try PrecisionExplanation(
          checkpoint[0], overrides: overrides, calibration: preparation.calibrating)
        return try show(report, text: report.text, asJSON: json)
      }
      var options = InferenceSession.Options()
      preparation.apply(to: &options)
      options.tiles = tiles
      options.graphs = try work.isUsed(on: device)
      if let memoryBudget { options.memoryBudget = memoryBudget.value }
      func prepared(_ form: InferenceForm) throws -> NetworkScoring {
        options.form = form
        return try NetworkScoring(
          checkpoint, weights: ensemble.values, overrides: overrides,
          .init(
            split: split, labelSize: labelSize.flatMap { Size(text: $0) },
            boundaryRatio: boundary ? 0.02 : nil, threshold: cut.threshold,
            reliability: reliability),
          inference: options, device: device)
      }
      let scoring = try prepared(preparation.form)
      if let against {
        var form = preparation.form
        form.precision = against
        let report = try scoring.compared(with: prepared(form)) { monitor.evaluating($0, $1) }
        monitor.finish()
        return try show(report, text: report.text, asJSON: json)
      }
      var images: [ImageCounts] = []
      let result = try scoring.run(output: output, submission: submission) {
        monitor.evaluating($0, $1)
      } counted: {
        images.append($0)
      }
      monitor.finish()
      try definitions.show(result, images, asJSON: json)
      if let output { monitor.message("written to \(output): the page is \(output)/index.html") }
      if let submission { monitor.message("written to \(submission): labels for the server") }
    }
  }
}
