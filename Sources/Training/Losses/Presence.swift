import Datasets
import Torch

extension Operator {
  fileprivate static let binaryCrossEntropy = Operator("binary_cross_entropy_with_logits")
}

extension Loss {
  /// The binary cross-entropy of scores (N, classes) where the truth is whether a class occurs in
  /// `target` (N, H, W), averaged over images and classes (Zhang et al., 2018, §3.2); images without
  /// a labelled pixel do not count.
  public static func presence(_ scores: Tensor, _ target: Tensor) -> Tensor {
    let (images, classes) = (target.size(0), scores.size(1))
    let counted = target.filled(
      with: Double(classes), where: target.equal(to: Double(LabelMap.ignored)))
    let counts = (0..<images).map { image in
      counted.selected(0, image).reshaped(-1).binCounts(classes + 1).sliced(0, 0, classes)
    }
    let truth = stack(counts)
    let known = truth.sum([1], keep: true).atLeast(1).to(.float32)
    let losses: Tensor = Operator.binaryCrossEntropy(
      scores.to(.float32), truth.atLeast(1).to(.float32), Tensor?.none, Tensor?.none, 0)
    return (losses * known).sum() / (known.sum().clamped(1) * Double(max(classes, 1)))
  }
}
