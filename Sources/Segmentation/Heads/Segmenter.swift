import Configuration
import Torch

/// The mask transformer of Segmenter (Strudel et al., 2021, §3.2): tokens of the classes beside those
/// of the patches through a few blocks, and a class's score at a patch the product of both.
///
/// The paper's linear decoder is the head `linear`. Names are those of MMSegmentation's
/// `SegmenterMaskTransformerHead`, those of the blocks torchvision's.
public final class Segmenter: Layer {
  /// What makes one head different from another.
  public struct Configuration: Sendable, Equatable {
    /// The number of blocks, and the heads of their attention.
    public var depth = 2, heads = 3
    /// The features of a token; as many as the map's channels if nil.
    public var width: Int?
    /// The features between the matrices of a block, as a multiple of the width.
    public var expansion = 4.0
    /// Whether queries, keys and values have a bias.
    public var hasBias = true
    /// What the normalizations add to the variance.
    public var eps = 1e-5
    /// The share of elements that training drops after each matrix.
    public var dropout = 0.0
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate = 0.1

    /// Two blocks of three heads.
    public init() {}
  }

  let clsEmb: Parameter
  let decProj: Linear
  let layers: [TransformerBlock]
  let decoderNorm: LayerNorm
  let patchProj: Linear, classesProj: Linear
  let maskNorm: LayerNorm

  /// A head from `input` channels to `classes` scores.
  public init(_ input: Int, classes: Int, _ configuration: Configuration = .init()) {
    let width = configuration.width ?? input
    clsEmb = Parameter(Tensor(uninitialized: [1, classes, width]))
    decProj = Linear(input, width)
    let block = TransformerBlock.Configuration(
      width: width, heads: configuration.heads,
      hidden: Int(Double(width) * configuration.expansion), hasBias: configuration.hasBias,
      eps: configuration.eps, dropout: configuration.dropout)
    layers = dropRates(configuration.dropRate, configuration.depth)
      .map { TransformerBlock(block, dropRate: $0) }
    decoderNorm = LayerNorm(width, eps: configuration.eps)
    patchProj = Linear(width, width, bias: false)
    classesProj = Linear(width, width, bias: false)
    maskNorm = LayerNorm(classes, eps: configuration.eps)
    super.init()
    Initialization.normal(self, deviation: 0.02)
    Initialization.normal(clsEmb, deviation: 0.02)
  }

  /// The scores (N, classes, H, W) of features (N, input, H, W).
  public override func forward(_ x: Tensor) -> Tensor {
    let (count, positions) = (x.size(0), x.height * x.width)
    let patches = decProj(x.flattened(from: 2).transposed(1, 2))
    let classes = clsEmb.expanded([count, clsEmb.size(1), clsEmb.size(2)])
    let tokens = decoderNorm(
      layers.reduce(concatenate([patches, classes], along: 1)) { $1($0) })
    let patch = patchProj(tokens.sliced(1, 0, positions)).ofUnitLength
    let mask = classesProj(tokens.sliced(1, positions, tokens.size(1))).ofUnitLength
    return maskNorm(patch.matmul(mask.transposed(1, 2)))
      .transposed(1, 2).reshaped(count, clsEmb.size(1), x.height, x.width)
  }
}

extension Segmenter: LastMapHead {
  /// `segmenter`.
  static let entries = [
    "segmenter": HeadEntry { input, section in
      var configuration = Configuration()
      configuration.depth = try section.int("depth", default: 2, in: 0...64)
      let width = try section.int("width", default: input.last, in: 1...8192)
      configuration.width = width
      // 64 features a head, as in the paper, where the width allows.
      configuration.heads = try section.int(
        "heads", default: width % 64 == 0 ? width / 64 : 1, in: 1...128)
      try section.checkHeads([configuration.heads], of: [width])
      configuration.expansion = try section.double("expansion", default: 4, in: 0.1...32)
      configuration.hasBias = try section.bool("attentionBias", default: true)
      configuration.eps = try section.double("eps", default: configuration.eps, in: 0...1)
      configuration.dropout = try section.double("dropout", default: 0, in: 0...0.99)
      configuration.dropRate = try section.double("dropRate", default: 0.1, in: 0...0.99)
      return Segmenter(input.last, classes: input.classes, configuration)
    }
  ]
}

extension Tensor {
  /// The vectors along the last dimension at length 1.
  fileprivate var ofUnitLength: Tensor {
    self / (self * self).sum([-1], keep: true).clamped(1e-24).sqrt()
  }
}
