import Configuration
import Torch

/// An EfficientNet (Tan and Le, 2019), with the output stride set by dilation.
///
/// The layers are numbered as those of torchvision's MobileNets, without its EfficientNets' stages.
public final class EfficientNet: MobileNetwork {
  /// The paper's networks.
  public enum Variant: Int, Sendable, CaseIterable {
    case b0, b1, b2, b3, b4, b5, b6, b7

    /// torchvision's name.
    package var name: String { "efficientnet_b\(rawValue)" }

    /// The factors of width and depth, and the side of the image.
    fileprivate var scaling: (width: Double, depth: Double, side: Int) {
      switch self {
      case .b0: (1.0, 1.0, 224)
      case .b1: (1.0, 1.1, 240)
      case .b2: (1.1, 1.2, 260)
      case .b3: (1.2, 1.4, 300)
      case .b4: (1.4, 1.8, 380)
      case .b5: (1.6, 2.2, 456)
      case .b6: (1.8, 2.6, 528)
      case .b7: (2.0, 3.1, 600)
      }
    }

    /// The share of features that training drops before classifying.
    var dropout: Double { rawValue < 2 ? 0.2 : rawValue < 4 ? 0.3 : rawValue < 6 ? 0.4 : 0.5 }

    /// What torchvision's normalizations add to the variance.
    fileprivate var eps: Double { rawValue < 5 ? 1e-5 : 1e-3 }
  }

  /// What makes one network different from another of its variant.
  public struct Configuration: Sendable, Equatable {
    /// Where zeros stand.
    public var padding = Padding.symmetric
    /// What normalizations add to the variance; torchvision's if nil.
    public var eps: Double?
    /// Whether the 1×1 convolution to the classifier's channels follows the last block.
    public var endsWithConvolution = true
    /// Whether a block whose stride dilation replaces is dilated itself, rather than from the next on.
    public var dilatesStridedBlocks = false
    /// Whether maps are those that segmentation_models.pytorch takes: the first is the stem's rather than the
    /// first block's, and B0's of stride 16 the first block's of its size rather than the last one's.
    public var tapsStem = false
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate = 0.2

    /// torchvision's network.
    public init() {}
  }

  /// Where zeros stand around maps.
  public enum Padding: String, Sendable, CaseIterable {
    /// On all sides (torchvision, timm's own).
    case symmetric
    /// As TensorFlow puts them, by the size of each map (timm's `tf_efficientnet`).
    case tensorflow
    /// As TensorFlow would put them for images of the variant's size, but on all sides where convolutions are
    /// dilated (segmentation_models.pytorch).
    case fixed
  }

  /// The numbers of blocks of B0: the last of 40 channels, and the first of 112.
  private static let lastOf40 = 4, firstOf112 = 8

  /// What the network was made from.
  public let configuration: Configuration
  /// What normalizations add to the variance.
  public let eps: Double
  /// The channels of the 1×1 convolution after the last block, where there is one.
  public let classifierChannels: Int

  /// The convolutional part of an EfficientNet.
  ///
  /// - Parameters:
  ///   - variant: Which of B0 to B7.
  ///   - configuration: The sizes and forms of the network.
  ///   - outputStride: 8, 16 or 32.
  ///   - cut: How many of the five resolutions to keep.
  ///   - inputChannels: The channels of the image.
  public init(
    _ variant: Variant, _ configuration: Configuration = .init(), outputStride: Int = 32,
    cut: Int? = nil, inputChannels: Int = 3
  ) {
    self.configuration = configuration
    eps = configuration.eps ?? variant.eps
    let (width, depth, side) = variant.scaling
    classifierChannels = roundedToEight(width * 1280)
    let stem = roundedToEight(width * 32)
    var input = stem
    var rows: [InvertedResidual.Row] = []
    for (r, k, s, e, c) in EfficientNetLite.table {
      let output = roundedToEight(width * Double(c))
      for block in 0..<Int((depth * Double(r)).rounded(.up)) {
        rows.append(
          .init(
            kernel: k, expanded: e * input, output: output, squeezes: true, squeezed: input / 4,
            activation: .silu, stride: block == 0 ? s : 1))
        input = output
      }
    }
    let count = Double(rows.count)
    for index in rows.indices {
      rows[index].dropRate = configuration.dropRate * Double(index) / count
    }
    var plan = Plan(
      stem: stem, last: classifierChannels, rows: rows, activation: .silu,
      names: .ofMobileNetV3, eps: eps)
    plan.dilatesStridedBlocks = configuration.dilatesStridedBlocks
    plan.endsWithConvolution = configuration.endsWithConvolution
    plan.tapsStem = configuration.tapsStem
    if variant == .b0, configuration.tapsStem, configuration.padding == .fixed {
      // There the map of stride 16 is the first block's of its channels, and what comes after counts as the
      // last stage, whose dilation it has.
      plan.taps = [3: Self.firstOf112]
      let last = 32 / outputStride
      if last > 1, configuration.dilatesStridedBlocks {
        plan.dilations = rows.indices.map { index in
          index > Self.firstOf112 ? last : index > Self.lastOf40 ? max(1, 16 / outputStride) : 1
        }
      }
    }
    switch configuration.padding {
    case .symmetric: break
    case .tensorflow: plan.padding = .tensorflow
    case .fixed:
      plan.nominalSide = side
      plan.padsDilatedEvenly = true
    }
    super.init(plan, outputStride: outputStride, cut: cut, inputChannels: inputChannels)
  }
}

extension EfficientNet {
  /// `efficientnet_b0` to `efficientnet_b7`.
  static let entries: [String: BackboneEntry] = Dictionary(
    uniqueKeysWithValues: Variant.allCases.map { variant in
      let entry = BackboneEntry { options, section in
        var configuration = Configuration()
        configuration.padding = try section.choice("padding", default: .symmetric)
        configuration.eps = try section.optionalDouble("eps", in: 0...1)
        configuration.endsWithConvolution = try section.bool("lastConvolution", default: true)
        configuration.dilatesStridedBlocks = !(try section.bool("contractDilation", default: true))
        configuration.tapsStem = try section.bool("stemMap", default: false)
        configuration.dropRate = try section.double("dropRate", default: 0.2, in: 0...0.99)
        return EfficientNet(
          variant, configuration, outputStride: options.outputStride,
          cut: try section.optionalInt("cut", in: 1...5), inputChannels: options.inputChannels)
      }
      return (variant.name, entry)
    })
}
