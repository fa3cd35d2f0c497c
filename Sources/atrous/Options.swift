import ArgumentParser
import Evaluation
import Graphs
import Imaging
import Torch
import Inference

/// What commands that read a configuration share.
struct ConfigurationOptions: ParsableArguments {
  @Option(
    name: .customLong("set"),
    help: ArgumentHelp("Override a value of the configuration.", valueName: "key.path=value"))
  var overrides: [String] = []
}

/// Where the network runs.
struct DeviceOptions: ParsableArguments {
  @Option(help: "Where the network runs: cpu, cuda or cuda:N.")
  var device = "cpu"

  @Flag(
    inversion: .prefixedNo,
    help: ArgumentHelp(
      "On a GPU: round factors of float32 products to TF32. (default: in convolutions only)"))
  var tf32: Bool?

  @Flag(help: "On a GPU: time cuDNN's algorithms for each new size and keep the fastest.")
  var cudnnBenchmark = false

  func validate() throws {
    let parts = device.split(separator: ":", omittingEmptySubsequences: false)
    let isNumbered = parts.count == 2 && parts[0] == "cuda" && Int(parts[1]).map { $0 >= 0 } == true
    guard device == "cpu" || device == "cuda" || isNumbered else {
      throw ValidationError("--device is '\(device)', expected cpu, cuda or cuda:N.")
    }
    guard device != "cpu" || tf32 == nil && !cudnnBenchmark else {
      let name = cudnnBenchmark ? "--cudnn-benchmark" : tf32 == true ? "--tf32" : "--no-tf32"
      throw ValidationError("\(name) is for a GPU, expected --device cuda beside it.")
    }
  }

  /// The device, with libtorch's libraries for it loaded; `cuda` is the GPU of this number.
  func prepared(localRank: Int = 0) throws -> Device {
    let place = try Device.loaded(device, number: localRank)
    guard place != .cpu else { return .cpu }
    if let tf32 { Engine.tf32 = .init(matrices: tf32, convolutions: tf32) }
    if cudnnBenchmark { Engine.cudnnBenchmark = true }
    return place
  }
}

/// How a GPU gets its work.
struct GraphOptions: ParsableArguments {
  @Flag(
    help: "On a GPU: record the work for images of a size and give it as a whole (CUDA graphs).")
  var cudaGraphs = false

  /// Whether they are used on `device`.
  func isUsed(on device: Device) throws -> Bool {
    guard cudaGraphs else { return false }
    guard !device.isCPU else {
      throw UnavailableGraphs(reason: "they are for a GPU, expected --device cuda beside it")
    }
    guard Engine.hasGraphs else {
      throw UnavailableGraphs(
        reason: "this build has none, expected one that ATROUS_CUDA told where CUDA's headers are")
    }
    return true
  }
}

/// CUDA graphs where there are none.
struct UnavailableGraphs: Error, CustomStringConvertible {
  let reason: String
  var description: String { "--cuda-graphs: \(reason)" }
}

/// The images that ranges for int8 are found on.
struct CalibrationOptions: ParsableArguments {
  @Option(
    name: .customLong("calibration"),
    help: ArgumentHelp("How many images ranges for int8 are found on.", valueName: "images"))
  var images = 32

  @Option(
    name: .customLong("calibrate-on"),
    help: ArgumentHelp(
      "A folder of photographs for that; by default those of the training split.",
      valueName: "folder"))
  var photographs: String?

  @Option(
    name: .customLong("calibration-method"),
    help: ArgumentHelp(
      "How a layer's range for int8 follows from its numbers: percentile, mse or minmax.",
      discussion: """
        minmax, the usual one, takes all, percentile leaves out the ten-thousandth part at either end, mse takes \
        the range whose rounding has the least squared error.
        """))
  var method: InputRanges.Method?

  func validate() throws {
    guard (1...1_000_000).contains(images) else {
      throw ValidationError("--calibration is \(images), expected 1 to 1000000.")
    }
  }

  var calibration: Calibration {
    var calibration = Calibration(images: images, photographs: photographs)
    if let method { calibration.method = method }
    return calibration
  }
}

/// The form in which a network runs.
struct PreparationOptions: ParsableArguments {
  @Flag(
    inversion: .prefixedNo,
    help: "Fold and pack the network's weights for faster inference on the processor.")
  var prepare = true

  @Option(
    help: ArgumentHelp(
      "The type of products: float32, bfloat16, int8 or auto.",
      discussion: """
        By default that of training, or float32 where the processor has no instructions for it. \
        On the processor it is for convolutions and matrices of a prepared network; elsewhere \
        bfloat16 is libtorch's autocast, and there is no int8. auto takes the fastest that loses little on \
        the images of a calibration; see --tolerance.
        """))
  var precision: PrecisionSetting?

  @Option(
    help: ArgumentHelp(
      "The points that auto may lose: of mean IoU, or of pixels with the same class. (default: 0.1)",
      valueName: "points"))
  var tolerance: Double?

  @OptionGroup var calibrated: CalibrationOptions

  @Option(help: "The file with ranges for int8, which is written if there is none.")
  var ranges: String?

  func validate() throws {
    guard calibrated.photographs == nil || precision == .int8 || precision == .auto else {
      throw ValidationError("--calibrate-on expects --precision int8 or auto.")
    }
    guard tolerance == nil || precision == .auto else {
      throw ValidationError("--tolerance expects --precision auto.")
    }
    guard tolerance.map({ $0 >= 0 && $0.isFinite }) ?? true else {
      throw ValidationError("--tolerance is \(tolerance ?? 0), expected a number of points from 0.")
    }
    guard precision != .auto || prepare else {
      throw ValidationError(
        "--precision auto chooses for a prepared network, without --no-prepare.")
    }
    guard ranges == nil || precision == .int8 else {
      throw ValidationError("--ranges expects --precision int8.")
    }
  }

  /// How ranges are found.
  var calibrating: Calibration {
    var calibration = calibrated.calibration
    calibration.file = ranges
    return calibration
  }

  /// The form that the options ask for.
  var form: InferenceForm { InferenceForm(prepares: prepare, precision: precision?.fixed) }

  /// Sets what the options ask for.
  func apply(to options: inout InferenceSession.Options) {
    options.form = form
    options.calibration = calibrating
    options.tolerance = precision == .auto ? tolerance ?? 0.1 : nil
    options.note = { note($0) }
  }
}

extension InferencePrecision: ExpressibleByArgument {}
extension InputRanges.Method: ExpressibleByArgument {}

/// A precision, or the choice of one.
enum PrecisionSetting: String, CaseIterable, ExpressibleByArgument {
  case float32, bfloat16, int8, auto

  /// The precision; nil where it is chosen.
  var fixed: InferencePrecision? { InferencePrecision(rawValue: rawValue) }
}

/// A number of bytes on the command line, such as `4G`.
struct ByteCount: ExpressibleByArgument {
  let value: Int

  init?(argument: String) {
    guard let value = MemoryBudget.bytes(argument) else { return nil }
    self.value = value
  }
}
