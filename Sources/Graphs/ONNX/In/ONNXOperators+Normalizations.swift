import Torch

/// Normalizations.
extension ONNXOperators {
  static let normalizations: [String: Rule] = [
    "BatchNormalization": { step in
      guard try !step.flag("training_mode") else { throw ONNXRefusal("it belongs to training") }
      try expectResults(step, 1)
      let x = try step.x
      guard x.rank >= 2 else { throw ONNXRefusal("its input has no channels") }
      let vectors = try (1...4).map { try step.tensor($0) }
      for vector in vectors where vector.shape != [x.size(1)] || vector.dtype != x.dtype {
        throw ONNXRefusal(
          "a parameter is \(vector.dtype) \(vector.shape), expected \(x.dtype) [\(x.size(1))]")
      }
      return [
        ONNXValue(
          x.batchNorm(
            weight: vectors[0], bias: vectors[1], runningMean: vectors[2], runningVar: vectors[3],
            training: false, momentum: 0.1, eps: try epsilon(step)))
      ]
    },
    "InstanceNormalization": tensor { step in
      let x = try step.x
      guard x.rank >= 3 else { throw ONNXRefusal("its input is no map") }
      return try grouped(step, x, groups: x.size(1), step.tensor(1), step.tensor(2))
    },
    "GroupNormalization": tensor { step in
      let x = try step.x
      let groups = try step.int("num_groups", or: 1, in: 1...ONNXStep.longest)
      guard x.rank >= 3, x.size(1) > 0, x.size(1) % groups == 0 else {
        throw ONNXRefusal("\(x.size(1)) channels are no multiple of \(groups)")
      }
      let vectors = try (1...2).map { index in
        let vector = try step.tensor(index)
        // Before version 21 a group had one number for all its channels.
        guard vector.shape == [groups], groups != x.size(1) else { return vector }
        return vector.reshaped(groups, 1).expanded([groups, x.size(1) / groups]).reshaped(x.size(1))
      }
      return try grouped(step, x, groups: groups, vectors[0], vectors[1])
    },
    "LayerNormalization": { step in
      try expectResults(step, 1)
      let x = try step.x
      let axis = try step.axis("axis", or: -1, rank: x.rank)
      let shape = Array(x.shape[axis...])
      guard x.dtype.isFloatingPoint else { throw ONNXRefusal("its input is of \(x.dtype)") }
      let weight = step.has(1) ? try step.tensor(1) : nil,
        bias = step.has(2) ? try step.tensor(2) : nil
      let eps = try epsilon(step)
      if weight.map({ $0.shape == shape }) ?? true, bias.map({ $0.shape == shape }) ?? true {
        return [ONNXValue(x.layerNorm(shape, weight: weight, bias: bias, eps: eps))]
      }
      var result = x.layerNorm(shape, weight: nil, bias: nil, eps: eps)
      for (vector, isWeight) in [(weight, true), (bias, false)] {
        guard let vector else { continue }
        guard try step.broadcast(x.shape, vector.shape) == x.shape else {
          throw ONNXRefusal("a parameter of \(vector.shape) does not fit \(x.shape)")
        }
        result = isWeight ? result * vector : result + vector
      }
      return [ONNXValue(result)]
    },
    "RMSNormalization": tensor { step in
      let x = try step.x, weight = try step.tensor(1)
      let axis = try step.axis("axis", or: -1, rank: x.rank)
      guard try step.broadcast(x.shape, weight.shape) == x.shape else {
        throw ONNXRefusal("its weight of \(weight.shape) does not fit \(x.shape)")
      }
      let squares = (x * x).mean(Array(axis..<x.rank), keep: true)
      return x * (squares + (try epsilon(step))).rsqrt() * weight
    },
    "LpNormalization": tensor { step in
      let x = try step.x, axis = try step.axis("axis", or: -1, rank: x.rank)
      return try step.int("p", or: 2, in: 1...2) == 1
        ? x / x.abs().sum([axis], keep: true) : x / (x * x).sum([axis], keep: true).sqrt()
    },
  ]

  /// What is added to variances.
  static func epsilon(_ step: ONNXStep) throws -> Double {
    let value = step.float("epsilon", or: 1e-5)
    guard value.isFinite, value >= 0 else { throw ONNXRefusal("epsilon is \(value)") }
    // In single precision 1e-5 is another number, which our own networks do not have.
    let short = Double("\(Float(value))") ?? value
    return short
  }

  private static func grouped(
    _ step: ONNXStep, _ x: Tensor, groups: Int, _ weight: Tensor, _ bias: Tensor
  ) throws -> Tensor {
    for vector in [weight, bias] where vector.shape != [x.size(1)] || vector.dtype != x.dtype {
      throw ONNXRefusal(
        "a parameter is \(vector.dtype) \(vector.shape), expected \(x.dtype) [\(x.size(1))]")
    }
    guard x.size(0) > 0, groups > 0 else { throw ONNXRefusal("its input is empty") }
    return x.groupNorm(groups, weight: weight, bias: bias, eps: try epsilon(step))
  }
}
