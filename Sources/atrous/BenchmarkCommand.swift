import Analysis
import ArgumentParser
import Evaluation
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
      ONNX's own test data. On a GPU the network runs as it is, --precision bfloat16 casts its products, \
      and --against-cpu tells how far its scores are from those of the CPU. --tune keeps what it measured below ~/.cache/atrous, where prepared networks \
      find it.
      """)

  @OptionGroup var network: NetworkOptions

  @OptionGroup var image: ImageSizeOptions

  @Option(help: "How often each form is timed.")
  var repeats = 3

  @Option(help: "What is timed: both, prepared, plain or training.")
  var form = Form.both

  @Option(
    help:
      "The type of the prepared network's products, or of those of the only form that is timed: float32, bfloat16 or int8."
  )
  var precision = InferencePrecision.float32

  @Option(
    help:
      "For int8: the file with ranges of what layers take, which is written with those of noise if there is none."
  )
  var ranges: String?

  @Option(
    help: ArgumentHelp(
      "The images that are computed together. (default: 1, of a training step 2)",
      valueName: "images"))
  var batch: Int?

  @OptionGroup var graphs: GraphOptions

  @Flag(
    help: "Compare the scores of --form plain with those of the CPU in float32.")
  var againstCpu = false

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
    if let batch, !(1...1024).contains(batch) {
      throw ValidationError("--batch is \(batch), expected a number from 1 to 1024.")
    }
    guard batch == nil || !tune && example == nil else {
      throw ValidationError("--batch is for a timed form, without --tune and --example.")
    }
    if againstCpu || graphs.cudaGraphs {
      guard form == .plain || form == .both && isOnGPU, !tune, example == nil else {
        let name = againstCpu ? "--against-cpu" : "--cuda-graphs"
        throw ValidationError("\(name) expects --form plain.")
      }
    }
    guard !isOnGPU || form != .prepared && !tune else {
      throw ValidationError(
        "\(tune ? "--tune" : "--form prepared") is for the CPU, expected --device cpu.")
    }
    guard (0...4096).contains(threads) else {
      throw ValidationError("--threads is \(threads), expected a number from 0 to 4096.")
    }
  }

  /// Where networks run as they are.
  private var isOnGPU: Bool { network.place.device != "cpu" }

  func run() throws {
    try reportingErrors {
      if threads > 0 { Engine.threads = threads }
      let form = isOnGPU && form == .both ? .plain : form
      if form == .plain || form == .training {
        try InferenceForm(prepares: false, precision: precision).check(on: .cpu)
      }
      if !isOnGPU { try precision.check() }
      let cast: DType? = precision == .bfloat16 ? .bfloat16 : nil
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
          model, batch: batch ?? 2, height: size.height, width: size.width,
          repeats: repeats, precision: cast)
        return try show(report, text: report.text, asJSON: json)
      }
      if let ranges, !FileSystem.exists(ranges) {
        try Calibration.write(
          model.rangesOfNoise(height: size.height, width: size.width), to: ranges)
      }
      var plain = NetworkTiming.Plain()
      plain.cast = form == .plain ? cast : nil
      plain.graphs = try graphs.isUsed(on: model.state.first?.tensor.device ?? .cpu)
      plain.againstCPU = againstCpu
      let report = try NetworkTiming(
        model, height: size.height, width: size.width, images: batch ?? 1, repeats: repeats,
        plain: form == .prepared ? nil : plain, prepared: form != .plain, precision: precision,
        ranges: try ranges.map { try Calibration.read($0, for: model) }, profile: profile,
        opening: opening)
      try show(report, text: report.text, asJSON: json)
    }
  }
}
