import Analysis
import ArgumentParser
import Datasets
import Imaging
import Torch
import Training

/// `atrous erf`: what part of an image a network looks at.
struct FieldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "erf",
    abstract: "Draw the effective receptive field of a network over images.",
    discussion: """
      Adds up what is positive of the gradient of the middle pixel's scores (paper 003, equation \
      1), one image at a time. Images are those given, those of the configuration's data, or noise; \
      each is cut in the middle, and enlarged first if it is too small.
      """)

  @OptionGroup var network: NetworkOptions

  @Option(help: "An image, or a folder of images.")
  var images: String?

  @Option(help: "The most images to use.")
  var count = 8

  @Flag(help: "Use images of noise.")
  var noise = false

  @Option(help: "The size of the network's input: a side such as 769, or WIDTHxHEIGHT.")
  var size = "769"

  @Option(help: "The pixel whose scores count, x,y; the middle if not given.")
  var at: ImagePoint?

  @Flag(help: "Take the mean of all scores instead of one pixel's.")
  var mean = false

  @Option(help: "Where erf.png, erf-profile.png, erf.safetensors and erf.json go.")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  private var area: ImageSize? { ImageSize(size) ?? ImageSize("\(size)x\(size)") }

  func validate() throws {
    guard let area else {
      throw ValidationError("--size is '\(size)', expected a side such as 769, or WIDTHxHEIGHT.")
    }
    guard (1...100_000).contains(count) else {
      throw ValidationError("--count is \(count), expected a number from 1 to 100000.")
    }
    if mean && at != nil { throw ValidationError("--mean and --at exclude each other.") }
    if let at, at.x >= area.width || at.y >= area.height {
      throw ValidationError(
        "--at is \(at.x),\(at.y), expected a pixel inside \(area.width)x\(area.height).")
    }
  }

  func run() throws {
    try reportingErrors {
      let source = try network.load()
      let area = area ?? ImageSize(width: 769, height: 769)
      let target: FieldTarget =
        mean ? .mean : at.map { .position(row: $0.y, column: $0.x) } ?? .center
      let monitor = ConsoleMonitor()
      let report = try FieldReport(
        source.model, pictures(of: source), size: Size(width: area.width, height: area.height),
        target: target, progress: monitor.evaluating)
      monitor.finish()
      if let output {
        for file in try report.write(to: output) { monitor.message("wrote \(file)") }
      }
      try show(report, text: report.text, asJSON: json)
    }
  }

  private func pictures(of source: ModelSource) throws -> ImageSource {
    let device = try network.place.prepared()
    if let images {
      return ImageSource(
        Array(try imageFiles(images, note: note).prefix(count)),
        normalization: source.normalization, device: device)
    }
    guard !noise, let configuration = source.configuration else {
      Engine.seed(network.seed)
      return ImageSource(noise: count, device: device)
    }
    return ImageSource(
      try configuration.data.dataset(configuration.evaluate.split).spread(to: count),
      normalization: source.normalization, device: device)
  }
}
