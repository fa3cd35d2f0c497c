import Torch

/// Attention between the positions of maps (Wang et al., 2018): every position of one map gets the
/// mean of another's values, weighted by how well its query goes with their keys.
///
/// Names are those of MMSegmentation's `SelfAttentionBlock`.
class SpatialAttention: Layer, MMSegmentationNamed {
  /// How the products of queries and keys become weights.
  enum Weighting: String, CaseIterable {
    /// Their softmax.
    case softmax
    /// Their share of the number of positions.
    case mean
  }

  let keyProject: Layer, queryProject: Layer
  let valueProject: Conv2d
  let outProject: Layer?
  private let pools: [Int]
  private let weighting: Weighting, isScaled: Bool

  /// Attention by these projections.
  ///
  /// - Parameters:
  ///   - pools: Keys and values are the means over 1 × 1, 2 × 2, … regions, if there are any.
  ///   - isScaled: Whether products are divided by the root of their length.
  init(
    query: Layer, key: Layer, value: Conv2d, output: Layer? = nil, pools: [Int] = [],
    weighting: Weighting = .softmax, isScaled: Bool = false
  ) {
    (keyProject, queryProject) = (key, query)
    (valueProject, outProject) = (value, output)
    (self.pools, self.weighting, self.isScaled) = (pools, weighting, isScaled)
  }

  /// What the positions of `queries` (N, C, H, W) get from `keys` (N, C', H', W'): (N, outputs, H, W).
  final func attend(_ queries: Tensor, to keys: Tensor) -> Tensor {
    let query = positions(queryProject(queries))
    let (key, value) = (regions(keyProject(keys)), regions(valueProject(keys)))
    let context =
      switch weighting {
      case .softmax: query.attentionInParts(key, value, scale: isScaled ? nil : 1)
      // Without a softmax the product of keys and values can come first.
      case .mean: query.matmul(key.transposed(2, 3).matmul(value)) / Double(key.size(2))
      }
    let map = context.transposed(2, 3).reshaped(queries.size(0), -1, queries.height, queries.width)
    return outProject?(map) ?? map
  }

  override func forward(_ x: Tensor) -> Tensor { attend(x, to: x) }

  /// One head's tokens: (N, 1, positions, C).
  private func positions(_ x: Tensor) -> Tensor {
    x.flattened(from: 2).transposed(1, 2).unsqueezed(1)
  }

  private func regions(_ x: Tensor) -> Tensor {
    guard !pools.isEmpty else { return positions(x) }
    return concatenate(pools.map { positions(x.regionMeans($0)) }, along: 2)
  }

  func mmsegmentationName(_ child: String) -> String { child }
}

extension Tensor {
  /// The attention of queries (N, 1, positions, width), some of them at a time where the weights of
  /// all at once would take gigabytes.
  ///
  /// - Parameter maximumWeights: The most weights at once; 1024x1024 at stride 8 has 2²⁸, 1 GiB.
  func attentionInParts(
    _ key: Tensor, _ value: Tensor, scale: Double?, maximumWeights: Int = 1 << 28
  ) -> Tensor {
    let count = size(2)
    let atOnce = Swift.max(1, maximumWeights / Swift.max(1, key.size(0) * key.size(2)))
    if atOnce >= count { return attention(key, value, scale: scale) }
    let parts = stride(from: 0, to: count, by: atOnce).map { start in
      sliced(2, start, Swift.min(count, start + atOnce)).attention(key, value, scale: scale)
    }
    return concatenate(parts, along: 2)
  }
}
