import Configuration
import Torch

/// The decoder of U-Net++ (Zhou et al., 2018) over the maps of any backbone: a U-Net's whose skip
/// connections are decoders themselves, each joined with all before it at its size.
///
/// Names are those of segmentation_models.pytorch's `UnetPlusPlusDecoder`: `x_0_2` began at the deepest map
/// and is at its third doubling.
public final class UNetPlusPlus: Layer {
  /// The blocks by the doubling that they stand at, in the order of the map that they began with.
  private let blocks: [[DecoderBlock]]
  let classifier: Conv2d
  private let sizes: DecoderSizes

  /// A decoder of maps of `input` channels and output `strides`, finest first, to `classes` scores.
  public init(
    _ input: [Int], strides: [Int], classes: Int,
    _ configuration: UNetDecoder.Configuration = .init()
  ) {
    let sizes = DecoderSizes(strides: strides, configuration.interpolation)
    let widths = configuration.channels ?? sizes.usualChannels
    let maps = Array(input.reversed())
    let deepest = maps.first ?? 1
    blocks = widths.enumerated().map { step, width in
      func block(_ below: Int, _ skip: Int, _ output: Int) -> DecoderBlock {
        DecoderBlock(below, skip: skip, output, attends: configuration.attends)
      }
      let below = step == 0 ? deepest : widths[step - 1]
      guard sizes.level(of: step) != nil else { return [block(below, 0, width)] }
      // A map of the backbone beside those of all later beginnings.
      let skip = maps[step + 1]
      return (0...step).map { start in
        start == 0
          ? block(below, (step + 1) * skip, width)
          : block(maps[step], (step + 1 - start) * skip, skip)
      }
    }
    self.sizes = sizes
    classifier = Conv2d(widths.last ?? 1, classes, kernel: 3)
  }

  public override var children: [(name: String, module: Module)] {
    let nodes = blocks.enumerated().flatMap { step, blocks in
      blocks.enumerated().map { ("blocks.x_\($0)_\(step)", $1 as Module) }
    }
    return nodes + [("classifier", classifier)]
  }

  /// The scores (N, classes, H, W) at the image's size.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    /// What each beginning has come to, and has nothing yet for those of later doublings.
    var nodes: [Tensor] = []
    for (step, blocks) in blocks.enumerated() {
      let map = sizes.level(of: step).map { maps[$0] }
      var next: [Tensor] = []
      // The last beginning first, as all earlier ones see it.
      for (start, block) in blocks.enumerated().reversed() {
        let below =
          start < nodes.count
          ? nodes[start]
          : maps[maps.count - 1 - step]
        let larger = sizes.enlarged(below, step, like: map, image: image)
        let joined = [larger] + next + (map.map { [$0] } ?? [])
        next.insert(block(joined.count > 1 ? concatenate(joined) : larger), at: 0)
      }
      nodes = next
    }
    return nodes.first.map { classifier($0) } ?? image
  }
}

extension UNetPlusPlus: SegmentationHead {
  /// `unetplusplus`.
  static let entries = [
    "unetplusplus": HeadEntry(
      needs: "several maps, finest first, of strides from 2 to 32",
      of: { DecoderSizes.fit($0.strides) }
    ) { input, section in
      UNetPlusPlus(
        input.channels, strides: input.strides, classes: input.classes,
        try UNetDecoder.Configuration(section, strides: input.strides))
    }
  ]
}
