import Torch

/// A graph while a pass rewrites it: who makes a value, and who reads it.
struct Rewriting {
  typealias ValueID = Graph.ValueID
  typealias Node = Graph.Node

  private(set) var values: [Graph.Value]
  let initializers: [ValueID: Graph.Initializer]
  private let outputs: Set<ValueID>
  private let original: Graph
  /// The nodes at their places; nil where one was taken away.
  private var nodes: [Node?]
  private var makers: [ValueID: Int] = [:]
  /// The places of nodes that read a value, once for each reading.
  private var readings: [ValueID: [Int]] = [:]

  init(_ graph: Graph) {
    original = graph
    (values, initializers, outputs) = (graph.values, graph.initializers, Set(graph.outputs))
    nodes = graph.nodes
    for (place, node) in graph.nodes.enumerated() { link(node, place) }
  }

  /// The places of all nodes, in their order.
  var places: Range<Int> { nodes.indices }

  /// The graph as it is now.
  var graph: Graph {
    var graph = original
    graph.values = values
    graph.nodes = nodes.compactMap { $0 }
    return graph.pruned
  }

  subscript(place: Int) -> Node? { nodes[place] }

  /// The shape of a value.
  func shape(_ value: ValueID) -> [Int] { values[value].shape }

  /// A convolution or a matrix with the shape of its weights.
  func unit(_ node: Node) -> Unit {
    Unit(node, weight: node.input("weight").map(shape) ?? [0, 0, 0, 0])
  }

  /// Where a value is made; nil for inputs and initializers.
  func maker(_ value: ValueID?) -> (place: Int, node: Node)? {
    guard let value, let place = makers[value], let node = nodes[place] else { return nil }
    return (place, node)
  }

  /// Who alone reads a value, once; nil where others do, or where the value is a result of the graph.
  func reader(_ value: ValueID) -> (place: Int, node: Node)? {
    guard !outputs.contains(value), let all = readings[value], all.count == 1,
      let node = nodes[all[0]]
    else { return nil }
    return (all[0], node)
  }

  /// A new value.
  mutating func add(_ shape: [Int]) -> ValueID {
    values.append(Graph.Value(shape: shape, dtype: .float32))
    return values.count - 1
  }

  /// Puts `node` where the last of several nodes is, and takes those away.
  mutating func replace(_ places: [Int], by node: Node) {
    for place in places { unlink(place) }
    guard let place = places.max() else { return }
    nodes[place] = node
    link(node, place)
  }

  private mutating func link(_ node: Node, _ place: Int) {
    for output in node.outputs { makers[output] = place }
    for input in node.inputs { readings[input.value, default: []].append(place) }
  }

  private mutating func unlink(_ place: Int) {
    guard let node = nodes[place] else { return }
    for output in node.outputs where makers[output] == place { makers[output] = nil }
    for input in node.inputs {
      readings[input.value]?.removeAll { $0 == place }
    }
    nodes[place] = nil
  }
}

extension Graph {
  /// Rewrites the graph.
  mutating func rewrite(_ body: (inout Rewriting) -> Void) {
    var rewriting = Rewriting(self)
    body(&rewriting)
    self = rewriting.graph
  }
}

extension Graph.Node {
  /// A node that a pass makes in the place of this one and others.
  func becoming(
    _ kind: String, inputs: [Input]? = nil, outputs: [Graph.ValueID]? = nil,
    _ added: [String: Torch.Value] = [:]
  ) -> Graph.Node {
    Graph.Node(
      kind: kind, call: nil, inputs: inputs ?? self.inputs,
      attributes: attributes.merging(added) { $1 }, outputs: outputs ?? self.outputs, layer: layer,
      isAfterLayer: isAfterLayer)
  }

  /// The inputs with `value` in the place of the one called `input`.
  func inputs(reading value: Graph.ValueID) -> [Input] {
    inputs.map { $0.name == "input" ? .init(name: "input", value: value) : $0 }
  }

  /// The integers of an attribute, a single one as a list.
  func ints(_ name: String) -> [Int] {
    switch attributes[name] {
    case .ints(let list): list
    case .int(let value): [value]
    default: []
    }
  }
  /// The integers of an attribute for rows and columns; a single one stands for both.
  func pair(_ name: String) -> [Int] {
    let list = ints(name)
    return list.count == 1 ? list + list : list
  }
  func int(_ name: String) -> Int { ints(name).first ?? 0 }
  func double(_ name: String) -> Double? {
    switch attributes[name] {
    case .double(let value): value
    case .int(let value): Double(value)
    default: nil
    }
  }
  func string(_ name: String) -> String {
    if case .string(let text)? = attributes[name] { text } else { "" }
  }
  func bool(_ name: String) -> Bool {
    if case .bool(true)? = attributes[name] { true } else { false }
  }
}
