import Analysis
import ArgumentParser
import Datasets
import Evaluation
import Files
import Imaging
import Segmentation
import Inference
import Training

/// `atrous ablate`: what the levels of a head are worth.
struct AblateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ablate",
    abstract: "Score a network without the top levels of its cascade, or without single branches.",
    discussion: """
      Nothing is trained again (Tepliashin et al., Figure 4). With a photograph it is told which of its pixels \
      change their class, and with --truth what that costs; else the configuration's data are scored.
      """)

  @OptionGroup var network: NetworkOptions

  @Argument(help: "A photograph to look at instead of the configuration's data.")
  var photograph: String?

  @Option(help: "The label file of the photograph.")
  var truth: String?

  @Option(help: "The part of the data: train, val, test or a split of the data set.")
  var split: String?

  @Option(help: "The most images to score, spread over the split.")
  var limit: Int?

  @Flag(help: "Remove the levels of a cascade one at a time, too.")
  var singly = false

  @Option(help: "For how many images panels are drawn. (default: 2)")
  var pictures: Int?

  @Option(help: "Where ablation.png, ablation.json and the panels go.")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    if let photograph { try refuseSwapped(network.network, photograph) }
    if let limit, limit < 1 {
      throw ValidationError("--limit is \(limit), expected at least 1.")
    }
    if let pictures, pictures < 0 {
      throw ValidationError("--pictures is \(pictures), expected at least 0.")
    }
    if photograph == nil && truth != nil {
      throw ValidationError("--truth expects a photograph after the network.")
    }
    if photograph != nil && (split != nil || limit != nil || pictures != nil) {
      throw ValidationError(
        "--split, --limit and --pictures are for a data set, expected none beside a photograph.")
    }
  }

  func run() throws {
    try reportingErrors {
      if let output { try FileSystem.makeOutputFolder(output) }
      let source = try network.loadWithParts(for: "ablate")
      try AblationError.check(source.model, head: source.configuration.head)
      let predictor = try source.unpreparedPredictor()
      let monitor = ConsoleMonitor()
      if let photograph {
        let image = try source.image(photograph, orientation: .applied)
        let report = try PhotographAblation(
          predictor, image, named: photograph, seen: source.seen,
          truth: truth.map { try source.mask($0, for: image, photograph) },
          labelMap: source.labelMap ?? LabelMap(named: "\(source.model.classes)"),
          singly: singly, progress: monitor.evaluating)
        try finish(report, text: report.text, write: report.write, monitor)
      } else {
        let report = try Ablation(
          predictor, on: source.dataset(split, limit: limit),
          imageSize: source.configuration.evaluation().imageSize, imageRule: source.imageResizing,
          singly: singly, pictures: pictures ?? 2, progress: monitor.evaluating)
        try finish(report, text: report.text, write: report.write, monitor)
      }
    }
  }

  private func finish(
    _ report: some JSONReport, text: String, write: (String) throws -> [String],
    _ monitor: ConsoleMonitor
  ) throws {
    monitor.finish()
    if let output {
      for file in try write(output) { monitor.message("wrote \(file)") }
    }
    try show(report, text: text, asJSON: json)
  }
}
