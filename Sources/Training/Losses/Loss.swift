import Datasets
import Torch

/// What training makes small: a number from scores and the truth.
///
/// Ignored pixels change neither the value nor any gradient. A batch without a labelled pixel gives
/// exactly 0 with a graph, so that a step changes nothing but what decays.
public struct Loss: Sendable, Equatable {
  /// The rule that the number follows.
  public enum Rule: Sendable, Equatable {
    /// Cross-entropy, the mean over labelled pixels by their classes' weights, as in PyTorch.
    case crossEntropy
    /// Cross-entropy over hard pixels only (Shrivastava et al., 2016): those whose own class has a
    /// probability below `threshold`, and at least the `keep` hardest an image.
    case ohem(threshold: Double = 0.7, keep: Int = 100_000)
    /// One minus the soft Dice coefficient, averaged over classes (Milletari et al., 2016).
    case dice
    /// Cross-entropy plus Dice times a weight.
    case crossEntropyDice(weight: Double)
    /// Focal loss, each class against the rest (Lin et al., 2017); `alpha` weights the class and
    /// 1 - `alpha` the rest, nil for 1 each.
    case focal(gamma: Double = 2, alpha: Double? = nil)
    /// Lovász-softmax over the batch's classes (Berman et al., 2018).
    case lovasz
    /// One minus the Tversky index to the power `gamma` (Salehi et al., 2017); `alpha` weights false
    /// positives, `beta` false negatives.
    case tversky(alpha: Double = 0.5, beta: Double = 0.5, gamma: Double = 1)
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

  /// Whether the rule has a use for class weights and label smoothing.
  var isByPixel: Bool {
    switch rule {
    case .crossEntropy, .ohem, .crossEntropyDice: true
    case .dice, .focal, .lovasz, .tversky: false
    }
  }

  /// The loss of scores (N, classes, H, W) where the truth is `target` (N, H, W), 64-bit classes
  /// with `LabelMap.ignored` where nothing counts: a tensor of one number.
  public func callAsFunction(_ logits: Tensor, _ target: Tensor) -> Tensor {
    let pixels = LabelledPixels(logits.to(.float32), target)
    return switch rule {
    case .crossEntropy: crossEntropy(pixels)
    case .ohem(let threshold, let keep): hardCrossEntropy(pixels, threshold, keep)
    case .dice: diceLoss(pixels)
    case .crossEntropyDice(let weight): crossEntropy(pixels) + diceLoss(pixels) * weight
    case .focal(let gamma, let alpha): focalLoss(pixels, gamma, alpha)
    case .lovasz: lovaszLoss(pixels)
    case .tversky(let alpha, let beta, let gamma): tverskyLoss(pixels, alpha, beta, gamma)
    }
  }
}

/// Scores and the truth, with ignored pixels taken out in one place for all losses.
struct LabelledPixels {
  /// Scores (N, classes, H, W) as the network gave them.
  let scores: Tensor
  /// Classes (N, H, W), `LabelMap.ignored` where nothing counts.
  let target: Tensor
  /// 1 at labelled pixels and 0 at ignored ones, (N, H, W).
  let valid: Tensor

  init(_ logits: Tensor, _ target: Tensor) {
    scores = logits
    self.target = target
    valid = target.notEqual(to: Double(LabelMap.ignored)).to(.float32)
  }

  /// Scores (N, classes, H, W), 0 at ignored pixels, from where no gradient flows back.
  var logits: Tensor { scores.filled(with: 0, where: valid.equal(to: 0.0).unsqueezed(1)) }

  /// Classes (N, H, W) that exist everywhere: 0 at ignored pixels.
  var known: Tensor { target.filled(with: 0, where: valid.equal(to: 0.0)) }

  /// The truth as 0 and 1 for each class, (N, classes, H, W); 0 at ignored pixels.
  var truth: Tensor {
    let classes = scores.size(1)
    let numbers = Tensor((0..<classes).map { Int64($0) }, [1, classes, 1, 1]).to(scores.device)
    return target.unsqueezed(1).equal(to: numbers).to(.float32)
  }

  /// Probabilities (N, classes, H, W); 0 at ignored pixels.
  var probabilities: Tensor { logits.softmax(1) * valid.unsqueezed(1) }
}
