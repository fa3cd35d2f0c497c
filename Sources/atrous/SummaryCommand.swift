import Analysis
import ArgumentParser
import Imaging
import Segmentation
import Torch
import Inference

/// `atrous summary`: what a network consists of and costs.
struct SummaryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "summary",
    abstract: "Print a network's parts, parameters, operations and scales.")

  @OptionGroup var network: NetworkOptions

  @OptionGroup var image: ImageSizeOptions

  @Flag(help: "List every layer with output shape, parameters, operations and memory.")
  var layers = false

  @Flag(name: .customLong("run"), help: "Run the network once; add the time and the peak memory.")
  var runs = false

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    try reportingErrors {
      var summary = try shapesOnly {
        let model = try network.shapes()
        let size = try image.area(for: model)
        return try ModelSummary(
          model, height: size.height, width: size.width, inputChannels: model.inputChannels,
          tracing: layers)
      }
      if runs {
        let model = try network.load().model
        let size = try image.area(for: model)
        summary.run = try NetworkRun(
          model, height: size.height, width: size.width, inputChannels: model.inputChannels)
      }
      if layers && !json { print(summary.layerTable + "\n") }
      try show(summary, text: summary.table, asJSON: json)
    }
  }
}
