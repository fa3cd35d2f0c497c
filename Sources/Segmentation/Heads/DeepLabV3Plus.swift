import Configuration
import Torch

/// The head of DeepLabV3+ (Chen et al., 2018): atrous spatial pyramid pooling by separable
/// convolutions, enlarged and refined beside a narrowed map of the encoder's first stages.
///
/// Names are those of MMSegmentation's `DepthwiseSeparableASPPHead`, the pyramid's torchvision's.
public final class DeepLabV3Plus: Layer, SegmentationHead {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The pyramid.
    public var pyramid = ASPP.Configuration.mmsegmentation
    /// The channels to which the finer map is narrowed.
    public var lowChannels = 48
    /// How many convolutions follow on the joined maps.
    public var convolutions = 2
    /// Whether they are depthwise separable.
    public var isSeparable = true
    /// Whether a depthwise separable convolution follows the pyramid.
    public var refinesPyramid = false
    /// Whether the finer map is the first of those that are joined.
    public var lowFirst = false
    /// The share of channels that training drops before the classifier.
    public var classifierDropout = 0.1

    /// MMSegmentation's head.
    public init() { pyramid.isSeparable = true }
  }

  package let aspp: ASPP
  let refinement: SeparableConvNorm?
  let c1Bottleneck: ConvNorm
  let sepBottleneck: [Layer]
  let classifier: Conv2d
  private let dropout: Dropout
  /// Whether the finer map is the first of those that are joined.
  public let lowFirst: Bool
  private let level: Int, alignCorners: Bool

  /// A head on the last map, of `high` channels, and on map `level`, of `low` channels.
  public init(
    low: Int, level: Int, high: Int, classes: Int, _ configuration: Configuration = .init(),
    alignCorners: Bool = false
  ) {
    let channels = configuration.pyramid.channels
    aspp = ASPP(high, configuration.pyramid)
    c1Bottleneck = ConvNorm(low, configuration.lowChannels, kernel: 1)
    let form = configuration.pyramid.between
    refinement = configuration.refinesPyramid ? form.unit(channels, channels) : nil
    sepBottleneck = (0..<configuration.convolutions).map { index in
      let input = index == 0 ? channels + configuration.lowChannels : channels
      return configuration.isSeparable
        ? form.unit(input, channels) : ConvNorm(input, channels)
    }
    lowFirst = configuration.lowFirst
    classifier = Conv2d(channels, classes)
    dropout = Dropout(configuration.classifierDropout, ofChannels: true)
    self.level = level
    self.alignCorners = alignCorners
  }

  /// The scores (N, classes, H, W) at the size of the finer map.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard let high = maps.last else { return image }
    let low = c1Bottleneck(maps[level])
    let pyramid = aspp(high)
    let larger = (refinement?(pyramid) ?? pyramid).resized(like: low, alignCorners: alignCorners)
    let joined = concatenate(lowFirst ? [low, larger] : [larger, low])
    return classifier(dropout(sepBottleneck.reduce(joined) { $1($0) }))
  }
}

extension DeepLabV3Plus {
  /// `deeplabv3plus`.
  static let entries = [
    "deeplabv3plus": HeadEntry(
      needs: "an earlier map of output stride 4 or more that is finer", of: { level(in: $0) != nil }
    ) { input, section in
      let level = try section.int(
        "low", default: level(in: input) ?? 0, in: 0...input.channels.count - 1)
      var configuration = Configuration()
      configuration.pyramid = try .init(
        section, outputStride: input.strides.last ?? 16, base: configuration.pyramid)
      configuration.lowChannels = try section.int("lowChannels", default: 48, in: 1...8192)
      configuration.convolutions = try section.int("convolutions", default: 2, in: 1...16)
      configuration.isSeparable = try section.bool("separableDecoder", default: true)
      configuration.refinesPyramid = try section.bool("refinePyramid", default: false)
      configuration.lowFirst = try section.bool("lowFirst", default: false)
      configuration.classifierDropout = try section.double(
        "classifierDropout", default: configuration.classifierDropout, in: 0...0.99)
      return DeepLabV3Plus(
        low: input.channels[level], level: level, high: input.last, classes: input.classes,
        configuration, alignCorners: try section.corners(input))
    }
  ]

  /// The first map of output stride 4 or more, if it is finer than the last.
  private static func level(in input: HeadInput) -> Int? {
    guard let level = input.strides.firstIndex(where: { $0 >= 4 }),
      input.strides[level] < input.strides.last ?? 0
    else { return nil }
    return level
  }
}

extension DeepLabV3Plus: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    ["aspp": "", "classifier": "conv_seg"][child] ?? child
  }
}
