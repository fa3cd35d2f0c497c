import Configuration
import Torch

/// The head of DANet (Fu et al., 2019): attention between positions and attention between channels,
/// side by side and summed; in training each is classified for itself too.
///
/// Names are those of MMSegmentation's `DAHead`.
public final class DANet: Layer, LastMapHead {
  let position: AttentionBranch, channel: AttentionBranch
  let classifier: Conv2d
  private let dropout: Dropout

  /// A head from `input` channels to `classes` scores; queries and keys of positions have
  /// `projected` channels.
  public init(
    _ input: Int, classes: Int, channels: Int = 512, projected: Int = 64, dropout: Double = 0.1
  ) {
    position = AttentionBranch(
      "pam", input, channels, classes: classes, PositionAttention(channels, projected),
      dropout: dropout)
    channel = AttentionBranch(
      "cam", input, channels, classes: classes, ChannelAttention(), dropout: dropout)
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    classifier(dropout(position(x) + channel(x)))
  }

  /// The scores, and those of both branches, whose losses count as much.
  public func trainingScores(_ maps: [Tensor], image: Tensor) -> TrainingScores {
    guard let x = maps.last else { return TrainingScores(logits: image) }
    let branches = [position, channel].map { (branch: $0, features: $0(x)) }
    return TrainingScores(
      logits: classifier(dropout(branches[0].features + branches[1].features)),
      helpers: branches.map { HelperScores($0.branch.classified($0.features), weight: 1) })
  }

  /// `danet`.
  static let entries = [
    "danet": HeadEntry { input, section in
      DANet(
        input.last, classes: input.classes,
        channels: try section.int("channels", default: 512, in: 1...8192),
        projected: try section.int("positionChannels", default: 64, in: 1...8192),
        dropout: try section.double("dropout", default: 0.1, in: 0...0.99))
    }
  ]
}

extension DANet: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "classifier" ? "conv_seg" : "" }
}

/// A 3×3 convolution, an attention, another convolution, and a classifier that only training uses.
final class AttentionBranch: Layer, MMSegmentationNamed {
  let inConv: ConvNorm
  let attention: Layer
  let outConv: ConvNorm
  let classifier: Conv2d
  private let dropout: Dropout
  private let label: String

  init(
    _ label: String, _ input: Int, _ channels: Int, classes: Int, _ attention: Layer,
    dropout: Double
  ) {
    self.label = label
    self.attention = attention
    inConv = ConvNorm(input, channels)
    outConv = ConvNorm(channels, channels)
    classifier = Conv2d(channels, classes)
    self.dropout = Dropout(dropout, ofChannels: true)
  }

  override func forward(_ x: Tensor) -> Tensor { outConv(attention(inConv(x))) }

  func classified(_ features: Tensor) -> Tensor { classifier(dropout(features)) }

  func mmsegmentationName(_ child: String) -> String {
    switch child {
    case "attention": label
    case "classifier": "\(label)_conv_seg"
    default: "\(label)_\(child)"
    }
  }
}

/// Adds to every position what it gets from all others, times a factor that begins at 0.
///
/// As in a non-local block, the biases of the keys have no gradient.
final class PositionAttention: SpatialAttention {
  let gamma = Parameter(0, [])

  override var keys: [String: String] { ["gamma": "gamma.scale"] }

  init(_ channels: Int, _ width: Int) {
    super.init(
      query: Conv2d(channels, width), key: Conv2d(channels, width),
      value: Conv2d(channels, channels))
  }

  override func forward(_ x: Tensor) -> Tensor { attend(x, to: x) * gamma + x }
}

/// Adds to every channel those that are least like it, times a factor that begins at 0.
final class ChannelAttention: Layer {
  let gamma = Parameter(0, [])

  override var keys: [String: String] { ["gamma": "gamma.scale"] }

  override func forward(_ x: Tensor) -> Tensor {
    let channels = x.flattened(from: 2)
    let products = channels.matmul(channels.transposed(1, 2))
    let context = (-products).softmax(-1).matmul(channels)
    return context.reshaped(x.shape) * gamma + x
  }
}
