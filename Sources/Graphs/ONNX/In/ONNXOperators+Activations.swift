import Torch

extension Operator {
  fileprivate static let softplus = Operator("softplus")
  fileprivate static let geluForm = Operator("gelu")
  fileprivate static let minimum = Operator("minimum")
}

/// Activations.
extension ONNXOperators {
  static let activations: [String: Rule] = [
    "Relu": one { $0.relu() }, "Sigmoid": one { $0.sigmoid() }, "Tanh": one { $0.tanh() },
    "HardSwish": one { $0.hardswish() },
    "HardSigmoid": tensor { step in
      hardSigmoid(try step.x, step.float("alpha", or: 0.2), step.float("beta", or: 0.5))
    },
    "Softplus": one { Operator.softplus($0) },
    "Softsign": one { $0 / ($0.abs() + 1) },
    "Mish": one { $0 * Operator.softplus($0).tanh() },
    "LeakyRelu": tensor { step in leaky(try step.x, step.float("alpha", or: 0.01)) },
    "PRelu": tensor { step in
      let (x, slope) = (try step.x, try step.tensor(1))
      guard try step.broadcast(x.shape, slope.shape) == x.shape else {
        throw ONNXRefusal("its slopes \(slope.shape) do not fit \(x.shape)")
      }
      let above = x.relu()
      return above + (x - above) * slope
    },
    "Elu": tensor { step in
      let x = try step.x, above = x.relu()
      return above + ((x - above).exp() - 1) * step.float("alpha", or: 1)
    },
    "Selu": tensor { step in
      let (alpha, gamma) = (step.float("alpha", or: 1.6732632), step.float("gamma", or: 1.0507010))
      let x = try step.x, above = x.relu()
      return (above + ((x - above).exp() - 1) * alpha) * gamma
    },
    "Gelu": tensor { step in
      step.string("approximate", or: "none") == "tanh"
        ? Operator.geluForm(try step.x, "tanh") : try step.x.gelu()
    },
    "com.microsoft.Gelu": one { $0.gelu() },
    "Clip": clip,
    "Softmax": tensor { try softmax($0) { $0.softmax($1) } },
    "LogSoftmax": tensor { try softmax($0) { $0.logSoftmax($1) } },
  ]

  static func hardSigmoid(_ x: Tensor, _ alpha: Double, _ beta: Double) -> Tensor {
    // A sixth in single precision, as files have it.
    abs(alpha - 1 / 6) < 1e-6 && beta == 0.5 ? x.hardsigmoid() : (x * alpha + beta).clamped(0, 1)
  }

  static func leaky(_ x: Tensor, _ slope: Double) -> Tensor {
    let above = x.relu()
    return above + (x - above) * slope
  }

  private static let clip: Rule = { step in
    func bound(_ index: Int) throws -> ONNXValue? {
      guard let value = step.optional(index) else { return nil }
      guard value.shape.allSatisfy({ $0 == 1 }) else {
        throw ONNXRefusal("its bounds have the shape \(value.shape), expected single numbers")
      }
      return value
    }
    let (value, low, high) = (try step.value(0), try bound(1), try bound(2))
    let (least, most) = (low?.array?.single, high?.array?.single)
    if let array = value.array, low == nil || least != nil, high == nil || most != nil {
      let values = array.values.map { min(max($0, least ?? -.infinity), most ?? .infinity) }
      return [ONNXValue(ONNXArray(array.shape, values, array.dtype))]
    }
    let x = step.tensor(of: value)
    guard low == nil || least != nil, high == nil || most != nil else {
      let bounded = low.map { x.maximum(step.tensor(of: $0)) } ?? x
      return [ONNXValue(high.map { Operator.minimum(bounded, step.tensor(of: $0)) } ?? bounded)]
    }
    if least == 0 && most == 6 { return [ONNXValue(x.relu6())] }
    if least == 0 && most == nil { return [ONNXValue(x.relu())] }
    guard least != nil || most != nil else { return [value] }
    return [ONNXValue(x.clamped(least, most))]
  }

  /// Before version 13 all dimensions from the axis on were one.
  private static func softmax(_ step: ONNXStep, _ body: (Tensor, Int) -> Tensor) throws -> Tensor {
    let x = try step.x, rank = x.rank
    guard rank > 0 else { throw ONNXRefusal("its input has no dimension") }
    guard x.dtype.isFloatingPoint else { throw ONNXRefusal("its input is of \(x.dtype)") }
    let axis = try step.axis("axis", or: step.opset < 13 ? min(1, rank - 1) : -1, rank: rank)
    if step.opset >= 13 || axis == rank - 1 { return body(x, axis) }
    let shape = x.shape
    let joined = Array(shape[..<axis]) + [shape[axis...].reduce(1, *)]
    return body(x.reshaped(joined), axis).reshaped(shape)
  }
}
