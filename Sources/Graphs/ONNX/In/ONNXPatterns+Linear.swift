extension ONNXPatterns {
  /// A product with a constant matrix, with a constant vector added or none.
  static func linearPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    func linear(_ x: String, _ matrix: String, _ vector: String?) -> [ONNXNode]? {
      guard let turned = m.transposed(matrix) else { return nil }
      return [
        ONNXNode(
          name: node.name, type: "atrous.linear", inputs: [x, turned] + (vector.map { [$0] } ?? []),
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
          m.constant(matrices.inputs[0]) == nil, let matrix = m.constant(matrices.inputs[1]),
          let constant = m.constant(vector), matrix.shape.count == 2,
          constant.shape == [matrix.shape[1]], constant.dtype == matrix.dtype
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
