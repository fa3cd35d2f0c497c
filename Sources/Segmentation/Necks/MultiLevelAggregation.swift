import Configuration
import Torch

/// The multi-level feature aggregation of SETR (Zheng et al., 2021, §3.3): maps of one size, each the
/// sum of itself and of all deeper ones, the deepest first.
///
/// Names are those of MMSegmentation's `MLANeck`.
public final class MultiLevelAggregation: Layer, Neck {
  let norm: [LayerNorm]
  let channelProj: [ConvNorm], featExtract: [ConvNorm]
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map, deepest first.
  public let strides: [Int]

  public override var keys: [String: String] {
    ["channelProj": "mla.channel_proj", "featExtract": "mla.feat_extract"]
  }

  /// A neck for maps of `channels` channels and of `strides`, which gives `output` channels each.
  public init(_ channels: [Int], strides: [Int], output: Int = 256) {
    norm = channels.map { LayerNorm($0, ofImages: true, eps: 1e-6) }
    channelProj = channels.map { ConvNorm($0, output, kernel: 1) }
    featExtract = channels.map { _ in ConvNorm(output, output) }
    self.channels = channels.map { _ in output }
    self.strides = strides.reversed()
  }

  /// The sums, deepest first.
  public func maps(_ maps: [Tensor]) -> [Tensor] {
    let narrow = maps.indices.map { channelProj[$0](norm[$0](maps[$0])) }
    var sum: Tensor?
    return zip(narrow.reversed(), featExtract).map { map, extract in
      let total = sum.map { $0 + map } ?? map
      sum = total
      return extract(total)
    }
  }
}

extension MultiLevelAggregation {
  /// `mla`.
  static let entries = [
    "mla": NeckEntry(needs: "maps of one size", of: { Set($0).count == 1 }) {
      channels, strides, section in
      MultiLevelAggregation(
        channels, strides: strides,
        output: try section.int("channels", default: 256, in: 1...8192))
    }
  ]
}
