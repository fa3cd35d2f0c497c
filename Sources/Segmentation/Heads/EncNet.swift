import Configuration
import Torch

/// The head of EncNet (Zhang et al., 2018): what the whole image shows weights the channels of its
/// features, and in training says which classes there are.
///
/// Names are those of MMSegmentation's `EncHead`.
public final class EncNet: Layer, SegmentationHead {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The channels of the features.
    public var channels = 512
    /// The number of code words.
    public var codes = 32
    /// The weight of the loss for the classes that an image shows; 0 for a head without it.
    public var presenceWeight = 0.2
    /// The earlier maps that are joined to the last, by their numbers.
    public var laterals: [Int] = []
    /// The share of channels that training drops before the classifier.
    public var dropout = 0.1

    /// MMSegmentation's head.
    public init() {}
  }

  let bottleneck: ConvNorm
  let lateralConvs: [ConvNorm]
  let fusion: ConvNorm?
  let encModule: ContextEncoding
  let classifier: Conv2d
  let seLayer: Linear?
  private let dropout: Dropout
  private let configuration: Configuration, alignCorners: Bool

  /// A head on maps of these channels.
  public init(
    _ input: [Int], classes: Int, _ configuration: Configuration = .init(),
    alignCorners: Bool = false
  ) {
    let channels = configuration.channels, laterals = configuration.laterals
    bottleneck = ConvNorm(input.last ?? 1, channels)
    lateralConvs = laterals.map { ConvNorm(input[$0], channels, kernel: 1) }
    fusion = laterals.isEmpty ? nil : ConvNorm((1 + laterals.count) * channels, channels)
    encModule = ContextEncoding(channels, codes: configuration.codes)
    classifier = Conv2d(channels, classes)
    seLayer = configuration.presenceWeight > 0 ? Linear(channels, classes) : nil
    dropout = Dropout(configuration.dropout, ofChannels: true)
    (self.configuration, self.alignCorners) = (configuration, alignCorners)
  }

  /// The scores (N, classes, H, W) at the size of the last map.
  public func scores(_ maps: [Tensor], image: Tensor) -> Tensor {
    trainingScores(maps, image: image).logits
  }

  /// The scores, and those of the presence of each class (N, classes).
  public func trainingScores(_ maps: [Tensor], image: Tensor) -> TrainingScores {
    guard let last = maps.last else { return TrainingScores(logits: image) }
    var features = bottleneck(last)
    if let fusion {
      let laterals = zip(lateralConvs, configuration.laterals).map { conv, level in
        conv(maps[level]).resized(like: features, alignCorners: alignCorners)
      }
      features = fusion(concatenate([features] + laterals))
    }
    let (weighted, code) = encModule(features)
    let presence = seLayer.map {
      HelperScores($0(code), .presence, weight: configuration.presenceWeight)
    }
    return TrainingScores(
      logits: classifier(dropout(weighted)), helpers: presence.map { [$0] } ?? [])
  }

  /// `encnet`.
  static let entries = [
    "encnet": HeadEntry { input, section in
      var head = Configuration()
      head.channels = try section.int("channels", default: head.channels, in: 1...8192)
      head.codes = try section.int("codes", default: head.codes, in: 1...4096)
      head.presenceWeight = try section.double("presenceWeight", default: 0.2, in: 0...100)
      let earlier = max(0, input.channels.count - 2)
      head.laterals = try section.ints("laterals", default: [], in: 0...earlier)
      head.dropout = try section.double("dropout", default: head.dropout, in: 0...0.99)
      return EncNet(
        input.channels, classes: input.classes, head, alignCorners: input.alignCorners)
    }
  ]
}

/// The encoding layer and what it weights: every feature is compared with code words, and how the
/// features differ from the words, summed over the image, says how much each channel counts (§3.1).
final class ContextEncoding: Layer {
  let encodingProject: ConvNorm
  let codewords: Parameter, scale: Parameter
  let norm: BatchNorm2d
  let fc: Linear

  override var keys: [String: String] {
    [
      "codewords": "encoding.0.codewords", "scale": "encoding.0.scale", "norm": "encoding.1",
      "fc": "fc.0",
    ]
  }

  init(_ channels: Int, codes: Int) {
    encodingProject = ConvNorm(channels, channels, kernel: 1)
    codewords = Parameter(Tensor(uninitialized: [codes, channels]))
    scale = Parameter(Tensor(uninitialized: [codes]))
    norm = BatchNorm2d(codes)
    fc = Linear(channels, channels)
    super.init()
    let bound = 1 / Double(codes * channels).squareRoot()
    codewords.drawUniform(-bound, bound)
    scale.drawUniform(-1, 0)
  }

  /// The weighted features (N, C, H, W) and the code of the image (N, C).
  func callAsFunction(_ x: Tensor) -> (features: Tensor, code: Tensor) {
    let code = norm(encoded(encodingProject(x))).relu().mean([1])
    let weights = fc(code).sigmoid().unsqueezed(2).unsqueezed(3)
    return ((x + x * weights).relu(), code)
  }

  /// For each word the sum of the features' differences from it, weighted by how near they are:
  /// (N, codes, C).
  private func encoded(_ x: Tensor) -> Tensor {
    let features = x.flattened(from: 2).transposed(1, 2)
    // |x - c|² = |x|² - 2xc + |c|², so that no tensor has both the words and the channels.
    let products = features.matmul(codewords.transposed(0, 1))
    let distances =
      features.pow(2).sum([2], keep: true) - products * 2 + codewords.pow(2).sum([1])
    let weights = (distances * scale).softmax(2).transposed(1, 2)
    return weights.matmul(features) - weights.sum([2], keep: true) * codewords
  }
}
