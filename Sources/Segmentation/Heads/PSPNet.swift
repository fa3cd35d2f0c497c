import Configuration
import Torch

/// The head of PSPNet (Zhao et al., 2017): pyramid pooling, a 3×3 convolution and the classifier.
///
/// Names are those of MMSegmentation's `PSPHead`.
public final class PSPNet: Layer, LastMapHead {
  let pspModules: PyramidPooling
  let bottleneck: ConvNorm
  let classifier: Conv2d
  private let dropout: Dropout

  /// A head from `input` channels to `classes` scores.
  public init(
    _ input: Int, classes: Int, channels: Int = 512, scales: [Int] = [1, 2, 3, 6],
    dropout: Double = 0.1, alignCorners: Bool = false
  ) {
    pspModules = PyramidPooling(
      input, channels: channels, scales: scales, alignCorners: alignCorners)
    bottleneck = ConvNorm(pspModules.outputs, channels)
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    classifier(dropout(bottleneck(pspModules(x))))
  }

  /// `pspnet`.
  static let entries = [
    "pspnet": HeadEntry { input, section in
      PSPNet(
        input.last, classes: input.classes,
        channels: try section.int("channels", default: 512, in: 1...8192),
        scales: try section.regionCounts("scales", default: [1, 2, 3, 6]),
        dropout: try section.double("dropout", default: 0.1, in: 0...0.99),
        alignCorners: input.alignCorners)
    }
  ]
}
