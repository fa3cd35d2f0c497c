import Segmentation
import Torch

/// The form in which a trained network runs.
public struct InferenceForm: Sendable, Equatable {
  /// Whether it is prepared on the processor; see `Module.prepared(keepingWeights:precision:ranges:)`.
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

  /// Brings `model`, whose weights are given back, into the form and gives the type that convolutions
  /// are cast to, nil for none.
  ///
  /// - Parameter trained: The type that the network was trained in; nil for float32.
  /// - Throws: What ``check(on:)`` throws.
  public func apply(to model: SegmentationModel, on device: Device, trained: DType? = nil) throws
    -> DType?
  {
    try check(on: device)
    let trained = trained.flatMap { Engine.hasInstructions(for: $0, on: device) ? $0 : nil }
    let cast: DType? =
      switch precision {
      case nil: trained
      case .float32, .int8: nil
      case .bfloat16: .bfloat16
      }
    guard prepares, device.isCPU, precision != nil || trained == nil else { return cast }
    model.prepared(keepingWeights: false, precision: precision ?? .float32, ranges: ranges)
    return nil
  }
}
