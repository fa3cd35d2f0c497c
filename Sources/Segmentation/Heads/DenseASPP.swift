import Configuration
import Torch

/// The head of DenseASPP (Yang et al., 2018, §3): a cascade of atrous convolutions of
/// which each sees the features and the output of all levels before it.
public final class DenseASPP: Layer {
  /// How a level is built.
  public enum Block: String, Sendable, CaseIterable {
    /// Normalization, ReLU, atrous 3×3 (Tepliashin et al., models 1 to 3).
    case plain
    /// Normalization, ReLU, 1×1, normalization, ReLU, atrous 3×3 (models #4 and #5; the 2018 head).
    case bottleneck
    /// 1×1, normalization, ReLU, atrous 3×3, normalization, ReLU (Tramac's code).
    case postActivation
  }

  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The dilation of each level.
    public var dilations = [3, 6, 12, 18, 24]
    /// The channels that a level adds.
    public var growth = 64
    /// The width of a bottleneck's 1×1 convolution.
    public var bottleneck = 256
    /// How a level is built.
    public var block = Block.bottleneck
    /// Whether convolutions have a bias; the classifier always has one.
    public var bias = false
    /// Whether the first level begins with a normalization; without one its ReLU rectifies the
    /// features in place, for the later levels too.
    public var normalizesFirst = true
    /// Whether a normalization follows each 3×3 convolution (their model 5).
    public var normalizesLevels = false
    /// Whether a normalization precedes the classifier (the other reading of model #5).
    public var normalizesLast = false
    /// The share of channels that training drops after each level.
    public var dropout = 0.0
    /// The share of channels that training drops before the classifier.
    public var classifierDropout = 0.1
    /// The weight of the newest batch in running statistics.
    public var momentum = 0.1

    /// The head of model #4.
    public init() {}

    /// The head of the authors' code of 2018 for features of `input` channels: those of
    /// DenseNet-121, -161, -169 or -201 after a last transition; for others as for DenseNet-121.
    public static func official(_ input: Int) -> Configuration {
      var configuration = Configuration()
      (configuration.bottleneck, configuration.growth) =
        [1104: (512, 128), 832: (336, 168), 960: (480, 240)][input] ?? (128, 64)
      configuration.bias = true
      configuration.normalizesFirst = false
      configuration.dropout = 0.1
      configuration.momentum = 0.0003
      return configuration
    }

    /// The sizes in feature pixels that the cascade sees at once: one for each subset of levels that
    /// a path takes, 2 · Σ dilations + 1.
    public var scales: [Int] {
      var sums: Set<Int> = [0]
      for dilation in dilations { sums.formUnion(sums.map { $0 + dilation }) }
      return sums.subtracting([0]).sorted().map { 2 * $0 + 1 }
    }

    /// How many positions within the largest scale take part in an output: along an axis the sums of
    /// 0 or ± each dilation, in both axes independently.
    public var sampledPositions: Int {
      var sums: Set<Int> = [0]
      for dilation in dilations {
        sums.formUnion(sums.flatMap { [$0 + dilation, $0 - dilation] })
      }
      return sums.count * sums.count
    }
  }

  let levels: [DenseASPPLevel]
  let norm: BatchNorm2d?
  let classifier: Conv2d
  private let dropout: Dropout
  private let rectifies: Bool
  /// The levels, by place, that give nothing: what is left of a network without them.
  public var removed: Set<Int> = []
  /// The channels of the features.
  public let inputs: Int
  /// What the head was made from.
  public let configuration: Configuration

  /// A head from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, _ configuration: Configuration = .init()) {
    inputs = input
    self.configuration = configuration
    var width = input
    levels = configuration.dilations.enumerated().map { index, dilation in
      defer { width += configuration.growth }
      return DenseASPPLevel(
        width, dilation: dilation, configuration,
        normalizes: configuration.block != .postActivation
          && (index > 0 || configuration.normalizesFirst))
    }
    norm = configuration.normalizesLast ? BatchNorm2d(width) : nil
    classifier = Conv2d(width, classes)
    dropout = Dropout(configuration.classifierDropout, ofChannels: true)
    rectifies = !configuration.normalizesFirst && configuration.block != .postActivation
    super.init()
    for level in levels { Initialization.kaimingNormal(level) }
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let y = pyramid(x)
    return classifier(dropout(norm?(y) ?? y))
  }

  /// The features and every level's output, newest first as in the authors' code.
  public func pyramid(_ x: Tensor) -> Tensor {
    if let y = cascade?.trained(x) { return y }
    var map = rectifies ? x.relu() : x
    for (index, level) in levels.enumerated() {
      let y = level(map)
      map = concatenate([removed.contains(index) ? y.zerosLike() : y, map])
    }
    return map
  }
}

extension DenseASPP {
  /// The levels as one operator, where nothing stands between them.
  private var cascade: DenseCascade? {
    guard isTraining, !rectifies, removed.isEmpty, configuration.dropout == 0 else { return nil }
    let steps = levels.compactMap(\.step)
    return steps.count == levels.count ? DenseCascade(steps, prepends: true) : nil
  }
}

/// One level of the cascade.
final class DenseASPPLevel: Layer, RecomputableLayer {
  let norm1: BatchNorm2d?, conv1: Conv2d?
  let norm2: BatchNorm2d?, conv2: Conv2d
  let norm3: BatchNorm2d?
  private let dropout: Dropout
  private let activation: Activation

  init(
    _ input: Int, dilation: Int, _ configuration: DenseASPP.Configuration, normalizes: Bool
  ) {
    let activates = configuration.block == .postActivation
    let squeezes = configuration.block == .bottleneck || activates
    activation = activates ? .relu : .none
    let middle = squeezes ? configuration.bottleneck : input
    func norm(_ channels: Int) -> BatchNorm2d {
      BatchNorm2d(channels, momentum: configuration.momentum)
    }
    norm1 = normalizes ? norm(input) : nil
    conv1 = squeezes ? Conv2d(input, middle, bias: configuration.bias) : nil
    norm2 = squeezes ? norm(middle) : nil
    conv2 = Conv2d(
      middle, configuration.growth, kernel: 3, dilation: dilation, bias: configuration.bias)
    norm3 = configuration.normalizesLevels || activates ? norm(configuration.growth) : nil
    dropout = Dropout(configuration.dropout, ofChannels: true)
  }

  /// The level as a step of a cascade, where it is one and does not run twice.
  var step: DenseCascade.Step? {
    guard let norm1, let conv1, let norm2, norm3 == nil, !recomputes else { return nil }
    return .init(norm1, conv1, norm2, conv2)
  }

  override func forward(_ x: Tensor) -> Tensor {
    // Without a normalization the features come rectified already.
    guard let conv1 else { return dropout(conv2(x, after: norm1, norm3)) }
    return dropout(conv2(conv1(x, after: norm1, norm2, .relu), norm3, activation))
  }
}

extension DenseASPP: LastMapHead {
  /// `denseaspp`.
  static let entries = [
    "denseaspp": HeadEntry { input, section in
      DenseASPP(input.last, classes: input.classes, try .init(section, input: input.last))
    }
  ]
}

extension DenseASPP.Configuration {
  /// The head that a configuration describes; `official: true` starts from the head of 2018.
  init(_ section: Section, input: Int) throws {
    let base =
      try section.bool("official", default: false)
      ? DenseASPP.Configuration.official(input) : .init()
    self = base
    dilations = try section.ints("dilations", default: base.dilations, in: 1...512)
    growth = try section.int("growth", default: base.growth, in: 1...4096)
    block = try section.choice("block", default: base.block)
    bottleneck = try section.int("bottleneck", default: base.bottleneck, in: 1...8192)
    bias = try section.bool("bias", default: base.bias)
    normalizesFirst = try section.bool("normFirst", default: base.normalizesFirst)
    normalizesLevels = try section.bool("postNorm", default: base.normalizesLevels)
    normalizesLast = try section.bool("finalNorm", default: base.normalizesLast)
    dropout = try section.double("dropout", default: base.dropout, in: 0...0.99)
    classifierDropout = try section.double(
      "classifierDropout", default: base.classifierDropout, in: 0...0.99)
    if dilations.isEmpty {
      throw section.invalid("dilations", "[]", expected: "at least one dilation")
    }
  }
}
