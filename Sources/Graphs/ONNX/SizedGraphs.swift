import Torch

/// A network's graphs for one size of images or several, which have the same nodes and values.
package struct SizedGraphs {
  /// The graphs: nodes at one place are the same operator, and a value's number is the same in all.
  let graphs: [Graph]
  /// The size of each one's input; empty for a single graph.
  let sizes: [InputSize]

  /// A graph for one size.
  package init(_ graph: Graph) { (graphs, sizes) = ([graph], []) }

  /// Records a network at several sizes and matches its operators.
  ///
  /// Where only some sizes need to be extended, cut or resized, the other graphs get that operator, too,
  /// with amounts that change nothing.
  /// - Parameters:
  ///   - sizes: Two or more, such as ``InputSize/telling(stride:)``.
  ///   - record: Records the network for a size.
  /// - Throws: ``SizeDependence`` where operators or constants are not the same, and what `record` throws.
  package init(
    recording sizes: [InputSize], _ record: (InputSize) throws -> Graph
  ) throws {
    var matching = GraphMatching(try sizes.map(record), sizes)
    graphs = try matching.matched()
    self.sizes = sizes
  }

  private init(_ graphs: [Graph], _ sizes: [InputSize]) {
    (self.graphs, self.sizes) = (graphs, sizes)
  }

  /// The graphs with normalizations and zeros around maps as parts of convolutions; see ``ResultRanges/passes``.
  var folded: SizedGraphs {
    SizedGraphs(
      graphs.map { $0.optimized(without: ResultRanges.withoutPasses, Pass.Settings()) }, sizes)
  }

  /// The lengths of a value's dimensions.
  func shape(_ value: Graph.ValueID) -> [Length] {
    graphs[0].values[value].shape.indices.map { axis in
      Length(graphs.map { $0.values[value].shape[axis] })
    }
  }

  /// What a dimension of the input or of the result is called in a file; nil for a fixed one and for one
  /// that is none of the image's.
  func dimensionName(_ length: Length) -> String? {
    guard length.fixed == nil else { return nil }
    return [
      ("batch", sizes.map(\.batch)), ("height", sizes.map(\.height)), ("width", sizes.map(\.width)),
    ].first { $0.1 == length.values }?.0
  }
}

extension Graph.Node {
  /// Where an operator is, for a message: of a layer, or after one.
  var place: String {
    if layer.isEmpty { return "at the beginning" }
    return isAfterLayer ? "after \(layer)" : "of \(layer)"
  }

  /// The same operator between other values.
  func between(_ inputs: [Input], _ outputs: [Graph.ValueID]) -> Graph.Node {
    var node = self
    (node.inputs, node.outputs) = (inputs, outputs)
    return node
  }
}
