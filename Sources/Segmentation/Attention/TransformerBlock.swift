import Torch

/// One block of a vision transformer (Dosovitskiy et al., 2021, §3.1): attention among all tokens,
/// then two matrices for each of them, each behind a normalization and around a shortcut.
///
/// Names are those of torchvision's `EncoderBlock`. ViT, DeiT, SETR, DPT and Segmenter are stacks of
/// it.
final class TransformerBlock: Layer, RecomputableLayer {
  let norm1: LayerNorm, attention: MultiheadAttention
  let norm2: LayerNorm, mlp: Perceptron
  private let dropout: Dropout, depth: StochasticDepth

  /// What makes one block different from another.
  struct Configuration: Sendable, Equatable {
    /// The features of a token.
    var width: Int
    /// The number of heads that share them out.
    var heads: Int
    /// The features between both matrices.
    var hidden: Int
    /// Whether queries, keys and values have a bias.
    var hasBias = true
    /// What the normalizations add to the variance.
    var eps = 1e-6
    /// The share of elements that training drops after each matrix.
    var dropout = 0.0
  }

  override var keys: [String: String] {
    ["norm1": "ln_1", "attention": "self_attention", "norm2": "ln_2"]
  }

  /// A block of which training leaves each half out for a share `dropRate` of the images.
  init(_ configuration: Configuration, dropRate: Double = 0) {
    let width = configuration.width
    norm1 = LayerNorm(width, eps: configuration.eps)
    attention = MultiheadAttention(
      width, heads: configuration.heads, bias: configuration.hasBias)
    norm2 = LayerNorm(width, eps: configuration.eps)
    mlp = Perceptron(width, hidden: configuration.hidden, dropout: configuration.dropout)
    dropout = Dropout(configuration.dropout)
    depth = StochasticDepth(dropRate)
    super.init()
    Initialization.normal(self, deviation: 0.02)
  }

  /// The tokens (N, tokens, width), each changed by what it sees.
  override func forward(_ x: Tensor) -> Tensor {
    guard isTraining else {
      let y = attention(norm1(x), over: nil, adding: x)
      return mlp(norm2(y), adding: y)
    }
    let y = x + depth(dropout(attention(norm1(x))))
    return y + depth(mlp(norm2(y)))
  }
}

/// Two matrices with GELU between them, numbered 0 and 3 as in torchvision.
final class Perceptron: Sequential {
  init(_ width: Int, hidden: Int, dropout: Double = 0) {
    super.init {
      Linear(width, hidden)
      Activation.gelu.layer
      Dropout(dropout)
      Linear(hidden, width)
      Dropout(dropout)
    }
  }

  /// What the matrices make of `x`, plus `shortcut`, where nothing is dropped.
  func callAsFunction(_ x: Tensor, adding shortcut: Tensor) -> Tensor {
    guard let last = self[3] as? Linear else { return shortcut + self(x) }
    return last(applied(0..<2, to: x), adding: shortcut)
  }
}

/// The share of images for which each of `count` blocks is left out: from 0, evenly up to `rate`.
func dropRates(_ rate: Double, _ count: Int) -> [Double] {
  (0..<count).map { rate * Double($0) / Double(max(1, count - 1)) }
}

extension TransformerBlock: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String {
    ["ln_1": "ln1", "self_attention": "attn.attn", "ln_2": "ln2", "mlp": "ffn"][child] ?? child
  }
}

extension Perceptron: MMSegmentationNamed {
  func mmsegmentationName(_ child: String) -> String { child == "0" ? "layers.0.0" : "layers.1" }
}
