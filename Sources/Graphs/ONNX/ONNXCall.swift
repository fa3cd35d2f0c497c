import Torch

/// An operator of a graph as the rules see it.
struct ONNXCall {
  /// The operator in the graph of each size.
  let nodes: [Graph.Node]
  let builder: ONNXBuilder
  /// The operator's place in the graph.
  let place: Int

  init(_ nodes: [Graph.Node], _ builder: ONNXBuilder, place: Int) {
    (self.nodes, self.builder, self.place) = (nodes, builder, place)
  }

  /// The operator in the graph of the first size.
  var node: Graph.Node { nodes[0] }

  var opset: Int { builder.opset }
  /// The first result, and the first value that is taken.
  var output: Graph.Value { builder.graph.values[node.outputs[0]] }
  var first: Graph.Value { builder.graph.values[node.inputs[0].value] }
  /// The names of all values that are taken, in their order.
  var names: [String] { node.inputs.map { builder.name($0.value) } }
  var x: String { names[0] }

  func value(_ name: String) -> Graph.Value? { node.input(name).map { builder.graph.values[$0] } }
  /// A value's name, empty for one that was not given.
  func name(_ input: String) -> String { node.input(input).map(builder.name) ?? "" }

  // MARK: Numbers that are the same for all sizes

  func ints(_ name: String) -> [Int] {
    lengths(name).map { fixed($0, "'\(name)'") }
  }
  /// Two numbers for rows and columns.
  func pair(_ name: String) -> [Int] {
    let list = ints(name)
    return list.count == 1 ? list + list : list
  }
  func int(_ name: String) -> Int { ints(name).first ?? 0 }
  func bool(_ name: String) -> Bool {
    if case .bool(true)? = node.attributes[name] { true } else { false }
  }
  /// Whether there is a number of any kind.
  func has(_ name: String) -> Bool { Self.number(node.attributes[name]) != nil }
  /// A number of any kind; nil where there is none.
  func number(_ name: String) -> Double? {
    let numbers = nodes.map { Self.number($0.attributes[name]) }
    if let other = numbers.first(where: { $0 != numbers[0] }), other != nil || numbers[0] != nil {
      refuse("'\(name)'", numbers.map { $0 ?? .nan })
    }
    return numbers[0]
  }
  private static func number(_ value: Torch.Value?) -> Double? {
    switch value {
    case .int(let value): Double(value)
    case .double(let value): value
    case .bool(let value): value ? 1 : 0
    default: nil
    }
  }
  /// A dimension counted from the first one.
  func axis(_ name: String, rank: Int? = nil) -> Int {
    let axis = int(name)
    return axis < 0 ? axis + (rank ?? first.shape.count) : axis
  }
  /// The number that a length is for all sizes; one that differs is noted as the reason not to write the
  /// network.
  func fixed(_ length: Length, _ what: String) -> Int {
    if length.fixed == nil { refuse(what, length.values.map(Double.init)) }
    return length.values[0]
  }
  private func refuse(_ what: String, _ numbers: [Double]) {
    guard builder.dependence == nil else { return }
    builder.dependence = .number(
      kind: node.kind, place: node.place, what: what, numbers: numbers, sizes: builder.graphs.sizes)
  }

  // MARK: Numbers that may depend on the size

  /// The lengths of the first result, and of the first value that is taken.
  var results: [Length] { builder.graphs.shape(node.outputs[0]) }
  var sides: [Length] { builder.graphs.shape(node.inputs[0].value) }

  /// Whole numbers of any count.
  func lengths(_ name: String) -> [Length] {
    let lists: [[Int]] = nodes.map { node in
      switch node.attributes[name] {
      case .ints(let list): list
      case .int(let value): [value]
      default: []
      }
    }
    return lists[0].indices.map { index in Length(lists.map { $0[index] }) }
  }

  /// A number as an initializer of the first value's type; computed where it is the length of something.
  func scalar(_ name: String) -> String {
    let numbers = nodes.map { Self.number($0.attributes[name]) ?? 0 }
    let whole = numbers.compactMap { Int(exactly: $0) }
    guard whole.count == numbers.count, Length(whole).fixed == nil else {
      return builder.constant(number(name) ?? 0, first.dtype)
    }
    let list = ints([Length(whole)], "'\(name)'")
    let type = ONNXBuilder.Attribute.int(Int(ONNXBuilder.code(of: first.dtype)))
    return emit("Cast", [emit("Squeeze", [list])], ["to": type])
  }

  /// Whole numbers as a list that the file's network computes from the sides of its maps where it must.
  func ints(_ lengths: [Length], _ what: String) -> String {
    builder.ints(lengths, near: node.inputs.map(\.value)) {
      refuse(what, $0.values.map(Double.init))
    }
  }

  func emit(
    _ type: String, _ inputs: [String],
    _ attributes: KeyValuePairs<String, ONNXBuilder.Attribute> = [:]
  ) -> String { builder.emit(type, inputs, attributes) }

  /// A reduction along axes, which newer versions take as an input; ReduceSum does in all.
  func reduce(_ type: String, _ x: String, _ axes: [Int], keep: Bool) -> String {
    let keeps = ONNXBuilder.Attribute.int(keep ? 1 : 0)
    return opset >= 18 || type == "ReduceSum"
      ? emit(type, [x, builder.constant(axes)], ["keepdims": keeps])
      : emit(type, [x], ["axes": .ints(axes), "keepdims": keeps])
  }

  /// The same elements in the shape of the result, or another.
  ///
  /// - Parameter from: The lengths of `x`, those of the first value unless told otherwise.
  func reshape(_ x: String, from: [Length]? = nil, to shape: [Length]? = nil) -> String {
    let from = from ?? sides, shape = shape ?? results
    let varying = shape.indices.filter { shape[$0].fixed == nil }
    // 0 stands for the same length as before, -1 for what is left.
    let kept = varying.filter { from.indices.contains($0) && from[$0] == shape[$0] }
    let others = varying.filter { !kept.contains($0) }
    if others.count > 1 { return emit("Reshape", [x, ints(shape, "the shape")]) }
    let list = shape.enumerated().map { index, length in
      kept.contains(index) ? 0 : others.contains(index) ? -1 : length.values[0]
    }
    return emit("Reshape", [x, builder.constant(list)])
  }

  /// The error for what a rule does not cover.
  func unsupported(_ reason: String) -> GraphError {
    .unsupported(kind: node.kind, layer: node.place, reason: reason)
  }
}
