import Foundation
import Torch

extension Operator {
  fileprivate static let amin = Operator("amin")
  fileprivate static let argmax = Operator("argmax")
  fileprivate static let argmin = Operator("argmin")
  fileprivate static let topk = Operator("topk")
  fileprivate static let cumsum = Operator("cumsum")
  fileprivate static let logsumexp = Operator("logsumexp")
  fileprivate static let prod = Operator("prod", "dim_int")
}

/// What many elements become one by.
extension ONNXOperators {
  static let reductions: [String: Rule] = [
    "ReduceMean": reduction {
      $0.reduce(0, +) / Double($0.count)
    } tensor: {
      $0.mean($1, keep: $2)
    },
    "ReduceSum": reduction {
      $0.reduce(0, +)
    } tensor: {
      $0.sum($1, keep: $2)
    },
    "ReduceMax": reduction {
      $0.max() ?? -.infinity
    } tensor: {
      $0.maximum(along: $1, keep: $2)
    },
    "ReduceMin": reduction {
      $0.min() ?? .infinity
    } tensor: {
      Operator.amin($0, $1, $2)
    },
    "ReduceProd": reduction {
      $0.reduce(1, *)
    } tensor: { x, axes, keep in
      axes.sorted().reversed().reduce(x) { Operator.prod($0, $1, keep) }
    },
    "ReduceL1": reduction {
      $0.reduce(0) { $0 + abs($1) }
    } tensor: {
      $0.abs().sum($1, keep: $2)
    },
    "ReduceL2": reduction {
      $0.reduce(0) { $0 + $1 * $1 }.squareRoot()
    } tensor: {
      ($0 * $0).sum($1, keep: $2).sqrt()
    },
    "ReduceSumSquare": reduction {
      $0.reduce(0) { $0 + $1 * $1 }
    } tensor: {
      ($0 * $0).sum($1, keep: $2)
    },
    "ReduceLogSum": reduction {
      log($0.reduce(0, +))
    } tensor: {
      $0.sum($1, keep: $2).log()
    },
    "ReduceLogSumExp": reduction {
      log($0.reduce(0) { $0 + exp($1) })
    } tensor: {
      Operator.logsumexp($0, $1, $2)
    },
    "ArgMax": extremum { Operator.argmax($0, $1, $2) },
    "ArgMin": extremum { Operator.argmin($0, $1, $2) },
    "TopK": { step in
      let x = try step.x, axis = try step.axis("axis", or: -1, rank: x.rank)
      guard let count = try step.list(1, "its counts")?.first, count >= 0, count <= x.size(axis)
      else {
        throw ONNXRefusal("it takes more elements than there are")
      }
      let largest = try step.flag("largest", or: true)
      return Operator.topk.tensors(x, count, axis, largest, true).map { ONNXValue($0) }
    },
    "CumSum": tensor { step in
      var x = try step.x
      let axis = try step.axis(step.array(1, "its axis").ints.first ?? 0, rank: x.rank)
      let isReversed = try step.flag("reverse")
      if isReversed { x = x.flipped(axis) }
      var sum = Operator.cumsum(x, axis)
      if try step.flag("exclusive") { sum = sum - x }
      return isReversed ? sum.flipped(axis) : sum
    },
  ]

  /// A reduction along dimensions; `number` is that of known numbers.
  private static func reduction(
    _ number: @escaping @Sendable ([Double]) -> Double,
    tensor: @escaping @Sendable (Tensor, [Int], Bool) -> Tensor
  ) -> Rule {
    { step in
      let value = try step.value(0), rank = value.shape.count
      let keep = try step.flag("keepdims", or: true)
      var axes = try step.axes(input: 1, rank: rank)
      if axes == nil || axes == [] {
        if try step.flag("noop_with_empty_axes") { return [value] }
        axes = Array(0..<rank)
      }
      let reduced = axes ?? []
      if let array = value.array {
        return [ONNXValue(collected(array, reduced, keep: keep, number))]
      }
      let x = value.tensor
      guard !reduced.isEmpty else { return [value] }
      guard reduced.allSatisfy({ x.size($0) > 0 }) else {
        throw ONNXRefusal("there is nothing to reduce")
      }
      return [ONNXValue(tensor(x, reduced, keep))]
    }
  }

  private static func collected(
    _ array: ONNXArray, _ axes: [Int], keep: Bool, _ number: ([Double]) -> Double
  ) -> ONNXArray {
    let rest = array.shape.indices.filter { !axes.contains($0) }, steps = array.steps
    let inner = ONNXArray.places(axes.map { array.shape[$0] }, steps: axes.map { steps[$0] })
    let outer = ONNXArray.places(rest.map { array.shape[$0] }, steps: rest.map { steps[$0] })
    let values = outer.map { start in
      ONNXArray.rounded(number(inner.map { array.values[start + $0] }), array.dtype)
    }
    let shape = array.shape.indices.compactMap { axis in
      axes.contains(axis) ? (keep ? 1 : nil) : array.shape[axis]
    }
    return ONNXArray(shape, values, array.dtype)
  }

  private static func extremum(_ body: @escaping @Sendable (Tensor, Int, Bool) -> Tensor) -> Rule {
    tensor { step in
      let x = try step.x
      guard try !step.flag("select_last_index") else {
        throw ONNXRefusal("select_last_index is not supported")
      }
      let axis = try step.axis("axis", or: 0, rank: x.rank)
      guard x.size(axis) > 0 else { throw ONNXRefusal("there is nothing to choose from") }
      return body(x, axis, try step.flag("keepdims", or: true))
    }
  }
}
