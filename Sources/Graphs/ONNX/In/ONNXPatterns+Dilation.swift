import Torch

extension ONNXPatterns {
  /// TensorFlow's dilated convolution: the map's positions are dealt out to a batch of small maps
  /// (SpaceToBatch), those go through a plain convolution, and what comes out is put together again
  /// (BatchToSpace).
  static func dilationPattern(_ m: inout ONNXMatcher, _ node: ONNXNode) -> [ONNXNode]? {
    guard let figure = DilatedConvolution(m, node) else { return nil }
    return figure.nodes
  }
}

/// A convolution between dealing out and putting together.
private struct DilatedConvolution {
  /// The order of dimensions in which the figure's maps lie, and how they are dealt out in it.
  private struct Layout {
    /// The places of rows and columns among four dimensions, and of the parts among the six.
    let rows: Int, columns: Int
    let block: (rows: Int, columns: Int), inner: (rows: Int, columns: Int)
    /// The exchanges of the six dimensions before and after.
    let dealing, joining: [Int]
    /// The places of the two blocks and of the sides of the small maps, after the convolution.
    let sides: (rows: Int, columns: Int)

    static let all = [
      Layout(
        rows: 1, columns: 2, block: (2, 4), inner: (1, 3), dealing: [2, 4, 0, 1, 3, 5],
        joining: [2, 3, 0, 4, 1, 5], sides: (3, 4)),
      Layout(
        rows: 2, columns: 3, block: (3, 5), inner: (2, 4), dealing: [3, 5, 0, 1, 2, 4],
        joining: [2, 3, 4, 0, 5, 1], sides: (4, 5)),
    ]
  }

  let nodes: [ONNXNode]

  init?(_ m: ONNXMatcher, _ node: ONNXNode) {
    guard node.type == "Slice" || node.type == "Reshape", let output = node.outputs.first else {
      return nil
    }
    // A cut after it belongs to the figure, and is found with its own node.
    if node.type == "Reshape",
      m.takers(output).contains(where: { $0.type == "Slice" && $0.inputs.first == output })
    {
      return nil
    }
    for layout in Layout.all {
      if let nodes = Self.nodes(m, node, layout) {
        self.nodes = nodes
        return
      }
    }
    return nil
  }

  private static func nodes(_ m: ONNXMatcher, _ last: ONNXNode, _ layout: Layout) -> [ONNXNode]? {
    // Putting together.
    let isCut = last.type == "Slice"
    guard let joined = isCut ? m.producer(last.inputs.first ?? "", "Reshape") : last,
      let turn = m.producer(joined.inputs.first ?? "", "Transpose"),
      turn.ints("perm") == layout.joining,
      let small = m.producer(turn.inputs.first ?? "", "Reshape"), let after = m.lengths(small),
      after.count == 6, after[0] == after[1], after[0] > 1
    else { return nil }
    let rate = after[0]
    let sides = (rows: after[layout.sides.rows], columns: after[layout.sides.columns])
    guard sides.rows > 0, sides.columns > 0, sides.rows < 1 << 20, sides.columns < 1 << 20,
      rate < 1 << 10
    else { return nil }

    // The convolution, with a vector added and exchanges of dimensions around it.
    var name = small.inputs.first ?? "", added: ONNXNode?
    let isLast = layout.rows == 1
    if let sum = m.producer(name, "Add"), let value = m.beside(sum) {
      (name, added) = (value, sum)
    }
    if isLast {
      guard let back = m.producer(name, "Transpose"), back.ints("perm") == [0, 2, 3, 1] else {
        return nil
      }
      name = back.inputs.first ?? ""
      if added == nil, let sum = m.producer(name, "Add"), let value = m.beside(sum) {
        (name, added) = (value, sum)
      }
    }
    guard let conv = m.producer(name, "Conv"), conv.inputs.count >= 2,
      let kernel = m.constant(conv.inputs[1])?.shape, kernel.count == 4,
      (conv.ints("strides") ?? [1, 1]) == [1, 1], (conv.ints("dilations") ?? [1, 1]) == [1, 1],
      (conv.ints("pads") ?? [0, 0, 0, 0]) == [0, 0, 0, 0],
      ["NOTSET", "VALID"].contains(conv.string("auto_pad") ?? "NOTSET")
    else { return nil }
    name = conv.inputs[0]
    if isLast {
      guard let forth = m.producer(name, "Transpose"), forth.ints("perm") == [0, 3, 1, 2] else {
        return nil
      }
      name = forth.inputs.first ?? ""
    }

    // Dealing out.
    guard let dealt = m.producer(name, "Reshape"),
      let turned = m.producer(dealt.inputs.first ?? "", "Transpose"),
      turned.ints("perm") == layout.dealing,
      let cut = m.producer(turned.inputs.first ?? "", "Reshape"), let before = m.lengths(cut),
      before.count == 6, before.allSatisfy({ (-1..<1 << 20).contains($0) }),
      kernel.allSatisfy({ $0 < 1 << 20 }), before[layout.block.rows] == rate,
      before[layout.block.columns] == rate,
      before[layout.inner.rows] - kernel[2] + 1 == sides.rows,
      before[layout.inner.columns] - kernel[3] + 1 == sides.columns
    else { return nil }
    var source = cut.inputs.first ?? ""
    // Rows and columns before and after the map.
    var margins = [0, 0, 0, 0]
    if let pad = m.producer(source, "Pad"), pad.inputs.count >= 2, pad.inputs.count <= 3,
      (pad.string("mode") ?? "constant") == "constant", let amounts = m.ints(pad.inputs[1]),
      amounts.count == 8,
      pad.inputs.count == 2 || pad.inputs[2].isEmpty || m.isNumber(pad.inputs[2], 0)
    {
      margins = [
        amounts[layout.rows], amounts[layout.columns], amounts[layout.rows + 4],
        amounts[layout.columns + 4],
      ]
      guard amounts.allSatisfy({ (0..<(1 << 20)).contains($0) }),
        amounts.reduce(0, +) == margins.reduce(0, +)
      else { return nil }
      source = pad.inputs[0]
    }
    if isCut {
      guard
        let less = m.cutOff(
          last, [layout.rows, layout.columns], [rate * sides.rows, rate * sides.columns]),
        less[0] == 0,
        less[1] == 0, less[2] <= margins[2], less[3] <= margins[3]
      else { return nil }
      margins = [margins[0], margins[1], margins[2] - less[2], margins[3] - less[3]]
    }

    var attributes = conv.attributes
    attributes["dilations"] = .ints([rate, rate])
    attributes["pads"] = .ints(margins)
    attributes["auto_pad"] = nil
    var result = ONNXReplacement(name: conv.name, stem: last.name)
    func sum(_ value: String) -> String {
      guard let added else { return value }
      let inputs = added.inputs.map { m.constant($0) == nil ? value : $0 }
      return result.add("Add", inputs)
    }
    let isAddedLast = added.map { small.inputs.first == $0.outputs.first } ?? false
    var map = isLast ? result.add("Transpose", [source], ["perm": .ints([0, 3, 1, 2])]) : source
    map = result.add("Conv", [map] + conv.inputs.dropFirst(), attributes)
    if isLast {
      if !isAddedLast { map = sum(map) }
      map = result.add("Transpose", [map], ["perm": .ints([0, 2, 3, 1])])
      if isAddedLast { map = sum(map) }
    } else {
      map = sum(map)
    }
    return result.nodes(giving: last.outputs)
  }
}

extension ONNXMatcher {
  /// The whole numbers of a constant.
  func ints(_ name: String) -> [Int]? {
    guard let constant = constant(name), !constant.dtype.isFloatingPoint else { return nil }
    return (try? constant.array())?.map(\.ints)
  }

  /// The lengths of a Reshape where they are constants.
  fileprivate func lengths(_ node: ONNXNode) -> [Int]? {
    node.inputs.count > 1 ? ints(node.inputs[1]) : nil
  }

  /// Of a sum with a constant what is not the constant.
  fileprivate func beside(_ node: ONNXNode) -> String? {
    guard node.inputs.count == 2 else { return nil }
    let values = node.inputs.filter { constant($0) == nil }
    return values.count == 1 ? values[0] : nil
  }

  /// What a Slice cuts off at the beginning and the end of these dimensions, and of no other; without `lengths` only
  /// what is counted from the end tells.
  func cutOff(_ node: ONNXNode, _ axes: [Int], _ lengths: [Int]? = nil) -> [Int]? {
    guard node.inputs.count >= 3, let starts = ints(node.inputs[1]),
      let ends = ints(node.inputs[2]),
      starts.count == ends.count
    else { return nil }
    let own =
      node.inputs.count > 3 && !node.inputs[3].isEmpty
      ? ints(node.inputs[3]) : Array(starts.indices)
    let steps =
      node.inputs.count > 4 && !node.inputs[4].isEmpty
      ? ints(node.inputs[4]) : starts.map { _ in 1 }
    guard let own, let steps, own.count == starts.count, steps.allSatisfy({ $0 == 1 }) else {
      return nil
    }
    var result = [0, 0, 0, 0]
    for (index, given) in own.enumerated() {
      let axis = given < 0 && given >= -4 ? given + 4 : given
      guard let place = axes.firstIndex(of: axis) else {
        // Other dimensions stay whole.
        guard starts[index] == 0, ends[index] > 1 << 30 else { return nil }
        continue
      }
      guard starts[index] >= 0 else { return nil }
      result[place] = starts[index]
      guard let length = lengths?[place] else {
        guard (-1 << 20..<0).contains(ends[index]) || ends[index] > 1 << 30 else { return nil }
        result[place + 2] = ends[index] < 0 ? -ends[index] : 0
        continue
      }
      let end =
        ends[index] < 0 ? max(0, ends[index].addingClamped(length)) : min(ends[index], length)
      guard starts[index] <= end else { return nil }
      result[place + 2] = length - end
    }
    return result
  }
}
