import Analysis
import ArgumentParser
import Configuration
import Datasets
import Evaluation
import Foundation
import Training

/// `atrous ablate`: what the levels of a head are worth.
struct AblateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ablate",
    abstract: "Score a network without the top levels of its cascade, or without single branches.",
    discussion: "Nothing is trained again (paper 000, Figure 4).")

  @OptionGroup var network: NetworkOptions

  @Option(help: "The part of the data: train, val, test or a split of the data set.")
  var split: String?

  @Option(help: "The most images to score, spread over the split.")
  var limit: Int?

  @Flag(help: "Remove the levels of a cascade one at a time, too.")
  var singly = false

  @Option(help: "For how many images panels are drawn.")
  var pictures = 2

  @Option(help: "Where ablation.png, ablation.json and the panels go.")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    if let limit, limit < 1 {
      throw ValidationError("--limit is \(limit), expected at least 1.")
    }
    guard pictures >= 0 else {
      throw ValidationError("--pictures is \(pictures), expected at least 0.")
    }
  }

  func run() throws {
    try reportingErrors {
      let source = try network.load()
      let dataset = try source.dataset(split, limit: limit)
      let predictor = Predictor(
        source.model, normalization: source.normalization, device: try network.place.prepared(),
        precision: source.configuration?.train.precision,
        mode: InferenceMode(padding: source.configuration?.evaluate.padding))
      let monitor = ConsoleMonitor()
      let report = try Ablation(
        predictor, on: dataset, singly: singly, pictures: pictures, progress: monitor.evaluating)
      monitor.finish()
      if let output {
        for file in try report.write(to: output) { monitor.message("wrote \(file)") }
      }
      try show(report, text: report.text, asJSON: json)
    }
  }
}
