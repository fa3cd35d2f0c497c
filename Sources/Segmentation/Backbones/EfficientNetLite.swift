import Configuration
import Torch

/// An EfficientNet-Lite: an EfficientNet (Tan and Le, 2019) without squeeze and excitation, with
/// ReLU6, and with a stem and a last convolution of fixed width.
///
/// The layers are numbered as those of torchvision's MobileNets; ``NamingConvention/efficientNetPyTorch``
/// gives the names of the published files. Zeros are padded as in TensorFlow, fixed by the image size
/// of the variant as the PyTorch port does.
public final class EfficientNetLite: MobileNetwork {
  /// The published networks.
  public enum Variant: String, Sendable, CaseIterable {
    case lite0 = "efficientnet_lite0"
    case lite1 = "efficientnet_lite1"
    case lite2 = "efficientnet_lite2"
    case lite3 = "efficientnet_lite3"
    case lite4 = "efficientnet_lite4"

    /// The factors of width and depth, the side of the image and the classifier's dropout.
    fileprivate var scaling: (width: Double, depth: Double, side: Int, dropout: Double) {
      switch self {
      case .lite0: (1.0, 1.0, 224, 0.2)
      case .lite1: (1.0, 1.1, 240, 0.2)
      case .lite2: (1.1, 1.2, 260, 0.3)
      case .lite3: (1.2, 1.4, 280, 0.3)
      case .lite4: (1.4, 1.8, 300, 0.3)
      }
    }

    /// The share of features that training drops before classifying.
    var dropout: Double { scaling.dropout }
  }

  /// The paper's Table 1: repetitions, kernel, stride of the first, expansion, channels.
  static let table = [
    (r: 1, k: 3, s: 1, e: 1, c: 16),
    (r: 2, k: 3, s: 2, e: 6, c: 24),
    (r: 2, k: 5, s: 2, e: 6, c: 40),
    (r: 3, k: 3, s: 2, e: 6, c: 80),
    (r: 3, k: 5, s: 1, e: 6, c: 112),
    (r: 4, k: 5, s: 2, e: 6, c: 192),
    (r: 1, k: 3, s: 1, e: 6, c: 320),
  ]

  /// The convolutional part of an EfficientNet-Lite.
  ///
  /// - Parameters:
  ///   - variant: Which of Lite0 to Lite4.
  ///   - outputStride: 8, 16 or 32.
  ///   - cut: How many of the five resolutions to keep.
  ///   - inputChannels: The channels of the image.
  ///   - endsWithConvolution: Whether the last map is that of the 1×1 convolution after the blocks.
  public init(
    _ variant: Variant, outputStride: Int = 32, cut: Int? = nil, inputChannels: Int = 3,
    endsWithConvolution: Bool = true
  ) {
    let (width, depth, side, _) = variant.scaling
    var input = 32
    var rows: [InvertedResidual.Row] = []
    for (index, (r, k, s, e, c)) in Self.table.enumerated() {
      let isFixed = index == 0 || index == Self.table.count - 1
      let repeats = isFixed ? r : Int((depth * Double(r)).rounded(.up))
      let output = roundedToEight(width * Double(c))
      for block in 0..<repeats {
        rows.append(
          .init(kernel: k, expanded: e * input, output: output, stride: block == 0 ? s : 1))
        input = output
      }
    }
    for index in rows.indices { rows[index].dropRate = 0.2 * Double(index) / Double(rows.count) }
    var plan = Plan(
      stem: 32, last: 1280, rows: rows, activation: .relu6, names: .ofMobileNetV3, eps: 1e-3,
      momentum: 0.01, nominalSide: side)
    plan.endsWithConvolution = endsWithConvolution
    super.init(
      plan, outputStride: outputStride, cut: cut, inputChannels: inputChannels)
  }
}

extension EfficientNetLite {
  /// `efficientnet_lite0` to `efficientnet_lite4`.
  static let entries: [String: BackboneEntry] = Dictionary(
    uniqueKeysWithValues: Variant.allCases.map { variant in
      let entry = BackboneEntry { options, section in
        EfficientNetLite(
          variant, outputStride: options.outputStride,
          cut: try section.optionalInt("cut", in: 1...5), inputChannels: options.inputChannels,
          endsWithConvolution: try section.bool("lastConvolution", default: true))
      }
      return (variant.rawValue, entry)
    })
}
