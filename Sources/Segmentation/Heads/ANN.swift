import Configuration
import Torch

/// The head of the asymmetric non-local network (Zhu et al., 2019): the last map attends to regions
/// of an earlier one, then, narrowed, to regions of itself.
///
/// Names are those of MMSegmentation's `ANNHead`.
public final class ANN: Layer, SegmentationHead {
  let fusion: AsymmetricBlock
  let bottleneck: ConvNorm
  let context: AsymmetricBlock
  let classifier: Conv2d
  private let dropout: Dropout
  private let level: Int

  /// A head on the last map, of `high` channels, and on map `level`, of `low` channels.
  ///
  /// - Parameters:
  ///   - low: The channels of the earlier map.
  ///   - level: The place of the earlier map, counted from 0 at the finest.
  ///   - high: The channels of the last map.
  ///   - classes: The number of scores at each position.
  ///   - channels: The channels of the head's maps.
  ///   - projected: The channels of queries, keys and values.
  ///   - pools: The numbers of regions along a side that are attended to.
  ///   - dropout: The share of channels that training drops before the classifier.
  public init(
    low: Int, level: Int, high: Int, classes: Int, channels: Int = 512, projected: Int = 256,
    pools: [Int] = [1, 3, 6, 8], dropout: Double = 0.1
  ) {
    fusion = AsymmetricBlock(query: high, key: low, projected, pools: pools, .none)
    bottleneck = ConvNorm(high, channels)
    context = AsymmetricBlock(query: channels, projected, pools: pools, .relu)
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
    self.level = level
  }

  /// The scores (N, classes, H, W) at the size of the last map.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard let high = maps.last else { return image }
    let fused = bottleneck(dropout(fusion(high, seeing: maps[level])))
    return classifier(dropout(context(fused, seeing: fused)))
  }

  /// `ann`.
  static let entries = [
    "ann": HeadEntry(needs: "an earlier map", of: { $0.channels.count > 1 }) { input, section in
      let last = input.channels.count - 1
      let level = try section.int("low", default: max(0, last - 1), in: 0...last)
      return ANN(
        low: input.channels[level], level: level, high: input.last, classes: input.classes,
        channels: try section.int("channels", default: 512, in: 1...8192),
        projected: try section.int("projectChannels", default: 256, in: 1...8192),
        pools: try section.regionCounts("scales", default: [1, 3, 6, 8]),
        dropout: try section.double("dropout", default: 0.1, in: 0...0.99))
    }
  ]
}

/// Attention to the regions of a map, joined with what attends.
final class AsymmetricBlock: Layer, MMSegmentationNamed {
  let attention: SpatialAttention
  let bottleneck: ConvNorm

  /// A block for maps of `query` channels that attend to maps of `key` channels; without `key` to
  /// themselves, and then one projection makes queries and keys.
  init(
    query: Int, key: Int? = nil, _ width: Int, pools: [Int], _ activation: Activation
  ) {
    let output = Conv2d(width, query)
    // At first the block adds nothing.
    output.weight.fill(0)
    output.bias?.fill(0)
    let keys = ConvNorm(key ?? query, width, kernel: 1)
    attention = SpatialAttention(
      query: key == nil ? keys : ConvNorm(query, width, kernel: 1), key: keys,
      value: Conv2d(key ?? query, width), output: output, pools: pools, isScaled: true)
    bottleneck = ConvNorm(2 * query, query, kernel: 1, activation)
  }

  func callAsFunction(_ x: Tensor, seeing other: Tensor) -> Tensor {
    bottleneck(concatenate([attention.attend(x, to: other), x]))
  }

  func mmsegmentationName(_ child: String) -> String {
    child == "attention" ? "stages.0" : child
  }
}
