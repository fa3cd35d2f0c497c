import Configuration
import Torch

/// A transformer of shifted windows (Liu et al., 2021): attention within windows, and maps that each
/// stage halves by merging 2×2 positions.
///
/// Names are those of torchvision's `swin_*.features`; the normalizations of the maps, which
/// torchvision's classifier lacks, are `norms.0` and so on.
public final class Swin: Sequential, Backbone {
  /// What makes one network different from another.
  public struct Configuration: StagedTransformer, Sendable, Equatable {
    /// The blocks of each stage, and the heads of their attention.
    public var depths: [Int], heads: [Int]
    /// The channels of the first stage; each later one doubles them.
    public var width: Int
    /// The side of a window in positions.
    public var window = 7
    /// The features between the matrices of a block, as a multiple of the width.
    public var expansion = 4.0
    /// Whether queries, keys and values have a bias.
    public var hasBias = true
    /// Whether each map is normalized, as the authors do for everything but classification.
    public var normalizesMaps = true
    /// Whose form it has.
    ///
    /// In MMSegmentation's also maps no larger than a window are shifted, merging
    /// puts the four values of a channel one after another rather than whole positions, and images
    /// are extended to whole patches.
    public var form = HeadForm.torchvision
    /// In which order merging puts what it joins; the form's if nil.
    public var merging: Merging?
    /// The share of elements that training drops after each matrix.
    public var dropout = 0.0
    /// The share of images for which training leaves the last block out; earlier ones less often.
    public var dropRate: Double

    /// A network of these depths and heads whose first stage has `width` channels.
    public init(depths: [Int], heads: [Int], width: Int, dropRate: Double) {
      (self.depths, self.heads, self.width, self.dropRate) = (depths, heads, width, dropRate)
    }

    /// The paper's networks by torchvision's names, and the largest by such a name.
    public static let named: [String: Configuration] = [
      "swin_t": .init(depths: [2, 2, 6, 2], heads: [3, 6, 12, 24], width: 96, dropRate: 0.2),
      "swin_s": .init(depths: [2, 2, 18, 2], heads: [3, 6, 12, 24], width: 96, dropRate: 0.3),
      "swin_b": .init(depths: [2, 2, 18, 2], heads: [4, 8, 16, 32], width: 128, dropRate: 0.5),
      "swin_l": .init(depths: [2, 2, 18, 2], heads: [6, 12, 24, 48], width: 192, dropRate: 0.5),
    ]
  }

  /// In which order 2×2 positions are joined.
  public enum Merging: String, Sendable, CaseIterable {
    /// Whole positions one after another, as in the authors' code.
    case positions
    /// The four values of a channel one after another.
    case channels
  }

  /// What the network was made from.
  public let configuration: Configuration
  /// The channels of each stage.
  public let channels: [Int]
  /// The output stride of each stage.
  public let strides: [Int]
  let norms: [LayerNorm]
  private let extendsImage: Bool

  /// The side of a patch in pixels.
  private static let patch = 4

  /// A network for images of `inputChannels` channels.
  public init(_ configuration: Configuration, inputChannels: Int = 3) {
    self.configuration = configuration
    channels = configuration.depths.indices.map { configuration.width << $0 }
    strides = configuration.depths.indices.map { Self.patch << $0 }
    norms = configuration.normalizesMaps ? channels.map { LayerNorm($0) } : []
    extendsImage = configuration.form == .mmsegmentation
    let merging =
      configuration.merging ?? (configuration.form == .torchvision ? .positions : .channels)
    super.init()
    append(
      Patches(inputChannels, configuration.width, side: Self.patch))
    var rates = dropRates(configuration.dropRate, configuration.depths.reduce(0, +))[...]
    for (stage, depth) in configuration.depths.enumerated() {
      if stage > 0 { append(PatchMerging(channels[stage - 1], merging)) }
      let blocks = (0..<depth).map { index in
        SwinBlock(
          channels[stage], heads: configuration.heads[stage], isShifted: index % 2 == 1,
          configuration, dropRate: rates.popFirst() ?? 0)
      }
      append(Sequential { for block in blocks { block } })
    }
    Initialization.normal(self, deviation: 0.02)
  }

  public override var children: [(name: String, module: Module)] {
    layers.map { ($0.name, $0.layer) } + norms.enumerated().map { ("norms.\($0)", $1) }
  }

  /// The outputs of the stages.
  public func features(_ x: Tensor) -> [Tensor] {
    var x = self[0](extendsImage ? x.extended(toMultipleOf: Self.patch) : x)
    return channels.indices.map { stage in
      if stage > 0 { x = self[2 * stage](x) }
      x = self[2 * stage + 1](x)
      return (norms.isEmpty ? x : norms[stage](x)).permuted(0, 3, 1, 2)
    }
  }

  public override func forward(_ x: Tensor) -> Tensor { features(x).last ?? x }

  /// What fills the last windows, and patches where the original fills them.
  public var oddSides: String? {
    (extendsImage ? "patches and windows" : "windows") + " filled up by zeros at right and bottom"
  }

  /// The normalizations of the maps.
  public var partsWithoutPretraining: [String] { ["norms."] }

  /// Each stage with the patches or the merging before it, and its map's normalization.
  public var stages: [[Module]] {
    channels.indices.map { stage in
      let norm: [Module] = norms.isEmpty ? [] : [norms[stage]]
      return [self[2 * stage], self[2 * stage + 1]] + norm
    }
  }
}

/// Attention within windows, then two matrices for each position, each around a shortcut.
final class SwinBlock: Layer, RecomputableLayer {
  let norm1: LayerNorm, attn: WindowAttention
  let norm2: LayerNorm, mlp: Perceptron
  private let dropout: Dropout, depth: StochasticDepth

  init(
    _ width: Int, heads: Int, isShifted: Bool, _ configuration: Swin.Configuration,
    dropRate: Double
  ) {
    norm1 = LayerNorm(width)
    attn = WindowAttention(
      width, heads: heads, window: configuration.window,
      shift: isShifted ? configuration.window / 2 : 0, hasBias: configuration.hasBias,
      configuration.form)
    norm2 = LayerNorm(width)
    mlp = Perceptron(
      width, hidden: Int(Double(width) * configuration.expansion), dropout: configuration.dropout)
    dropout = Dropout(configuration.dropout)
    depth = StochasticDepth(dropRate)
  }

  override func forward(_ x: Tensor) -> Tensor {
    let y = x + depth(dropout(attn(norm1(x))))
    return isTraining ? y + depth(mlp(norm2(y))) : mlp(norm2(y), adding: y)
  }
}

/// Halves a map (N, H, W, C) by joining the channels of 2×2 positions, and halves the joined channels
/// by a matrix.
final class PatchMerging: Layer {
  let reduction: Linear, norm: LayerNorm
  private let order: Swin.Merging

  init(_ width: Int, _ order: Swin.Merging) {
    reduction = Linear(4 * width, 2 * width, bias: false)
    norm = LayerNorm(4 * width)
    self.order = order
  }

  override func forward(_ x: Tensor) -> Tensor {
    let even = x.padded([0, 0, 0, x.size(2) % 2, 0, x.size(1) % 2])
    func corner(_ row: Int, _ column: Int) -> Tensor {
      even.sliced(1, row, even.size(1), step: 2).sliced(2, column, even.size(2), step: 2)
    }
    let joined =
      switch order {
      case .positions:
        concatenate([corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)], along: 3)
      case .channels:
        stack([corner(0, 0), corner(0, 1), corner(1, 0), corner(1, 1)], along: 4)
          .flattened(from: 3)
      }
    return reduction(norm(joined))
  }
}

extension Swin {
  /// `swin_t`, `swin_s`, `swin_b` and `swin_l`.
  static let entries = Configuration.named.mapValues { configuration in
    BackboneEntry(outputStrides: [32]) { options, section in
      var configuration = configuration
      try configuration.readSizes(section)
      try section.checkHeads(
        configuration.heads, of: (0..<4).map { configuration.width << $0 })
      configuration.window = try section.int("window", default: 7, in: 1...64)
      configuration.form = try section.choice("form", default: .torchvision)
      section.declare("merging", as: .word(Merging.allCases.map(\.rawValue)))
      if section.has("merging") { configuration.merging = try section.choice("merging") }
      configuration.normalizesMaps = try section.bool("normalizeMaps", default: true)
      return Swin(configuration, inputChannels: options.inputChannels)
    }
  }
}

extension Swin: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    // Patches, stage, merging, stage, merging and so on; then the normalizations.
    guard let index = Int(child) else { return child.replacing("norms.", with: "norm") }
    return switch index {
    case 0: "patch_embed"
    case _ where index % 2 == 1: "stages.\(index / 2).blocks"
    default: "stages.\(index / 2 - 1).downsample"
    }
  }
}

extension SwinBlock: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    ["attn": "attn.w_msa", "mlp": "ffn"][child] ?? child
  }
}
