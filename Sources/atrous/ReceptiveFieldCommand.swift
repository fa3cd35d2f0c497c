import Analysis
import ArgumentParser
import Segmentation
import Torch
import Training

/// `atrous receptive-field`: what each layer can see at most.
struct ReceptiveFieldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receptive-field",
    abstract: "Print size and centre of the theoretical receptive field of every layer.",
    discussion:
      "For DenseASPP also the scales that its cascade sees, and how many pixels take part.")

  @OptionGroup var network: NetworkOptions

  @Option(help: "The image's size, WIDTHxHEIGHT.")
  var size = "1024x512"

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    guard ImageSize(size) != nil else {
      throw ValidationError("--size is '\(size)', expected WIDTHxHEIGHT such as 1024x512.")
    }
  }

  func run() throws {
    try reportingErrors {
      let area = ImageSize(size) ?? ImageSize(width: 1024, height: 512)
      let report = try shapesOnly {
        let model = try network.shapes()
        return try ReceptiveFieldReport(
          model, height: area.height, width: area.width, channels: model.inputChannels)
      }
      try show(report, text: report.text, asJSON: json)
    }
  }
}
