import Configuration
import Torch

/// The head of DeepLabV3 (Chen et al., 2017): atrous spatial pyramid pooling, a 3×3 convolution and
/// the classifier.
///
/// Names are those of torchvision's `DeepLabHead`. Paper 002 classifies the pyramid's result at once.
public final class DeepLabV3: Layer {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The pyramid.
    public var pyramid = ASPP.Configuration()
    /// Whether a 3×3 convolution stands between the pyramid and the classifier.
    public var refines = true

    /// torchvision's head.
    public init() {}
  }

  let aspp: ASPP
  let conv: Conv2d?, norm: BatchNorm2d?
  let classifier: Conv2d

  public override var keys: [String: String] {
    ["aspp": "0", "conv": "1", "norm": "2", "classifier": "4"]
  }

  /// A head from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, _ configuration: Configuration = .init()) {
    let channels = configuration.pyramid.channels
    aspp = ASPP(input, configuration.pyramid)
    conv = configuration.refines ? Conv2d(channels, channels, kernel: 3, bias: false) : nil
    norm = configuration.refines ? BatchNorm2d(channels) : nil
    classifier = Conv2d(channels, classes)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let y = aspp(x)
    return classifier(conv?(y, norm, .relu) ?? y)
  }
}

extension DeepLabV3: SegmentationHead {
  /// `deeplabv3`.
  static let entries = [
    "deeplabv3": HeadEntry { input, section in
      var configuration = Configuration()
      configuration.pyramid = try .init(section, outputStride: input.strides.last ?? 16)
      configuration.refines = try section.bool("refine", default: true)
      return DeepLabV3(input.last, classes: input.classes, configuration)
    }
  ]
}
