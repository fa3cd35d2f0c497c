import ArgumentParser
import Datasets
import Evaluation
import Files
import Training

/// `atrous score`: label files against label files.
struct ScoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "score",
    abstract: "Score label files against label files, without a network.",
    discussion: """
      Files of both folders are matched by name: to NAME.png answers NAME.png, or NAME_labels.png as \
      predict writes it. A path may have one * in the file's name, such as 'labels/*_mask.png'. With \
      --classes cityscapes TRUTH is the folder that holds gtFine, and categories and instances are \
      scored as by the official evaluation; with --layout it is the folder of a known data set. Two \
      .json files are panoptic descriptions, scored by panoptic quality; their pictures lie in \
      folders of their names.
      """)

  @Argument(help: "The folder of true labels, a pattern, a layout's folder, or a panoptic .json.")
  var truth: String

  @Argument(help: "The folder of predicted labels, a pattern, or a panoptic .json.")
  var predictions: String

  @Option(
    help: ArgumentHelp(
      """
      cityscapes, camvid, binary (masks of 0 and 255), a number of classes, their names separated by \
      commas, or entries such as 0=background,255=vessel. (default: cityscapes)
      """))
  var classes: String?

  @Option(help: "The known data set that TRUTH is the folder of, such as chase-db1.")
  var layout: String?

  @Option(help: "The split of the layout. (default: val, or test)")
  var split: String?

  @Option(help: "What the names of true labels end in, such as _mask.")
  var truthSuffix: String?

  @Option(help: "What the names of predicted labels end in.")
  var predictionSuffix: String?

  @Option(
    help: ArgumentHelp(
      """
      What predictions hold: classes (indices) or truth (the truth's values). (default: classes in \
      NAME_labels.png and in what evaluate wrote, else truth)
      """))
  var predictionValues: PredictionValues?

  @Option(help: "The class that is the background. (default: the one of that name)")
  var background: String?

  @Option(help: "The folder of images or a pattern, for the pictures of the report.")
  var images: String?

  @Flag(help: "Compute the boundary IoU too.")
  var boundary = false

  @Flag(inversion: .prefixedNo, help: "Score the instances of Cityscapes.")
  var instances = true

  @Option(help: "Where the tables, pictures and the page go.")
  var output: String?

  @OptionGroup var definitions: DefinitionOptions

  @Flag(help: "Print JSON instead of the table.")
  var json = false

  private var isCityscapes: Bool { (layout ?? classes ?? "cityscapes") == "cityscapes" }

  func validate() throws {
    guard layout == nil || classes == nil else {
      throw ValidationError("--layout has classes of its own, expected no --classes beside it.")
    }
    guard truthSuffix == nil || layout == nil && !isCityscapes else {
      throw ValidationError(
        "--truth-suffix is for a folder of labels; a layout, cityscapes among them, has its own.")
    }
    guard background == nil || !isCityscapes else {
      throw ValidationError("--background is not for cityscapes.")
    }
    guard images == nil || layout == nil && !isCityscapes || truth.hasSuffix(".json") else {
      throw ValidationError("--images is for a folder of labels; a layout has its own.")
    }
    guard predictionSuffix == nil || !isCityscapes else {
      throw ValidationError(
        "--prediction-suffix is not for cityscapes, where <city>_<sequence>_<frame>*.png is found.")
    }
  }

  func run() throws {
    try reportingErrors {
      if let output { try FileSystem.makeOutputFolder(output) }
      if truth.hasSuffix(".json") {
        guard definitions.libraries.isEmpty else {
          throw ScoringError.setting(
            name: "--as", value: definitions.text,
            expected: "label files, not panoptic descriptions")
        }
        let scores = try PanopticScoring(truth: truth, prediction: predictions).run()
        return print(json ? try jsonText(scores) : scores.text)
      }
      var scoring = try scoring()
      for text in scoring.notes { note(text) }
      if boundary { scoring.boundaryRatio = 0.02 }
      for line in scoring.warnings() { warn(line) }
      let (result, images) = try scoring.run(dataset: truth)
      if let output { try scoring.write(result, images, to: output) }
      try definitions.show(result, images, asJSON: json)
      if let output {
        ConsoleMonitor().message("written to \(output): the page is \(output)/index.html")
      }
    }
  }

  private func scoring() throws -> LabelFileScoring {
    if isCityscapes {
      return try LabelFileScoring(
        cityscapes: truth, split: split ?? "val", predictions: predictions, instances: instances,
        values: predictionValues)
    }
    let predicted = FileSelection(predictions, suffix: predictionSuffix ?? "")
    if let layout {
      return try LabelFileScoring(
        dataset: DatasetDescription.dataset(
          layout, in: truth, split: split, background: background),
        predictions: predicted, values: predictionValues)
    }
    let map = try LabelMap(named: classes ?? "cityscapes")
    return try LabelFileScoring(
      truth: FileSelection(truth, suffix: truthSuffix ?? ""), predictions: predicted,
      images: images.map { FileSelection($0) },
      map: background.map { try map.withBackground($0) } ?? map, values: predictionValues)
  }
}

extension PredictionValues: ExpressibleByArgument {}
