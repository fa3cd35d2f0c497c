import Torch

/// Where values lie in memory, and when it is given up.
struct MemoryPlan {
  /// Some channels of a larger map.
  struct Place {
    /// The value that is the whole map.
    let whole: Graph.ValueID
    /// Where its channels begin.
    let start: Int
  }

  /// Values that are written to a part of a larger map right away.
  private(set) var places: [Graph.ValueID: Place] = [:]
  /// Nodes, by their places in the graph, that write over what they add.
  private(set) var overwriting: [Int: Graph.ValueID] = [:]
  /// For each node the values that nobody reads after it.
  private(set) var ends: [[Graph.ValueID]]

  private let graph: Graph
  private let codes: CodePlan
  private var readers: [Graph.ValueID: [Int]] = [:]
  private var makers: [Graph.ValueID: Int] = [:]

  /// The plan for a graph whose nodes at some places can write to memory that they are given.
  init(_ graph: Graph, writesToPlace: [Bool], _ codes: CodePlan, without off: Set<String>) {
    (self.graph, self.codes) = (graph, codes)
    ends = Array(repeating: [], count: graph.nodes.count)
    for (index, node) in graph.nodes.enumerated() {
      for input in node.inputs { readers[input.value, default: []].append(index) }
      for output in node.outputs { makers[output] = index }
    }
    for output in graph.outputs { readers[output, default: []].append(graph.nodes.count) }
    if !off.contains("join") { placeJoins(writesToPlace) }
    if !off.contains("reuse") { reuseAddends(writesToPlace) }
    for value in Set(makers.keys).union(graph.inputs) {
      let last = readers[value]?.max() ?? makers[value] ?? 0
      if last < graph.nodes.count { ends[last].append(value) }
    }
  }

  /// What is joined is written to its place in the joined map; a join that is part of another one lies there.
  private mutating func placeJoins(_ writesToPlace: [Bool]) {
    for (index, node) in graph.nodes.enumerated().reversed() where isJoin(node) {
      let result = node.outputs[0]
      let own = places[result] ?? Place(whole: result, start: 0)
      var start = own.start
      var seen: Set<Graph.ValueID> = []
      for input in node.inputs.map(\.value) {
        let width = graph.values[input].shape[1]
        if seen.insert(input).inserted, codes.values[input] == codes.values[result],
          canLie(input, writesToPlace, before: index)
        {
          places[input] = Place(whole: own.whole, start: start)
        }
        start += width
      }
      if !seen.isEmpty { places[result] = own }
    }
  }

  /// Whether a node joins the channels of maps.
  func isJoin(_ node: Graph.Node) -> Bool {
    node.kind == "cat" && node.int("dim") == 1
      && node.inputs.allSatisfy {
        graph.values[$0.value].shape.count == 4 && graph.values[$0.value].dtype == .float32
      } && graph.values[node.outputs[0]].shape.allSatisfy { $0 > 0 }
  }

  /// Whether a value may be written to a part of a larger map.
  private func canLie(_ value: Graph.ValueID, _ writesToPlace: [Bool], before join: Int) -> Bool {
    guard places[value] == nil, let maker = makers[value], graph.values[value].shape[1] > 0,
      !graph.outputs.contains(value)
    else { return false }
    let node = graph.nodes[maker]
    // A join may lie in another; what it joins is written there.
    if isJoin(node) { return true }
    guard writesToPlace[maker] else { return false }
    // Others than the package's kernels would copy it to adjacent pixels each time.
    return (readers[value] ?? []).allSatisfy { reader in
      reader < graph.nodes.count
        && (reader == join || isJoin(graph.nodes[reader])
          || graph.nodes[reader].kind.hasPrefix("fused::")
          || ["batch_norm", "upsample_bilinear2d"].contains(graph.nodes[reader].kind))
    }
  }

  /// A sum is written over the map that it adds, where that is read for the last time.
  private mutating func reuseAddends(_ writesToPlace: [Bool]) {
    for (index, node) in graph.nodes.enumerated() where node.kind == Unit.convolution {
      guard writesToPlace[index], places[node.outputs[0]] == nil,
        let addend = node.input("addend"), places[addend] == nil, node.input("input") != addend,
        graph.values[addend].shape == graph.values[node.outputs[0]].shape,
        let maker = makers[addend], writesToPlace[maker],
        graph.nodes[maker].kind == Unit.convolution,
        codes.values[addend]?.dtype == codes.values[node.outputs[0]]?.dtype,
        let all = readers[addend], all.max() == index,
        // Nobody sees it in another shape.
        all.allSatisfy({
          graph.nodes[$0].kind.hasPrefix("fused::") || graph.nodes[$0].kind == "max_pool2d"
        })
      else { continue }
      overwriting[index] = addend
    }
  }
}
