import Analysis
import ArgumentParser
import Segmentation
import Torch
import Training

/// `atrous summary`: what a network consists of and costs.
struct SummaryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "summary",
    abstract: "Print a network's parts, parameters, operations and scales.")

  @OptionGroup var network: NetworkOptions

  @Option(help: "The image's size, WIDTHxHEIGHT.")
  var size = "1024x512"

  @Flag(help: "List every layer with output shape, parameters, operations and memory.")
  var layers = false

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard ImageSize(size) != nil else {
      throw ValidationError("--size is '\(size)', expected WIDTHxHEIGHT such as 1024x512.")
    }
  }

  func run() throws {
    try reportingErrors {
      let size = ImageSize(size) ?? ImageSize(width: 1024, height: 512)
      let summary = try shapesOnly {
        let model = try network.shapes()
        return try ModelSummary(
          model, height: size.height, width: size.width, inputChannels: model.inputChannels,
          tracing: layers)
      }
      if layers && !json { print(summary.layerTable + "\n") }
      try show(summary, text: summary.table, asJSON: json)
    }
  }
}

/// A size as the command line has it: `480x360`.
struct ImageSize {
  let width: Int, height: Int

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
  }

  init?(_ text: String) {
    let parts = text.lowercased().split(separator: "x", omittingEmptySubsequences: false).map {
      Int($0)
    }
    guard parts.count == 2, let width = parts[0], let height = parts[1], width > 0, height > 0,
      width <= 65_535, height <= 65_535
    else { return nil }
    self.init(width: width, height: height)
  }
}
