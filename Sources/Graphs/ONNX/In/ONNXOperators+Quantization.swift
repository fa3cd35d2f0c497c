import Torch

/// Numbers in fewer bits. What a file's network multiplies in whole numbers is multiplied here in float32, after
/// the same rounding; the pass `codes` makes whole numbers of it.
extension ONNXOperators {
  static let quantization: [String: Rule] = [
    "QuantizeLinear": tensor { step in
      let x = try step.x
      guard x.dtype.isFloatingPoint || x.dtype == .int32 else {
        throw ONNXRefusal("its input is of \(x.dtype), expected float32")
      }
      let zero = step.has(2) ? try step.tensor(2) : nil
      let dtype = zero?.dtype ?? .uint8
      guard let (low, high) = dtype.wholeRange, dtype != .int32 else {
        throw ONNXRefusal("its zero point is of \(dtype), expected uint8, int8, uint16 or int16")
      }
      var y = Operator.round(x.to(.float32) / (try perAxis(step, 1, x)))
      if zero != nil { y = y + (try perAxis(step, 2, x)) }
      return y.clamped(low, high).to(dtype)
    },
    "DequantizeLinear": tensor { step in
      let x = try step.x
      guard x.dtype.wholeRange != nil else {
        throw ONNXRefusal("its input is of \(x.dtype), expected whole numbers of 8, 16 or 32 bits")
      }
      var y = x.to(.float32)
      if step.has(2) { y = y - (try perAxis(step, 2, x)) }
      return y * (try perAxis(step, 1, x))
    },
  ]

  /// A single number, or one for each position of the attribute `axis`, in a shape that goes with `x`.
  private static func perAxis(_ step: ONNXStep, _ index: Int, _ x: Tensor) throws -> Tensor {
    guard try step.int("block_size", or: 0, in: 0...ONNXStep.longest) == 0 else {
      throw ONNXRefusal("blocks with a scale each are not supported, expected one for a channel")
    }
    let numbers = try step.tensor(index).to(.float32)
    guard numbers.count != 1 else { return numbers.reshaped([]) }
    let rank = x.rank
    let axis = try step.axis("axis", or: 1, rank: rank)
    guard numbers.shape == [x.size(axis)] else {
      throw ONNXRefusal(
        "its scales have the shape \(numbers.shape), expected [\(x.size(axis))] or a single number")
    }
    return numbers.reshaped((0..<rank).map { $0 == axis ? -1 : 1 })
  }
}

extension DType {
  /// The least and the largest of whole numbers that stand for others; nil for other types.
  fileprivate var wholeRange: (Double, Double)? {
    switch self {
    case .uint8: (0, 255)
    case .int8: (-128, 127)
    case .uint16: (0, 65535)
    case .int16: (-32768, 32767)
    case .int32: (-2_147_483_648, 2_147_483_647)
    default: nil
    }
  }
}
