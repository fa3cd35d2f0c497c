import Torch

extension Loss {
  /// The form of torchvision and segmentation_models.pytorch: sigmoid scores, the mean over
  /// labelled pixels and classes.
  func focalLoss(_ pixels: LabelledPixels, _ gamma: Double, _ alpha: Double?) -> Tensor {
    let (x, truth) = (pixels.logits, pixels.truth)
    // Binary cross-entropy in a form that no score overflows.
    let entropy = x.clamped(0) - x * truth + ((-x.abs()).exp() + 1).log()
    // A pixel that is certain has 1 - p = 0, where a power below 1 has no slope.
    var losses = (1 - (-entropy).exp()).clamped(1e-12).pow(gamma) * entropy
    if let alpha { losses = losses * (truth * (2 * alpha - 1) + (1 - alpha)) }
    let sum = (losses * pixels.valid.unsqueezed(1)).sum()
    return sum / (pixels.valid.sum().clamped(1) * Double(max(x.size(1), 1)))
  }
}
