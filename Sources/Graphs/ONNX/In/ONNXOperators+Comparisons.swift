import Torch

extension Operator {
  fileprivate static let eq = Operator("eq", "Tensor")
  fileprivate static let lt = Operator("lt", "Tensor")
  fileprivate static let le = Operator("le", "Tensor")
  fileprivate static let gt = Operator("gt", "Tensor")
  fileprivate static let ge = Operator("ge", "Tensor")
  fileprivate static let logicalAnd = Operator("logical_and")
  fileprivate static let logicalOr = Operator("logical_or")
  fileprivate static let logicalXor = Operator("logical_xor")
  fileprivate static let logicalNot = Operator("logical_not")
  fileprivate static let isNaN = Operator("isnan")
}

/// What gives truth values, or chooses by them.
extension ONNXOperators {
  static let comparisons: [String: Rule] = [
    "Equal": comparison {
      $0 == $1
    } tensors: {
      Operator.eq($0, $1)
    },
    "Less": comparison {
      $0 < $1
    } tensors: {
      Operator.lt($0, $1)
    },
    "LessOrEqual": comparison {
      $0 <= $1
    } tensors: {
      Operator.le($0, $1)
    },
    "Greater": comparison {
      $0 > $1
    } tensors: {
      Operator.gt($0, $1)
    },
    "GreaterOrEqual": comparison {
      $0 >= $1
    } tensors: {
      Operator.ge($0, $1)
    },
    "And": comparison {
      $0 != 0 && $1 != 0
    } tensors: {
      Operator.logicalAnd($0, $1)
    },
    "Or": comparison {
      $0 != 0 || $1 != 0
    } tensors: {
      Operator.logicalOr($0, $1)
    },
    "Xor": comparison {
      ($0 != 0) != ($1 != 0)
    } tensors: {
      Operator.logicalXor($0, $1)
    },
    "Not": unary {
      $0 == 0 ? 1 : 0
    } tensor: {
      Operator.logicalNot($0)
    },
    "IsNaN": one { Operator.isNaN($0) },
    "Where": { step in
      let (mask, a, b) = (try step.value(0), try step.value(1), try step.value(2))
      let shape = try step.broadcast(mask.shape, step.broadcast(a.shape, b.shape))
      if mask.isKnown, a.isKnown, b.isKnown { try step.admitNumbers(shape) }
      if let mask = mask.array, let left = a.array, let right = b.array {
        let chosen = zip(
          mask.places(in: shape), zip(left.places(in: shape), right.places(in: shape))
        )
        .map { mask.values[$0] != 0 ? left.values[$1.0] : right.values[$1.1] }
        return [ONNXValue(ONNXArray(shape, chosen, left.dtype))]
      }
      guard mask.dtype == .bool, a.dtype == b.dtype else {
        throw ONNXRefusal("expected truth values and two inputs of one type")
      }
      return [
        ONNXValue(step.tensor(of: mask).choose(step.tensor(of: a), step.tensor(of: b)))
      ]
    },
  ]

  private static func comparison(
    _ holds: @escaping @Sendable (Double, Double) -> Bool,
    tensors: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> Rule {
    { try binary($0, { holds($0, $1) ? 1 : 0 }, tensors: tensors, giving: .bool) }
  }
}
