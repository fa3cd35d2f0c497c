import ArgumentParser
import Datasets
import Evaluation

/// `atrous score`: label files against label files.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score label files against label files, without a network.",
    discussion: """
      Files of both folders are matched by name. With --classes cityscapes TRUTH is the folder that \
      holds gtFine, and categories and instances are scored as by the official evaluation. Two .json \
      files are panoptic descriptions, scored by panoptic quality; their pictures lie in folders of \
      their names.
      """)

  @Argument(help: "The folder of true labels, or a panoptic .json.")
  var truth: String

  @Argument(help: "The folder of predicted labels, or a panoptic .json.")
  var predictions: String

  @Option(
    help: """
      cityscapes, camvid, a number of classes, their names separated by commas, or entries such as \
      0=background,255=vessel.
      """)
  var classes = "cityscapes"

  @Option(help: "The split of Cityscapes.")
  var split = "val"

  @Option(help: "The folder of images, for the pictures of the report.")
  var images: String?

  @Flag(help: "Compute the boundary IoU too.")
  var boundary = false

  @Flag(inversion: .prefixedNo, help: "Score the instances of Cityscapes.")
  var instances = true

  @Option(help: "Where the tables, pictures and the page go.")
  var output: String?

  @Flag(help: "Print JSON instead of the table.")
  var json = false

  func run() throws {
    try reportingErrors {
      if truth.hasSuffix(".json") {
        let scores = try PanopticScoring(truth: truth, prediction: predictions).run()
        return print(json ? try jsonText(scores) : scores.text)
      }
      var scoring =
        classes == "cityscapes"
        ? try LabelFileScoring(
          cityscapes: truth, split: split, predictions: predictions, instances: instances)
        : try LabelFileScoring(
          truth: FileSelection(truth), predictions: FileSelection(predictions),
          images: images.map { FileSelection($0) }, map: LabelMap(named: classes))
      for text in scoring.notes { note(text) }
      if boundary { scoring.boundaryRatio = 0.02 }
      for line in scoring.warnings() { warn(line) }
      let (result, images) = try scoring.run(dataset: truth)
      if let output { try scoring.write(result, images, to: output) }
      print(json ? try jsonText(result) : result.text)
    }
  }
}
