import Configuration
import Torch

/// A fully convolutional head (Long et al., 2015): a few 3×3 convolutions and the classifier; without
/// any, a 1×1 convolution alone.
///
/// Names are those of torchvision's `FCNHead`.
public final class FCN: Layer {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The number of 3×3 convolutions.
    public var convolutions = 1
    /// Their channels; a quarter of the features' if nil.
    public var channels: Int?
    /// Their atrous rate: 6 with two of them is the FCN-D6 of paper 003.
    public var dilation = 1
    /// The share of elements that training drops before the classifier.
    public var dropout = 0.1

    /// torchvision's head.
    public init() {}

    /// The classifier alone.
    public static func linear(dropout: Double = 0) -> Configuration {
      var configuration = Configuration()
      configuration.convolutions = 0
      configuration.dropout = dropout
      return configuration
    }
  }

  private let convs: [Conv2d], norms: [BatchNorm2d]
  private let dropout: Dropout
  private let classifier: Conv2d

  /// A head from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, _ configuration: Configuration = .init()) {
    let width = configuration.channels ?? max(1, input / 4)
    let count = configuration.convolutions
    convs = (0..<count).map { index in
      Conv2d(
        index == 0 ? input : width, width, kernel: 3, dilation: configuration.dilation, bias: false)
    }
    norms = (0..<count).map { _ in BatchNorm2d(width) }
    dropout = Dropout(configuration.dropout)
    classifier = Conv2d(count == 0 ? input : width, classes)
  }

  public override var children: [(name: String, module: Module)] {
    let units = zip(convs, norms).enumerated().flatMap { index, unit -> [(String, Module)] in
      [("\(3 * index)", unit.0), ("\(3 * index + 1)", unit.1)]
    }
    return units + [("dropout", dropout), ("\(3 * convs.count + 1)", classifier)]
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    classifier(dropout(zip(convs, norms).reduce(x) { $1.0($0, $1.1, .relu) }))
  }
}

extension FCN: SegmentationHead {
  /// `fcn`, and `linear` for a 1×1 convolution alone.
  static let entries = [
    "fcn": HeadEntry { input, section in
      var configuration = Configuration()
      configuration.convolutions = try section.int("convolutions", default: 1, in: 0...16)
      configuration.channels = try section.optionalInt("channels", in: 1...8192)
      configuration.dilation = try section.int("dilation", default: 1, in: 1...512)
      configuration.dropout = try section.double("dropout", default: 0.1, in: 0...0.99)
      return FCN(input.last, classes: input.classes, configuration)
    },
    "linear": HeadEntry { input, section in
      FCN(
        input.last, classes: input.classes,
        .linear(dropout: try section.double("dropout", default: 0, in: 0...0.99)))
    },
  ]
}

extension FCN: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    guard let index = Int(child), index <= 3 * convs.count else { return "conv_seg" }
    return "convs.\(index / 3).\(index % 3 == 0 ? "conv" : "bn")"
  }
}
