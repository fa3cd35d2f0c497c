import Segmentation
import Torch

extension Loss {
  /// The loss of all that `model` gave for `images` (N, C, H, W) in training, each by its weight: the
  /// scores, those of auxiliary heads, and what else the head is trained with.
  public func total(
    _ output: SegmentationOutput, of model: SegmentationModel, for images: Tensor, _ target: Tensor
  ) -> Tensor {
    func pixels(_ scores: Tensor) -> Tensor { self(model.upsampled(scores, like: images), target) }
    var total = pixels(output.logits)
    for (head, scores) in zip(model.auxiliary, output.auxiliary) {
      total = total + pixels(scores) * head.weight
    }
    for helper in output.helpers {
      let own =
        switch helper.kind {
        case .pixels: pixels(helper.scores)
        case .presence: Self.presence(helper.scores, target)
        }
      total = total + own * helper.weight
    }
    return total
  }
}
