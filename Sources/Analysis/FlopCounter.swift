import Torch

/// Counts floating-point operations as they pass the engine's door: two for each multiplication and
/// addition of convolutions, matrix products and attention, as PyTorch's `FlopCounterMode` counts.
public final class FlopCounter: OperatorObserver {
  /// The operations counted so far.
  public private(set) var total = 0
  /// The operations by operator.
  public private(set) var byOperator: [String: Int] = [:]
  /// The bytes of all results that were made, an upper bound of the memory that activations take.
  public private(set) var activationBytes = 0

  /// A counter at zero.
  public init() {}

  /// Counts a call.
  public func observe(_ call: OperatorCall) {
    if call.source()?.isWritten != true {
      for tensor in call.results { activationBytes += tensor.count * tensor.dtype.byteCount }
    }
    let flops = call.operations
    guard flops > 0 else { return }
    total += flops
    byOperator[call.name, default: 0] += flops
  }
}
