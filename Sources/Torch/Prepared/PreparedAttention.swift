extension Module {
  /// softmax(q kᵀ · scale + mask) v, of (N, heads, tokens, width), inside of this module; the scale is
  /// 1/√width by default.
  ///
  /// A prepared network's result lies in memory as (N, tokens, heads, width).
  package final func attention(
    _ query: Tensor, _ key: Tensor, _ value: Tensor, mask: Tensor? = nil, scale: Double? = nil
  ) -> Tensor {
    runsPrepared(query) && mask == nil && query.rank == 4
      ? Operator.attention(query, key, value, scale)
      : query.attention(key, value, mask: mask, scale: scale)
  }
}

extension LayerNorm {
  /// The normalization over the last dimension in a prepared network.
  func prepared(_ x: Tensor) -> Tensor { Operator.layerNorm(x, weight, bias, eps) }
}

extension Operator {
  fileprivate static let attention = Operator("attention", namespace: "atrous")
  fileprivate static let layerNorm = Operator("layer_norm", namespace: "atrous")
}
