import Datasets
import Torch

extension Operator {
  fileprivate static let crossEntropy = Operator("cross_entropy_loss")
}

extension Loss {
  private enum Reduction: Int { case none, mean, sum }

  /// The weighted mean over labelled pixels.
  func crossEntropy(_ pixels: LabelledPixels) -> Tensor {
    let weights = weights(on: pixels.scores.device)
    let sum = crossEntropy(pixels, weights, .sum)
    guard let weights else { return sum / pixels.valid.sum().clamped(1) }
    return sum / share(pixels, weights, of: pixels.valid)
  }

  /// The weighted mean over the pixels that are hard.
  ///
  /// Ties with the last pixel that is kept are kept too.
  func hardCrossEntropy(_ pixels: LabelledPixels, _ threshold: Double, _ keep: Int) -> Tensor {
    let weights = weights(on: pixels.scores.device)
    let losses = crossEntropy(pixels, weights, .none)
    let hard = withoutGradients { () -> Tensor in
      let own = pixels.scores.softmax(1).gathered(1, pixels.known.unsqueezed(1)).squeezed(1)
      // Ignored pixels are no candidates: nothing is as easy as 2.
      let candidates = own.filled(with: 2, where: pixels.valid.equal(to: 0.0))
      let labelled = Int(pixels.valid.to(.float64).sum().item)
      let (wanted, isHuge) = keep.multipliedReportingOverflow(by: pixels.target.size(0))
      let count = isHuge ? labelled : min(wanted, labelled)
      var hard = candidates.below(threshold).to(.float32)
      if count > 0 {
        let easiest = -(-candidates.reshaped(-1)).largest(count).sliced(0, count - 1, count)
        hard = hard.maximum((easiest - candidates).atLeast(0).to(.float32))
      }
      return hard * pixels.valid
    }
    let sum = (losses * hard).sum()
    guard let weights else { return sum / hard.sum().clamped(1) }
    return sum / share(pixels, weights, of: hard)
  }

  private func weights(on device: Device) -> Tensor? {
    classWeights.map { Tensor($0.map(Float.init)).to(device) }
  }

  private func crossEntropy(
    _ pixels: LabelledPixels, _ weights: Tensor?, _ reduction: Reduction
  ) -> Tensor {
    Operator.crossEntropy(
      pixels.scores, pixels.target, weights, reduction.rawValue, Int(LabelMap.ignored),
      labelSmoothing)
  }

  /// The sum of the weights of the classes of the pixels that `counted` (N, H, W) has as 1.
  private func share(_ pixels: LabelledPixels, _ weights: Tensor, of counted: Tensor) -> Tensor {
    (weights.entries(0, pixels.known.reshaped(-1)) * counted.reshaped(-1)).sum().clamped(1e-12)
  }
}
