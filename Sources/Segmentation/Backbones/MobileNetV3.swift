import Configuration
import Torch

/// A MobileNetV3 (Howard et al., 2019), with the output stride set by dilation.
///
/// Names are those of torchvision's `mobilenet_v3_*.features`. A block that would pass the output
/// stride dilates its own depthwise convolution, as torchvision does.
public final class MobileNetV3: MobileNetwork {
  /// The paper's two networks.
  public enum Variant: String, Sendable, CaseIterable {
    case large = "mobilenet_v3_large"
    case small = "mobilenet_v3_small"

    fileprivate var rows: [InvertedResidual.Row] {
      self == .large ? Self.largeRows : Self.smallRows
    }

    /// The paper's Table 1: kernel, expansion, channels, squeeze, activation, stride.
    private static let largeRows = [
      row(3, 16, 16, false, .relu, 1),
      row(3, 64, 24, false, .relu, 2), row(3, 72, 24, false, .relu, 1),
      row(5, 72, 40, true, .relu, 2), row(5, 120, 40, true, .relu, 1),
      row(5, 120, 40, true, .relu, 1),
      row(3, 240, 80, false, .hardswish, 2), row(3, 200, 80, false, .hardswish, 1),
      row(3, 184, 80, false, .hardswish, 1), row(3, 184, 80, false, .hardswish, 1),
      row(3, 480, 112, true, .hardswish, 1), row(3, 672, 112, true, .hardswish, 1),
      row(5, 672, 160, true, .hardswish, 2), row(5, 960, 160, true, .hardswish, 1),
      row(5, 960, 160, true, .hardswish, 1),
    ]
    /// The paper's Table 2.
    private static let smallRows = [
      row(3, 16, 16, true, .relu, 2),
      row(3, 72, 24, false, .relu, 2), row(3, 88, 24, false, .relu, 1),
      row(5, 96, 40, true, .hardswish, 2), row(5, 240, 40, true, .hardswish, 1),
      row(5, 240, 40, true, .hardswish, 1), row(5, 120, 48, true, .hardswish, 1),
      row(5, 144, 48, true, .hardswish, 1),
      row(5, 288, 96, true, .hardswish, 2), row(5, 576, 96, true, .hardswish, 1),
      row(5, 576, 96, true, .hardswish, 1),
    ]

    private static func row(
      _ k: Int, _ exp: Int, _ out: Int, _ se: Bool, _ nl: Activation, _ s: Int
    ) -> InvertedResidual.Row {
      .init(kernel: k, expanded: exp, output: out, squeezes: se, activation: nl, stride: s)
    }
  }

  /// What normalizations add to variances.
  public let eps: Double

  /// The convolutional part of a MobileNetV3.
  ///
  /// - Parameters:
  ///   - variant: The large or the small one.
  ///   - outputStride: 8, 16 or 32.
  ///   - cut: How many of the five resolutions to keep.
  ///   - inputChannels: The channels of the image.
  ///   - eps: What normalizations add to variances: 1e-3 in torchvision and TensorFlow, 1e-5 in timm.
  public init(
    _ variant: Variant = .large, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3,
    eps: Double = 1e-3
  ) {
    self.eps = eps
    let rows = variant.rows
    super.init(
      Plan(
        stem: 16, last: 6 * (rows.last?.output ?? 0), rows: rows, activation: .hardswish,
        names: .ofMobileNetV3, eps: eps, momentum: 0.01, dilatesStridedBlocks: true,
        tapsAfterStride: true),
      outputStride: outputStride, cut: cut, inputChannels: inputChannels)
  }
}

extension MobileNetV3 {
  /// `mobilenet_v3_large` and `mobilenet_v3_small`.
  static let entries: [String: BackboneEntry] = Dictionary(
    uniqueKeysWithValues: Variant.allCases.map { variant in
      let entry = BackboneEntry { options, section in
        MobileNetV3(
          variant, outputStride: options.outputStride,
          cut: try section.optionalInt("cut", in: 1...5), inputChannels: options.inputChannels,
          eps: try section.double("eps", default: 1e-3, in: 0...1))
      }
      return (variant.rawValue, entry)
    })
}
