import Torch

/// Which values of a graph lie in eight bits in an ONNX file, and which products are of whole numbers.
///
/// The graph has gone through ``ResultRanges/passes``. A convolution multiplies whole numbers unless it is a
/// classifier, whose result no product follows, or convolves a map of one pixel. What it takes is rounded, and
/// what it gives, after a ReLU that follows; ONNX Runtime multiplies whole numbers only so. Sums, joins, poolings
/// and resizings between them pass whole numbers on.
struct QuantizationPlan {
  /// The codes of values.
  private(set) var codes: [Graph.ValueID: Code] = [:]
  /// The places of convolutions that multiply whole numbers.
  private(set) var products: Set<Int> = []

  init(_ graph: Graph, _ ranges: ResultRanges) {
    let reading = Reading(graph)
    for (place, node) in graph.nodes.enumerated() where reading.isProduct(node) {
      products.insert(place)
    }
    let wanted = wantedValues(graph, reading)
    // Values whose numbers lie alike: what is joined, pooled and resized.
    var groups = Groups(graph.values.count)
    for node in graph.nodes where wanted.contains(node.outputs[0]) && reading.keepsNumbers(node) {
      for value in reading.maps(node) where wanted.contains(value) {
        groups.unite(value, node.outputs[0])
      }
    }
    let known = Self.ranges(of: graph, ranges)
    var widths: [Int: (low: Float, high: Float)] = [:]
    for value in wanted {
      guard let range = known[value] else { continue }
      let root = groups.root(value), width = widths[root] ?? range
      widths[root] = (min(width.low, range.low), max(width.high, range.high))
    }
    for value in wanted {
      if let width = widths[groups.root(value)] {
        codes[value] = Code(low: width.low, high: width.high)
      }
    }
    // Without a range there is nothing to multiply.
    products = products.filter { place in
      graph.nodes[place].input("input").map { codes[$0] != nil } ?? false
    }
  }

  /// The values that are to lie in eight bits.
  private func wantedValues(_ graph: Graph, _ reading: Reading) -> Set<Graph.ValueID> {
    var wanted: Set<Graph.ValueID> = []
    for place in products {
      let node = graph.nodes[place]
      if let input = node.input("input") { wanted.insert(input) }
      wanted.insert(reading.end(node.outputs[0]))
    }
    for node in graph.nodes.reversed() where reading.passesOn(node) {
      let end = reading.end(node.outputs[0])
      guard wanted.contains(end) else { continue }
      // A function that follows is applied to whole numbers' sum at once.
      for value in reading.maps(node) { wanted.insert(value) }
    }
    return wanted.subtracting(graph.outputs)
  }

  /// The ranges of values, by the operators that give them or the layers that take them.
  private static func ranges(
    of graph: Graph, _ ranges: ResultRanges
  ) -> [Graph.ValueID: (low: Float, high: Float)] {
    var known: [Graph.ValueID: (low: Float, high: Float)] = [:]
    func note(_ value: Graph.ValueID, _ range: [Float]?) {
      guard let range, range.count == 2, known[value] == nil else { return }
      known[value] = (range[0], range[1])
    }
    for (value, name) in graph.resultNames { note(value, ranges.results[name]) }
    for node in graph.nodes where node.kind == Unit.convolution || node.kind == Unit.transposed {
      if let input = node.input("input") { note(input, ranges.inputs.layers[node.layer]) }
    }
    return known
  }
}

/// What the plan asks about a graph.
private struct Reading {
  let graph: Graph
  private var readers: [Graph.ValueID: [Graph.Node]] = [:]
  private let pooled: Set<Graph.ValueID>

  init(_ graph: Graph) {
    (self.graph, pooled) = (graph, graph.pooledValues)
    for node in graph.nodes {
      for input in node.inputs { readers[input.value, default: []].append(node) }
    }
  }

  /// Whether a node multiplies whole numbers.
  func isProduct(_ node: Graph.Node) -> Bool {
    switch node.kind {
    case Unit.convolution, Unit.transposed:
      !pooled.contains(node.outputs[0]) && graph.leadsOn(node)
    default: false
    }
  }

  /// The values that a node takes which are none of its constants.
  func maps(_ node: Graph.Node) -> [Graph.ValueID] {
    node.inputs.map(\.value).filter { graph.initializers[$0] == nil }
  }

  /// Whether a node only moves or chooses numbers, so that those it takes and gives lie alike.
  func keepsNumbers(_ node: Graph.Node) -> Bool {
    [
      "cat", "max_pool2d", "upsample_bilinear2d", "upsample_nearest2d", "dropout",
      "feature_dropout",
      "contiguous", "clone", "detach",
    ].contains(node.kind)
  }

  /// Whether programs compute a node in whole numbers where its maps are in them.
  func passesOn(_ node: Graph.Node) -> Bool {
    let maps = maps(node)
    guard maps.count == node.inputs.count,
      maps.allSatisfy({ graph.values[$0].shape.count == 4 && graph.values[$0].dtype == .float32 })
    else { return false }
    return keepsNumbers(node)
      || node.kind == "add" && maps.count == 2 && node.double("alpha") ?? 1 == 1
        && graph.values[maps[0]].shape == graph.values[maps[1]].shape
  }

  /// The value after a function that programs make part of the product or the sum that gives `value`.
  func end(_ value: Graph.ValueID) -> Graph.ValueID {
    guard let all = readers[value], all.count == 1, !graph.outputs.contains(value),
      let activation = Unit.activation(all[0]), activation == .relu || activation == .relu6
    else { return value }
    return all[0].outputs[0]
  }
}
