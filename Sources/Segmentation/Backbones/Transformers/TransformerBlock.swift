import Torch

/// Attention and two matrices over the channels, each around a shortcut and after a normalization
/// (Vaswani et al., 2017, in the order of Dosovitskiy et al., 2021).
final class TransformerBlock: Layer {
  let norm1: LayerNorm, attention: Layer
  let norm2: LayerNorm, expand: Linear, project: Linear
  private let depth: StochasticDepth
  private let names: [String: String]

  override var keys: [String: String] { names }

  /// A block of `width` channels around `attention`; `names` are those of the toolkit whose weights
  /// it takes.
  init(
    _ width: Int, _ attention: Layer, ratio: Int = 4, eps: Double = 1e-6, dropRate: Double = 0,
    names: [String: String]
  ) {
    norm1 = LayerNorm(width, eps: eps)
    self.attention = attention
    norm2 = LayerNorm(width, eps: eps)
    expand = Linear(width, ratio * width)
    project = Linear(ratio * width, width)
    depth = StochasticDepth(dropRate)
    self.names = names
  }

  /// Of any shape whose last dimension is the channels.
  override func forward(_ x: Tensor) -> Tensor {
    let y = x + depth(attention(norm1(x)))
    return y + depth(project(expand(norm2(y)).gelu()))
  }
}

/// Attention of every token to every other, in several heads.
///
/// Names are those of PyTorch's `MultiheadAttention`.
final class SelfAttention: Layer {
  let inProjWeight: Parameter, inProjBias: Parameter
  let outProj: Linear
  private let heads: Int

  init(_ width: Int, heads: Int) {
    inProjWeight = Parameter(Tensor(uninitialized: [3 * width, width]))
    inProjBias = Parameter(0, [3 * width])
    outProj = Linear(width, width)
    self.heads = heads
    super.init()
    Initialization.xavierUniform(inProjWeight)
  }

  /// Tokens (N, T, C).
  override func forward(_ x: Tensor) -> Tensor {
    outProj(attended(x.linear(inProjWeight, bias: inProjBias), heads: heads))
  }
}

/// The values (N, T, C) that queries find by keys, all three side by side in `qkv` (N, T, 3C), with
/// `mask` (…, T, T) added to what says how well they match.
func attended(_ qkv: Tensor, heads: Int, mask: Tensor? = nil) -> Tensor {
  let (count, tokens, width) = (qkv.size(0), qkv.size(1), qkv.size(2) / 3)
  let parts = qkv.reshaped(count, tokens, 3, heads, width / heads).permuted(2, 0, 3, 1, 4)
  let values = parts.selected(0, 0)
    .attention(parts.selected(0, 1), parts.selected(0, 2), mask: mask)
  return values.transposed(1, 2).reshaped(count, tokens, width)
}
