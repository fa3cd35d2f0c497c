import Torch

extension Operator {
  fileprivate static let geluForm = Operator("gelu")
}

/// What ONNX Runtime makes of several operators when it writes an optimized file for any processor (its level
/// "extended"); the source is its list of contributed operators.
extension ONNXOperators {
  static let fused: [String: Rule] = [
    "com.microsoft.FusedConv": tensor { step in
      var y = try convolution(
        step, step.x, step.tensor(1), bias: step.has(2) ? step.tensor(2) : nil)
      if step.has(3) {
        let sum = try step.tensor(3)
        guard sum.shape == y.shape, sum.dtype == y.dtype else {
          throw ONNXRefusal("what is added has the shape \(sum.shape), expected \(y.shape)")
        }
        y = y + sum
      }
      return try activated(step, y)
    },
    "com.microsoft.FusedGemm": tensor { step in
      try activated(step, step.tensor(of: try products["Gemm"]?(step).first ?? step.value(0)))
    },
    "com.microsoft.FusedMatMul": tensor { step in
      guard try !step.flag("transBatchA"), try !step.flag("transBatchB") else {
        throw ONNXRefusal("exchanged dimensions of stacks are not supported")
      }
      let parts = try [("transA", 0), ("transB", 1)].map { flag, index -> Tensor in
        let x = try step.tensor(index)
        return try step.flag(flag) && x.rank >= 2 ? x.transposed(-2, -1) : x
      }
      let y = try product(step, parts[0], parts[1]), alpha = step.float("alpha", or: 1)
      return alpha == 1 ? y : y * alpha
    },
    "com.microsoft.BiasGelu": tensor { try summed($0).gelu() },
    "com.microsoft.FastGelu": tensor { Operator.geluForm(try summed($0), "tanh") },
    "com.microsoft.QuickGelu": tensor { step in
      let x = try step.x
      return x * (x * step.float("alpha", or: 1.702)).sigmoid()
    },
    "com.microsoft.SkipLayerNormalization": { step in
      var x = try step.x
      let width = try step.rank(x, in: 2...3) - 1
      for index in [1, 4] where step.has(index) {
        let other = try step.tensor(index)
        guard try step.broadcast(x.shape, other.shape) == x.shape, other.dtype == x.dtype else {
          throw ONNXRefusal("\(other.shape) does not fit \(x.shape)")
        }
        x = x + other
      }
      let vectors = try (2...3).map { step.has($0) ? try step.tensor($0) : nil }
      for vector in vectors.compactMap({ $0 })
      where vector.shape != [x.size(width)] || vector.dtype != x.dtype {
        throw ONNXRefusal("a parameter of \(vector.shape) does not fit \(x.shape)")
      }
      guard
        step.node.outputs.indices.allSatisfy({
          ![1, 2].contains($0) || step.node.outputs[$0].isEmpty
        })
      else { throw ONNXRefusal("its means and deviations are wanted, which only training has") }
      let y = x.layerNorm(
        [x.size(width)], weight: vectors[0], bias: vectors[1], eps: try epsilon(step))
      // The second and the third result are not there.
      return [y, y, y, x].map { ONNXValue($0) }
    },
  ]

  /// The first input, with the second one added where there is one.
  private static func summed(_ step: ONNXStep) throws -> Tensor {
    let x = try step.x
    guard step.has(1) else { return x }
    let bias = try step.tensor(1)
    guard try step.broadcast(x.shape, bias.shape) == x.shape, bias.dtype == x.dtype else {
      throw ONNXRefusal("what is added has the shape \(bias.shape), its input \(x.shape)")
    }
    return x + bias
  }

  /// The attribute `activation` of a node, of these numbers.
  private static func activated(_ step: ONNXStep, _ x: Tensor) throws -> Tensor {
    var numbers: [Double] = []
    if case .floats(let list)? = step.node.attributes["activation_params"] { numbers = list }
    for name in ["activation_alpha", "activation_beta"] {
      if let number = step.node.float(name) { numbers.append(number) }
    }
    func number(_ index: Int, or standard: Double) -> Double {
      index < numbers.count ? numbers[index] : standard
    }
    switch step.string("activation", or: "") {
    case "": return x
    case "Relu": return x.relu()
    case "Sigmoid": return x.sigmoid()
    case "Tanh": return x.tanh()
    case "HardSwish": return x.hardswish()
    case "LeakyRelu": return leaky(x, number(0, or: 0.01))
    case "Clip":
      let (low, high) = (number(0, or: -.infinity), number(1, or: .infinity))
      return low == 0 && high == 6 ? x.relu6() : x.clamped(low, high)
    case "HardSigmoid": return hardSigmoid(x, number(0, or: 0.2), number(1, or: 0.5))
    case let name:
      throw ONNXRefusal(
        "its activation is '\(name)', expected Relu, Sigmoid, Tanh, HardSwish, LeakyRelu, Clip or HardSigmoid"
      )
    }
  }
}
