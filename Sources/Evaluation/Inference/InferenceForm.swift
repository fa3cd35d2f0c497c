import Segmentation
import Torch

/// The form in which a trained network runs.
public struct InferenceForm: Sendable, Equatable {
  /// Whether it is prepared on the processor; see `Module.prepared(keepingWeights:precision:)`.
  public var prepares: Bool
  /// The type of the products; nil for that of training, in which a network trained in another type
  /// than float32 is not prepared.
  ///
  /// A prepared network reduces what gains from it. One that is not prepared, as on a GPU, casts
  /// convolutions and matrix products to the type; see `autocast(to:on:_:)`.
  public var precision: InferencePrecision?

  /// A form; the usual one without arguments.
  public init(prepares: Bool = true, precision: InferencePrecision? = nil) {
    self.prepares = prepares
    self.precision = precision
  }

  /// Brings `model`, whose weights are given back, into the form and gives the type that convolutions
  /// are cast to, nil for none.
  ///
  /// - Parameter trained: The type that the network was trained in; nil for float32.
  /// - Throws: `UnsupportedPrecision` for a prepared network on a processor that gains nothing.
  public func apply(to model: SegmentationModel, on device: Device, trained: DType? = nil) throws
    -> DType?
  {
    let cast: DType? =
      switch precision {
      case nil: trained
      case .float32: nil
      case .bfloat16: .bfloat16
      }
    guard prepares, device.isCPU, precision != nil || trained == nil else { return cast }
    let precision = precision ?? .float32
    try precision.check()
    model.prepared(keepingWeights: false, precision: precision)
    return nil
  }
}
