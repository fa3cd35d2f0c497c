import Torch

extension Pass {
  /// Attention by blocks of keys, without a mask or with one that does not depend on the image: a bias of
  /// each head, a mask of each window, or their sum.
  static let attention = Pass(name: "attention", summary: "attention by blocks of keys") {
    graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], node.kind == "scaled_dot_product_attention",
          node.double("dropout_p") ?? 0 == 0, !node.bool("is_causal"), !node.bool("enable_gqa")
        else { continue }
        let maps = node.inputs.filter { $0.name != addedScores }
        guard maps.count == 3,
          maps.allSatisfy({
            graph.shape($0.value).count == 4 && graph.values[$0.value].dtype == .float32
          }),
          // One set of heads for all.
          Set(maps.map { Array(graph.shape($0.value).prefix(2)) }).count == 1,
          graph.addsConstant(node)
        else { continue }
        graph.replace([place], by: node.becoming("fused::attention"))
      }
    }
  }

  /// What an operator of attention calls its mask.
  static let addedScores = "attn_mask"

  /// Normalizations over the last dimension.
  static let layerNorm = Pass(
    name: "layernorm", summary: "layer normalization in one go over the numbers"
  ) { graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], node.kind == "layer_norm", node.inputs.count == 3,
          node.ints("normalized_shape").count == 1,
          node.inputs.allSatisfy({ graph.values[$0.value].dtype == .float32 }),
          node.inputs.dropFirst().allSatisfy({ graph.initializers[$0.value] != nil })
        else { continue }
        graph.replace([place], by: node.becoming("fused::layer_norm"))
      }
    }
  }
}

extension Rewriting {
  /// Whether what is added to the scores of attention, if there is anything, is a constant with a row for each
  /// query.
  fileprivate func addsConstant(_ node: Graph.Node) -> Bool {
    guard let added = node.input(Pass.addedScores) else { return true }
    let shape = self.shape(added), queries = self.shape(node.inputs[0].value)
    let keys = self.shape(node.inputs[1].value)[2]
    let whole = Array(queries.prefix(3)) + [keys]
    return initializers[added] != nil && values[added].dtype == .float32
      && (2...4).contains(shape.count) && !whole.contains(0)
      && Array(shape.suffix(2)) == Array(whole.suffix(2))
      && zip(shape.reversed(), whole.reversed()).allSatisfy { $0 == $1 || $0 == 1 }
  }
}
