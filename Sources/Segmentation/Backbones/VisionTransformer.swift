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
    return tokens(ofPatches: grid).map { tokens in
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
    tokens(x).last?.selected(1, 0)
  }

  /// The tokens (N, tokens, width) of an image after each block that gives a map, the class token first.
  package func tokens(_ x: Tensor) -> [Tensor] {
    tokens(ofPatches: patches(x.extended(toMultipleOf: configuration.patch)))
  }

  private func tokens(ofPatches grid: Tensor) -> [Tensor] {
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
  /// What fills the last patches.
  public var oddSides: String? {
    "patches of \(configuration.patch) filled up by zeros at right and bottom"
  }
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

extension VisionTransformer: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    let names = [
      "class_token": "cls_token", "encoder.pos_embedding": "pos_embed",
      "conv_proj": "patch_embed.projection", "encoder.ln": "ln1",
    ]
    return names[child] ?? child.replacing("encoder.layers.encoder_layer_", with: "layers.")
  }
}
