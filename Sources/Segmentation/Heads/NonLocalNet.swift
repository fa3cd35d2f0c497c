import Configuration
import Torch

/// A head with a non-local block (Wang et al., 2018) between two 3×3 convolutions; a third joins
/// their result and the features.
///
/// Names are those of MMSegmentation's `NLHead`.
public final class NonLocalNet: Layer, LastMapHead {
  let convs: [ConvNorm]
  let nlBlock: NonLocalBlock
  let convCat: ConvNorm?
  let classifier: Conv2d
  private let dropout: Dropout

  /// A head from `input` channels to `classes` scores.
  init(
    _ input: Int, classes: Int, channels: Int, joinsInput: Bool, dropout: Double,
    block: NonLocalBlock
  ) {
    convs = [ConvNorm(input, channels), ConvNorm(channels, channels)]
    nlBlock = block
    convCat = joinsInput ? ConvNorm(input + channels, channels) : nil
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let y = convs[1](nlBlock(convs[0](x)))
    return classifier(dropout(convCat?(concatenate([x, y])) ?? y))
  }

  /// `nonlocal`.
  static let entries = [
    "nonlocal": HeadEntry { input, section in
      let channels = try section.int("channels", default: 512, in: 1...8192)
      return NonLocalNet(
        input.last, classes: input.classes, channels: channels,
        joinsInput: try section.bool("joinInput", default: true),
        dropout: try section.double("dropout", default: 0.1, in: 0...0.99),
        block: NonLocalBlock(
          channels, reduction: try section.int("reduction", default: 2, in: 1...8192),
          weighting: try section.choice("weighting", default: .softmax),
          isScaled: try section.bool("scale", default: true)))
    }
  ]
}

/// Adds to every position what it gets from all others.
///
/// The biases of its keys add the same to all products of a query, which a softmax undoes: their
/// gradient is 0, in the original too.
final class NonLocalBlock: SpatialAttention {
  /// A block of `channels` channels whose projections have `channels / reduction`.
  init(_ channels: Int, reduction: Int, weighting: Weighting, isScaled: Bool) {
    let width = max(1, channels / reduction)
    let output = ConvNorm(width, channels, kernel: 1, .none)
    // At first the block changes nothing.
    output.zeroScale()
    super.init(
      query: Conv2d(channels, width), key: Conv2d(channels, width), value: Conv2d(channels, width),
      output: output, weighting: weighting, isScaled: isScaled)
  }

  override func forward(_ x: Tensor) -> Tensor { x + attend(x, to: x) }

  override func mmsegmentationName(_ child: String) -> String {
    [
      "query_project": "theta.conv", "key_project": "phi.conv", "value_project": "g.conv",
      "out_project": "conv_out",
    ][child] ?? child
  }
}
