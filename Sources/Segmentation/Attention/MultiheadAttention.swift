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
  override func forward(_ x: Tensor) -> Tensor { self(x, over: nil) }

  /// What each token (N, tokens, width) learns from `others` (N, others, width), or from all of `x`,
  /// plus `shortcut`.
  func callAsFunction(_ x: Tensor, over others: Tensor?, adding shortcut: Tensor? = nil) -> Tensor {
    let width = x.size(-1)
    let parts =
      others.map { [project(x, 0..<width)] + project($0, width..<3 * width).chunks(2, along: -1) }
      ?? project(x, 0..<3 * width).chunks(3, along: -1)
    return outProj(attend(parts, heads: heads), adding: shortcut)
  }

  /// `x` through some rows of the matrix of queries, keys and values.
  private func project(_ x: Tensor, _ rows: Range<Int>) -> Tensor {
    func part(_ whole: Tensor) -> Tensor { whole.sliced(0, rows.lowerBound, rows.upperBound) }
    return x.linear(part(inProjWeight), bias: inProjBias.map(part))
  }
}

extension Module {
  /// softmax(q kᵀ / √d + mask) v for `parts`, the queries, keys and values (N, tokens, width), whose
  /// features are shared out among `heads`; of the queries' shape.
  ///
  /// - Parameters:
  ///   - mask: what is added to the scores, (1 or N, heads, queries, keys).
  final func attend(_ parts: [Tensor], heads: Int, mask: Tensor? = nil) -> Tensor {
    let split = parts.map { part in
      part.reshaped(part.size(0), part.size(1), heads, part.size(2) / heads).transposed(1, 2)
    }
    guard split.count == 3 else { return parts.first ?? Tensor(0) }
    return split[0].attention(split[1], split[2], mask: mask).transposed(1, 2).flattened(from: 2)
  }
}
