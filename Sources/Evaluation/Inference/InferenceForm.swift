import Graphs
import Segmentation
import Torch

extension SegmentationModel {
  /// The network as the processor computes it fastest, which gives the head's own scores.
  package func runner(_ options: Runner.Options = .init()) -> Runner {
    Runner(self, options) { [self] in output($0).logits }
  }
}

extension SegmentationModel {
  /// The ranges of what layers take while `body` runs images through the runner that it is given.
  ///
  /// The weights stay.
  /// - Parameters:
  ///   - method: How a range follows from numbers.
  ///   - image: Between what numbers those of images may lie.
  package func calibrated(
    by method: InputRanges.Method = .percentile, image: ClosedRange<Float>? = nil,
    _ body: (Runner) throws -> Void
  ) rethrows -> InputRanges {
    try Runner.calibrated(self, by: method, image: image, { [self] in output($0).logits }, body)
  }

  /// The ranges of what operators give, too; see ``ResultRanges``.
  package func calibratedResults(_ body: (Runner) throws -> Void) rethrows -> ResultRanges {
    try Runner.calibratedResults(self, { [self] in output($0).logits }, body)
  }
}

/// What a form has made of a network.
package struct NetworkForm {
  /// The type that convolutions are cast to; nil for that of the weights.
  package var cast: DType?
  /// What runs the network; nil for the network itself.
  package var runner: Runner?

  /// The network as it is.
  package init(cast: DType? = nil, runner: Runner? = nil) {
    (self.cast, self.runner) = (cast, runner)
  }
}

/// The form in which a trained network runs.
public struct InferenceForm: Sendable, Equatable {
  /// Whether its graph is made fast for the processor; see `Runner`.
  public var prepares: Bool
  /// The type of the products; nil for that of training, or float32 where the processor has no
  /// instructions for it.
  ///
  /// A network that runs in another type of training than float32 is not prepared.
  /// A prepared network reduces what gains from it. One that is not prepared, as on a GPU, casts
  /// convolutions and matrix products to the type; see `autocast(to:on:_:)`.
  public var precision: InferencePrecision?
  /// What a calibration found, for int8.
  public var ranges: InputRanges?

  /// A form; the usual one without arguments.
  public init(
    prepares: Bool = true, precision: InferencePrecision? = nil, ranges: InputRanges? = nil
  ) {
    self.prepares = prepares
    self.precision = precision
    self.ranges = ranges
  }

  /// Refuses what cannot be.
  ///
  /// - Throws: `UnsupportedPrecision` for a prepared network on a processor that gains nothing,
  ///   ``ScoringError/setting(name:value:expected:)`` for int8 elsewhere.
  public func check(on device: Device) throws {
    if prepares && device.isCPU { return try precision?.check() ?? () }
    if precision == .int8 {
      throw ScoringError.setting(
        name: "the precision", value: "int8",
        expected: "float32 or bfloat16 for a network that is not prepared, or on a GPU")
    }
  }

  /// Brings `model` into the form; where a runner is made, the weights are given back.
  ///
  /// - Parameter trained: The type that the network was trained in; nil for float32.
  /// - Throws: What ``check(on:)`` throws; `UnknownPass` for what the environment's `ATROUS_PASSES` says.
  package func applied(
    to model: SegmentationModel, on device: Device, trained: DType? = nil
  ) throws -> NetworkForm {
    try check(on: device)
    let trained = trained.flatMap { Engine.hasInstructions(for: $0, on: device) ? $0 : nil }
    let cast: DType? =
      switch precision {
      case nil: trained
      case .float32, .int8: nil
      case .bfloat16: .bfloat16
      }
    guard prepares, device.isCPU, precision != nil || trained == nil else {
      return NetworkForm(cast: cast)
    }
    let options = Runner.Options(
      precision: precision ?? .float32, ranges: ranges,
      without: try Pass.switchedOffByEnvironment())
    return NetworkForm(runner: model.runner(options))
  }
}
