extension ONNXPatterns {
  /// `x · (1 + erf(x / √2)) / 2`, in whatever order it is multiplied.
  static func geluPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard node.type == "Mul" || node.type == "Div", let output = node.outputs.first else {
      return nil
    }
    var factors = node.type == "Mul" ? m.factors(output, depth: 3) : []
    if node.type == "Div", node.inputs.count == 2 {
      guard m.isNumber(node.inputs[1], 2) else { return nil }
      factors = m.factors(node.inputs[0], depth: 2)
    }
    for (index, factor) in factors.enumerated() {
      guard let sum = m.producer(factor, "Add"), let (erf, one) = m.scaled(sum), one == 1,
        let source = m.producer(erf, "Erf")?.inputs.first, let x = root(m, source)
      else { continue }
      var rest = factors
      rest.remove(at: index)
      guard let place = rest.firstIndex(of: x) else { continue }
      rest.remove(at: place)
      if node.type == "Mul" {
        guard rest.count == 1, m.isNumber(rest[0], 0.5) else { continue }
      } else if !rest.isEmpty {
        continue
      }
      return [ONNXNode(name: node.name, type: "atrous.gelu", inputs: [x], outputs: [output])]
    }
    return nil
  }

  /// The x of `x / √2`.
  private static func root(_ m: ONNXMatcher, _ name: String) -> String? {
    if let node = m.producer(name, "Div"), node.inputs.count == 2,
      m.isNumber(node.inputs[1], 2.0.squareRoot())
    {
      return node.inputs[0]
    }
    if let node = m.producer(name, "Mul"), let (x, number) = m.scaled(node),
      abs(number - 0.5.squareRoot()) < 1e-6
    {
      return x
    }
    return nil
  }

  /// `x · sigmoid(x)`.
  static func siluPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard node.type == "Mul", node.inputs.count == 2 else { return nil }
    for (x, gate) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])]
    where m.producer(gate, "Sigmoid")?.inputs == [x] {
      return [ONNXNode(name: node.name, type: "atrous.silu", inputs: [x], outputs: node.outputs)]
    }
    return nil
  }

  /// `x · hardsigmoid(x)`, and hardsigmoid itself as `clip(x + 3, 0, 6) / 6`.
  static func hardSwishPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    func replaced(_ type: String, _ x: String) -> [ONNXNode] {
      [ONNXNode(name: node.name, type: type, inputs: [x], outputs: node.outputs)]
    }
    /// The x of `clip(x + 3, 0, 6)`.
    func shifted(_ name: String) -> String? {
      guard let clip = m.producer(name, "Clip"), clip.inputs.count == 3,
        m.isNumber(clip.inputs[1], 0),
        m.isNumber(clip.inputs[2], 6), let sum = m.producer(clip.inputs[0], "Add"),
        let (x, three) = m.scaled(sum), three == 3
      else { return nil }
      return x
    }
    /// The x of a hardsigmoid.
    func gated(_ name: String) -> String? {
      if let gate = m.producer(name, "HardSigmoid"), let x = gate.inputs.first,
        abs((gate.float("alpha") ?? 0.2) - 1 / 6) < 1e-6, (gate.float("beta") ?? 0.5) == 0.5
      {
        return x
      }
      if let gate = m.producer(name, "Div"), gate.inputs.count == 2, m.isNumber(gate.inputs[1], 6) {
        return shifted(gate.inputs[0])
      }
      if let gate = m.producer(name, "Mul"), let (value, sixth) = m.scaled(gate),
        abs(sixth - 1 / 6) < 1e-6
      {
        return shifted(value)
      }
      return nil
    }
    guard node.inputs.count == 2 else { return nil }
    if node.type == "Mul" {
      for (x, gate) in [(node.inputs[0], node.inputs[1]), (node.inputs[1], node.inputs[0])]
      where gated(gate) == x { return replaced("HardSwish", x) }
    }
    guard node.type == "Div", m.isNumber(node.inputs[1], 6) else { return nil }
    if let x = shifted(node.inputs[0]) { return replaced("atrous.hardsigmoid", x) }
    guard let product = m.producer(node.inputs[0], "Mul"), product.inputs.count == 2 else {
      return nil
    }
    for (x, gate) in [
      (product.inputs[0], product.inputs[1]), (product.inputs[1], product.inputs[0]),
    ] where shifted(gate) == x { return replaced("HardSwish", x) }
    return nil
  }
}
