import Torch

/// A MobileNetV3 (Howard et al., 2019), with the output stride set by dilation.
///
/// Names are those of torchvision's `mobilenet_v3_*.features`. A block that would pass the output
/// stride dilates its own depthwise convolution, as torchvision does.
public final class MobileNetV3: Sequential, Backbone {
  /// One row of the paper's Tables 1 and 2.
  struct Row {
    let kernel, expanded, output: Int
    let squeezes: Bool
    let activation: Activation
    let stride: Int

    init(_ k: Int, _ exp: Int, _ out: Int, _ se: Bool, _ nl: Activation, _ s: Int) {
      (kernel, expanded, output, squeezes, activation, stride) = (k, exp, out, se, nl, s)
    }
  }

  /// The paper's two networks.
  public enum Variant: String, Sendable, CaseIterable {
    case large = "mobilenet_v3_large"
    case small = "mobilenet_v3_small"

    var rows: [Row] { self == .large ? Self.largeRows : Self.smallRows }

    private static let largeRows = [
      Row(3, 16, 16, false, .relu, 1),
      Row(3, 64, 24, false, .relu, 2), Row(3, 72, 24, false, .relu, 1),
      Row(5, 72, 40, true, .relu, 2), Row(5, 120, 40, true, .relu, 1),
      Row(5, 120, 40, true, .relu, 1),
      Row(3, 240, 80, false, .hardswish, 2), Row(3, 200, 80, false, .hardswish, 1),
      Row(3, 184, 80, false, .hardswish, 1), Row(3, 184, 80, false, .hardswish, 1),
      Row(3, 480, 112, true, .hardswish, 1), Row(3, 672, 112, true, .hardswish, 1),
      Row(5, 672, 160, true, .hardswish, 2), Row(5, 960, 160, true, .hardswish, 1),
      Row(5, 960, 160, true, .hardswish, 1),
    ]
    private static let smallRows = [
      Row(3, 16, 16, true, .relu, 2),
      Row(3, 72, 24, false, .relu, 2), Row(3, 88, 24, false, .relu, 1),
      Row(5, 96, 40, true, .hardswish, 2), Row(5, 240, 40, true, .hardswish, 1),
      Row(5, 240, 40, true, .hardswish, 1), Row(5, 120, 48, true, .hardswish, 1),
      Row(5, 144, 48, true, .hardswish, 1),
      Row(5, 288, 96, true, .hardswish, 2), Row(5, 576, 96, true, .hardswish, 1),
      Row(5, 576, 96, true, .hardswish, 1),
    ]
  }

  /// The channels of each feature map, finest first.
  public let channels: [Int]
  /// The output stride of each feature map, finest first.
  public let strides: [Int]
  private let ends: [Int]

  /// The convolutional part of a MobileNetV3.
  ///
  /// - Parameters:
  ///   - outputStride: 8, 16 or 32.
  ///   - inputChannels: the channels of the image.
  public init(_ variant: Variant = .large, outputStride: Int = 32, inputChannels: Int = 3) {
    let rows = variant.rows
    var dilator = Dilator(limit: outputStride, stride: 2)
    var input = 16
    var layers: [Layer] = [
      ConvNorm(inputChannels, input, stride: 2, eps: 1e-3, momentum: 0.01, .hardswish)
    ]
    var widths = [input], reached = [2]
    for row in rows {
      let (stride, dilation) = dilator.next(row.stride)
      layers.append(MobileBlock(input, row, stride: stride, dilation: dilation))
      input = row.output
      widths.append(input)
      reached.append(dilator.stride)
    }
    layers.append(
      ConvNorm(input, 6 * input, kernel: 1, eps: 1e-3, momentum: 0.01, .hardswish))
    widths.append(6 * input)
    reached.append(dilator.stride)
    // The maps just before each stride, and the last one.
    ends =
      rows.indices.filter { rows[$0].stride == 2 && (variant == .large || $0 > 0) }
      + [layers.count - 1]
    channels = ends.map { widths[$0] }
    strides = ends.map { reached[$0] }
    super.init()
    for layer in layers { append(layer) }
    Initialization.kaimingNormal(self, fanOut: true)
  }

  /// The maps just before each stride, and the last one.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = x
    return (0..<count).compactMap { index in
      x = self[index](x)
      return ends.contains(index) ? x : nil
    }
  }

  /// The layers up to each map.
  public var stages: [[Module]] {
    zip([-1] + ends, ends).map { before, end in layers[before + 1...end].map(\.layer) }
  }
}

/// An inverted residual: expansion, depthwise convolution, squeeze and excitation, projection.
final class MobileBlock: Layer {
  let block: Sequential
  private let adds: Bool

  init(_ input: Int, _ row: MobileNetV3.Row, stride: Int, dilation: Int) {
    block = Sequential {
      if row.expanded != input {
        ConvNorm(
          input, row.expanded, kernel: 1, eps: 1e-3, momentum: 0.01, row.activation)
      }
      ConvNorm(
        row.expanded, row.expanded, kernel: row.kernel, stride: stride, dilation: dilation,
        groups: row.expanded, eps: 1e-3, momentum: 0.01, row.activation)
      if row.squeezes { SqueezeExcitation(row.expanded) }
      ConvNorm(row.expanded, row.output, kernel: 1, eps: 1e-3, momentum: 0.01, .none)
    }
    // The shortcut is the original network's: a dilated block keeps having none.
    adds = row.stride == 1 && input == row.output
  }

  override func forward(_ x: Tensor) -> Tensor { adds ? block(x) + x : block(x) }
}

/// Scales each channel by what the whole image says of it (Hu et al., 2018).
final class SqueezeExcitation: Layer {
  let fc1: Conv2d, fc2: Conv2d

  init(_ channels: Int) {
    let squeezed = roundedToEight(channels / 4)
    fc1 = Conv2d(channels, squeezed)
    fc2 = Conv2d(squeezed, channels)
  }

  override func forward(_ x: Tensor) -> Tensor {
    fc2(fc1(x.globalAvgPool2d(), nil, .relu)).hardsigmoid() * x
  }
}

/// `channels` as a multiple of eight that keeps nine tenths of them.
func roundedToEight(_ channels: Int) -> Int {
  let rounded = max(8, (channels + 4) / 8 * 8)
  return 10 * rounded < 9 * channels ? rounded + 8 : rounded
}

extension MobileNetV3 {
  /// `mobilenet_v3_large` and `mobilenet_v3_small`.
  static let entries: [String: BackboneEntry] = Dictionary(
    uniqueKeysWithValues: Variant.allCases.map { variant in
      let entry = BackboneEntry { options, _ in
        MobileNetV3(
          variant, outputStride: options.outputStride, inputChannels: options.inputChannels)
      }
      return (variant.rawValue, entry)
    })
}
