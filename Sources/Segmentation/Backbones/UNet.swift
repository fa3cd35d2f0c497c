import Configuration
import Torch

/// A U-Net (Ronneberger et al., 2015) without its classifier: an encoder that halves the map four
/// times, and a decoder that doubles it again and joins what the encoder had at each size.
///
/// Names are those of milesial's Pytorch-UNet. The maps are the encoder's last and what each step of
/// the decoder gives: the coarsest first, so that heads see the one of the image's size. A head at
/// level 0 sees the encoder's; as in MMSegmentation nothing then trains the decoder, unless it is
/// left out or an auxiliary head sees it.
public final class UNet: Layer, Backbone {
  /// How the decoder doubles a map.
  public enum Enlargement: String, Sendable, CaseIterable {
    /// By a transposed convolution.
    case transposed
    /// Bilinearly.
    case bilinear
    /// Bilinearly, then by a 1×1 convolution to the width of the map beside (MMSegmentation).
    case projected
  }

  /// What makes one U-Net different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels at each size, the image's first.
    public var widths = [64, 128, 256, 512, 1024]
    /// How the decoder doubles a map.
    public var enlargement = Enlargement.transposed
    /// The convolutions at each size of the encoder and, finest first, of the decoder; two each if
    /// nil.
    public var encoderDepths: [Int]?, decoderDepths: [Int]?
    /// The dilations of all but the first of them; 1 if nil.
    public var encoderDilations: [Int]?, decoderDilations: [Int]?
    /// Whether there is a decoder; the encoder's last map is the only one otherwise.
    public var hasDecoder = true

    /// The network of the paper.
    public init() {}
  }

  let inc: ConvBlock
  private let downs: [DownStep]
  let ups: [UpStep]
  /// The channels of each map, coarsest first.
  public let channels: [Int]
  /// The output stride of each map, coarsest first.
  public let strides: [Int]
  /// MMSegmentation's, which enlarges by `projected`, refuses images whose halves have odd sides, and its
  /// data preprocessor extends them; milesial's fits the maps of any image to each other.
  public let sideMultiple: Int

  /// A network for images of `inputChannels` channels.
  public init(_ configuration: Configuration = .init(), inputChannels: Int = 3) {
    let widths = configuration.widths
    let last = widths.count - 1
    // What bilinear enlargement does not narrow is made with half the channels.
    let halves = configuration.enlargement == .bilinear
    func width(_ level: Int) -> Int { halves && level > 0 ? widths[level] / 2 : widths[level] }
    func encode(_ input: Int, _ level: Int) -> ConvBlock {
      let output = level == last ? width(level) : widths[level]
      return ConvBlock(
        input, output, depth: configuration.encoderDepths?[level] ?? 2,
        dilation: configuration.encoderDilations?[level] ?? 1)
    }
    inc = encode(inputChannels, 0)
    downs = (1...last).map { DownStep(encode(widths[$0 - 1], $0)) }
    let levels = Array((0...last).reversed().prefix(configuration.hasDecoder ? last + 1 : 1))
    ups = levels.dropFirst().map { level in
      let joined = halves ? width(level + 1) + widths[level] : 2 * widths[level]
      return UpStep(
        configuration.enlargement, below: width(level + 1), beside: widths[level],
        ConvBlock(
          joined, width(level), middle: halves ? joined / 2 : nil,
          depth: configuration.decoderDepths?[level] ?? 2,
          dilation: configuration.decoderDilations?[level] ?? 1))
    }
    channels = levels.map(width)
    strides = levels.map { 1 << $0 }
    sideMultiple = configuration.enlargement == .projected ? 1 << last : 1
    super.init()
    Initialization.kaimingNormal(self)
  }

  public override var children: [(name: String, module: Module)] {
    [("inc", inc)] + downs.enumerated().map { ("down\($0 + 1)", $1) }
      + ups.enumerated().map { ("up\($0 + 1)", $1) }
  }

  /// The map of the whole network's depth and those on the way back up.
  public func features(_ x: Tensor) -> [Tensor] {
    var skips = [inc(x)]
    for down in downs { skips.append(down(skips[skips.count - 1])) }
    var maps = [skips.removeLast()]
    for up in ups { maps.append(up(maps[maps.count - 1], beside: skips.removeLast())) }
    return maps
  }

  /// The map of the image's size; every other is let go after its last use.
  public override func forward(_ x: Tensor) -> Tensor {
    var y = inc(x)
    var skips: [Tensor] = []
    for down in downs {
      skips.append(y)
      y = down(y)
    }
    for up in ups { y = up(y, beside: skips.removeLast()) }
    return y
  }

  /// That maps are fitted to each other, or images extended.
  public var oddSides: String? {
    sideMultiple == 1
      ? "maps of the decoder fitted to the encoder's by zeros on both sides"
      : "extended by the network to multiples of \(sideMultiple) by zeros at right and bottom"
  }

  /// The encoder, then each step of the decoder.
  public var stages: [[Module]] { [[inc] + downs] + ups.map { [$0] } }
}

/// The 3×3 convolutions at one size, two in the paper; the first is not dilated.
final class ConvBlock: Layer, RecomputableLayer {
  let doubleConv: ConvStack
  /// The channels that it takes.
  let inputs: Int

  init(_ input: Int, _ output: Int, middle: Int? = nil, depth: Int, dilation: Int) {
    inputs = input
    let widths = Array(repeating: middle ?? output, count: depth - 1) + [output]
    doubleConv = ConvStack(input, widths, dilation: dilation, firstDilation: 1)
  }

  override func forward(_ x: Tensor) -> Tensor { doubleConv(x) }
}

/// Halves the map.
final class DownStep: Layer {
  let conv: ConvBlock

  override var keys: [String: String] { ["conv": "maxpool_conv.1"] }

  init(_ conv: ConvBlock) { self.conv = conv }

  override func forward(_ x: Tensor) -> Tensor { conv(x.maxPool2d(2, stride: 2)) }
}

/// Doubles the map and joins the encoder's of that size.
final class UpStep: Layer {
  let up: Layer?
  let conv: ConvBlock
  private let enlargement: UNet.Enlargement

  init(_ enlargement: UNet.Enlargement, below: Int, beside: Int, _ conv: ConvBlock) {
    self.enlargement = enlargement
    self.conv = conv
    up =
      switch enlargement {
      case .transposed: ConvTranspose2d(below, beside, kernel: 2, stride: 2)
      case .bilinear: nil
      case .projected: ConvNorm(below, beside, kernel: 1)
      }
  }

  func callAsFunction(_ below: Tensor, beside: Tensor) -> Tensor {
    conv(concatenate([beside, larger(below, beside)]))
  }

  /// The map below at the size of that beside.
  private func larger(_ below: Tensor, _ beside: Tensor) -> Tensor {
    switch enlargement {
    case .transposed: fitted(up?(below) ?? below, beside)
    case .bilinear:
      fitted(
        below.resized(height: 2 * below.height, width: 2 * below.width, alignCorners: true),
        beside)
    case .projected: up?(below.resized(like: beside)) ?? below
    }
  }

  /// Odd sizes lose a row or a column on the way down: zeros take its place, the odd one at the end.
  private func fitted(_ x: Tensor, _ beside: Tensor) -> Tensor {
    let (rows, columns) = (beside.height - x.height, beside.width - x.width)
    return rows == 0 && columns == 0
      ? x : x.padded([columns / 2, columns - columns / 2, rows / 2, rows - rows / 2])
  }
}

extension UNet {
  /// `unet`.
  static let entries = [
    "unet": BackboneEntry(outputStrides: [1]) { options, section in
      var configuration = Configuration()
      configuration.widths = try section.ints(
        "widths", default: configuration.widths, in: 2...8192)
      let sizes = configuration.widths.count
      if !(2...16).contains(sizes) {
        throw section.invalid(
          "widths", "\(configuration.widths)", expected: "from two to sixteen numbers of channels")
      }
      let isBilinear = try section.bool("bilinear", default: false)
      configuration.enlargement = try section.choice(
        "enlargement", default: isBilinear ? .bilinear : .transposed)
      configuration.encoderDepths = try section.optionalInts(
        "encoderDepths", count: sizes, in: 1...64)
      configuration.decoderDepths = try section.optionalInts(
        "decoderDepths", count: sizes - 1, in: 1...64)
      configuration.encoderDilations = try section.optionalInts(
        "encoderDilations", count: sizes, in: 1...64)
      configuration.decoderDilations = try section.optionalInts(
        "decoderDilations", count: sizes - 1, in: 1...64)
      configuration.hasDecoder = try section.bool("decoder", default: true)
      return UNet(configuration, inputChannels: options.inputChannels)
    }
  ]
}
