import Analysis
import ArgumentParser
import Imaging
import Segmentation
import Torch
import Inference

/// `atrous receptive-field`: what each layer can see at most.
struct ReceptiveFieldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "receptive-field",
    abstract: "Print size and centre of the theoretical receptive field of every layer.",
    discussion:
      "For DenseASPP also the scales that its cascade sees, and how many pixels take part.")

  @OptionGroup var network: NetworkOptions

  @OptionGroup var image: ImageSizeOptions

  @Flag(help: "Print JSON.")
  var json = false

  func run() throws {
    try reportingErrors {
      let report = try shapesOnly {
        let model = try network.shapes()
        let size = try image.area(for: model)
        return try ReceptiveFieldReport(
          model, height: size.height, width: size.width, channels: model.inputChannels)
      }
      try show(report, text: report.text, asJSON: json)
    }
  }
}
