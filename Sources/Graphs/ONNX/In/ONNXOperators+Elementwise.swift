import Foundation
import Torch

extension Operator {
  /// The nearest whole number, the even one of two.
  static let round = Operator("round")
  fileprivate static let add = Operator("add", "Tensor")
  fileprivate static let sub = Operator("sub", "Tensor")
  fileprivate static let mul = Operator("mul", "Tensor")
  fileprivate static let div = Operator("div", "Tensor")
  fileprivate static let divMode = Operator("div", "Tensor_mode")
  fileprivate static let fmod = Operator("fmod", "Tensor")
  fileprivate static let remainder = Operator("remainder", "Tensor")
  fileprivate static let power = Operator("pow", "Tensor_Tensor")
  fileprivate static let maximum = Operator("maximum")
  fileprivate static let minimum = Operator("minimum")
  fileprivate static let floor = Operator("floor")
  fileprivate static let ceil = Operator("ceil")
  fileprivate static let erf = Operator("erf")
  fileprivate static let sin = Operator("sin")
  fileprivate static let cos = Operator("cos")
  fileprivate static let sign = Operator("sign")
  fileprivate static let reciprocal = Operator("reciprocal")
}

/// Arithmetic, element by element.
extension ONNXOperators {
  static let elementwise: [String: Rule] = [
    "Add": binary(+) {
      $0 + $1
    } scalar: {
      $0 + $1
    },
    "Sub": binary(-) {
      $0 - $1
    } scalar: {
      $0 - $1
    } reversed: {
      $0 - $1
    },
    "Mul": binary(*) {
      $0 * $1
    } scalar: {
      $0 * $1
    },
    "Div": division,
    "Mod": { step in
      let isRemainderOfC = try step.flag("fmod")
      return try binary(step) { a, b in
        let rest = a.truncatingRemainder(dividingBy: b)
        return isRemainderOfC || rest == 0 || (rest < 0) == (b < 0) ? rest : rest + b
      } tensors: {
        isRemainderOfC ? Operator.fmod($0, $1) : Operator.remainder($0, $1)
      }
    },
    "Pow": binary(Foundation.pow) {
      Operator.power($0, $1)
    } scalar: {
      $0.pow($1)
    },
    "Max": variadic(Swift.max) { $0.maximum($1) },
    "Min": variadic(Swift.min) { Operator.minimum($0, $1) },
    "Sum": variadic(+) { $0 + $1 },
    "Mean": { step in
      let sum = try variadic(+) { $0 + $1 }(step)[0]
      return [ONNXValue(step.tensor(of: sum) / Double(step.inputs.count))]
    },
    "Neg": unary(-) { -$0 }, "Abs": unary(Swift.abs) { $0.abs() },
    "Sqrt": unary {
      $0.squareRoot()
    } tensor: {
      $0.sqrt()
    },
    "Exp": unary(Foundation.exp) { $0.exp() }, "Log": unary(Foundation.log) { $0.log() },
    "Floor": unary {
      $0.rounded(.down)
    } tensor: {
      Operator.floor($0)
    },
    "Ceil": unary {
      $0.rounded(.up)
    } tensor: {
      Operator.ceil($0)
    },
    "Round": unary {
      $0.rounded(.toNearestOrEven)
    } tensor: {
      Operator.round($0)
    },
    "Reciprocal": unary {
      1 / $0
    } tensor: {
      Operator.reciprocal($0)
    },
    "Sign": unary {
      $0 > 0 ? 1 : $0 < 0 ? -1 : 0
    } tensor: {
      Operator.sign($0)
    },
    "Sin": one { Operator.sin($0) }, "Cos": one { Operator.cos($0) },
    "Erf": one { Operator.erf($0) },
    "Identity": { [try $0.value(0)] },
    "Dropout": { step in
      if step.has(2), try step.array(2, "its modes").single == 1 {
        throw ONNXRefusal("it belongs to training")
      }
      try expectResults(step, 1)
      return [try step.value(0)]
    },
    "Cast": { step in
      let code = try step.int("to", or: 0, in: 0...64)
      guard let dtype = DType(onnx: Int32(code)) else {
        throw ONNXRefusal("it casts to type \(code), which is not supported")
      }
      return [try cast(step.value(0), dtype.widened)]
    },
    "CastLike": { [try cast($0.value(0), $0.value(1).dtype)] },
  ]

  /// A value in another type.
  static func cast(_ value: ONNXValue, _ dtype: DType) throws -> ONNXValue {
    guard value.dtype != dtype else { return value }
    guard let array = value.array else { return ONNXValue(value.tensor.to(dtype)) }
    return ONNXValue(
      ONNXArray(array.shape, array.values.map { ONNXArray.rounded($0, dtype) }, dtype))
  }

  // MARK: Forms of rules

  /// An operator of one value.
  static func unary(
    _ number: @escaping @Sendable (Double) -> Double, tensor: @escaping @Sendable (Tensor) -> Tensor
  ) -> Rule {
    { step in
      let value = try step.value(0)
      guard let array = value.array else { return [ONNXValue(tensor(value.tensor))] }
      return [
        ONNXValue(
          ONNXArray(
            array.shape, array.values.map { ONNXArray.rounded(number($0), array.dtype) },
            array.dtype))
      ]
    }
  }

  /// An operator of two values of one type, which are broadcast to each other; `scalar` and `reversed` are its
  /// forms for a number on the right and on the left.
  static func binary(
    _ number: @escaping @Sendable (Double, Double) -> Double,
    tensors: @escaping @Sendable (Tensor, Tensor) -> Tensor,
    scalar: (@Sendable (Tensor, Double) -> Tensor)? = nil,
    reversed: (@Sendable (Double, Tensor) -> Tensor)? = nil
  ) -> Rule {
    { try binary($0, number, tensors: tensors, scalar: scalar, reversed: reversed) }
  }

  static func binary(
    _ step: ONNXStep, _ number: (Double, Double) -> Double, tensors: (Tensor, Tensor) -> Tensor,
    scalar: ((Tensor, Double) -> Tensor)? = nil, reversed: ((Double, Tensor) -> Tensor)? = nil,
    giving dtype: DType? = nil
  ) throws -> [ONNXValue] {
    let (a, b) = (try step.value(0), try step.value(1))
    let shape = try step.broadcast(a.shape, b.shape)
    if let left = a.array, let right = b.array {
      return [ONNXValue(try combined(left, right, shape, step.limits, giving: dtype, number))]
    }
    guard a.dtype == b.dtype else {
      throw ONNXRefusal("its sides are of \(a.dtype) and \(b.dtype), expected one type")
    }
    // A single number that does not add dimensions is an argument, as in our own networks.
    if let scalar, let value = b.array?.single, b.shape.count <= a.shape.count,
      a.dtype.isFloatingPoint
    {
      return [ONNXValue(scalar(a.tensor, value))]
    }
    if let value = a.array?.single, a.shape.count <= b.shape.count, b.dtype.isFloatingPoint {
      if let reversed { return [ONNXValue(reversed(value, b.tensor))] }
      if let scalar, isCommutative(step) { return [ONNXValue(scalar(b.tensor, value))] }
    }
    return [ONNXValue(tensors(step.tensor(of: a), step.tensor(of: b)))]
  }

  private static func isCommutative(_ step: ONNXStep) -> Bool {
    ["Add", "Mul"].contains(step.node.type)
  }

  /// Known numbers of two arrays, combined.
  static func combined(
    _ a: ONNXArray, _ b: ONNXArray, _ shape: [Int], _ limits: ONNXLimits,
    giving dtype: DType? = nil,
    _ number: (Double, Double) -> Double
  ) throws -> ONNXArray {
    guard let count = elementCount(shape), count <= limits.numbers else {
      throw ONNXRefusal("more than \(limits.numbers) numbers would be worked out")
    }
    let result = dtype ?? a.dtype
    let values = zip(a.places(in: shape), b.places(in: shape)).map {
      ONNXArray.rounded(number(a.values[$0], b.values[$1]), result)
    }
    return ONNXArray(shape, values, result)
  }

  /// An operator of any number of values.
  private static func variadic(
    _ number: @escaping @Sendable (Double, Double) -> Double,
    tensors: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> Rule {
    { step in
      var result = try step.value(0)
      for index in step.inputs.indices.dropFirst() {
        let next = try step.value(index)
        let shape = try step.broadcast(result.shape, next.shape)
        if let left = result.array, let right = next.array {
          result = ONNXValue(try combined(left, right, shape, step.limits, number))
        } else {
          guard result.dtype == next.dtype else {
            throw ONNXRefusal(
              "its inputs are of \(result.dtype) and \(next.dtype), expected one type")
          }
          result = ONNXValue(tensors(step.tensor(of: result), step.tensor(of: next)))
        }
      }
      return [result]
    }
  }

  private static let division: Rule = { step in
    let isWhole = try !step.value(0).dtype.isFloatingPoint
    return try binary(
      step, { isWhole && $1 == 0 ? 0 : $0 / $1 },
      tensors: { isWhole ? Operator.divMode($0, $1, "trunc") : $0 / $1 },
      scalar: { $0 / $1 })
  }
}
