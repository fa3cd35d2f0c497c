import Analysis
import ArgumentParser
import Datasets
import Evaluation
import Imaging
import Inference
import Torch
import Training

/// `atrous rates`: which atrous rates fit a size of crop.
struct RatesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rates",
    abstract: "Print the atrous rates that fit a crop, and which taps of their kernels are inside.",
    discussion: """
      The rule is r* = (N - 32) / (6 s) for side N and output stride s (Kim et al., 2023). With a network its \
      own rates, output stride and crop are looked at.
      """)

  @Argument(
    help:
      "A configuration (YAML), the folder of a run, or a checkpoint file; else --size is needed.")
  var network: String?

  @OptionGroup var settings: ConfigurationOptions

  @Option(help: "The crop's side N, or WIDTHxHEIGHT; a network's own if not given.")
  var size: String?

  @Option(help: "The output stride s. (default: 8, or the network's own)")
  var stride: Int?

  @Option(help: "Rates to look at instead of the rule's; may be given repeatedly.")
  var rate: [Int] = []

  @Option(
    help: ArgumentHelp(
      "Measure on an image, or a folder of images, how much of the network's maps is too fine for each rate.",
      discussion: "--rate adds rates to the network's own and to 2, 4 and 8.", valueName: "images"))
  var spectrum: String?

  @Option(help: "The most images that --spectrum sees.")
  var count = 8

  @Flag(help: "Print the paper's Table 1.")
  var table = false

  @Flag(help: "Print JSON.")
  var json = false

  private var crop: Size? { size.flatMap(Size.init(sideOrSize:)) }

  func validate() throws {
    if let size, crop == nil {
      throw ValidationError("--size is '\(size)', expected a side such as 769, or WIDTHxHEIGHT.")
    }
    guard network != nil || size != nil || table else {
      throw ValidationError("expected a network, --size or --table.")
    }
    if spectrum != nil, network == nil {
      throw ValidationError("--spectrum expects a network.")
    }
    guard (1...100_000).contains(count) else {
      throw ValidationError("--count is \(count), expected a number from 1 to 100000.")
    }
    if network != nil && (stride != nil || !rate.isEmpty && spectrum == nil) {
      throw ValidationError(
        "--stride and --rate are the network's own, expected none beside a network.")
    }
    if let stride, !(1...4096).contains(stride) {
      throw ValidationError("--stride is \(stride), expected a number from 1 to 4096.")
    }
    for rate in rate where !(1...65_535).contains(rate) {
      throw ValidationError("--rate is \(rate), expected a number from 1 to 65535.")
    }
  }

  func run() throws {
    try reportingErrors {
      if table { print(RateReport.paperTable) }
      if let network, let spectrum {
        let report = try self.spectrum(of: network, spectrum)
        return try show(report, text: report.text, asJSON: json)
      }
      if let network {
        let report = try rates(of: network)
        return try show(report, text: report.text, asJSON: json)
      }
      guard let crop else { return }
      let report = RateReport(
        width: crop.width, height: crop.height, stride: stride ?? 8, rates: rate)
      try show(report, text: report.text, asJSON: json)
    }
  }

  private func spectrum(of network: String, _ path: String) throws -> RateSpectrum {
    try TrainedNetwork.refuseONNX(network, for: "rates")
    try TrainingConfiguration.check(network, overrides: settings.overrides)
    let files = Array(try imageFiles(path, note: note).prefix(count))
    let source = try TrainedNetwork(network, overrides: settings.overrides)
    let trained = try TrainingConfiguration.trainedSize(network, overrides: settings.overrides)
    let size =
      try crop ?? trained
      ?? source.seen.size(
        of: ImageInfo(contentsOf: files[0], orientation: source.orientation).size)
    let monitor = ConsoleMonitor()
    defer { monitor.finish() }
    return try RateSpectrum(
      source.model, named: network,
      ImageSource(
        files, seen: source.seen, plan: source.bandPlan, orientation: source.orientation,
        encoding: source.encoding), width: size.width,
      height: size.height, rates: rate, progress: monitor.evaluating)
  }

  private func rates(of network: String) throws -> NetworkRates {
    try TrainedNetwork.refuseONNX(network, for: "rates")
    try TrainingConfiguration.check(network, overrides: settings.overrides)
    return try shapesOnly {
      let model = try TrainedNetwork.shapes(network, overrides: settings.overrides)
      guard
        let size = try crop
          ?? TrainingConfiguration.trainedSize(network, overrides: settings.overrides)
      else { throw UnknownCrop(network: network) }
      return NetworkRates(
        model, named: network, width: size.width, height: size.height,
        sizeFrom: crop == nil ? "the crop of its training" : "--size")
    }
  }
}

/// A network that does not say which crops it is trained on.
struct UnknownCrop: Error, CustomStringConvertible {
  let network: String
  var description: String {
    "\(network): says nothing of the crops that it is trained on, expected --size beside it"
  }
}
