import Datasets
import Segmentation
import Torch

extension Operator {
  fileprivate static let crossEntropy = Operator("cross_entropy_loss")
  fileprivate static let binaryCrossEntropy = Operator("binary_cross_entropy_with_logits")
}

/// What training makes small: a number from scores and the truth.
///
/// Ignored pixels change neither the value nor any gradient. A batch without a labelled pixel gives
/// exactly 0 with a graph, so that a step changes nothing but what decays.
public struct Loss: Sendable, Equatable {
  /// The rule that the number follows.
  public enum Rule: Sendable, Equatable {
    /// Cross-entropy, the mean over labelled pixels by their classes' weights, as in PyTorch.
    case crossEntropy
    /// One minus the soft Dice coefficient, averaged over classes (Milletari et al., 2016).
    case dice
    /// Cross-entropy plus Dice times a weight.
    case crossEntropyDice(weight: Double)
  }

  /// The rule.
  public var rule: Rule
  /// The weight of each class in cross-entropy; nil for 1 each.
  public var classWeights: [Double]?
  /// The share of the target that cross-entropy spreads over all classes (Szegedy et al., 2016).
  public var labelSmoothing: Double

  /// A loss by `rule`.
  public init(_ rule: Rule, classWeights: [Double]? = nil, labelSmoothing: Double = 0) {
    self.rule = rule
    self.classWeights = classWeights
    self.labelSmoothing = labelSmoothing
  }

  /// The loss of scores (N, classes, H, W) where the truth is `target` (N, H, W), 64-bit classes
  /// with ``LabelMap/ignored`` where nothing counts: a tensor of one number.
  public func callAsFunction(_ logits: Tensor, _ target: Tensor) -> Tensor {
    let logits = logits.to(.float32)
    return switch rule {
    case .crossEntropy: crossEntropy(logits, target)
    case .dice: dice(logits, target)
    case .crossEntropyDice(let weight):
      crossEntropy(logits, target) + dice(logits, target) * weight
    }
  }

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

  private func crossEntropy(_ logits: Tensor, _ target: Tensor) -> Tensor {
    let weights = classWeights.map { Tensor($0.map(Float.init)).to(logits.device) }
    let sum = Operator.crossEntropy(
      logits, target, weights, 2, Int(LabelMap.ignored), labelSmoothing)
    let valid = target.notEqual(to: Double(LabelMap.ignored)).to(.float32)
    guard let weights else { return sum / valid.sum().clamped(1) }
    // A pixel counts by the weight of its class.
    let known = target.filled(with: 0, where: valid.equal(to: 0.0))
    let share = (weights.entries(0, known.reshaped(-1)) * valid.reshaped(-1)).sum()
    return sum / share.clamped(1e-12)
  }

  /// The form of milesial's U-Net before 2023: per class over the whole batch, smoothed by 1e-6, and
  /// 1 for a class that neither the prediction nor the truth has.
  private func dice(_ logits: Tensor, _ target: Tensor) -> Tensor {
    let (probabilities, truth) = masked(logits, target)
    let overlap = (probabilities * truth).sum([0, 2, 3]) * 2
    let sizes = (probabilities + truth).sum([0, 2, 3])
    let sums = sizes.equal(to: 0.0).choose(overlap, sizes)
    return 1 - ((overlap + Self.smoothing) / (sums + Self.smoothing)).mean()
  }

  private static let smoothing = 1e-6

  /// Probabilities and the truth as 0 and 1, both (N, classes, H, W) and 0 at ignored pixels: what
  /// every loss over regions starts from.
  private func masked(_ logits: Tensor, _ target: Tensor) -> (probabilities: Tensor, truth: Tensor)
  {
    let classes = logits.size(1)
    let numbers = Tensor((0..<classes).map { Int64($0) }, [1, classes, 1, 1]).to(logits.device)
    let column = target.unsqueezed(1)
    let truth = column.equal(to: numbers).to(.float32)
    let valid = column.notEqual(to: Double(LabelMap.ignored)).to(.float32)
    return (logits.softmax(1) * valid, truth)
  }
}
