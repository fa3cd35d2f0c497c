import Foundation
import Torch

extension Operator {
  fileprivate static let einsum = Operator("einsum")
}

/// Products of matrices.
extension ONNXOperators {
  static let products: [String: Rule] = [
    "MatMul": tensor { step in try product(step, step.x, step.tensor(1)) },
    "Gemm": tensor { step in
      var (a, b) = (try step.x, try step.tensor(1))
      guard a.rank == 2, b.rank == 2 else { throw ONNXRefusal("expected two matrices") }
      let isTurned = try step.flag("transB")
      if try step.flag("transA") { a = a.transposed(0, 1) }
      let (alpha, beta) = (step.float("alpha", or: 1), step.float("beta", or: 1))
      guard a.size(1) == b.size(isTurned ? 1 : 0), a.dtype == b.dtype else {
        throw ONNXRefusal("\(a.shape) and \(b.shape) do not fit each other")
      }
      let shape = try step.admit([a.size(0), b.size(isTurned ? 0 : 1)])
      let c = step.has(2) && beta != 0 ? try step.tensor(2) : nil
      if let c {
        guard try step.broadcast(shape, c.shape) == shape, c.dtype == a.dtype else {
          throw ONNXRefusal("what is added has the shape \(c.shape), expected \(shape)")
        }
      }
      if isTurned, alpha == 1, c == nil || beta == 1 && c?.shape == [shape[1]] {
        return a.linear(b, bias: c)
      }
      let product = a.matmul(isTurned ? b.transposed(0, 1) : b)
      let scaled = alpha == 1 ? product : product * alpha
      return c.map { scaled + (beta == 1 ? $0 : $0 * beta) } ?? scaled
    },
    "Einsum": tensor { step in
      let equation = step.string("equation", or: "").filter { $0 != " " }
      let tensors = try step.inputs.indices.map { try step.tensor($0) }
      try admit(equation, tensors, step)
      return Operator.einsum(equation, tensors)
    },
    "Attention": tensor(attention),
  ]

  /// A product of matrices, or of stacks of them.
  static func product(_ step: ONNXStep, _ a: Tensor, _ b: Tensor) throws -> Tensor {
    guard a.rank > 0, b.rank > 0, a.dtype == b.dtype else {
      throw ONNXRefusal("expected two matrices of one type")
    }
    let rows = a.rank > 1 ? [a.size(-2)] : [], columns = b.rank > 1 ? [b.size(-1)] : []
    guard a.size(-1) == b.size(b.rank > 1 ? -2 : 0) else {
      throw ONNXRefusal("\(a.shape) and \(b.shape) do not fit each other")
    }
    let stack = try step.broadcast(Array(a.shape.dropLast(2)), Array(b.shape.dropLast(2)))
    let result = try step.admit(stack + rows + columns)
    guard let count = elementCount(result + [a.size(-1)]), count <= step.limits.operations else {
      throw ONNXRefusal("its result of \(result) takes too many multiplications")
    }
    return a.matmul(b)
  }

  /// Refuses sums whose result would be too large, and those that are none.
  private static func admit(_ equation: String, _ tensors: [Tensor], _ step: ONNXStep) throws {
    let sides = equation.components(at: "->")
    let terms = sides.first.map { $0.split(separator: ",", omittingEmptySubsequences: false) } ?? []
    guard sides.count == 2, terms.count == tensors.count, !tensors.isEmpty,
      (sides[0] + sides[1]).allSatisfy({ $0 == "," || $0.isASCII && $0.isLetter })
    else { throw ONNXRefusal("its equation is '\(equation)', expected letters and '->'") }
    var lengths: [Character: Int] = [:]
    for (term, tensor) in zip(terms, tensors) {
      guard term.count == tensor.rank, Set(term).count == term.count else {
        throw ONNXRefusal("its equation '\(equation)' does not fit \(tensor.shape)")
      }
      for (letter, length) in zip(term, tensor.shape) {
        guard lengths[letter, default: length] == length else {
          throw ONNXRefusal("'\(letter)' of its equation '\(equation)' has two lengths")
        }
        lengths[letter] = length
      }
    }
    let result = sides[1].compactMap { lengths[$0] }
    guard result.count == sides[1].count, Set(sides[1]).count == sides[1].count else {
      throw ONNXRefusal("its equation is '\(equation)'")
    }
    try step.admit(result)
    guard let count = elementCount(Array(lengths.values)), count <= step.limits.operations else {
      throw ONNXRefusal("its equation '\(equation)' takes too many multiplications")
    }
  }

  /// Attention of heads (N, heads, positions, width), or of joined ones (N, positions, heads · width).
  private static func attention(_ step: ONNXStep) throws -> Tensor {
    try expectResults(step, 1)
    guard !step.has(4), !step.has(5), step.float("softcap", or: 0) == 0,
      try !step.flag("is_causal"), try step.int("qk_matmul_output_mode", or: 0, in: 0...3) == 0
    else { throw ONNXRefusal("it has a cache, a cap or an order of positions") }
    var parts = try (0..<3).map { try step.tensor($0) }
    let rank = parts[0].rank
    guard rank == 3 || rank == 4, parts.allSatisfy({ $0.rank == rank }) else {
      throw ONNXRefusal("expected three inputs of 3 or 4 dimensions")
    }
    if rank == 3 {
      let heads = try ["q_num_heads", "kv_num_heads", "kv_num_heads"].map {
        try step.int($0, or: 1, in: 1...65_536)
      }
      for (index, count) in heads.enumerated() {
        let part = parts[index]
        guard part.size(2) % count == 0 else {
          throw ONNXRefusal("\(part.shape) has no \(count) heads")
        }
        parts[index] = part.reshaped(part.size(0), part.size(1), count, part.size(2) / count)
          .permuted(0, 2, 1, 3)
      }
    }
    let result = try attention(
      step, parts[0], parts[1], parts[2], mask: step.has(3) ? step.tensor(3) : nil,
      scale: step.node.float("scale"))
    guard rank == 3 else { return result }
    return result.permuted(0, 2, 1, 3).reshaped(
      result.size(0), result.size(2), result.size(1) * result.size(3))
  }

  /// The attention of a pattern or a node, whose sizes are checked.
  static func attention(
    _ step: ONNXStep, _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor?, scale: Double?
  ) throws -> Tensor {
    let rank = query.rank
    guard rank >= 2, key.rank == rank, value.rank == rank, query.size(-1) == key.size(-1),
      key.size(-2) == value.size(-2), query.shape.dropLast(2) == key.shape.dropLast(2),
      key.shape.dropLast(2) == value.shape.dropLast(2), query.dtype.isFloatingPoint,
      query.dtype == key.dtype, key.dtype == value.dtype
    else {
      throw ONNXRefusal("\(query.shape), \(key.shape) and \(value.shape) do not fit each other")
    }
    let weights = try step.admit(Array(query.shape.dropLast()) + [key.size(-2)])
    guard let count = elementCount(weights + [query.size(-1)]), count <= step.limits.operations
    else {
      throw ONNXRefusal("it takes too many multiplications")
    }
    var mask = mask
    if let own = mask {
      guard try step.broadcast(weights, own.shape) == weights else {
        throw ONNXRefusal("the mask of \(own.shape) does not fit \(weights)")
      }
      // libtorch looks at the last two dimensions of what it broadcasts.
      if own.rank < 2 { mask = own.reshaped([1, own.count]) }
    }
    return query.attention(key, value, mask: mask, scale: scale)
  }
}

extension String {
  /// The parts between occurrences of `separator`.
  fileprivate func components(at separator: String) -> [String] {
    var parts: [String] = [], rest = self[...]
    while let range = rest.range(of: separator) {
      parts.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    return parts + [String(rest)]
  }
}
