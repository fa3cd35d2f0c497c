import Configuration
import Torch

/// The naive and the progressive decoder of SETR (Zheng et al., 2021, §3.3): the tokens normalized, a
/// few convolutions with an enlargement after each, and the classifier.
///
/// Paper 003 (§5.2) examines the naive one with an atrous pyramid; here it follows the normalization.
/// Names are those of MMSegmentation's `SETRUPHead`.
public final class SETR: Layer {
  /// What makes one decoder different from another.
  public struct Configuration: Sendable, Equatable {
    /// The number of convolutions, the side of their kernels, and their channels.
    public var convolutions = 1, kernel = 1, channels = 256
    /// How many times larger each of them leaves the map.
    public var factor = 4
    /// The atrous pyramid before the convolutions.
    public var pyramid: ASPP.Configuration?
    /// The share of elements that training drops before the classifier.
    public var dropout = 0.0
    /// Whether enlargements keep the corners' centres.
    public var alignCorners = false

    /// The naive decoder.
    public init() {}

    /// The progressive decoder.
    public static var progressive: Configuration {
      var configuration = Configuration()
      (configuration.convolutions, configuration.kernel, configuration.factor) = (4, 3, 2)
      return configuration
    }
  }

  let norm: LayerNorm
  let aspp: ASPP?
  let upConvs: [ConvNorm]
  let classifier: Conv2d
  private let dropout: Dropout
  private let configuration: Configuration

  // Numbered as in a sequence of a unit and its enlargement.
  public override var children: [(name: String, module: Module)] {
    let parts: [(String, Module?)] = [("norm", norm), ("aspp", aspp), ("dropout", dropout)]
    return parts.compactMap { name, part in part.map { (name, $0) } }
      + upConvs.enumerated().map { ("up_convs.\($0).0", $1) } + [("classifier", classifier)]
  }

  /// A decoder from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, _ configuration: Configuration = .init()) {
    let channels = configuration.channels
    let first = configuration.pyramid?.channels ?? input
    norm = LayerNorm(input, ofImages: true, eps: 1e-6)
    aspp = configuration.pyramid.map { ASPP(input, $0) }
    upConvs = (0..<configuration.convolutions).map {
      ConvNorm($0 == 0 ? first : channels, channels, kernel: configuration.kernel)
    }
    classifier = Conv2d(upConvs.isEmpty ? first : channels, classes)
    dropout = Dropout(configuration.dropout, ofChannels: true)
    self.configuration = configuration
    super.init()
    Initialization.normal(classifier, deviation: 0.01)
  }

  /// The scores (N, classes, H · factorⁿ, W · factorⁿ) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let tokens = norm(x)
    let map = upConvs.reduce(aspp?(tokens) ?? tokens) { map, conv in
      let y = conv(map)
      return y.resized(
        height: y.height * configuration.factor, width: y.width * configuration.factor,
        alignCorners: configuration.alignCorners)
    }
    return classifier(dropout(map))
  }
}

extension SETR: LastMapHead {
  /// `setr_naive`, `setr_pup`, and `setr_aspp` for the naive one with an atrous pyramid.
  static let entries = [
    "setr_naive": entry(.init()),
    "setr_pup": entry(.progressive),
    "setr_aspp": HeadEntry { input, section in
      var configuration = Configuration()
      configuration.pyramid = try .init(section, outputStride: input.strides.last ?? 16)
      configuration.alignCorners = input.alignCorners
      return SETR(input.last, classes: input.classes, configuration)
    },
  ]

  private static func entry(_ configuration: Configuration) -> HeadEntry {
    HeadEntry { input, section in
      var configuration = configuration
      configuration.channels = try section.int(
        "channels", default: configuration.channels, in: 1...8192)
      configuration.convolutions = try section.int(
        "convolutions", default: configuration.convolutions, in: 0...6)
      configuration.factor = try section.int("factor", default: configuration.factor, in: 1...8)
      configuration.kernel = try section.int("kernel", default: configuration.kernel, in: 1...3)
      if configuration.kernel == 2 { throw section.invalid("kernel", "2", expected: "1 or 3") }
      configuration.dropout = try section.double("dropout", default: 0, in: 0...0.99)
      configuration.alignCorners = input.alignCorners
      return SETR(input.last, classes: input.classes, configuration)
    }
  }
}
