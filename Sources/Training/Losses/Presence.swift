import Datasets
import Torch

extension Operator {
  fileprivate static let binaryCrossEntropy = Operator("binary_cross_entropy_with_logits")
}

extension Loss {
  /// The binary cross-entropy of scores (N, classes) where the truth is whether a class occurs in
  /// `target` (N, H, W), averaged over images and classes (Zhang et al., 2018, §3.2).
  public static func presence(_ scores: Tensor, _ target: Tensor) -> Tensor {
    let (images, classes) = (target.size(0), scores.size(1))
    let counted = target.filled(
      with: Double(classes), where: target.equal(to: Double(LabelMap.ignored)))
    let truth = (0..<images).map { image in
      counted.selected(0, image).reshaped(-1).binCounts(classes + 1).sliced(0, 0, classes)
    }
    return Operator.binaryCrossEntropy(
      scores.to(.float32), stack(truth).atLeast(1).to(.float32), Tensor?.none, Tensor?.none)
  }
}
