import Configuration
import Torch

/// The lite reduced pyramid (Howard et al., 2019, §6.4): the last map weighted by what its mean says,
/// added to a finer map, each with a classifier of its own.
///
/// Names are those of torchvision's `LRASPPHead`.
public final class LRASPP: Layer {
  let cbr: ConvNorm
  let scale: Conv2d
  let lowClassifier: Conv2d, highClassifier: Conv2d
  private let level: Int

  public override var keys: [String: String] { ["scale": "scale.1"] }

  /// A head on the last map, of `high` channels, and on map `level`, of `low` channels.
  public init(low: Int, level: Int, high: Int, classes: Int, channels: Int = 128) {
    cbr = ConvNorm(high, channels, kernel: 1)
    scale = Conv2d(high, channels, bias: false)
    lowClassifier = Conv2d(low, classes)
    highClassifier = Conv2d(channels, classes)
    self.level = level
  }

  /// The scores (N, classes, H, W) at the size of the finer map.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard let high = maps.last else { return image }
    let low = maps[level]
    let weighted = cbr(high) * scale(high.globalAvgPool2d()).sigmoid()
    return lowClassifier(low) + highClassifier(weighted.resized(like: low))
  }
}

extension LRASPP: SegmentationHead {
  /// `lraspp`.
  static let entries = [
    "lraspp": HeadEntry(needs: "an earlier map of output stride 8", of: { level(in: $0) != nil }) {
      input, section in
      let level = level(in: input) ?? 0
      return LRASPP(
        low: input.channels[level], level: level, high: input.last, classes: input.classes,
        channels: try section.int("channels", default: 128, in: 1...8192))
    }
  ]

  /// The first map of output stride 8, unless it is the last or the last is finer.
  private static func level(in input: HeadInput) -> Int? {
    guard let level = input.strides.firstIndex(of: 8), level < input.strides.count - 1,
      input.strides.last ?? 0 >= 8
    else { return nil }
    return level
  }
}
