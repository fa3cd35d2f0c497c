import Configuration
import Torch

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
