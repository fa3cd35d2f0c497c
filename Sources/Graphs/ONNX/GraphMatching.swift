import Torch

/// Gives graphs of one network, recorded at several sizes, the same nodes and the same numbers of values.
struct GraphMatching {
  private let given: [Graph], sizes: [InputSize]
  private var results: [Graph]
  /// For each graph the common numbers of its values.
  private var numbers: [[Graph.ValueID: Graph.ValueID]]
  /// For each graph the results of operators that it lacks: the values that they leave as they are.
  private var sources: [[Graph.ValueID: Graph.ValueID]]
  /// For each graph the next node.
  private var places: [Int]

  init(_ graphs: [Graph], _ sizes: [InputSize]) {
    (given, self.sizes) = (graphs, sizes)
    results = graphs.map { _ in Graph() }
    numbers = graphs.map { _ in [:] }
    sources = numbers
    places = graphs.map { _ in 0 }
  }

  mutating func matched() throws -> [Graph] {
    for inputs in given[0].inputs.indices {
      let number = add(given.map { $0.inputs[inputs] })
      for graph in results.indices { results[graph].inputs.append(number) }
    }
    while given.indices.contains(where: { node($0) != nil }) {
      let isSame = Set(given.indices.map { node($0)?.kind }).count == 1
      if !isSame || leavesOut() { try fillIn() } else { try matchNodes() }
    }
    let outputs = given.map { graph in graph.outputs.first }
    guard let output = common(outputs) else { throw difference(at: 0, and: 1) }
    for graph in results.indices { results[graph].outputs = [output] }
    return results
  }

  private func node(_ graph: Int) -> Graph.Node? {
    let nodes = given[graph].nodes
    return places[graph] < nodes.count ? nodes[places[graph]] : nil
  }

  // MARK: The same operator in all graphs

  private mutating func matchNodes() throws {
    let nodes = given.indices.compactMap(node)
    for graph in nodes.indices.dropFirst() where !isAlike(nodes[0], nodes[graph]) {
      throw difference(at: 0, and: graph)
    }
    var inputs: [Graph.Node.Input] = []
    for index in nodes[0].inputs.indices {
      let values = nodes.map { $0.inputs[index].value }
      if numbers[0][values[0]] == nil { try addInitializers(values, of: nodes[0]) }
      guard let value = common(values) else { throw difference(at: 0, and: 1) }
      inputs.append(.init(name: nodes[0].inputs[index].name, value: value))
    }
    let outputs = nodes[0].outputs.indices.map { index in add(nodes.map { $0.outputs[index] }) }
    for graph in nodes.indices {
      results[graph].nodes.append(nodes[graph].between(inputs, outputs))
      places[graph] += 1
    }
  }

  /// Whether two nodes differ in numbers at most.
  private func isAlike(_ a: Graph.Node, _ b: Graph.Node) -> Bool {
    a.kind == b.kind && a.inputs.map(\.name) == b.inputs.map(\.name)
      && a.outputs.count == b.outputs.count && a.attributes.count == b.attributes.count
      && a.attributes.allSatisfy { name, value in
        b.attributes[name].map { value.isLike($0) } ?? false
      }
  }

  /// A new number for values that are the same in all graphs.
  private mutating func add(_ values: [Graph.ValueID]) -> Graph.ValueID {
    for graph in results.indices {
      numbers[graph][values[graph]] = results[graph].values.count
      results[graph].values.append(given[graph].values[values[graph]])
    }
    return results[0].values.count - 1
  }

  /// The number that values have in common; nil if they are not the same.
  private func common(_ values: [Graph.ValueID?]) -> Graph.ValueID? {
    let own = zip(numbers, values).map { known, value in value.flatMap { known[$0] } }
    // The one that is farthest behind operators that only some graphs have.
    guard let number = own.compactMap({ $0 }).max() else { return nil }
    for graph in own.indices where own[graph] != number {
      var source = number
      while let before = sources[graph][source], source != own[graph] { source = before }
      if source != own[graph] { return nil }
    }
    return number
  }

  private mutating func addInitializers(_ values: [Graph.ValueID], of node: Graph.Node) throws {
    let known = zip(given, values).compactMap { $0.initializers[$1] }
    guard known.count == given.count else { return }
    let tensors = known.map(\.tensor)
    guard let other = tensors.firstIndex(where: { !tensors[0].isSame($0) }) else {
      let number = add(values)
      for graph in results.indices { results[graph].initializers[number] = known[0] }
      return
    }
    // Copies of one row, as of a class token for each image, are made when the size is known.
    let rows = tensors.map { $0.withoutCopies(along: differing(tensors)) }
    guard let row = rows[0], rows.allSatisfy({ $0.map(row.isSame) ?? false }) else {
      throw SizeDependence.constant(
        name: known[0].name, kind: node.kind,
        place: known[0].name.hasPrefix(node.layer) ? "" : node.place,
        shapes: [tensors[0].shape, tensors[other].shape], sizes: [sizes[0], sizes[other]])
    }
    let source = results[0].values.count
    for graph in results.indices {
      results[graph].values.append(Graph.Value(shape: row.shape, dtype: row.dtype))
      results[graph].initializers[source] = .init(name: known[0].name, tensor: row)
    }
    let output = add(values)
    for graph in results.indices {
      results[graph].nodes.append(
        Graph.Node(
          kind: "expand", inputs: [.init(name: "self", value: source)],
          attributes: ["size": .ints(tensors[graph].shape)], outputs: [output],
          layer: node.layer, isAfterLayer: node.isAfterLayer))
    }
  }

  /// The dimensions along which tensors are of different lengths.
  private func differing(_ tensors: [Tensor]) -> [Int] {
    guard Set(tensors.map(\.rank)).count == 1 else { return [] }
    return tensors[0].shape.indices.filter { axis in
      Set(tensors.map { $0.shape[axis] }).count > 1
    }
  }

  // MARK: Operators that some sizes do without

  /// What changes nothing at some sizes, so that networks leave it out.
  private static let optional: Set = [
    "constant_pad_nd", "slice", "upsample_bilinear2d", "upsample_bicubic2d", "upsample_nearest2d",
  ]

  /// What tells one such operator from another; nil for others.
  private func key(_ node: Graph.Node?) -> String? {
    guard let node, Self.optional.contains(node.kind) else { return nil }
    guard node.kind == "slice" else { return node.kind }
    guard case .int(let axis)? = node.attributes["dim"], case .int(1)? = node.attributes["step"]
    else { return nil }
    return "slice \(axis)"
  }

  /// The operators of this kind that come before any other, and the one after them.
  private func ahead(_ graph: Int) -> (keys: [String], next: String?) {
    let nodes = given[graph].nodes[places[graph]...]
    let keys = nodes.prefix { key($0) != nil }.compactMap(key)
    return (keys, nodes.dropFirst(keys.count).first?.kind)
  }

  /// Whether graphs have other operators of this kind here.
  private func leavesOut() -> Bool {
    guard key(node(0)) != nil else { return false }
    return Set(given.indices.map { ahead($0).keys }).count > 1
  }

  /// Adds the next operator to the graphs that do without it.
  private mutating func fillIn() throws {
    let ahead = given.indices.map(ahead)
    if let other = ahead.firstIndex(where: { $0.next != ahead[0].next }) {
      throw difference(at: 0, and: other)
    }
    guard let longest = ahead.indices.max(by: { ahead[$0].keys.count < ahead[$1].keys.count }),
      let key = ahead[longest].keys.first, let node = node(longest), node.inputs.count == 1
    else { throw difference(at: 0, and: 1) }
    let having = given.indices.filter { ahead[$0].keys.first == key }
    let own = having.map { numbers[$0][given[$0].nodes[places[$0]].inputs[0].value] }
    guard let source = own.compactMap({ $0 }).max() else { throw difference(at: 0, and: longest) }

    let output = results[0].values.count
    let input = Graph.Node.Input(name: node.inputs[0].name, value: source)
    for graph in given.indices {
      if having.contains(graph) {
        let old = given[graph].nodes[places[graph]]
        numbers[graph][old.outputs[0]] = output
        results[graph].values.append(given[graph].values[old.outputs[0]])
        results[graph].nodes.append(old.between([input], [output]))
        places[graph] += 1
      } else {
        let value = results[graph].values[source]
        sources[graph][output] = source
        results[graph].values.append(value)
        var idle = node.between([input], [output])
        idle.attributes = Self.changingNothing(node, value.shape)
        results[graph].nodes.append(idle)
      }
    }
  }

  /// The numbers with which the operator gives a value of this shape as it is.
  private static func changingNothing(
    _ node: Graph.Node, _ shape: [Int]
  ) -> [String: Torch.Value] {
    var attributes = node.attributes
    switch node.kind {
    case "constant_pad_nd":
      if case .ints(let amounts)? = attributes["pad"] {
        attributes["pad"] = .ints(amounts.map { _ in 0 })
      }
    case "slice": (attributes["start"], attributes["end"]) = (.int(0), .int(Int.max))
    default: attributes["output_size"] = .ints(Array(shape.suffix(2)))
    }
    return attributes
  }

  /// The error for graphs whose next nodes are not the same.
  private func difference(at graph: Int, and other: Int) -> SizeDependence {
    let (own, theirs) = (node(graph), node(other))
    return .structure(
      kind: own?.kind, place: own?.place ?? "", size: sizes[graph],
      other: theirs.map { "\($0.kind) \($0.place)" }, otherSize: sizes[other])
  }
}
