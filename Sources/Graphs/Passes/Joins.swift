import Torch

extension Pass {
  /// A join of maps that another join has side by side joins that one's result instead.
  ///
  /// So each layer of a dense block adds its map to one that is there, and none is joined again.
  static let nest = Pass(
    name: "nest", summary: "a join of what another one joins, and more, as a join of that one"
  ) { graph, _ in
    graph.rewrite { graph in
      /// The joins before, by the dimension and the first of their maps.
      var known: [[Int]: [(parts: [Graph.ValueID], result: Graph.ValueID)]] = [:]
      for place in graph.places {
        guard var node = graph[place], node.kind == "cat", let first = node.inputs.first else {
          continue
        }
        let parts = node.inputs.map(\.value), dimension = node.int("dim")
        defer { known[[dimension, first.value], default: []].append((parts, node.outputs[0])) }
        var inputs: [Graph.Node.Input] = [], start = 0
        while start < parts.count {
          let rest = parts[start...]
          let inner = (known[[dimension, parts[start]]] ?? []).filter {
            rest.starts(with: $0.parts)
          }
          // The longest leaves the fewest.
          if let longest = inner.max(by: { $0.parts.count < $1.parts.count }),
            longest.parts.count > 1
          {
            inputs.append(.init(name: first.name, value: longest.result))
            start += longest.parts.count
          } else {
            inputs.append(node.inputs[start])
            start += 1
          }
        }
        guard inputs.count < parts.count else { continue }
        node.inputs = inputs
        node.lists = node.lists.mapValues { _ in inputs.map { _ in true } }
        graph.replace([place], by: node)
      }
    }
  }
}
