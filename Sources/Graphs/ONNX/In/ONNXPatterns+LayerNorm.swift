extension ONNXPatterns {
  /// `(x − mean) / √(variance + ε) · γ + β` along one dimension, γ and β constants.
  static func layerNormPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard let output = node.outputs.first else { return nil }
    var inner = output, bias: String?, weight: String?
    if node.type == "Add", let (value, constant) = parted(m, node), m.producer(value, "Mul") != nil
    {
      (inner, bias) = (value, constant)
    }
    if let product = m.producer(inner, "Mul"), let (value, constant) = parted(m, product) {
      (inner, weight) = (value, constant)
    }
    // What is multiplied afterwards is recognised with its own last node.
    guard weight != nil, bias != nil || node.type == "Mul", let quotient = m.producer(inner, "Div"),
      let found = normalized(m, quotient)
    else { return nil }
    if bias == nil, isBiased(m, output) { return nil }
    return [
      ONNXNode(
        name: node.name, type: "atrous.layernorm", inputs: [found.x, weight ?? "", bias ?? ""],
        outputs: node.outputs,
        attributes: ["axis": .int(found.axis), "epsilon": .float(found.epsilon)])
    ]
  }

  /// Of a node's two inputs the value and the constant.
  private static func parted(_ m: ONNXMatcher, _ node: ONNXNode) -> (
    value: String, constant: String
  )? {
    guard node.inputs.count == 2 else { return nil }
    let (a, b) = (node.inputs[0], node.inputs[1])
    switch (m.constant(a), m.constant(b)) {
    case (nil, .some): return (a, b)
    case (.some, nil): return (b, a)
    default: return nil
    }
  }

  /// Whether a constant is added to a value, so that the figure ends there.
  private static func isBiased(_ m: ONNXMatcher, _ name: String) -> Bool {
    m.takers(name).contains { $0.type == "Add" && parted(m, $0) != nil }
  }

  /// The x, dimension and ε of `(x − mean(x)) / √(mean((x − mean(x))²) + ε)`.
  private static func normalized(
    _ m: ONNXMatcher, _ quotient: ONNXNode
  ) -> (x: String, axis: Int, epsilon: Double)? {
    guard quotient.inputs.count == 2, let centred = m.producer(quotient.inputs[0], "Sub"),
      let (x, axis) = centre(m, centred), let root = m.producer(quotient.inputs[1], "Sqrt"),
      let sum = root.inputs.first.flatMap({ m.producer($0, "Add") }),
      let (variance, epsilon) = m.scaled(sum), let mean = m.producer(variance, "ReduceMean"),
      m.axes(mean) == [axis], (mean.int("keepdims") ?? 1) == 1, let squares = mean.inputs.first
    else { return nil }
    /// Whether a name is `x − mean(x)`, which exporters may work out twice.
    func isCentred(_ name: String) -> Bool {
      if name == quotient.inputs[0] { return true }
      guard let other = m.producer(name, "Sub"), let (y, own) = centre(m, other) else {
        return false
      }
      return y == x && own == axis
    }
    let isSquare =
      if let power = m.producer(squares, "Pow"), power.inputs.count == 2 {
        isCentred(power.inputs[0]) && m.isNumber(power.inputs[1], 2)
      } else if let product = m.producer(squares, "Mul"), product.inputs.count == 2 {
        isCentred(product.inputs[0]) && product.inputs[0] == product.inputs[1]
      } else {
        false
      }
    return isSquare ? (x, axis, epsilon) : nil
  }

  private static func centre(_ m: ONNXMatcher, _ node: ONNXNode) -> (x: String, axis: Int)? {
    guard node.inputs.count == 2, let mean = m.producer(node.inputs[1], "ReduceMean"),
      mean.inputs.first == node.inputs[0], (mean.int("keepdims") ?? 1) == 1,
      let axes = m.axes(mean), axes.count == 1
    else { return nil }
    return (node.inputs[0], axes[0])
  }
}

extension ONNXMatcher {
  /// The dimensions of a reduction, where they are constants.
  func axes(_ node: ONNXNode) -> [Int]? {
    if let axes = node.ints("axes") { return axes }
    guard node.inputs.count > 1, let constant = constant(node.inputs[1]) else { return nil }
    return (try? constant.array())?.map(\.ints)
  }
}
