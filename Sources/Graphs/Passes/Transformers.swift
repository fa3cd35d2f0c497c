import Torch

extension Pass {
  /// Attention without a mask, by blocks of keys.
  static let attention = Pass(name: "attention", summary: "attention by blocks of keys") {
    graph, _ in
    graph.rewrite { graph in
      for place in graph.places {
        guard let node = graph[place], node.kind == "scaled_dot_product_attention",
          node.inputs.count == 3, node.double("dropout_p") ?? 0 == 0, !node.bool("is_causal"),
          node.inputs.allSatisfy({
            graph.shape($0.value).count == 4 && graph.values[$0.value].dtype == .float32
          }),
          // One mask and one set of heads for all.
          Set(node.inputs.map { Array(graph.shape($0.value).prefix(2)) }).count == 1
        else { continue }
        graph.replace([place], by: node.becoming("fused::attention"))
      }
    }
  }

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
