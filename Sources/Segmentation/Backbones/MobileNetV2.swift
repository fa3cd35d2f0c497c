import Configuration
import Torch

/// A MobileNetV2 (Sandler et al., 2018), with the output stride set by dilation.
///
/// Names are those of torchvision's `mobilenet_v2.features`.
public final class MobileNetV2: MobileNetwork {
  /// The paper's Table 2: expansion, channels, repetitions, stride of the first.
  private static let table = [
    (t: 1, c: 16, n: 1, s: 1),
    (t: 6, c: 24, n: 2, s: 2),
    (t: 6, c: 32, n: 3, s: 2),
    (t: 6, c: 64, n: 4, s: 2),
    (t: 6, c: 96, n: 3, s: 1),
    (t: 6, c: 160, n: 3, s: 2),
    (t: 6, c: 320, n: 1, s: 1),
  ]

  /// What the network was made from.
  public let configuration: Configuration

  /// What makes one network different from another.
  public struct Configuration: Sendable, Equatable {
    /// What the channels of all layers are multiplied by, and what they are multiples of then.
    public var multiplier = 1.0, divisor = 8
    /// Whether the 1×1 convolution to the classifier's 1280 channels follows the last block.
    public var endsWithConvolution = true
    /// Where zeros stand.
    public var padding = MobileNetwork.Padding.symmetric
    /// Whether the first convolution has zeros around the image.
    public var padsStem = true
    /// Whether a block whose stride dilation replaces is dilated itself, rather than from the next on.
    public var dilatesStridedBlocks = false
    /// The dilation of each block, where it is not what the output stride asks for.
    public var dilations: [Int]?
    /// What normalizations add to the variance.
    public var eps = 1e-5

    /// The paper's network.
    public init() {}
  }

  /// The convolutional part of a MobileNetV2.
  ///
  /// - Parameters:
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 8, 16 or 32.
  ///   - cut: How many of the five resolutions to keep.
  ///   - inputChannels: The channels of the image.
  public init(
    _ configuration: Configuration = .init(), outputStride: Int = 32, cut: Int? = nil,
    inputChannels: Int = 3
  ) {
    self.configuration = configuration
    func channels(_ count: Int) -> Int {
      roundedToEight(
        (Double(count) * configuration.multiplier).rounded(), or: configuration.divisor)
    }
    let stem = channels(32)
    var input = stem
    var rows: [InvertedResidual.Row] = []
    for (t, c, n, s) in Self.table {
      for index in 0..<n {
        rows.append(
          .init(expanded: t * input, output: channels(c), stride: index == 0 ? s : 1))
        input = channels(c)
      }
    }
    var plan = Plan(
      stem: stem, last: configuration.multiplier > 1 ? channels(1280) : 1280, rows: rows,
      activation: .relu6, names: .ofMobileNetV2, eps: configuration.eps)
    plan.padding = configuration.padding
    plan.padsStem = configuration.padsStem
    plan.endsWithConvolution = configuration.endsWithConvolution
    plan.dilatesStridedBlocks = configuration.dilatesStridedBlocks
    plan.dilations = configuration.dilations
    super.init(plan, outputStride: outputStride, cut: cut, inputChannels: inputChannels)
  }
}

extension MobileNetV2 {
  /// `mobilenet_v2`.
  static let entries = [
    "mobilenet_v2": BackboneEntry { options, section in
      var configuration = Configuration()
      configuration.multiplier = try section.double("channelMultiplier", default: 1, in: 0.05...8)
      configuration.divisor = try section.int("channelDivisor", default: 8, in: 1...64)
      configuration.endsWithConvolution = try section.bool("lastConvolution", default: true)
      configuration.padding = try section.choice("padding", default: .symmetric)
      configuration.padsStem = try section.bool("stemPadding", default: true)
      configuration.dilatesStridedBlocks = !(try section.bool("contractDilation", default: true))
      configuration.dilations = try section.optionalInts("blockDilations", in: 1...64)
      let blocks = table.reduce(0) { $0 + $1.n }
      if let given = configuration.dilations, given.count != blocks {
        throw section.invalid(
          "blockDilations", "\(given)", expected: "\(blocks) numbers, one for each block")
      }
      configuration.eps = try section.double("eps", default: 1e-5, in: 0...1)
      return MobileNetV2(
        configuration, outputStride: options.outputStride,
        cut: try section.optionalInt("cut", in: 1...5), inputChannels: options.inputChannels)
    }
  ]
}
