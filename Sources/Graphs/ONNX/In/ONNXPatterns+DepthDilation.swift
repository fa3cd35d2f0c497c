extension ONNXPatterns {
  /// TensorFlow's dilated convolution as tf2onnx writes it from TensorFlow Lite's files: batch and channels change places,
  /// positions are dealt out by SpaceToDepth, go through a plain convolution, and DepthToSpace puts them together.
  static func depthDilationPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard let figure = DepthDilation(m, node) else { return nil }
    return figure.nodes
  }
}

/// A convolution between SpaceToDepth and DepthToSpace.
private struct DepthDilation {
  /// The exchange of batch and channels.
  private static let exchange = [1, 0, 2, 3]

  /// Operators that look at each number by itself.
  private static let pointwise: Set = [
    "Clip", "Elu", "HardSigmoid", "HardSwish", "LeakyRelu", "Relu", "Selu", "Sigmoid", "Softplus",
    "Tanh",
  ]

  let nodes: [ONNXNode]

  init?(_ m: ONNXMatcher, _ last: ONNXNode) {
    guard let output = last.outputs.first, ["DepthToSpace", "Slice"].contains(last.type),
      let joined = last.type == "Slice"
        ? m.producer(last.inputs.first ?? "", "DepthToSpace") : last,
      let figure = Core(m, joined)
    else { return nil }
    var margins = figure.margins
    if last.type == "Slice" {
      guard let cut = Self.cut(m, last, margins) else { return nil }
      margins = zip(margins, cut).map { $0 - $1 }
    } else if m.takers(output).contains(where: {
      $0.type == "Slice" && $0.inputs.first == output && Self.cut(m, $0, margins) != nil
    }) {
      // The cut after it belongs to the figure, and is found with its own node.
      return nil
    }
    var attributes = figure.convolution.attributes
    attributes["dilations"] = .ints([figure.rate, figure.rate])
    attributes["pads"] = .ints(margins)
    attributes["auto_pad"] = nil
    var result = ONNXReplacement(name: figure.convolution.name, stem: last.name)
    let order = Self.exchange.map { figure.order[$0] }
    var map = figure.source
    if order != Array(order.indices) {
      map = result.add("Transpose", [map], ["perm": .ints(order)])
    }
    map = result.add("Conv", [map] + figure.convolution.inputs.dropFirst(), attributes)
    for node in figure.between {
      map = result.add(node.type, [map] + node.inputs.dropFirst(), node.attributes)
    }
    _ = result.add("Transpose", [map], ["perm": .ints(Self.exchange)])
    nodes = result.nodes(giving: last.outputs)
  }

  /// What a Slice leaves out of the margins; nil where it takes more than those, or other dimensions.
  private static func cut(_ m: ONNXMatcher, _ node: ONNXNode, _ margins: [Int]) -> [Int]? {
    guard let cut = m.cutOff(node, [2, 3]), zip(cut, margins).allSatisfy({ $0 <= $1 }) else {
      return nil
    }
    return cut
  }

  /// The figure without what is cut off at its end.
  private struct Core {
    let convolution: ONNXNode, rate: Int
    /// What lies between the convolution and putting together, in order.
    private(set) var between: [ONNXNode] = []
    /// What the figure takes, and in which order of dimensions SpaceToDepth does.
    private(set) var source: String, order = [0, 1, 2, 3]
    /// Rows and columns before and after the map.
    private(set) var margins: [Int]

    init?(_ m: ONNXMatcher, _ joined: ONNXNode) {
      guard let block = joined.int("blocksize"), (2..<1 << 10).contains(block),
        (joined.string("mode") ?? "DCR") == "DCR"
      else { return nil }
      var name = joined.inputs.first ?? "", isExchanged = false
      while let node = m.producer(name), between.count < 4, node.type != "Conv" {
        if node.type == "Transpose", node.ints("perm") == exchange, !isExchanged {
          isExchanged = true
        } else if pointwise.contains(node.type),
          node.inputs.dropFirst().allSatisfy({ $0.isEmpty || m.number($0) != nil })
        {
          between.insert(node, at: 0)
        } else {
          return nil
        }
        name = node.inputs.first ?? ""
      }
      guard isExchanged, let conv = m.producer(name, "Conv"), conv.inputs.count >= 2,
        let kernel = m.constant(conv.inputs[1])?.shape, kernel.count == 4,
        (conv.ints("strides") ?? [1, 1]) == [1, 1], (conv.ints("dilations") ?? [1, 1]) == [1, 1],
        ["NOTSET", "VALID"].contains(conv.string("auto_pad") ?? "NOTSET")
      else { return nil }
      let pads = conv.ints("pads") ?? [0, 0, 0, 0]
      guard pads.count == 4, pads.allSatisfy({ (0..<1 << 10).contains($0) }),
        let forth = m.producer(conv.inputs[0], "Transpose"), forth.ints("perm") == exchange,
        let dealt = m.producer(forth.inputs.first ?? "", "SpaceToDepth"),
        dealt.int("blocksize") == block, let taken = dealt.inputs.first
      else { return nil }
      (convolution, rate, source) = (conv, block, taken)
      margins = pads.map { $0 * block }
      if let turn = m.producer(source, "Transpose"), let perm = turn.ints("perm"),
        perm.sorted() == [0, 1, 2, 3]
      {
        (source, order) = (turn.inputs[0], perm)
      }
      guard let pad = m.producer(source, "Pad") else { return }
      guard pad.inputs.count == 2 || pad.inputs.count == 3,
        (pad.string("mode") ?? "constant") == "constant",
        pad.inputs.count == 2 || pad.inputs[2].isEmpty || m.isNumber(pad.inputs[2], 0),
        let amounts = m.ints(pad.inputs[1]), amounts.count == 8,
        amounts.allSatisfy({ (0..<1 << 20).contains($0) })
      else { return }
      let (rows, columns) = (order[2], order[3])
      let own = [amounts[rows], amounts[columns], amounts[rows + 4], amounts[columns + 4]]
      guard own.reduce(0, +) == amounts.reduce(0, +) else { return }
      margins = zip(margins, own).map { $0 + $1 }
      source = pad.inputs[0]
    }
  }
}
