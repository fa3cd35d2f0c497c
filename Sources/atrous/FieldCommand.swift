import Analysis
import ArgumentParser
import Datasets
import Evaluation
import Files
import Imaging
import Inference
import Segmentation
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
      configuration's data, or noise; each is resized as the network sees it, cut in the middle to --size, and \
      enlarged first if it is too small. A single photograph is cut around --at, which is one of its pixels, and \
      the field is drawn over it in its own pixels. erf-profile.png is \
      written where the middle is looked from, without --at.
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
      discussion:
        "By default that of a single photograph, as the network sees it, up to 1024 pixels a side, else 769."
    ))
  var size: String?

  @Option(
    help: """
      The pixel whose scores count, x,y, of a single photograph or of the cuts of several; the middle \
      if not given.
      """)
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
  }

  func run() throws {
    try reportingErrors {
      if let output { try FileSystem.makeOutputFolder(output) }
      let source = try network.load()
      let photograph = try images.flatMap { path in
        let files = try imageFiles(path, note: note)
        return files.count == 1
          ? try ImageInfo(contentsOf: files[0], orientation: source.orientation).size : nil
      }
      if images != nil { try source.checkDescribed() }
      let size =
        try source.model.fixedSize(area) ?? inputSize(photograph.map(source.seen.size(of:)))
      let bounds = photograph ?? size
      if let at, at.x >= bounds.width || at.y >= bounds.height {
        throw SimilarityError.outside(x: at.x, y: at.y, size: bounds, isCut: photograph == nil)
      }
      let pixel = photograph == nil ? nil : at.map { (x: $0.x, y: $0.y) }
      let place: (x: Int, y: Int)? =
        pixel.map { SeenCut(bounds, source.seen, to: size, around: $0).target }
        ?? at.map { ($0.x, $0.y) }
      let target: FieldTarget =
        mean ? .mean : place.map { .position(row: $0.y, column: $0.x) } ?? .center
      let monitor = ConsoleMonitor()
      let report = try FieldReport(
        source.model, pictures(of: source, around: pixel), size: size, target: target, pixel: pixel,
        label: label.map(source.classIndex), names: source.classNames, progress: monitor.evaluating)
      monitor.finish()
      if let output {
        for file in try report.write(to: output) { monitor.message("wrote \(file)") }
      }
      try show(report, text: report.text, asJSON: json)
    }
  }

  /// The size that is asked for, or that of a single photograph, or that of the paper's figures.
  private func inputSize(_ photograph: Size?) -> Size {
    if let area { return area }
    if let photograph, max(photograph.width, photograph.height) <= 1024 { return photograph }
    return Size(width: 769, height: 769)
  }

  private func pictures(
    of source: TrainedNetwork, around pixel: (x: Int, y: Int)?
  ) throws -> ImageSource {
    let device = try network.place.prepared()
    if let images {
      return ImageSource(
        Array(try imageFiles(images).prefix(count)), around: pixel, seen: source.seen,
        plan: source.bandPlan, orientation: source.orientation, encoding: source.encoding,
        device: device)
    }
    guard !noise, source.configuration.trains else {
      Engine.seed(network.seed)
      return ImageSource(noise: count, channels: source.model.inputChannels, device: device)
    }
    return ImageSource(
      try source.dataset(limit: count), seen: source.seen,
      encoding: source.encoding, device: device)
  }
}
