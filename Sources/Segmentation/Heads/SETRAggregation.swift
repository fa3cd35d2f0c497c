import Configuration
import Torch

/// The decoder of SETR on aggregated levels (Zheng et al., 2021, §3.3).
///
/// Each map goes through two convolutions and is enlarged; all are joined and classified. The neck
/// `mla` aggregates.
///
/// Names are those of MMSegmentation's `SETRMLAHead`.
public final class SETRAggregation: Layer {
  let upConvs: [Sequential]
  let classifier: Conv2d
  private let dropout: Dropout
  private let factor: Int, alignCorners: Bool

  /// A decoder of maps of `input` channels each, to `classes` scores.
  ///
  /// - Parameters:
  ///   - input: The channels of each map.
  ///   - classes: The number of scores at each position.
  ///   - channels: The channels of each map's convolutions.
  ///   - factor: How many times larger each map becomes.
  ///   - dropout: The share of channels that training drops before the classifier.
  ///   - alignCorners: Whether maps are enlarged so that the corners' centres stay.
  public init(
    _ input: [Int], classes: Int, channels: Int = 128, factor: Int = 4, dropout: Double = 0,
    alignCorners: Bool = false
  ) {
    upConvs = input.map { input in
      Sequential {
        ConvNorm(input, channels)
        ConvNorm(channels, channels)
      }
    }
    classifier = Conv2d(input.count * channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
    self.factor = factor
    self.alignCorners = alignCorners
  }

  /// The scores (N, classes, H · factor, W · factor) of maps (N, input, H, W).
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    let enlarged = zip(upConvs, maps).map { convs, map in
      convs(map).resized(
        height: factor * map.height, width: factor * map.width, alignCorners: alignCorners)
    }
    return classifier(dropout(concatenate(enlarged)))
  }
}

extension SETRAggregation: SegmentationHead {
  /// `setr_mla`.
  static let entries = [
    "setr_mla": HeadEntry(
      needs: "several maps of one size", of: { $0.strides.count > 1 && Set($0.strides).count == 1 }
    ) { input, section in
      SETRAggregation(
        input.channels, classes: input.classes,
        channels: try section.int("channels", default: 128, in: 1...8192),
        factor: try section.int("factor", default: 4, in: 1...16),
        dropout: try section.double("dropout", default: 0, in: 0...0.99),
        alignCorners: input.alignCorners)
    }
  ]
}
