import Torch

extension Operator {
  fileprivate static let cumsum = Operator("cumsum")
  fileprivate static let diff = Operator("diff")
  fileprivate static let sort = Operator("sort")
}

extension Loss {
  /// The mean over the classes that the batch's truth has, each over all pixels of the batch.
  ///
  /// An ignored pixel has error 0 for every class: it comes last in the order and counts nothing.
  func lovaszLoss(_ pixels: LabelledPixels) -> Tensor {
    let classes = pixels.scores.size(1)
    let truth = pixels.truth.transposed(0, 1).reshaped(classes, -1)
    let probabilities = pixels.probabilities.transposed(0, 1).reshaped(classes, -1)
    let sorted = Operator.sort.tensors((truth - probabilities).abs(), 1, true)
    guard sorted.count == 2 else { return pixels.scores.sum() }
    let slopes = withoutGradients { () -> Tensor in
      // Double precision, as sums over many pixels of 0 and 1 lose the last ones otherwise.
      let truth = truth.gathered(1, sorted[1]).to(.float64)
      let sizes = truth.sum([1], keep: true)
      let missed = Operator.cumsum(truth, 1) as Tensor
      let added = Operator.cumsum(1 - truth, 1) as Tensor
      let jaccard = 1 - (sizes - missed) / (sizes + added)
      let before = jaccard.sliced(1, 0, 1).zerosLike()
      return (Operator.diff(jaccard, 1, 1, before) as Tensor).to(.float32)
    }
    let present = truth.maximum(along: [1])
    let losses = (sorted[0] * slopes).sum([1]) * present
    return losses.sum() / present.sum().clamped(1)
  }
}
