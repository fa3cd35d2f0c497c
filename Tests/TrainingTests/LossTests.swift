import Checkpoints
import Configuration
import Datasets
import Foundation
import Testing
import Torch

@testable import Training

/// Scores (2, 4, 5, 6) and classes (2, 5, 6) that a few lines of Python make as well.
private func example() -> (logits: Parameter, target: Tensor) {
  let scores = (0..<240).map { (index: Int) -> Float in Float(sin(Double(index) * 0.37) * 3) }
  let classes = (0..<60).map { (index: Int) -> Int64 in
    index % 5 == 0 ? 255 : Int64(index * 7 % 4)
  }
  return (Parameter(Tensor(scores, [2, 4, 5, 6])), Tensor(classes, [2, 5, 6]))
}

private let weights = [0.5, 1, 2, 4]

@Suite("Losses")
struct LossTests {
  /// Values and gradients of PyTorch 2.11.
  ///
  /// They are the loss, the sum of the gradient's absolute values, and the gradient of the second
  /// score. Dice follows milesial's definition and OHEM its own, written out in Python; focal loss is
  /// that of segmentation_models_pytorch 0.5 (`FocalLoss("multiclass", gamma=2, ignore_index=255)`)
  /// and, with alpha, torchvision's `sigmoid_focal_loss` over labelled pixels; Lovász and Tversky are
  /// `LovaszLoss` and `TverskyLoss` of segmentation_models_pytorch with the arguments given here.
  @Test(
    "values and gradients are PyTorch's",
    arguments: [
      (Loss(.crossEntropy), 2.92795825, 1.54023576, 0.00457842369),
      (Loss(.crossEntropy, classWeights: weights), 3.11979413, 1.59618807, 0.0097673033),
      (Loss(.crossEntropy, labelSmoothing: 0.1), 2.92878556, 1.43381083, 0.00405758992),
      (
        Loss(.crossEntropy, classWeights: weights, labelSmoothing: 0.1), 3.11948824, 1.50696445,
        0.00910952687
      ),
      (Loss(.dice), 0.772007823, 0.16310133, 0.00398755446),
      (Loss(.crossEntropyDice(weight: 0.5)), 3.31396222, 1.62164259, 0.00657220092),
      (Loss(.ohem(threshold: 0.3, keep: 4)), 3.87324429, 1.89200413, 0),
      (Loss(.ohem(threshold: 0, keep: 9)), 5.05265617, 1.98417524, 0),
      (
        Loss(.ohem(threshold: 0.05, keep: 11), classWeights: weights, labelSmoothing: 0.1),
        4.61786795, 1.86564729, 0
      ),
      (Loss(.focal()), 0.828961134, 0.498881854, 0.004197028),
      (Loss(.focal(gamma: 1.5, alpha: 0.25)), 0.56004846, 0.313559675, 0.00320239435),
      (Loss(.lovasz), 0.837047815, 0.141672003, 0.00193050993),
      (Loss(.tversky(alpha: 0.3, beta: 0.7)), 0.771576464, 0.16350077, 0.00381404301),
      (
        Loss(.tversky(alpha: 0.3, beta: 0.7, gamma: 4.0 / 3)), 0.707682788, 0.199948525,
        0.00466427393
      ),
    ])
  func reference(loss: Loss, value: Double, gradientSum: Double, gradient: Double) throws {
    let (logits, target) = example()
    let result = loss(logits, target)
    #expect(abs(result.detached().item - value) < 1e-5)
    result.backward()
    let gradients = try #require(logits.gradient).floats.map(Double.init)
    #expect(abs(gradients.reduce(0) { $0 + abs($1) } - gradientSum) < 1e-5)
    #expect(abs(gradients[1] - gradient) < 1e-7)
  }

  /// The file that `Fixtures/losses.py` wrote with PyTorch, torchvision and
  /// segmentation_models_pytorch, from random scores and labels of which some are ignored.
  private static let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .appendingPathComponent("Fixtures/losses.safetensors").path

  @Test(
    "random scores and labels give the values and gradients of other implementations",
    arguments: ["plain", "few", "many", "steep", "whole"])
  func random(name: String) throws {
    let file = try WeightFile.open(Self.fixture)
    let scores = try file.tensor("\(name).logits")
    let target = try file.tensor("\(name).target")
    let classes = scores.size(1)
    let weights = (0..<classes).map { 0.5 + 1.5 * Double($0) / Double(classes - 1) }
    let losses: [(String, Loss)] = [
      ("crossEntropy", Loss(.crossEntropy)),
      ("weighted", Loss(.crossEntropy, classWeights: weights)),
      ("smoothed", Loss(.crossEntropy, labelSmoothing: 0.1)),
      ("weightedSmoothed", Loss(.crossEntropy, classWeights: weights, labelSmoothing: 0.1)),
      ("ohem", Loss(.ohem(threshold: 0.3, keep: 4))),
      ("ohemWeighted", Loss(.ohem(threshold: 0.2, keep: 9), classWeights: weights)),
      ("dice", Loss(.dice)), ("crossEntropyDice", Loss(.crossEntropyDice(weight: 3))),
      ("focal", Loss(.focal())), ("focalAlpha", Loss(.focal(gamma: 1.5, alpha: 0.25))),
      ("lovasz", Loss(.lovasz)), ("tversky", Loss(.tversky(alpha: 0.3, beta: 0.7))),
      ("tverskyPower", Loss(.tversky(alpha: 0.3, beta: 0.7, gamma: 4.0 / 3))),
    ]
    for (key, loss) in losses {
      let logits = Parameter(Tensor(scores.floats, scores.shape))
      let result = loss(logits, target)
      result.backward()
      let value = try file.tensor("\(name).\(key).value").item
      #expect(
        abs(result.detached().item - value) <= 1e-5 * max(abs(value), 1), "\(name) \(key)")
      let expected = try file.tensor("\(name).\(key).gradient").floats
      let found = try #require(logits.gradient).floats
      let worst = zip(found, expected).map { abs($0 - $1) }.max()
      #expect(try #require(worst) <= 1e-5, "the gradient of \(name) \(key)")
    }
  }

  static let all = [
    Loss(.crossEntropy), Loss(.crossEntropy, classWeights: weights, labelSmoothing: 0.1),
    Loss(.dice), Loss(.crossEntropyDice(weight: 1)), Loss(.ohem(threshold: 0.3, keep: 4)),
    Loss(.ohem(keep: .max), classWeights: weights), Loss(.focal(gamma: 0.5, alpha: 0.25)),
    Loss(.lovasz), Loss(.tversky(alpha: 0.3, beta: 0.7, gamma: 2)),
  ]

  @Test("scores at ignored pixels change neither value nor gradient", arguments: all)
  func ignored(loss: Loss) throws {
    let (logits, target) = example()
    var values = logits.detached().floats
    let classes = target.values(Int64.self)
    for image in 0..<2 {
      for pixel in 0..<30 where classes[image * 30 + pixel] == 255 {
        for channel in 0..<4 { values[(image * 4 + channel) * 30 + pixel] += Float(channel * 9) }
      }
    }
    let changed = Parameter(Tensor(values, [2, 4, 5, 6]))
    let (first, second) = (loss(logits, target), loss(changed, target))
    #expect(first.detached().item == second.detached().item)
    first.backward()
    second.backward()
    let (a, b) = (try #require(logits.gradient).floats, try #require(changed.gradient).floats)
    #expect(a == b)
    for image in 0..<2 {
      for pixel in 0..<30 where classes[image * 30 + pixel] == 255 {
        for channel in 0..<4 { #expect(a[(image * 4 + channel) * 30 + pixel] == 0) }
      }
    }
  }

  @Test("a batch without a labelled pixel gives exactly 0 and a graph of zeros", arguments: all)
  func nothingLabelled(loss: Loss) throws {
    let (logits, _) = example()
    let target = Tensor([Int64](repeating: 255, count: 60), [2, 5, 6])
    let result = loss(logits, target)
    #expect(result.detached().item == 0)
    result.backward()
    #expect(try #require(logits.gradient).floats.allSatisfy { $0 == 0 })
  }

  @Test(
    "whether a class occurs: PyTorch's value; an image without a labelled pixel changes nothing")
  func presence() throws {
    // F.binary_cross_entropy_with_logits(x, t), x = [[0.5, -1, 2]], t = [[1, 0, 1]].
    let scores: [Float] = [0.5, -1, 2]
    let labels: [Int64] = [0, 2, 255, 0]
    let one = Loss.presence(Tensor(scores, [1, 3]), Tensor(labels, [1, 2, 2]))
    #expect(abs(one.item - 0.3047554) < 1e-6)
    let more = Parameter(Tensor(scores + [3, 3, 3], [2, 3]))
    let two = Loss.presence(
      more, Tensor(labels + [Int64](repeating: 255, count: 4), [2, 2, 2]))
    #expect(abs(two.detached().item - 0.3047554) < 1e-6)
    two.backward()
    #expect(try #require(more.gradient).floats[3...].allSatisfy { $0 == 0 })
    let nothing = Parameter(Tensor(scores, [1, 3]))
    let zero = Loss.presence(nothing, Tensor([Int64](repeating: 255, count: 4), [1, 2, 2]))
    #expect(zero.detached().item == 0)
    zero.backward()
    #expect(try #require(nothing.gradient).floats.allSatisfy { $0 == 0 })
  }

  @Test(
    "a perfect prediction has a loss near 0",
    arguments: all.filter { $0.labelSmoothing == 0 && $0.rule != .focal(gamma: 0.5, alpha: 0.25) })
  func perfect(loss: Loss) {
    let target = Tensor((0..<16).map { Int64($0 % 4) }, [1, 4, 4])
    var values = [Float](repeating: 0, count: 64)
    for pixel in 0..<16 { values[pixel % 4 * 16 + pixel] = 50 }
    #expect(loss(Tensor(values, [1, 4, 4, 4]), target).item < 1e-5)
  }
}

@Suite("Losses in configurations")
struct LossConfigurationTests {
  @Test(
    "every loss has a name",
    arguments: [
      ("{}", Loss(.crossEntropy)),
      ("{labelSmoothing: 0.1}", Loss(.crossEntropy, labelSmoothing: 0.1)),
      ("{name: ohem, threshold: 0.6, keep: 9}", Loss(.ohem(threshold: 0.6, keep: 9))),
      ("{name: dice}", Loss(.dice)),
      ("{name: crossEntropyDice, diceWeight: 2}", Loss(.crossEntropyDice(weight: 2))),
      ("{name: focal, gamma: 3, alpha: 0.25}", Loss(.focal(gamma: 3, alpha: 0.25))),
      ("{name: focal}", Loss(.focal())), ("{name: lovasz}", Loss(.lovasz)),
      ("{name: tversky, alpha: 0.3, beta: 0.7}", Loss(.tversky(alpha: 0.3, beta: 0.7))),
    ])
  func names(text: String, expected: Loss) throws {
    let section = try Section(yaml: text, named: "loss.yaml")
    #expect(try Loss(section) == expected)
    try section.finish()
  }

  @Test("a setting that the loss has no use for is an unknown key")
  func useless() throws {
    let section = try Section(yaml: "{name: lovasz, labelSmoothing: 0.1}", named: "loss.yaml")
    _ = try Loss(section)
    #expect(throws: ConfigurationError.self) { try section.finish() }
  }
}

@Suite("Schedules")
struct ScheduleTests {
  /// The factors of PyTorch's schedulers over 50 steps at steps 0, 1, 14, 15, 30 and 49.
  @Test(
    "factors are PyTorch's",
    arguments: [
      (
        Schedule.Curve.oneCycle(),
        [0.04, 0.05203460215272471, 1.0, 0.9979871550490316, 0.5671183644422961, 4e-06]
      ),
      (
        .poly(),
        [
          1, 0.9819818665965753, 0.7440450757678327, 0.7254178469372199, 0.4383832905540869,
          0.0295751527325663,
        ]
      ),
      (
        .cosine,
        [
          1, 0.9990133642141358, 0.8187119948743449, 0.7938926261462367, 0.34549150281252644,
          0.0009866357858642205,
        ]
      ),
    ])
  func reference(curve: Schedule.Curve, expected: [Double]) {
    let schedule = Schedule(curve)
    for (step, factor) in zip([0, 1, 14, 15, 30, 49], expected) {
      #expect(abs(schedule.factor(step: step, of: 50) - factor) < 1e-12)
    }
  }

  @Test("steps divide at their milestones")
  func steps() {
    let schedule = Schedule(.step(milestones: [10, 20], gamma: 0.1))
    #expect(schedule.factor(step: 9, of: 30) == 1)
    #expect(abs(schedule.factor(step: 10, of: 30) - 0.1) < 1e-15)
    #expect(abs(schedule.factor(step: 29, of: 30) - 0.01) < 1e-15)
  }

  @Test("a warm-up rises to 1 and the curve begins after it")
  func warmUp() {
    let schedule = Schedule(.poly(), warmUp: 4, warmUpStart: 0.2, minimum: 0.05)
    let factors = (0..<4).map { schedule.factor(step: $0, of: 20) }
    #expect(factors == factors.sorted())
    #expect(factors[0] > 0.2 && factors[3] < 1)
    #expect(schedule.factor(step: 4, of: 20) == 1)
    #expect(schedule.factor(step: 19, of: 20) >= 0.05)
  }

  // From torch.optim.lr_scheduler.ReduceLROnPlateau(mode="max") of PyTorch 2.11.
  @Test("the rate falls where PyTorch's falls when the score stays")
  func plateau() {
    let scores = [0.1, 0.2, 0.2, 0.2, 0.20001, 0.25, 0.2, 0.2, 0.2, 0.2, 0.3, 0.31]
    func factors(_ rule: Plateau.Rule) -> [Double] {
      var plateau = Plateau()
      return scores.map { score in
        plateau.observe(score, rule)
        return plateau.factor
      }
    }
    func isClose(_ found: [Double], _ expected: [Double]) -> Bool {
      zip(found, expected).allSatisfy { abs($0 - $1) < 1e-12 }
    }
    var rule = Plateau.Rule()
    rule.patience = 1
    #expect(
      isClose(factors(rule), [1, 1, 1, 0.1, 0.1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001, 0.001]))
    rule = Plateau.Rule()
    (rule.factor, rule.patience, rule.threshold, rule.cooldown) = (0.5, 0, 0.1, 2)
    #expect(
      isClose(
        factors(rule), [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125, 0.125, 0.125]))
  }
}
