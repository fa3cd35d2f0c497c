import Configuration
import Torch

/// The decoder of LinkNet (Chaurasia and Culurciello, 2017) over the maps of any backbone: each step
/// narrows, doubles by a transposed convolution, widens and adds the backbone's map.
///
/// Names are those of segmentation_models.pytorch's `LinknetDecoder`, the classifier's apart.
public final class Linknet: Layer {
  let blocks: [LinknetBlock]
  let classifier: Conv2d
  private let sizes: DecoderSizes

  /// A decoder of maps of `input` channels and output `strides`, finest first, to `classes` scores, with
  /// `channels` before the classifier.
  public init(_ input: [Int], strides: [Int], classes: Int, channels: Int = 32) {
    let sizes = DecoderSizes(strides: strides, .bilinear)
    var below = input.last ?? 1
    var blocks: [LinknetBlock] = []
    for step in 0..<sizes.steps {
      // Where the backbone has no map the channels stay.
      let width =
        step == sizes.steps - 1 ? channels : sizes.level(of: step).map { input[$0] } ?? below
      blocks.append(LinknetBlock(below, width))
      below = width
    }
    self.blocks = blocks
    self.sizes = sizes
    classifier = Conv2d(channels, classes)
  }

  /// The scores (N, classes, H, W) at the image's size.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard var x = maps.last else { return image }
    for (step, block) in blocks.enumerated() {
      x = block(x)
      guard let level = sizes.level(of: step) else { continue }
      // Odd sizes lose a row or a column on the way down.
      x = x.resized(like: maps[level]) + maps[level]
    }
    return classifier(x)
  }
}

/// A 1×1 convolution to a quarter of the channels, a transposed convolution and another 1×1.
final class LinknetBlock: Layer, RecomputableLayer {
  let narrow: ConvNorm, double: Sequential, widen: ConvNorm

  override var keys: [String: String] {
    ["narrow": "block.0", "double": "block.1", "widen": "block.2"]
  }

  init(_ input: Int, _ output: Int) {
    let middle = max(1, input / 4)
    narrow = ConvNorm(input, middle, kernel: 1)
    double = Sequential {
      ConvTranspose2d(middle, middle, kernel: 4, stride: 2, padding: 1)
      BatchNorm2d(middle)
      ReLU()
    }
    widen = ConvNorm(middle, output, kernel: 1)
  }

  override func forward(_ x: Tensor) -> Tensor { widen(double(narrow(x))) }
}

extension Linknet: SegmentationHead {
  /// `linknet`.
  static let entries = [
    "linknet": HeadEntry(
      needs: "maps that halve from each to the next, finest first",
      of: { input in
        let strides = input.strides
        return DecoderSizes.fit(strides)
          && zip(strides, strides.dropFirst()).allSatisfy { 2 * $0 == $1 }
      }
    ) { input, section in
      Linknet(
        input.channels, strides: input.strides, classes: input.classes,
        channels: try section.int("channels", default: 32, in: 1...8192))
    }
  ]
}
