import Torch

extension ONNXPatterns {
  /// An operator of whole numbers, as ONNX Runtime's `quantize_static` writes them, as the same operator of numbers
  /// between DequantizeLinear and QuantizeLinear; of these the pass `codes` makes whole numbers again.
  static func quantizedPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard let form = QuantizedForm.all[node.type], let output = node.outputs.first else {
      return nil
    }
    return form.nodes(node, output)
  }

  /// ONNX Runtime's product with exchanged dimensions and a factor as several nodes, so that attention is found.
  static func fusedPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard node.type == "com.microsoft.FusedMatMul", node.inputs.count == 2,
      let output = node.outputs.first, (node.int("transBatchA") ?? 0) == 0,
      (node.int("transBatchB") ?? 0) == 0
    else { return nil }
    var nodes: [ONNXNode] = []
    func add(_ type: String, _ inputs: [String], _ output: String) {
      nodes.append(ONNXNode(name: node.name, type: type, inputs: inputs, outputs: [output]))
    }
    var inputs = node.inputs
    for (index, flag) in ["transA", "transB"].enumerated() where node.int(flag) == 1 {
      let turned = "\(output)/atrous.turned\(index)"
      add("atrous.turn", [inputs[index]], turned)
      inputs[index] = turned
    }
    guard let factor = node.float("alpha"), factor != 1 else {
      add("MatMul", inputs, output)
      return nodes
    }
    let product = "\(output)/atrous.product"
    add("MatMul", inputs, product)
    add("Mul", [product, m.constant(factor, named: "\(output)/atrous.factor")], output)
    return nodes
  }

  /// The operators that patterns alone know.
  static var expanded: Set<String> { Set(QuantizedForm.all.keys) }
}

/// Where an operator of whole numbers has its values, and what each stands for.
private struct QuantizedForm {
  /// The operator of numbers.
  let type: String
  /// The places of the values; the scale and the zero of each follow it.
  var values = [0]
  /// The dimension along which the value at a place may have several scales.
  var axes: [Int: Int] = [:]
  /// The place of a bias in 32 bits, whose scale is the product of those of the first two values.
  var bias: Int?
  /// The place of the result's scale, which its zero follows.
  let scale: Int
  /// Attributes that the operator of numbers does not have.
  var own: Set<String> = []

  static let all: [String: QuantizedForm] = [
    "QLinearConv": QuantizedForm(
      type: "Conv", values: [0, 3], axes: [3: 0], bias: 8, scale: 6),
    "QLinearMatMul": QuantizedForm(type: "MatMul", values: [0, 3], axes: [3: -1], scale: 6),
    "com.microsoft.QGemm": QuantizedForm(
      type: "Gemm", values: [0, 3], axes: [3: 1], bias: 6, scale: 7),
    "com.microsoft.QLinearAdd": QuantizedForm(type: "Add", values: [0, 3], scale: 6),
    "com.microsoft.QLinearMul": QuantizedForm(type: "Mul", values: [0, 3], scale: 6),
    "com.microsoft.QLinearSigmoid": QuantizedForm(type: "Sigmoid", scale: 3),
    "com.microsoft.QLinearLeakyRelu": QuantizedForm(type: "LeakyRelu", scale: 3),
    "com.microsoft.QLinearSoftmax": QuantizedForm(type: "Softmax", scale: 3, own: ["opset"]),
    "com.microsoft.QLinearAveragePool": QuantizedForm(
      type: "AveragePool", scale: 3, own: ["channels_last"]),
    "com.microsoft.QLinearGlobalAveragePool": QuantizedForm(
      type: "GlobalAveragePool", scale: 3, own: ["channels_last"]),
    "com.microsoft.QLinearConcat": QuantizedForm(type: "Concat", values: [], scale: 0),
  ]

  /// The nodes that stand for `node`; nil for forms that are not read.
  func nodes(_ node: ONNXNode, _ output: String) -> [ONNXNode]? {
    func input(_ place: Int) -> String { place < node.inputs.count ? node.inputs[place] : "" }
    guard (node.int("channels_last") ?? 0) == 0 else { return nil }
    var result = ONNXReplacement(name: node.name, stem: output)
    /// The numbers that a value of whole numbers stands for.
    func restored(_ place: Int) -> String {
      var axis = axes[place] ?? 1
      // The outputs of a turned matrix are its rows.
      if type == "Gemm", place == values.last, node.int("transB") == 1 { axis = 0 }
      return result.add(
        "DequantizeLinear", [input(place), input(place + 1), input(place + 2)],
        ["axis": .int(axis)])
    }
    // A join has its values after the result's scale and zero, as many as there are.
    let places =
      values.isEmpty ? Array(stride(from: scale + 2, to: node.inputs.count, by: 3)) : values
    guard !places.isEmpty else { return nil }
    var inputs = places.map(restored)
    if let bias, !input(bias).isEmpty {
      let product = result.add("Mul", [input(values[0] + 1), input(values[1] + 1)])
      inputs.append(result.add("DequantizeLinear", [input(bias), product], ["axis": .int(0)]))
    }
    let attributes = node.attributes.filter { !own.contains($0.key) }
    let number = result.add(type, inputs, attributes)
    if !input(scale).isEmpty {
      _ = result.add("QuantizeLinear", [number, input(scale), input(scale + 1)])
    }
    return result.nodes(giving: node.outputs)
  }
}
