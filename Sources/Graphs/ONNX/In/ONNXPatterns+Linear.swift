import Torch

extension ONNXPatterns {
  /// A product with a constant matrix, with a constant vector added or none.
  static func linearPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    func linear(_ x: String, _ matrix: String, _ vector: String?) -> [ONNXNode]? {
      guard let turned = m.rows(matrix)?.name ?? m.transposed(matrix) else { return nil }
      return [
        ONNXNode(
          name: node.name, type: "atrous.linear",
          inputs: [x, turned] + (vector.map { [$0] } ?? []),
          outputs: node.outputs)
      ]
    }
    switch node.type {
    case "MatMul":
      guard node.inputs.count == 2, m.constant(node.inputs[0]) == nil else { return nil }
      return linear(node.inputs[0], node.inputs[1], nil)
    case "Add":
      guard node.inputs.count == 2 else { return nil }
      for (product, vector) in [
        (node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0]),
      ] {
        guard let matrices = m.producer(product, "MatMul"), matrices.inputs.count == 2,
          m.constant(matrices.inputs[0]) == nil, let constant = m.constant(vector),
          let outputs = m.rows(matrices.inputs[1])?.count
            ?? m.constant(matrices.inputs[1]).flatMap({ $0.shape.count == 2 ? $0.shape[1] : nil }),
          constant.shape == [outputs], constant.dtype.isFloatingPoint
        else { continue }
        return linear(matrices.inputs[0], matrices.inputs[1], vector)
      }
      return nil
    case "Gemm":
      guard node.inputs.count >= 2, (node.int("transA") ?? 0) == 0, (node.int("transB") ?? 0) == 0,
        (node.float("alpha") ?? 1) == 1, (node.float("beta") ?? 1) == 1,
        let matrix = m.constant(node.inputs[1]), matrix.shape.count == 2
      else { return nil }
      let vector = node.inputs.count > 2 && !node.inputs[2].isEmpty ? node.inputs[2] : nil
      if let vector {
        guard m.constant(vector)?.shape == [matrix.shape[1]] else { return nil }
      }
      return linear(node.inputs[0], node.inputs[1], vector)
    default: return nil
    }
  }
}

extension ONNXMatcher {
  /// Of a constant matrix whose dimensions are exchanged by a node the constant, and how many rows it has.
  fileprivate func rows(_ name: String) -> (name: String, count: Int)? {
    guard let turn = producer(name, "Transpose"), let source = turn.inputs.first,
      let constant = constant(source), constant.shape.count == 2, !constant.isTransposed,
      (turn.ints("perm") ?? [1, 0]) == [1, 0]
    else { return nil }
    return (source, constant.shape[0])
  }
}
