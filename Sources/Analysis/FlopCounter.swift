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
    guard let result = call.results.first else { return }
    if !call.name.hasSuffix("_") {
      for tensor in call.results { activationBytes += tensor.count * tensor.dtype.byteCount }
    }
    let flops = Self.flops(call, result)
    guard flops > 0 else { return }
    total += flops
    byOperator[call.name, default: 0] += flops
  }

  /// The operations of one call with this first result.
  static func flops(_ call: OperatorCall, _ result: Tensor) -> Int {
    func shape(_ index: Int) -> [Int]? {
      guard call.arguments.indices.contains(index), case .tensor(let tensor) = call.arguments[index]
      else { return nil }
      return tensor.shape
    }
    guard let first = shape(0), let second = shape(1) else { return 0 }
    return switch call.name {
    case "conv2d", "depthwise": 2 * result.count * product(second.dropFirst())
    case "conv_transpose2d": 2 * product(first) * product(second.dropFirst())
    case "linear": 2 * product(first) * (second.first ?? 0)
    case "matmul", "bmm", "mm": 2 * result.count * (first.last ?? 0)
    case "scaled_dot_product_attention":
      2 * product(first) * second[second.count - 2] + 2 * result.count * second[second.count - 2]
    default: 0
    }
  }

  private static func product(_ shape: some Collection<Int>) -> Int { shape.reduce(1, *) }
}
