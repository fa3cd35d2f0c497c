import Torch

extension Loss {
  /// The form of milesial's U-Net before 2023: per class over the whole batch, smoothed by 1e-6, and
  /// 1 for a class that neither the prediction nor the truth has.
  func diceLoss(_ pixels: LabelledPixels) -> Tensor {
    let (probabilities, truth) = (pixels.probabilities, pixels.truth)
    let smoothing = 1e-6
    let overlap = (probabilities * truth).sum([0, 2, 3]) * 2
    let sizes = (probabilities + truth).sum([0, 2, 3])
    let sums = sizes.equal(to: 0.0).choose(overlap, sizes)
    return 1 - ((overlap + smoothing) / (sums + smoothing)).mean()
  }

  /// The form of segmentation_models.pytorch: per class over the whole batch, 0 for a class that the
  /// truth does not have, the mean over all classes.
  func tverskyLoss(
    _ pixels: LabelledPixels, _ alpha: Double, _ beta: Double, _ gamma: Double
  ) -> Tensor {
    let (probabilities, truth) = (pixels.probabilities, pixels.truth)
    let overlap = (probabilities * truth).sum([0, 2, 3])
    let sizes = truth.sum([0, 2, 3])
    let falsePositives = probabilities.sum([0, 2, 3]) - overlap
    let falseNegatives = sizes - overlap
    let whole = overlap + falsePositives * alpha + falseNegatives * beta
    let losses = 1 - overlap / whole.clamped(1e-7)
    let mean = (losses * sizes.notEqual(to: 0).to(.float32)).mean()
    return gamma == 1 ? mean : mean.clamped(0).pow(gamma)
  }
}
