import Configuration
import Torch

/// A fully convolutional head (Long et al., 2015): a few 3×3 convolutions and the classifier; without
/// any, a 1×1 convolution alone.
///
/// Names are those of torchvision's `FCNHead`.
public final class FCN: Layer {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The number of convolutions.
    public var convolutions = 1
    /// Their kernel.
    public var kernel = 3
    /// Their channels; a quarter of the features' if nil.
    public var channels: Int?
    /// Their atrous rate: 6 with two of them is the FCN-D6 of Kim et al., 2023.
    public var dilation = 1
    /// Whether a further convolution joins their result and the features.
    public var joinsInput = false
    /// The share of elements that training drops before the classifier.
    public var dropout = 0.1
    /// Whether it drops whole channels.
    public var dropsChannels = false

    /// torchvision's head.
    public init() {}

    /// MMSegmentation's `FCNHead`.
    public static var mmsegmentation: Configuration {
      var configuration = Configuration()
      configuration.convolutions = 2
      configuration.channels = 512
      configuration.joinsInput = true
      configuration.dropsChannels = true
      return configuration
    }

    /// The classifier alone.
    public static func linear(dropout: Double = 0) -> Configuration {
      var configuration = Configuration()
      configuration.convolutions = 0
      configuration.dropout = dropout
      return configuration
    }
  }

  let convs: ConvStack
  private let convCat: ConvNorm?
  private let dropout: Dropout
  private let classifier: Conv2d
  /// The channels of the features.
  public let inputs: Int
  /// What the head was made from.
  public let configuration: Configuration

  /// A head from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, _ configuration: Configuration = .init()) {
    inputs = input
    self.configuration = configuration
    let count = configuration.convolutions
    let width = count == 0 ? input : configuration.channels ?? max(1, input / 4)
    convs = ConvStack(
      input, Array(repeating: width, count: count), kernel: configuration.kernel,
      dilation: configuration.dilation)
    convCat =
      configuration.joinsInput
      ? ConvNorm(input + width, width, kernel: configuration.kernel) : nil
    dropout = Dropout(configuration.dropout, ofChannels: configuration.dropsChannels)
    classifier = Conv2d(width, classes)
  }

  public override var children: [(name: String, module: Module)] {
    convs.children + (convCat.map { [("conv_cat", $0)] } ?? [])
      + [("dropout", dropout), ("\(3 * convs.count + 1)", classifier)]
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let y = convs(x)
    return classifier(dropout(convCat?(concatenate([x, y])) ?? y))
  }
}

extension FCN: LastMapHead {
  /// `fcn`, and `linear` for a 1×1 convolution alone.
  static let entries = [
    "fcn": HeadEntry { input, section in
      let form = try section.choice("form", default: HeadForm.torchvision)
      var head = form == .torchvision ? Configuration() : .mmsegmentation
      head.convolutions = try section.int("convolutions", default: head.convolutions, in: 0...16)
      head.kernel = try section.int("kernel", default: head.kernel, in: 1...31)
      if head.kernel % 2 == 0 {
        throw section.invalid("kernel", "\(head.kernel)", expected: "an odd number")
      }
      head.channels = try section.optionalInt("channels", in: 1...8192) ?? head.channels
      head.dilation = try section.int("dilation", default: head.dilation, in: 1...512)
      head.joinsInput = try section.bool("joinInput", default: head.joinsInput)
      head.dropout = try section.double("dropout", default: head.dropout, in: 0...0.99)
      return FCN(input.last, classes: input.classes, head)
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
    guard let number = Int(child) else { return child }
    return number > 3 * convs.count ? "conv_seg" : "convs.\(convs.mmsegmentationName(child))"
  }
}
