import Configuration
import Torch

/// The decoder of a U-Net (Ronneberger et al., 2015) over the maps of any backbone: the deepest map is
/// doubled step by step to the image's size, joined at each size with the backbone's map there is.
///
/// Names are those of segmentation_models.pytorch's `UnetDecoder`, the classifier's apart.
public final class UNetDecoder: Layer {
  /// What makes one decoder different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels after each doubling, the deepest first; halves from 256 on down to 16 if nil.
    public var channels: [Int]?
    /// How maps are enlarged.
    public var interpolation = Interpolation.nearest
    /// Whether two more convolutions stand before the first doubling, as for VGG.
    public var hasCenter = false
    /// Whether channels and positions are weighted before and after each pair of convolutions (Roy et
    /// al., 2018).
    public var attends = false

    /// The usual decoder.
    public init() {}
  }

  let center: Sequential?
  let blocks: [DecoderBlock]
  let classifier: Conv2d
  private let sizes: DecoderSizes

  /// A decoder of maps of `input` channels and output `strides`, finest first, to `classes` scores.
  public init(
    _ input: [Int], strides: [Int], classes: Int, _ configuration: Configuration = .init()
  ) {
    sizes = DecoderSizes(strides: strides, configuration.interpolation)
    let widths = configuration.channels ?? sizes.usualChannels
    var below = input.last ?? 1
    center = configuration.hasCenter ? DecoderBlock.center(below) : nil
    var blocks: [DecoderBlock] = []
    for (step, width) in widths.enumerated() {
      let skip = sizes.level(of: step).map { input[$0] } ?? 0
      blocks.append(DecoderBlock(below, skip: skip, width, attends: configuration.attends))
      below = width
    }
    self.blocks = blocks
    classifier = Conv2d(below, classes, kernel: 3)
  }

  /// The scores (N, classes, H, W) at the image's size.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    guard var x = maps.last else { return image }
    if let center { x = center(x) }
    for (step, block) in blocks.enumerated() {
      let skip = sizes.level(of: step).map { maps[$0] }
      x = sizes.enlarged(x, step, like: skip, image: image)
      x = block(skip.map { concatenate([x, $0]) } ?? x)
    }
    return classifier(x)
  }
}

/// Two 3×3 convolutions at one size of a decoder.
final class DecoderBlock: Layer, RecomputableLayer {
  let conv1: ConvNorm, attention1: ChannelPositionAttention?
  let conv2: ConvNorm, attention2: ChannelPositionAttention?
  private let joins: Bool

  /// A block on `input` channels of the map below and `skip` of the backbone's.
  init(_ input: Int, skip: Int, _ output: Int, attends: Bool = false) {
    conv1 = ConvNorm(input + skip, output)
    conv2 = ConvNorm(output, output)
    attention1 = attends ? ChannelPositionAttention(input + skip) : nil
    attention2 = attends ? ChannelPositionAttention(output) : nil
    joins = skip > 0
  }

  override func forward(_ x: Tensor) -> Tensor {
    // Nothing to weigh against each other where nothing is joined.
    let joined = joins ? attention1?(x) ?? x : x
    let y = conv2(conv1(joined))
    return attention2?(y) ?? y
  }

  /// Two convolutions that keep the channels.
  static func center(_ channels: Int) -> Sequential {
    Sequential {
      ConvNorm(channels, channels)
      ConvNorm(channels, channels)
    }
  }
}

/// Weights of channels and of positions, between 0 and 1, each times the map, summed (Roy et al., 2018,
/// "scSE").
final class ChannelPositionAttention: Layer {
  let reduce: Conv2d, expand: Conv2d, position: Conv2d

  override var keys: [String: String] {
    [
      "reduce": "attention.cSE.1", "expand": "attention.cSE.3", "position": "attention.sSE.0",
    ]
  }

  init(_ channels: Int, reduction: Int = 16) {
    reduce = Conv2d(channels, max(1, channels / reduction))
    expand = Conv2d(max(1, channels / reduction), channels)
    position = Conv2d(channels, 1)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let channels = expand(reduce(x.globalAvgPool2d(), nil, .relu), nil, .sigmoid)
    return x * channels + x * position(x, nil, .sigmoid)
  }
}

/// The sizes that a decoder goes through: those of the backbone's maps, then those between the finest map
/// and the image.
struct DecoderSizes {
  private let maps: Int, finest: Int
  private let interpolation: Interpolation

  /// The sizes for maps of these output strides, finest first.
  init(strides: [Int], _ interpolation: Interpolation) {
    maps = strides.count
    finest = max(1, strides.first ?? 1)
    self.interpolation = interpolation
  }

  /// Whether a decoder can double maps of these output strides up to the image's size.
  static func fit(_ strides: [Int]) -> Bool {
    strides.count > 1 && strides.isRising && [2, 4, 8, 16, 32].contains(strides[0])
  }

  /// The number of doublings.
  var steps: Int { maps - 1 + finest.trailingZeroBitCount }

  /// Halves from 256 on down to 16 channels, whatever the number of steps ends with 16.
  var usualChannels: [Int] { (0..<steps).map { 16 << min(4, steps - 1 - $0) } }

  /// The map that a step reaches the size of; nil beyond the finest.
  func level(of step: Int) -> Int? { step < maps - 1 ? maps - 2 - step : nil }

  /// `x` at the size that a step reaches: that of `map`, or a share of the image's.
  func enlarged(_ x: Tensor, _ step: Int, like map: Tensor?, image: Tensor) -> Tensor {
    let stride = finest >> (step - maps + 2)
    let (height, width) =
      map.map { ($0.height, $0.width) }
      ?? (max(1, image.height / stride), max(1, image.width / stride))
    return x.resized(height: height, width: width, interpolation)
  }
}

extension UNetDecoder: SegmentationHead {
  /// `unet`.
  static let entries = [
    "unet": HeadEntry(
      needs: "several maps, finest first, of strides from 2 to 32",
      of: { DecoderSizes.fit($0.strides) }
    ) { input, section in
      var configuration = try Configuration(section, strides: input.strides)
      configuration.hasCenter = try section.bool("center", default: false)
      return UNetDecoder(
        input.channels, strides: input.strides, classes: input.classes, configuration)
    }
  ]
}

extension UNetDecoder.Configuration {
  /// What U-Nets and U-Net++ read of a section.
  init(_ section: Section, strides: [Int]) throws {
    self.init()
    interpolation = try section.choice("interpolation", default: interpolation)
    let usual = DecoderSizes(strides: strides, interpolation).usualChannels
    let widths = try section.ints("channels", default: usual, in: 1...8192)
    if widths.count != usual.count {
      throw section.invalid(
        "channels", "\(widths)", expected: "\(usual.count) numbers, one for each doubling")
    }
    channels = widths
    attends = try section.bool("attention", default: attends)
  }
}
