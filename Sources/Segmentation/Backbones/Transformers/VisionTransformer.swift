import Configuration
import Torch

/// A Vision Transformer (Dosovitskiy et al., 2021): patches of the image as tokens.
///
/// Names are those of torchvision's `vit_*`. Images of any size are extended to whole patches, and
/// the position embeddings, learnt for a square of patches, are resized to their number.
public final class VisionTransformer: Layer, Backbone {
  /// What makes one Vision Transformer different from another.
  public struct Configuration: Sendable, Equatable {
    /// The side of a patch in pixels.
    public var patch = 16
    /// The number of blocks.
    public var depth = 12
    /// The number of heads of each attention.
    public var heads = 12
    /// The channels of a token.
    public var width = 768
    /// The side in pixels of the images that the position embeddings are for.
    public var imageSide = 224

    /// A network of these sizes.
    public init(patch: Int = 16, depth: Int = 12, heads: Int = 12, width: Int = 768) {
      (self.patch, self.depth, self.heads, self.width) = (patch, depth, heads, width)
    }

    /// The networks that torchvision calls so.
    public static let named: [String: Configuration] = [
      "vit_b_16": .init(),
      "vit_b_32": .init(patch: 32),
      "vit_l_16": .init(depth: 24, heads: 16, width: 1024),
      "vit_l_32": .init(patch: 32, depth: 24, heads: 16, width: 1024),
      "vit_h_14": .init(patch: 14, depth: 32, heads: 16, width: 1280),
    ]
  }

  let classToken: Parameter
  let convProj: Conv2d
  let encoder: Encoder
  /// The channels of each map.
  public let channels: [Int]
  /// The output stride of each map: the patch.
  public let strides: [Int]
  private let levels: [Int]

  /// The network without its classifier; its maps are taken after each quarter of the blocks.
  public init(_ configuration: Configuration = .init(), inputChannels: Int = 3) {
    let (patch, width) = (configuration.patch, configuration.width)
    classToken = Parameter(0, [1, 1, width])
    convProj = Conv2d(inputChannels, width, kernel: patch, stride: patch, padding: 0)
    encoder = Encoder(configuration)
    levels = Set((1...4).map { max(1, configuration.depth * $0 / 4) - 1 }).sorted()
    channels = levels.map { _ in width }
    strides = levels.map { _ in patch }
  }

  /// The tokens after each quarter of the blocks as maps (N, C, H, W), the last normalized.
  public func features(_ x: Tensor) -> [Tensor] {
    let (tokens, rows, columns) = embedded(x)
    return encoder.outputs(tokens, at: levels).map { tokens in
      tokens.sliced(1, 1, tokens.size(1)).transposed(1, 2)
        .reshaped(x.size(0), -1, rows, columns)
    }
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// The token (N, C) that stands for the whole image.
  func summary(_ x: Tensor) -> Tensor {
    (encoder.outputs(embedded(x).tokens, at: levels).last ?? x).selected(1, 0)
  }

  /// The class token and the patches with their positions (N, 1 + rows · columns, C).
  private func embedded(_ x: Tensor) -> (tokens: Tensor, rows: Int, columns: Int) {
    let patch = convProj.stride
    func missing(_ side: Int) -> Int { (patch - side % patch) % patch }
    let (right, bottom) = (missing(x.width), missing(x.height))
    let whole = right + bottom == 0 ? x : x.padded([0, right, 0, bottom])
    let map = convProj(whole)
    let patches = map.flattened(from: 2).transposed(1, 2)
    let first = classToken.expanded([x.size(0), 1, patches.size(2)])
    let tokens = concatenate([first, patches]) + encoder.positions(map.height, map.width)
    return (tokens, map.height, map.width)
  }

  /// A quarter of the blocks each; the patches go with the first.
  public var stages: [[Module]] {
    zip([-1] + levels, levels).map { before, end in
      (before < 0 ? [convProj] : []) + (before + 1...end).map { encoder.layers[$0] }
    }
  }

  /// Smaller images are extended to a patch anyway.
  public var minimumSide: Int { 1 }
}

extension VisionTransformer {
  /// The blocks, with what is added to tokens before and done to them after.
  final class Encoder: Module {
    let posEmbedding: Parameter
    let layers: Sequential
    let ln: LayerNorm

    init(_ configuration: Configuration) {
      let (width, side) = (configuration.width, configuration.imageSide / configuration.patch)
      posEmbedding = Parameter(Tensor(uninitialized: [1, 1 + side * side, width]))
      layers = Sequential()
      for index in 0..<configuration.depth {
        let attention = SelfAttention(width, heads: configuration.heads)
        layers.append(
          TransformerBlock(
            width, attention,
            names: [
              "norm1": "ln_1", "attention": "self_attention", "norm2": "ln_2", "expand": "mlp.0",
              "project": "mlp.3",
            ]), as: "encoder_layer_\(index)")
      }
      ln = LayerNorm(width, eps: 1e-6)
      super.init()
      Initialization.normal(posEmbedding, deviation: 0.02)
    }

    /// The embeddings (1, 1 + rows · columns, C) of the class token and of as many patches.
    func positions(_ rows: Int, _ columns: Int) -> Tensor {
      let count = posEmbedding.size(1) - 1
      let side = Int(Double(count).squareRoot().rounded())
      guard rows != side || columns != side else { return posEmbedding }
      let grid = posEmbedding.sliced(1, 1, count + 1).transposed(1, 2)
        .reshaped(1, -1, side, side)
        .resized(height: rows, width: columns, .bicubic)
      return concatenate([posEmbedding.sliced(1, 0, 1), grid.flattened(from: 2).transposed(1, 2)])
    }

    /// The tokens after the blocks of these numbers; after the last block normalized.
    func outputs(_ tokens: Tensor, at levels: [Int]) -> [Tensor] {
      var tokens = tokens
      return (0..<layers.count).compactMap { index in
        tokens = layers[index](tokens)
        guard levels.contains(index) else { return nil }
        return index + 1 == layers.count ? ln(tokens) : tokens
      }
    }
  }

  /// `vit_b_16` and its relatives.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [configuration.patch]) { options, section in
      var configuration = configuration
      configuration.imageSide = try section.int("imageSide", default: 224, in: 14...8192)
      return VisionTransformer(configuration, inputChannels: options.inputChannels)
    }
  }
}
