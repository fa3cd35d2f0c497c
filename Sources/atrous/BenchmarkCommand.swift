import Analysis
import ArgumentParser
import Files
import Imaging
import Torch
import Inference
import Training

/// `atrous benchmark`: how long a network takes for an image.
struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract: "Time a network on noise: inference, as it is and prepared for it, or training.",
    discussion: """
      Both forms are timed in turn. Prints the median of each, the time from opening the file to the prepared \
      form's first result, the most memory that the process \
      held, and how far the prepared network's scores are from the other's. With --form training a \
      step of a run is timed: the scores and the loss of a batch, gradients, new weights by SGD \
      with momentum. --example compares an ONNX file's network with results that came with it, in the form of \
      ONNX's own test data. --tune keeps what it measured below ~/.cache/atrous, where prepared networks \
      find it.
      """)

  @OptionGroup var network: NetworkOptions

  @OptionGroup var image: ImageSizeOptions

  @Option(help: "How often each form is timed.")
  var repeats = 3

  @Option(help: "What is timed: both, prepared, plain or training.")
  var form = Form.both

  @Option(help: "The type of the prepared network's products: float32, bfloat16 or int8.")
  var precision = InferencePrecision.float32

  @Option(
    help:
      "For int8: the file with ranges of what layers take, which is written with those of noise if there is none."
  )
  var ranges: String?

  @Option(help: "The images of a training step.")
  var batch = 2

  @Option(help: "The threads of an operator; 0 for libtorch's choice.")
  var threads = 0

  @Flag(
    help: "Print the time of each step of the prepared network with the way that was chosen for it."
  )
  var profile = false

  @Flag(
    help: "Measure which ways the 3×3 convolutions take fastest, and keep them for this machine.")
  var tune = false

  @Option(
    help: ArgumentHelp(
      "Run an ONNX file on input_0.pb of this folder and compare with output_0.pb.",
      valueName: "folder"))
  var example: String?

  @Flag(help: "Print JSON.")
  var json = false

  enum Form: String, CaseIterable, ExpressibleByArgument { case both, prepared, plain, training }

  func validate() throws {
    guard (1...1000).contains(repeats) else {
      throw ValidationError("--repeats is \(repeats), expected a number from 1 to 1000.")
    }
    guard !tune || form != .training && !profile else {
      throw ValidationError("--tune is for inference, without --profile.")
    }
    guard ranges == nil || precision == .int8 && form != .training && !tune else {
      throw ValidationError("--ranges expects --precision int8 and a form of inference.")
    }
    guard (1...1024).contains(batch) else {
      throw ValidationError("--batch is \(batch), expected a number from 1 to 1024.")
    }
    guard (0...4096).contains(threads) else {
      throw ValidationError("--threads is \(threads), expected a number from 0 to 4096.")
    }
  }

  func run() throws {
    try reportingErrors {
      if threads > 0 { Engine.threads = threads }
      try precision.check()
      if let example {
        let report = try ONNXExample(network.network, folder: example)
        return try show(report, text: report.text, asJSON: json)
      }
      if form == .training {
        try TrainedNetwork.refuseONNX(network.network, for: "benchmark --form training")
      }
      let start = ContinuousClock.now
      let model = try network.load().model
      let opening = (ContinuousClock.now - start) / .seconds(1)
      let size = try image.area(for: model)
      if tune {
        let report = try PlanTuning(
          model, height: size.height, width: size.width, repeats: repeats)
        return try show(report, text: report.text, asJSON: json)
      }
      if form == .training {
        let report = try TrainingTiming(
          model, batch: batch, height: size.height, width: size.width,
          repeats: repeats)
        return try show(report, text: report.text, asJSON: json)
      }
      if let ranges, !FileSystem.exists(ranges) {
        try Calibration.write(
          model.rangesOfNoise(height: size.height, width: size.width), to: ranges)
      }
      let report = try NetworkTiming(
        model, height: size.height, width: size.width, repeats: repeats,
        plain: form != .prepared, prepared: form != .plain, precision: precision,
        ranges: try ranges.map { try Calibration.read($0, for: model) }, profile: profile,
        opening: opening)
      try show(report, text: report.text, asJSON: json)
    }
  }
}
