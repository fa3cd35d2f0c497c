import Torch

extension Operator {
  fileprivate static let least = Operator("amin")
}

/// Numbers in fewer bits. What a file's network multiplies in whole numbers is multiplied here in float32, after
/// the same rounding; the pass `codes` makes whole numbers of it.
extension ONNXOperators {
  static let quantization: [String: Rule] = [
    "QuantizeLinear": tensor(rounded), "DequantizeLinear": tensor(restored),
    "com.microsoft.QuantizeLinear": tensor(rounded),
    "com.microsoft.DequantizeLinear": tensor(restored),
    "DynamicQuantizeLinear": { step in
      let x = try step.x
      guard x.dtype == .float32, x.rank > 0, x.count > 0 else {
        throw ONNXRefusal("its input is \(x.dtype) \(x.shape), expected float32")
      }
      // Zero has a code of its own; a map of zeros alone has the scale 1.
      let all = x.reshaped(-1)
      let low = -(-Operator.least(all, [0], false)).relu()
      let width = (all.maximum(along: [0]).relu() - low) / 255
      let scale = width + width.equal(to: 0).to(.float32)
      let zero = Operator.round(-low / scale).clamped(0, 255)
      let codes = (Operator.round(x / scale) + zero).clamped(0, 255).to(.uint8)
      return [ONNXValue(codes), ONNXValue(scale), ONNXValue(zero.to(.uint8))]
    },
    "ConvInteger": tensor { step in
      let x = try centred(step, 0, zero: 2, axis: nil),
        weight = try centred(step, 1, zero: 3, axis: 0)
      return Operator.round(try convolution(step, x, weight, bias: nil)).to(.int32)
    },
    "MatMulInteger": tensor { step in
      let a = try centred(step, 0, zero: 2, axis: -2), b = try centred(step, 1, zero: 3, axis: -1)
      return Operator.round(try product(step, a, b)).to(.int32)
    },
  ]

  private static func rounded(_ step: ONNXStep) throws -> Tensor {
    let x = try step.x
    guard x.dtype.isFloatingPoint || x.dtype == .int32 else {
      throw ONNXRefusal("its input is of \(x.dtype), expected float32")
    }
    let zero = step.has(2) ? try step.tensor(2) : nil
    // Since version 21 the type may be said without a zero.
    let code = try step.int("output_dtype", or: 0, in: 0...64)
    let dtype = zero?.dtype ?? (code == 0 ? .uint8 : DType(onnx: Int32(code)))
    guard let dtype, let (low, high) = dtype.wholeRange, dtype != .int32 else {
      let found = dtype.map { "\($0)" } ?? "number \(code)"
      throw ONNXRefusal("its zero point is of \(found), expected uint8, int8, uint16 or int16")
    }
    var y = Operator.round(x.to(.float32) / (try perAxis(step, 1, x)))
    if zero != nil { y = y + (try perAxis(step, 2, x)) }
    return y.clamped(low, high).to(dtype)
  }

  private static func restored(_ step: ONNXStep) throws -> Tensor {
    let x = try step.x
    guard x.dtype.wholeRange != nil else {
      throw ONNXRefusal("its input is of \(x.dtype), expected whole numbers of 8, 16 or 32 bits")
    }
    var y = x.to(.float32)
    if step.has(2) { y = y - (try perAxis(step, 2, x)) }
    return y * (try perAxis(step, 1, x))
  }

  /// Whole numbers of 8 bits less their zero, as float32; the zero is a single number, or one for each position of
  /// `axis`.
  private static func centred(
    _ step: ONNXStep, _ index: Int, zero: Int, axis: Int?
  ) throws -> Tensor {
    let x = try step.tensor(index)
    guard x.dtype == .uint8 || x.dtype == .int8 else {
      throw ONNXRefusal("its input is of \(x.dtype), expected uint8 or int8")
    }
    let y = x.to(.float32)
    guard step.has(zero) else { return y }
    let numbers = try step.tensor(zero).to(.float32)
    if numbers.count == 1 { return y - numbers.reshaped([]) }
    guard let axis, x.rank >= 2, numbers.shape == [x.size(axis)] else {
      throw ONNXRefusal("its zeros have the shape \(numbers.shape), its input \(x.shape)")
    }
    let place = axis < 0 ? axis + x.rank : axis
    return y - numbers.reshaped((0..<x.rank).map { $0 == place ? -1 : 1 })
  }

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
