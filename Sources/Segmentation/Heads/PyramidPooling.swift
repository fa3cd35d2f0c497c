import Configuration
import Torch

/// Pyramid pooling (Zhao et al., 2017, §3.2): the features beside their means over 1 × 1, 2 × 2, …
/// regions, each through a 1×1 convolution and resized to the features again.
public final class PyramidPooling: Layer {
  let scales: [Int]
  let convs: [Layer]
  /// The channels of each level.
  let levelChannels: Int
  /// Whether the levels stand before the features.
  let poolsFirst: Bool
  private let alignCorners: Bool

  /// The channels of the result.
  public let outputs: Int

  /// A pyramid over `input` channels with a level of `channels` for each of `scales`, the numbers of
  /// regions along a side.
  ///
  /// - Parameters:
  ///   - input: The channels of the features.
  ///   - channels: The channels of each level.
  ///   - scales: The numbers of regions along a side, a level each.
  ///   - normalizesMean: Whether the level of one region has a normalization rather than a bias.
  ///   - poolsFirst: Whether the levels stand before the features.
  ///   - alignCorners: Whether levels are enlarged so that the corners' centres stay.
  public init(
    _ input: Int, channels: Int, scales: [Int] = [1, 2, 3, 6], normalizesMean: Bool = true,
    poolsFirst: Bool = false, alignCorners: Bool = false
  ) {
    self.scales = scales
    self.alignCorners = alignCorners
    self.poolsFirst = poolsFirst
    levelChannels = channels
    convs = scales.map { scale in
      scale > 1 || normalizesMean
        ? ConvNorm(input, channels, kernel: 1)
        : Sequential {
          Conv2d(input, channels)
          ReLU()
        }
    }
    outputs = input + scales.count * channels
  }

  /// The features (N, input, H, W) and all levels, joined: (N, outputs, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let levels = zip(scales, convs).map { scale, conv in
      conv(x.regionMeans(scale)).resized(like: x, alignCorners: alignCorners)
    }
    return concatenate(poolsFirst ? levels + [x] : [x] + levels)
  }
}

extension PyramidPooling: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    child.replacing("convs.", with: "") + ".1"
  }
}

extension Tensor {
  /// The means over `count` × `count` regions that cover the map: (N, C, count, count).
  func regionMeans(_ count: Int) -> Tensor {
    count == 1 ? globalAvgPool2d() : adaptiveAvgPool2d(height: count, width: count)
  }
}

extension Section {
  /// The numbers of regions along a side that a pyramid pools.
  func regionCounts(_ key: String, default fallback: [Int]) throws -> [Int] {
    let counts = try ints(key, default: fallback, in: 1...64)
    if counts.isEmpty { throw invalid(key, "[]", expected: "at least one number of regions") }
    return counts
  }
}
