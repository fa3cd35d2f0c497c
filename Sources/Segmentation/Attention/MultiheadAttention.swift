import Torch

/// Attention of several heads (Vaswani et al., 2017, §3.2.2): what every transformer here is made of.
///
/// Names are those of PyTorch's `MultiheadAttention`.
final class MultiheadAttention: Layer {
  let inProjWeight: Parameter
  let inProjBias: Parameter?
  let outProj: Linear
  private let heads: Int

  /// Attention among tokens of `width` features, which `heads` share out among them; `bias` is that
  /// of all four matrices, as in PyTorch.
  init(_ width: Int, heads: Int, bias: Bool = true) {
    inProjWeight = Parameter(Tensor(uninitialized: [3 * width, width]))
    inProjBias = bias ? Parameter(0, [3 * width]) : nil
    outProj = Linear(width, width, bias: bias)
    self.heads = heads
    super.init()
    Initialization.normal(inProjWeight, deviation: 0.02)
  }

  /// What each token (N, tokens, width) learns from all of them.
  override func forward(_ x: Tensor) -> Tensor {
    let parts = x.linear(inProjWeight, bias: inProjBias).chunks(3, along: -1)
    return outProj(attend(parts, heads: heads))
  }

  /// What each token (N, tokens, width) learns from `others` (N, others, width).
  func callAsFunction(_ x: Tensor, over others: Tensor) -> Tensor {
    let width = x.size(-1)
    func part(_ input: Tensor, _ start: Int, _ end: Int) -> Tensor {
      input.linear(
        inProjWeight.sliced(0, start * width, end * width),
        bias: inProjBias?.sliced(0, start * width, end * width))
    }
    return outProj(
      attend([part(x, 0, 1)] + part(others, 1, 3).chunks(2, along: -1), heads: heads))
  }
}

/// softmax(q kᵀ / √d + mask) v for `parts`, the queries, keys and values (N, tokens, width), whose
/// features are shared out among `heads`; of the queries' shape.
///
/// - Parameters:
///   - mask: what is added to the scores, (1 or N, heads, queries, keys).
func attend(_ parts: [Tensor], heads: Int, mask: Tensor? = nil) -> Tensor {
  let split = parts.map { part in
    part.reshaped(part.size(0), part.size(1), heads, part.size(2) / heads).transposed(1, 2)
  }
  guard split.count == 3 else { return parts.first ?? Tensor(0) }
  return split[0].attention(split[1], split[2], mask: mask).transposed(1, 2).flattened(from: 2)
}
