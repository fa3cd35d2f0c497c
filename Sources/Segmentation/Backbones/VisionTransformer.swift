import Configuration
import Torch

/// A vision transformer (Dosovitskiy et al., 2021).
///
/// The image is cut into patches, each a token, for blocks of attention among all of them. DeiT
/// (Touvron et al., 2021) is the same network.
///
/// Names are those of torchvision's `VisionTransformer`. Its maps are the tokens after some of the
/// blocks, laid out as the patches were; all have the output stride of one patch. Sides that are no
/// multiple of it are extended by zeros.
public final class VisionTransformer: Layer, Backbone {
  let classToken: Parameter, positions: Parameter
  private let patches: Conv2d, blocks: [TransformerBlock], norm: LayerNorm?
  private let dropout: Dropout
  /// What the network was made from.
  public let configuration: Configuration

  /// A network for images of `inputChannels` channels.
  public init(_ configuration: Configuration, inputChannels: Int = 3) {
    self.configuration = configuration
    let (width, patch) = (configuration.width, configuration.patch)
    let count = 1 + configuration.grid.rows * configuration.grid.columns
    classToken = Parameter(Tensor(uninitialized: [1, 1, width]))
    positions = Parameter(Tensor(uninitialized: [1, count, width]))
    patches = Conv2d(
      inputChannels, width, kernel: patch, stride: patch, padding: 0,
      bias: configuration.patchBias)
    let rates = dropRates(configuration.dropRate, configuration.depth)
    blocks = rates.map { TransformerBlock(configuration.block, dropRate: $0) }
    norm = configuration.normalizesLast ? LayerNorm(width, eps: configuration.eps) : nil
    dropout = Dropout(configuration.dropout)
    super.init()
    Initialization.normal(classToken, deviation: 0.02)
    Initialization.normal(positions, deviation: 0.02)
  }

  public override var keys: [String: String] { ["positions": "encoder.pos_embedding"] }

  public override var children: [(name: String, module: Module)] {
    [("conv_proj", patches), ("dropout", dropout)]
      + blocks.enumerated().map { ("encoder.layers.encoder_layer_\($0)", $1) }
      + [norm].compactMap { $0 }.map { ("encoder.ln", $0) }
  }

  /// The maps (N, channels, H / patch, W / patch) after the blocks that `levels` counts.
  public func features(_ x: Tensor) -> [Tensor] {
    let grid = patches(x.extended(toMultipleOf: configuration.patch))
    return tokens(grid).map { tokens in
      let start = configuration.keepsClassToken ? 1 : 0
      let spots = tokens.sliced(1, start, tokens.size(1))
      let read =
        joinsClassToken
        ? concatenate([spots, tokens.sliced(1, 0, 1).expanded(spots.shape)], along: 2) : spots
      return read.reshaped(x.size(0), grid.height, grid.width, read.size(2))
        .permuted(0, 3, 1, 2)
    }
  }

  /// The class token (N, width) after the last block.
  func classFeatures(_ x: Tensor) -> Tensor? {
    tokens(patches(x.extended(toMultipleOf: configuration.patch))).last?.selected(1, 0)
  }

  /// The tokens (N, tokens, width) after each block that gives a map, the class token first.
  private func tokens(_ grid: Tensor) -> [Tensor] {
    let spots = grid.flattened(from: 2).transposed(1, 2)
    let first = classToken.expanded([grid.size(0), 1, configuration.width])
    var x = concatenate([first, spots], along: 1) + positions(grid.height, grid.width)
    x = dropout(x)
    if !configuration.keepsClassToken { x = x.sliced(1, 1, x.size(1)) }
    return blocks.enumerated().compactMap { index, block in
      x = block(x)
      if index == blocks.count - 1, let norm { x = norm(x) }
      return configuration.levels.contains(index) ? x : nil
    }
  }

  /// The positions' tokens, resized to another grid than the network's own.
  private func positions(_ rows: Int, _ columns: Int) -> Tensor {
    let own = configuration.grid
    if own.rows == rows && own.columns == columns { return positions }
    let grid = positions.sliced(1, 1, positions.size(1)).transposed(1, 2)
      .reshaped(1, configuration.width, own.rows, own.columns)
      .resized(height: rows, width: columns, configuration.interpolation)
    return concatenate(
      [positions.sliced(1, 0, 1), grid.flattened(from: 2).transposed(1, 2)], along: 1)
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The channels of each map: the tokens' width, twice that with the class token beside them.
  public var channels: [Int] {
    configuration.levels.map { _ in configuration.width * (joinsClassToken ? 2 : 1) }
  }
  /// The side of a patch for each map.
  public var strides: [Int] { configuration.levels.map { _ in configuration.patch } }
  /// Whether the second half of each map's channels is the class token.
  public var joinsClassToken: Bool { configuration.joinsClassToken }
  /// The blocks that lead to each map, the first with the patches.
  public var stages: [[Module]] {
    let starts = [0] + configuration.levels.dropLast().map { $0 + 1 }
    return zip(starts, configuration.levels).map { start, end in
      (start == 0 ? [patches] : []) + Array(blocks[start...end])
    }
  }

  /// By layer: the patches, then each block (Bao et al., 2022, BEiT's fine-tuning).
  public func depths(by unit: DepthUnit) -> [[Module]] {
    unit == .stage ? stages : [[patches]] + blocks.map { [$0] }
  }
}

extension VisionTransformer {
  /// What makes one vision transformer different from another.
  public struct Configuration: Sendable {
    /// The side of a patch in pixels.
    public var patch = 16
    /// The number of blocks.
    public var depth = 12
    /// The features of a token.
    public var width = 768
    /// The number of heads that share them out.
    public var heads = 12
    /// The features between the matrices of a block, as a multiple of the width.
    public var expansion = 4.0
    /// The rows and columns of patches that the position embeddings stand for.
    public var grid = (rows: 14, columns: 14)
    /// How they are resized for other images.
    public var interpolation = Interpolation.bicubic
    /// The blocks, counted from 0, whose tokens are maps.
    public var levels = [2, 5, 8, 11]
    /// Whether the tokens after the last block are normalized.
    public var normalizesLast = true
    /// Whether the class token takes part in the blocks.
    public var keepsClassToken = true
    /// Whether each map has it beside every position, as further channels.
    public var joinsClassToken = false
    /// Whether the patches' matrix, and the one of queries, keys and values, has a bias.
    public var patchBias = true, attentionBias = true
    /// What the normalizations add to the variance.
    public var eps = 1e-6
    /// The share of elements that training drops after each matrix.
    public var dropout = 0.0
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate = 0.0

    /// ViT-B/16 for images of 224x224.
    public init() {}

    /// A network of these sizes for images of 224x224, with four evenly spaced maps.
    public init(patch: Int, depth: Int, width: Int, heads: Int) {
      (self.patch, self.depth, self.width, self.heads) = (patch, depth, width, heads)
      grid = (224 / patch, 224 / patch)
      levels = Self.quarters(of: depth)
    }

    /// The last block of each quarter of `depth` blocks, which give the maps unless told otherwise.
    static func quarters(of depth: Int) -> [Int] {
      Set((1...4).map { max(0, $0 * depth / 4 - 1) }).sorted()
    }

    var block: TransformerBlock.Configuration {
      .init(
        width: width, heads: heads, hidden: Int(Double(width) * expansion),
        hasBias: attentionBias, eps: eps, dropout: dropout)
    }

    /// The papers' networks by torchvision's names, and by such names where it has none.
    public static let named: [String: Configuration] = [
      "vit_t_16": .init(patch: 16, depth: 12, width: 192, heads: 3),
      "vit_s_16": .init(patch: 16, depth: 12, width: 384, heads: 6),
      "vit_b_16": .init(patch: 16, depth: 12, width: 768, heads: 12),
      "vit_b_32": .init(patch: 32, depth: 12, width: 768, heads: 12),
      "vit_l_16": .init(patch: 16, depth: 24, width: 1024, heads: 16),
      "vit_l_32": .init(patch: 32, depth: 24, width: 1024, heads: 16),
      "vit_h_14": .init(patch: 14, depth: 32, width: 1280, heads: 16),
      "deit_t_16": .init(patch: 16, depth: 12, width: 192, heads: 3),
      "deit_s_16": .init(patch: 16, depth: 12, width: 384, heads: 6),
      "deit_b_16": .init(patch: 16, depth: 12, width: 768, heads: 12),
    ]
  }

  /// `vit_b_16`, `deit_s_16` and so on, and `vit` whose patches are as large as its output stride.
  static let entries = Configuration.named.filter { $0.value.patch != 14 }
    .mapValues { configuration in
      BackboneEntry(outputStrides: [configuration.patch]) { options, section in
        VisionTransformer(
          try Configuration(section, from: configuration), inputChannels: options.inputChannels)
      }
    }
    .merging([
      "vit": BackboneEntry(outputStrides: [14, 16, 32], isComplete: false) { options, section in
        var configuration = Configuration()
        configuration.patch = options.outputStride
        return VisionTransformer(
          try .init(section, from: configuration), inputChannels: options.inputChannels)
      }
    ]) { first, _ in first }
}

extension VisionTransformer.Configuration {
  /// The network that a section describes, `base` where it says nothing.
  init(_ section: Section, from base: Self) throws {
    self = base
    depth = try section.int("depth", default: depth, in: 1...128)
    width = try section.int("width", default: width, in: 1...8192)
    heads = try section.int("heads", default: heads, in: 1...128)
    try section.checkHeads([heads], of: [width])
    expansion = try section.double("expansion", default: expansion, in: 0.1...32)
    let size = try section.size("imageSize", default: (224, 224))
    grid = (max(1, size.height / patch), max(1, size.width / patch))
    interpolation = try section.choice("interpolation", default: interpolation)
    levels = try section.ints("levels", default: Self.quarters(of: depth), in: 0...depth - 1)
    if levels.isEmpty || levels != Set(levels).sorted() {
      throw section.invalid("levels", "\(levels)", expected: "blocks in rising order")
    }
    normalizesLast = try section.bool("normalizeLast", default: normalizesLast)
    keepsClassToken = try section.bool("classToken", default: keepsClassToken)
    joinsClassToken = try section.bool("joinClassToken", default: joinsClassToken)
    if joinsClassToken && !keepsClassToken {
      throw section.invalid("joinClassToken", "true", expected: "false without a class token")
    }
    patchBias = try section.bool("patchBias", default: patchBias)
    attentionBias = try section.bool("attentionBias", default: attentionBias)
    eps = try section.double("eps", default: eps, in: 0...1)
    dropout = try section.double("dropout", default: dropout, in: 0...0.99)
    dropRate = try section.double("dropRate", default: dropRate, in: 0...0.99)
  }
}

extension Section {
  /// Refuses `heads` that do not share out the features of each width evenly.
  func checkHeads(_ heads: [Int], of widths: [Int]) throws {
    for (count, width) in zip(heads, widths) where width % count != 0 {
      throw invalid("heads", "\(heads)", expected: "a divisor of the width, \(width)")
    }
  }

  /// Refuses lists of another length than one entry for each of `count` stages.
  func checkStages(_ count: Int, _ lists: [String: [Int]]) throws {
    for (key, list) in lists.sorted(by: { $0.key < $1.key }) where list.count != count {
      throw invalid(key, "\(list)", expected: "\(count) numbers, one for each stage")
    }
  }
}

extension Tensor {
  /// Images (N, C, H, W) with zeros at the right and at the bottom, to multiples of `step`.
  func extended(toMultipleOf step: Int) -> Tensor {
    let (rows, columns) = ((step - height % step) % step, (step - width % step) % step)
    return rows == 0 && columns == 0 ? self : padded([0, columns, 0, rows])
  }
}

extension VisionTransformer: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    let names = [
      "class_token": "cls_token", "encoder.pos_embedding": "pos_embed",
      "conv_proj": "patch_embed.projection", "encoder.ln": "ln1",
    ]
    return names[child] ?? child.replacing("encoder.layers.encoder_layer_", with: "layers.")
  }
}
