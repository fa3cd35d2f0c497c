import Analysis
import ArgumentParser
import Datasets
import Files
import Imaging
import Inference
import Training

/// `atrous similarity`: where an image looks alike to a network.
struct SimilarityCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "similarity",
    abstract: "Draw the similarity of features to those of a pixel or a class over a photograph.",
    discussion: """
      The cosine in feature space (Yang et al., 2018). A class's features are the mean over the \
      positions that have it, by the network's own finding or by --truth.
      """)

  @OptionGroup var network: NetworkOptions

  @Argument(help: "The photograph.")
  var image: String

  @Option(help: "The pixel to compare with, x,y.")
  var at: ImagePoint?

  @Option(name: .customLong("class"), help: "The class to compare with, by name or number.")
  var label: String?

  @Option(
    help: """
      The layer: the beginning of a name in the state dictionary such as backbone.layer3, or \
      'features' for what the classifier's last layer sees.
      """)
  var layer = "features"

  @Option(help: "The label file of the photograph.")
  var truth: String?

  @Option(help: "The picture to write (.png).")
  var output: String?

  @Flag(help: "Print JSON.")
  var json = false

  func validate() throws {
    try refuseSwapped(network.network, image)
    guard (at == nil) != (label == nil) else {
      throw ValidationError("expected either --at x,y or --class name.")
    }
  }

  func run() throws {
    try reportingErrors {
      if let output { try FileSystem.makeOutputFolder(of: output) }
      let source = try network.loadWithParts(for: "similarity")
      let reference =
        try at.map { SimilarityReference.pixel(x: $0.x, y: $0.y) }
        ?? .label(source.classIndex(label ?? ""))
      let photograph = try source.image(image)
      let mask = try truth.map { try source.mask($0, for: photograph, image) }
      let report = try Similarity(
        source.model, photograph, named: image, seen: source.seen, encoding: source.encoding,
        reference: reference, layer: layer, truth: mask, names: source.classNames,
        device: network.place.prepared())
      if let output { try report.heatMap.image().write(to: output, isOutput: true) }
      try show(report, text: report.text, asJSON: json)
      if let output { ConsoleMonitor().message("wrote \(output)") }
    }
  }
}
