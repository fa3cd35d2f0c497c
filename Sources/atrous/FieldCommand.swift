import Analysis
import ArgumentParser
import Datasets
import Imaging
import Inference
import Torch
import Training

/// `atrous erf`: what part of an image a network looks at.
struct FieldCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "erf",
    abstract: "Draw the effective receptive field of a network over images.",
    discussion: """
      Adds up what is positive of the gradient of one pixel's scores (Kim et al., 2023, equation 1), one \
      image at a time, and draws it over the first. Images are those given, those of the \
      configuration's data, or noise; each is cut in the middle to --size, and enlarged first if it is \
      too small.
      """)

  @OptionGroup var network: NetworkOptions

  @Option(help: "An image, or a folder of images.")
  var images: String?

  @Option(help: "The most images to use.")
  var count = 8

  @Flag(help: "Use images of noise.")
  var noise = false

  @Option(
    help: ArgumentHelp(
      "The size of the network's input: a side such as 769, or WIDTHxHEIGHT.",
      discussion: "By default that of a single photograph up to 1024 pixels a side, else 769."))
  var size: String?

  @Option(help: "The pixel of the input whose scores count, x,y; the middle if not given.")
  var at: ImagePoint?

  @Option(
    name: .customLong("class"), help: "The class whose score counts, by name or number; else all.")
  var label: String?

  @Flag(help: "Take the mean of all scores instead of one pixel's.")
  var mean = false

  @Option(help: "Where erf.png, erf-profile.png, erf.safetensors and erf.json go.")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  private var area: Size? { size.flatMap(Size.init(sideOrSize:)) }

  func validate() throws {
    if let size, area == nil {
      throw ValidationError("--size is '\(size)', expected a side such as 769, or WIDTHxHEIGHT.")
    }
    guard (1...100_000).contains(count) else {
      throw ValidationError("--count is \(count), expected a number from 1 to 100000.")
    }
    if mean && at != nil { throw ValidationError("--mean and --at exclude each other.") }
    if let at, let area, at.x >= area.width || at.y >= area.height {
      throw ValidationError(
        "--at is \(at.x),\(at.y), expected a pixel inside \(area.width)x\(area.height).")
    }
  }

  func run() throws {
    try reportingErrors {
      let source = try network.load()
      let size = try inputSize()
      if let at, at.x >= size.width || at.y >= size.height {
        throw SimilarityError.outside(x: at.x, y: at.y, size: size)
      }
      let target: FieldTarget =
        mean ? .mean : at.map { .position(row: $0.y, column: $0.x) } ?? .center
      let monitor = ConsoleMonitor()
      let report = try FieldReport(
        source.model, pictures(of: source), size: size, target: target,
        label: label.map(source.classIndex), names: source.classNames, progress: monitor.evaluating)
      monitor.finish()
      if let output {
        for file in try report.write(to: output) { monitor.message("wrote \(file)") }
      }
      try show(report, text: report.text, asJSON: json)
    }
  }

  /// The size that is asked for, or that of a single photograph, or that of the paper's figures.
  private func inputSize() throws -> Size {
    if let area { return area }
    if let images, case let files = try imageFiles(images), files.count == 1 {
      let own = try ImageInfo(contentsOf: files[0]).size
      if max(own.width, own.height) <= 1024 { return own }
    }
    return Size(width: 769, height: 769)
  }

  private func pictures(of source: TrainedNetwork) throws -> ImageSource {
    let device = try network.place.prepared()
    if let images {
      return ImageSource(
        Array(try imageFiles(images, note: note).prefix(count)),
        encoding: source.encoding, device: device)
    }
    guard !noise, source.configuration.trains else {
      Engine.seed(network.seed)
      return ImageSource(noise: count, device: device)
    }
    return ImageSource(
      try source.dataset(limit: count),
      encoding: source.encoding, device: device)
  }
}
