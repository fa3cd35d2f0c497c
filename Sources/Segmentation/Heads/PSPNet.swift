import Configuration
import Torch

/// The head of PSPNet (Zhao et al., 2017): pyramid pooling, a 3×3 convolution and the classifier.
///
/// Names are those of MMSegmentation's `PSPHead`.
public final class PSPNet: Layer, LastMapHead {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels before the classifier.
    public var channels = 512
    /// The channels of each level of the pyramid; as many as before the classifier if nil.
    public var poolChannels: Int?
    /// The numbers of regions along a side.
    public var scales = [1, 2, 3, 6]
    /// Whether the level of one region has a normalization rather than a bias.
    public var normalizesMean = true
    /// Whether the levels stand before the features that they are joined with.
    public var poolsFirst = false
    /// The kernels of the convolution that joins them and of the classifier: 1 or 3.
    public var projection = 3, classifierKernel = 1
    /// The share of channels that training drops before the classifier.
    public var dropout = 0.1

    /// MMSegmentation's head.
    public init() {}
  }

  let pspModules: PyramidPooling
  let bottleneck: ConvNorm
  let classifier: Conv2d
  private let dropout: Dropout

  /// A head from `input` channels to `classes` scores.
  public init(
    _ input: Int, classes: Int, _ configuration: Configuration = .init(),
    alignCorners: Bool = false
  ) {
    let channels = configuration.channels
    pspModules = PyramidPooling(
      input, channels: configuration.poolChannels ?? channels, scales: configuration.scales,
      normalizesMean: configuration.normalizesMean, poolsFirst: configuration.poolsFirst,
      alignCorners: alignCorners)
    bottleneck = ConvNorm(pspModules.outputs, channels, kernel: configuration.projection)
    classifier = Conv2d(channels, classes, kernel: configuration.classifierKernel)
    dropout = Dropout(configuration.dropout, ofChannels: true)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    classifier(dropout(bottleneck(pspModules(x))))
  }

  /// `pspnet`.
  static let entries = [
    "pspnet": HeadEntry { input, section in
      var configuration = Configuration()
      configuration.channels = try section.int("channels", default: 512, in: 1...8192)
      configuration.poolChannels = try section.optionalInt("poolChannels", in: 1...8192)
      configuration.scales = try section.regionCounts("scales", default: [1, 2, 3, 6])
      configuration.normalizesMean = try section.bool("normalizeMean", default: true)
      configuration.poolsFirst = try section.bool("poolFirst", default: false)
      configuration.projection = try section.smallKernel("projection", default: 3)
      configuration.classifierKernel = try section.smallKernel("classifierKernel", default: 1)
      configuration.dropout = try section.double("dropout", default: 0.1, in: 0...0.99)
      return PSPNet(
        input.last, classes: input.classes, configuration,
        alignCorners: try section.corners(input))
    }
  ]
}

extension Section {
  /// The side of a kernel, 1 or 3.
  func smallKernel(_ key: String, default usual: Int) throws -> Int {
    let side = try int(key, default: usual, in: 1...3)
    if side == 2 { throw invalid(key, "2", expected: "1 or 3") }
    return side
  }
}
