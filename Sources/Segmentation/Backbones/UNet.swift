import Configuration
import Torch

/// A U-Net (Ronneberger et al., 2015) without its classifier: an encoder that halves the map four
/// times, and a decoder that doubles it again and joins what the encoder had at each size.
///
/// Names are those of milesial's Pytorch-UNet. The maps are the encoder's last and what each step of
/// the decoder gives: the coarsest first, so that heads see the one of the image's size.
public final class UNet: Layer, Backbone {
  /// What makes one U-Net different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels at each size, the image's first.
    public var widths = [64, 128, 256, 512, 1024]
    /// Whether maps are enlarged bilinearly rather than by transposed convolutions.
    public var isBilinear = false

    /// The network of the paper.
    public init() {}
  }

  let inc: DoubleConv
  private let downs: [DownStep]
  private let ups: [UpStep]
  /// The channels of each map, coarsest first.
  public let channels: [Int]
  /// The output stride of each map, coarsest first.
  public let strides: [Int]

  /// A network for images of `inputChannels` channels.
  public init(_ configuration: Configuration = .init(), inputChannels: Int = 3) {
    let widths = configuration.widths
    let last = widths.count - 1
    let isBilinear = configuration.isBilinear
    // Without transposed convolutions the next smaller map's channels are halved where it is made.
    func width(_ level: Int) -> Int { isBilinear && level > 0 ? widths[level] / 2 : widths[level] }
    inc = DoubleConv(inputChannels, widths[0])
    downs = (0..<last).map { level in
      DownStep(widths[level], level + 1 == last ? width(last) : widths[level + 1])
    }
    ups = (0..<last).reversed().map { level in
      UpStep(
        below: width(level + 1), beside: widths[level], width(level), isBilinear: isBilinear)
    }
    channels = (0...last).reversed().map(width)
    strides = (0...last).reversed().map { 1 << $0 }
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

  /// The map of the image's size.
  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The encoder, then each step of the decoder.
  public var stages: [[Module]] { [[inc] + downs] + ups.map { [$0] } }
}

/// Two 3×3 convolutions.
final class DoubleConv: Layer {
  let conv1: Conv2d, norm1: BatchNorm2d
  let conv2: Conv2d, norm2: BatchNorm2d

  override var keys: [String: String] {
    [
      "conv1": "double_conv.0", "norm1": "double_conv.1",
      "conv2": "double_conv.3", "norm2": "double_conv.4",
    ]
  }

  init(_ input: Int, _ output: Int, middle: Int? = nil) {
    let middle = middle ?? output
    conv1 = Conv2d(input, middle, kernel: 3, bias: false)
    norm1 = BatchNorm2d(middle)
    conv2 = Conv2d(middle, output, kernel: 3, bias: false)
    norm2 = BatchNorm2d(output)
  }

  override func forward(_ x: Tensor) -> Tensor { conv2(conv1(x, norm1, .relu), norm2, .relu) }
}

/// Halves the map.
private final class DownStep: Layer {
  let conv: DoubleConv

  override var keys: [String: String] { ["conv": "maxpool_conv.1"] }

  init(_ input: Int, _ output: Int) { conv = DoubleConv(input, output) }

  override func forward(_ x: Tensor) -> Tensor { conv(x.maxPool2d(2, stride: 2)) }
}

/// Doubles the map and joins the encoder's of that size.
private final class UpStep: Layer {
  let up: ConvTranspose2d?
  let conv: DoubleConv

  init(below: Int, beside: Int, _ output: Int, isBilinear: Bool) {
    up = isBilinear ? nil : ConvTranspose2d(below, beside, kernel: 2, stride: 2)
    let joined = isBilinear ? below + beside : 2 * beside
    conv = DoubleConv(joined, output, middle: isBilinear ? joined / 2 : output)
  }

  func callAsFunction(_ below: Tensor, beside: Tensor) -> Tensor {
    let larger =
      up?(below)
      ?? below.resized(height: 2 * below.height, width: 2 * below.width, alignCorners: true)
    // Odd sizes lose a row or a column on the way down.
    let (rows, columns) = (beside.height - larger.height, beside.width - larger.width)
    let fitted =
      rows == 0 && columns == 0
      ? larger : larger.padded([columns / 2, columns - columns / 2, rows / 2, rows - rows / 2])
    return conv(concatenate([beside, fitted]))
  }
}

extension UNet {
  /// `unet`.
  static let entries = [
    "unet": BackboneEntry(outputStrides: [1]) { options, section in
      var configuration = Configuration()
      configuration.widths = try section.ints(
        "widths", default: configuration.widths, in: 2...8192)
      configuration.isBilinear = try section.bool("bilinear", default: false)
      if configuration.widths.count < 2 {
        throw section.invalid(
          "widths", "\(configuration.widths)", expected: "at least two numbers of channels")
      }
      return UNet(configuration, inputChannels: options.inputChannels)
    }
  ]
}
