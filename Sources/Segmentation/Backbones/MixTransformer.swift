import Configuration
import Torch

/// The mix transformer of SegFormer (Xie et al., 2021, §3.1): four stages of blocks whose attention
/// sees a reduced map, with overlapping patches between them and no position embeddings.
///
/// Names are those of MMSegmentation's `MixVisionTransformer`.
public final class MixTransformer: Layer, Backbone {
  /// What makes one network different from another.
  public struct Configuration: StagedTransformer, Sendable, Equatable {
    /// The blocks of each stage.
    public var depths: [Int]
    /// The heads of each stage's attention; a stage has `width` channels for each of them.
    public var heads = [1, 2, 5, 8], width: Int
    /// The channels of each stage, where they are not `width` for each head.
    public var widths: [Int]?
    /// The side of each stage's patches.
    public var patches = [7, 3, 3, 3]
    /// How many times smaller the map is that each stage's attention sees.
    public var reductions = [8, 4, 2, 1]
    /// The channels between the matrices of a block, as a multiple of the width.
    public var expansion = 4.0
    /// Whether queries, keys and values have a bias.
    public var hasBias = true
    /// What the normalizations add to the variance.
    public var eps = 1e-6
    /// What those after patches and after reduced maps add, where that is something else.
    public var patchEps: Double?
    /// The share of elements that training drops after each matrix.
    public var dropout = 0.0
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate = 0.1

    /// A network of these depths whose first stage has `width` channels.
    public init(depths: [Int], width: Int) { (self.depths, self.width) = (depths, width) }

    /// The paper's six networks.
    public static let named: [String: Configuration] = [
      "mit_b0": .init(depths: [2, 2, 2, 2], width: 32),
      "mit_b1": .init(depths: [2, 2, 2, 2], width: 64),
      "mit_b2": .init(depths: [3, 4, 6, 3], width: 64),
      "mit_b3": .init(depths: [3, 4, 18, 3], width: 64),
      "mit_b4": .init(depths: [3, 8, 27, 3], width: 64),
      "mit_b5": .init(depths: [3, 6, 40, 3], width: 64),
    ]
  }

  let layers: [MixStage]
  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each stage.
  public let channels: [Int]
  /// The output stride of each stage.
  public let strides = [4, 8, 16, 32]

  /// A network for images of `inputChannels` channels.
  public init(_ configuration: Configuration, inputChannels: Int = 3) {
    self.configuration = configuration
    let widths = configuration.widths ?? configuration.heads.map { $0 * configuration.width }
    var rates = dropRates(configuration.dropRate, configuration.depths.reduce(0, +))[...]
    layers = configuration.depths.indices.map { stage in
      defer { rates = rates.dropFirst(configuration.depths[stage]) }
      return MixStage(
        stage == 0 ? inputChannels : widths[stage - 1], widths[stage], stage: stage, configuration,
        dropRates: Array(rates.prefix(configuration.depths[stage])))
    }
    channels = widths
  }

  /// The outputs of the stages.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = x
    return layers.map { stage in
      x = stage(x)
      return x
    }
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The stages.
  public var stages: [[Module]] { layers.map { [$0] } }
}

/// Overlapping patches, which halve the map (N, C, H, W) or, in the first stage, quarter it; then blocks
/// and a normalization.
final class MixStage: Layer {
  let projection: Conv2d, patchNorm: LayerNorm
  let blocks: [MixBlock]
  let norm: LayerNorm

  override var keys: [String: String] {
    ["projection": "0.projection", "patchNorm": "0.norm", "blocks": "1", "norm": "2"]
  }

  init(
    _ input: Int, _ width: Int, stage: Int, _ configuration: MixTransformer.Configuration,
    dropRates: [Double]
  ) {
    let patch = configuration.patches[stage]
    projection = Conv2d(
      input, width, kernel: patch, stride: stage == 0 ? 4 : 2, padding: patch / 2)
    patchNorm = LayerNorm(width, eps: configuration.patchEps ?? configuration.eps)
    blocks = dropRates.map { rate in
      MixBlock(
        width, heads: configuration.heads[stage], reduction: configuration.reductions[stage],
        configuration, dropRate: rate)
    }
    norm = LayerNorm(width, eps: configuration.eps)
    super.init()
    Initialization.kaimingNormal(projection, fanOut: true)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let patches = patchNorm(projection(x).permuted(0, 2, 3, 1))
    return norm(blocks.reduce(patches) { $1($0) }).permuted(0, 3, 1, 2)
  }
}

/// Attention over a reduced map, then two matrices with a depthwise convolution between them, each
/// around a shortcut; on maps (N, H, W, C).
final class MixBlock: Layer, RecomputableLayer {
  let norm1: LayerNorm, attention: MultiheadAttention
  let reduce: Conv2d?, reducedNorm: LayerNorm?
  let norm2: LayerNorm
  let expand: Conv2d, depthwise: Conv2d, project: Conv2d
  private let dropout: Dropout, depth: StochasticDepth

  override var keys: [String: String] {
    [
      "attention": "attn.attn", "reduce": "attn.sr", "reducedNorm": "attn.norm",
      "expand": "ffn.layers.0", "depthwise": "ffn.layers.1", "project": "ffn.layers.4",
    ]
  }

  init(
    _ width: Int, heads: Int, reduction: Int, _ configuration: MixTransformer.Configuration,
    dropRate: Double
  ) {
    let hidden = Int(Double(width) * configuration.expansion)
    norm1 = LayerNorm(width, eps: configuration.eps)
    attention = MultiheadAttention(width, heads: heads, bias: configuration.hasBias)
    reduce =
      reduction > 1
      ? Conv2d(width, width, kernel: reduction, stride: reduction, padding: 0) : nil
    reducedNorm =
      reduction > 1 ? LayerNorm(width, eps: configuration.patchEps ?? configuration.eps) : nil
    norm2 = LayerNorm(width, eps: configuration.eps)
    expand = Conv2d(width, hidden)
    depthwise = Conv2d(hidden, hidden, kernel: 3, groups: hidden)
    project = Conv2d(hidden, width)
    dropout = Dropout(configuration.dropout)
    depth = StochasticDepth(dropRate)
    super.init()
    Initialization.normal(self, deviation: 0.02)
    Initialization.kaimingNormal(self, fanOut: true)
    // Each of its outputs goes to one channel only.
    Initialization.normal(depthwise, deviation: 2.0.squareRoot() / 3)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y =
      isTraining ? x + depth(dropout(attend(norm1(x)))) : attend(norm1(x), adding: x)
    let hidden = depthwise(expand(norm2(y).permuted(0, 3, 1, 2)), nil, .gelu)
    let map = y.permuted(0, 3, 1, 2)
    let sum =
      isTraining ? map + depth(dropout(project(dropout(hidden)))) : project(hidden, adding: map)
    return sum.permuted(0, 2, 3, 1)
  }

  /// What each position of the map (N, H, W, C) learns from the reduced one, plus `shortcut`.
  private func attend(_ x: Tensor, adding shortcut: Tensor? = nil) -> Tensor {
    func tokens(_ x: Tensor) -> Tensor { x.flattened(from: 1, to: 2) }
    var smaller: Tensor?
    if let reduce, let reducedNorm {
      let map = reduce(x.permuted(0, 3, 1, 2)).permuted(0, 2, 3, 1)
      smaller = reducedNorm(tokens(map))
    }
    return attention(tokens(x), over: smaller, adding: shortcut.map(tokens)).reshaped(x.shape)
  }
}

extension MixTransformer {
  /// `mit_b0` to `mit_b5`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [32]) { options, section in
      var configuration = configuration
      try configuration.readSizes(section)
      configuration.widths = try section.optionalInts("widths", count: 4, in: 1...8192)
      if let widths = configuration.widths {
        try section.checkHeads(configuration.heads, of: widths)
      }
      configuration.patches = try section.ints(
        "patches", default: configuration.patches, in: 1...31)
      configuration.reductions = try section.ints(
        "reductions", default: configuration.reductions, in: 1...64)
      try section.checkStages(
        4, ["patches": configuration.patches, "reductions": configuration.reductions])
      configuration.eps = try section.double("eps", default: configuration.eps, in: 0...1)
      configuration.patchEps = try section.optionalDouble("patchEps", in: 0...1)
      return MixTransformer(configuration, inputChannels: options.inputChannels)
    }
  }
}
