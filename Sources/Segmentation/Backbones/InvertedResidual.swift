import Torch

/// An inverted residual (Sandler et al., 2018): a 1×1 convolution that expands, a depthwise one, a
/// squeeze and excitation where asked for, and a 1×1 convolution back to few channels.
final class InvertedResidual: Layer, RecomputableLayer {
  /// What makes one block different from another: a row of the papers' tables.
  struct Row {
    var kernel = 3
    /// The channels of the depthwise convolution.
    let expanded: Int
    let output: Int
    var squeezes = false
    /// The channels within squeeze and excitation; a quarter of the depthwise convolution's if nil, as in
    /// MobileNetV3, whose activations it has then.
    var squeezed: Int?
    var activation = Activation.relu6
    /// The stride of the original network, which dilation may take the place of.
    var stride = 1
    /// The share of images for which training leaves the block out.
    var dropRate = 0.0
  }

  /// How the depthwise convolution scans the map.
  struct Scan {
    var stride = 1, dilation = 1
    /// The zeros before the map and those that the end gets beyond that; nil for as many on each
    /// side as keep the size.
    var padding: (start: Int, extra: Int)?
    /// Whether a stride has the padding that follows the size of the map.
    var padsBySize = false
    /// Whether the zeros stand around the block's input, before what expands it.
    var padsBlock = false
  }

  /// Where torchvision's names put the parts.
  enum Names { case ofMobileNetV2, ofMobileNetV3 }

  let expand: ConvNorm?, depthwise: ConvNorm
  let squeeze: SqueezeExcitation?
  let project: Conv2d, norm: BatchNorm2d
  private let depth: StochasticDepth
  private let adds: Bool
  /// The zeros around the block's input.
  private let ring: Int
  private let names: Names

  init(
    _ input: Int, _ row: Row, _ scan: Scan, names: Names, eps: Double = 1e-5,
    momentum: Double = 0.1
  ) {
    let width = row.expanded
    expand =
      width == input
      ? nil : ConvNorm(input, width, kernel: 1, eps: eps, momentum: momentum, row.activation)
    ring = scan.padsBlock ? scan.dilation * (row.kernel - 1) / 2 : 0
    depthwise = ConvNorm(
      width, width, kernel: row.kernel, stride: scan.stride,
      padding: scan.padsBlock ? 0 : scan.padding?.start, endPadding: scan.padding?.extra ?? 0,
      padsBySize: scan.padsBySize, dilation: scan.dilation, groups: width, eps: eps,
      momentum: momentum, row.activation)
    squeeze = row.squeezes ? SqueezeExcitation(width, squeezed: row.squeezed) : nil
    project = Conv2d(width, row.output, bias: false)
    norm = BatchNorm2d(row.output, eps: eps, momentum: momentum)
    depth = StochasticDepth(row.dropRate)
    // The shortcut is the original network's: a dilated block keeps having none.
    adds = row.stride == 1 && input == row.output
    self.names = names
  }

  override var keys: [String: String] {
    let parts = ["expand": expand as Layer?, "depthwise": depthwise, "squeeze": squeeze]
    var keys: [String: String] = [:]
    var number = 0
    let sequence = names == .ofMobileNetV2 ? "conv" : "block"
    for name in ["expand", "depthwise", "squeeze"] where parts[name] ?? nil != nil {
      keys[name] = "\(sequence).\(number)"
      number += 1
    }
    switch names {
    case .ofMobileNetV2: (keys["project"], keys["norm"]) = ("conv.\(number)", "conv.\(number + 1)")
    case .ofMobileNetV3:
      (keys["project"], keys["norm"]) = ("block.\(number).0", "block.\(number).1")
    }
    return keys
  }

  override func forward(_ x: Tensor) -> Tensor {
    let input = ring == 0 ? x : x.padded([ring, ring, ring, ring])
    var y = depthwise(expand?(input) ?? input)
    // Where nothing is left out, the sum is part of the convolution.
    guard isTraining else { return project(y, scaledBy: squeeze?(y), norm, adding: adds ? x : nil) }
    y = project(y, scaledBy: squeeze?(y), norm)
    return adds ? depth(y) + x : y
  }
}

/// What the whole image says of each channel, the factor (N, C, 1, 1) by which it is scaled (Hu et al.,
/// 2018).
final class SqueezeExcitation: Layer {
  let fc1: Conv2d, fc2: Conv2d
  private let activation: Activation, gate: Activation

  /// Squeezes to a quarter of the channels, with MobileNetV3's activations; or to so many with
  /// EfficientNet's, or with another `activation` in the place of its first.
  init(_ channels: Int, squeezed given: Int? = nil, _ own: Activation = .silu) {
    let squeezed = given ?? roundedToEight(Double(channels / 4))
    (activation, gate) = given == nil ? (.relu, .hardsigmoid) : (own, .sigmoid)
    fc1 = Conv2d(channels, squeezed)
    fc2 = Conv2d(squeezed, channels)
  }

  override func forward(_ x: Tensor) -> Tensor {
    fc2(fc1(x.globalAvgPool2d(), nil, activation), nil, gate)
  }
}

/// `channels` as a multiple of eight, or of another number, that keeps nine tenths of them.
func roundedToEight(_ channels: Double, or divisor: Int = 8) -> Int {
  let rounded = max(divisor, Int(channels + Double(divisor) / 2) / divisor * divisor)
  return Double(rounded) < 0.9 * channels ? rounded + divisor : rounded
}
