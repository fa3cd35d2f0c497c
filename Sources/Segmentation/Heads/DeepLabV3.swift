import Configuration
import Torch

/// The head of DeepLabV3 (Chen et al., 2017): atrous spatial pyramid pooling, a 3×3 convolution and
/// the classifier.
///
/// Names are those of torchvision's `DeepLabHead`. Paper 002 classifies the pyramid's result at once;
/// so does MMSegmentation, whose pyramid ends in a 3×3 convolution.
public final class DeepLabV3: Layer {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The pyramid.
    public var pyramid = ASPP.Configuration()
    /// Whether a 3×3 convolution stands between the pyramid and the classifier.
    public var refines = true
    /// The share of channels that training drops before the classifier.
    public var classifierDropout = 0.0

    /// torchvision's head.
    public init() {}

    /// MMSegmentation's `ASPPHead`.
    public static var mmsegmentation: Configuration {
      var configuration = Configuration()
      configuration.pyramid = .mmsegmentation
      configuration.refines = false
      configuration.classifierDropout = 0.1
      return configuration
    }
  }

  package let aspp: ASPP
  let conv: Conv2d?, norm: BatchNorm2d?
  let classifier: Conv2d
  private let dropout: Dropout

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
    dropout = Dropout(configuration.classifierDropout, ofChannels: true)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let y = aspp(x)
    return classifier(dropout(conv?(y, norm, .relu) ?? y))
  }
}

extension DeepLabV3: LastMapHead {
  /// `deeplabv3`.
  static let entries = [
    "deeplabv3": HeadEntry { input, section in
      let form = try section.choice("form", default: HeadForm.torchvision)
      var configuration = form == .torchvision ? Configuration() : .mmsegmentation
      configuration.pyramid = try .init(
        section, outputStride: input.strides.last ?? 16, base: configuration.pyramid)
      configuration.refines = try section.bool("refine", default: configuration.refines)
      configuration.classifierDropout = try section.double(
        "classifierDropout", default: configuration.classifierDropout, in: 0...0.99)
      return DeepLabV3(input.last, classes: input.classes, configuration)
    }
  ]
}

extension DeepLabV3: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    ["0": "", "4": "conv_seg"][child] ?? child
  }
}
