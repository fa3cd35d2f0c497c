extension ONNXPatterns {
  /// `softmax(Q·Kᵀ·s + mask) · V`; the factors may be anywhere before the softmax.
  static func attentionPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard node.type == "MatMul", node.inputs.count == 2,
      let softmax = m.producer(node.inputs[0], "Softmax"), var scores = softmax.inputs.first,
      (softmax.int("axis") ?? (m.opset < 13 ? 1 : -1)) == -1 || softmax.int("axis") == 3
    else { return nil }
    var scale = 1.0, mask: String?
    let windows = windowMask(m, scores)
    if let windows { scores = windows.scores }
    if let sum = m.producer(scores, "Add"), sum.inputs.count == 2 {
      // The side that is a product is the scores.
      for (product, other) in [(sum.inputs[0], sum.inputs[1]), (sum.inputs[1], sum.inputs[0])]
      where mask == nil && unscaled(m, product).base.flatMap({ m.producer($0, "MatMul") }) != nil {
        (scores, mask) = (product, other)
      }
      guard let other = mask else { return nil }
      // One number for all positions changes nothing.
      if let number = m.number(other), number.isFinite { mask = nil }
    }
    let own = unscaled(m, scores)
    guard let base = own.base, let product = m.producer(base, "MatMul"), product.inputs.count == 2
    else {
      return nil
    }
    let query = unscaled(m, product.inputs[0]), key = unscaled(m, product.inputs[1])
    guard let q = query.base, let k = key.base else { return nil }
    scale = own.scale * query.scale * key.scale
    guard scale.isFinite, scale > 0 else { return nil }

    // The keys' last two dimensions are exchanged before the product; here they are as they were.
    var nodes: [ONNXNode] = [], keys = k
    if let turn = m.producer(k, "Transpose"), let source = turn.inputs.first,
      let perm = turn.ints("perm"),
      perm.count >= 2
    {
      var order = perm
      order.swapAt(perm.count - 1, perm.count - 2)
      // An exponent or another factor between the turn and the product belongs to the scale.
      keys = source
      if order != Array(order.indices) {
        keys = "\(node.name)/atrous.keys"
        nodes.append(
          ONNXNode(
            name: keys, type: "Transpose", inputs: [source], outputs: [keys],
            attributes: ["perm": .ints(order)]))
      }
    } else {
      keys = "\(node.name)/atrous.keys"
      nodes.append(ONNXNode(name: keys, type: "atrous.turn", inputs: [k], outputs: [keys]))
    }
    if let windows {
      let all = "\(node.name)/atrous.mask"
      nodes.append(
        ONNXNode(
          name: all, type: "atrous.windows", inputs: [windows.mask] + (mask.map { [$0] } ?? []),
          outputs: [all], attributes: ["shape": .ints(windows.shape)]))
      mask = all
    }
    let inner = unscaled(m, keys)
    if let value = inner.base, inner.scale > 0 { (keys, scale) = (value, scale * inner.scale) }
    return nodes + [
      ONNXNode(
        name: node.name, type: "atrous.attention",
        inputs: [q, keys, node.inputs[1]] + (mask.map { [$0] } ?? []), outputs: node.outputs,
        attributes: ["scale": .float(scale)])
    ]
  }

  /// Scores (images · windows, heads, n, n) to which the mask of each window is added, as for shifted windows: as
  /// (images, windows, heads, n, n), whose lengths after the first are `shape`; nil for other figures.
  private static func windowMask(
    _ m: ONNXMatcher, _ scores: String
  ) -> (scores: String, mask: String, shape: [Int])? {
    func reshaped(_ name: String) -> (input: String, shape: [Int])? {
      guard let node = m.producer(name, "Reshape"), node.inputs.count == 2,
        let shape = (try? m.constant(node.inputs[1])?.array())?.ints
      else { return nil }
      return (node.inputs[0], shape)
    }
    guard let together = reshaped(scores), let sum = m.producer(together.input, "Add"),
      sum.inputs.count == 2
    else { return nil }
    for (value, mask) in [(sum.inputs[0], sum.inputs[1]), (sum.inputs[1], sum.inputs[0])] {
      guard let apart = reshaped(value), apart.shape.count == 5 else { continue }
      let shape = Array(apart.shape.dropFirst())
      if together.shape.count == 4, shape.allSatisfy({ $0 > 0 }),
        Array(together.shape.dropFirst()) == Array(shape.dropFirst())
      {
        return (apart.input, mask, shape)
      }
    }
    return nil
  }

  /// A value without the numbers that it is multiplied or divided by, and their product.
  private static func unscaled(_ m: ONNXMatcher, _ name: String) -> (base: String?, scale: Double) {
    var (base, scale) = (name, 1.0)
    for _ in 0..<3 {
      if let node = m.producer(base, "Mul"), let (value, number) = m.scaled(node) {
        (base, scale) = (value, scale * number)
      } else if let node = m.producer(base, "Div"), node.inputs.count == 2,
        let number = m.number(node.inputs[1]), number != 0
      {
        (base, scale) = (node.inputs[0], scale / number)
      } else {
        break
      }
    }
    return (base, scale)
  }
}
