import Configuration
import Datasets
import Foundation
import Imaging
import Segmentation
import Torch

/// Everything that a run is made of, read from YAML and checked before anything runs.
///
/// ```yaml
/// output: runs/camvid
/// data: {layout: camvid, root: data/camvid}
/// model:
///   backbone: {name: densenet121, outputStride: 8}
///   head: {name: denseaspp, dilations: [3, 6, 12, 18, 24]}
/// train:
///   iterations: 2000            # or epochs
///   batchSize: 4
///   optimizer: {name: adamW, learningRate: 0.001, weightDecay: 0.01}
///   schedule: {name: poly, power: 0.9, warmUp: 100}
///   loss: {name: crossEntropy, classWeights: medianFrequency}
///   augmentation:
///     - randomResize: [0.5, 2.0]
///     - randomCrop: 320x320
///     - pad: 320x320
///     - horizontalFlip: 0.5
///   evaluateEvery: 500
/// evaluate: {limit: 50}
/// ```
public struct TrainingConfiguration {
  /// The folder of the run, if the configuration names one.
  public let output: String?
  /// The images.
  public let data: DataConfiguration
  /// How weights change.
  public let train: TrainingSettings
  /// How the network is scored.
  public let evaluate: EvaluationSettings
  /// The configuration as text, overrides included.
  public let yaml: String
  private let model: Section

  /// Reads a file; `overrides` are of the form `key.path=value`.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public init(contentsOf file: String, overrides: [String] = []) throws {
    try self.init(Section(contentsOf: file, overrides: overrides))
  }

  /// Reads text; `named` stands for the file in messages.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public init(yaml: String, named file: String, overrides: [String] = []) throws {
    try self.init(Section(yaml: yaml, named: file, overrides: overrides))
  }

  private init(_ root: Section) throws {
    yaml = root.yaml
    output = try root.optionalString("output")
    data = try DataConfiguration(root.section("data"))
    model = try root.section("model")
    train = try TrainingSettings(root.section("train"))
    evaluate = try EvaluationSettings(root.section("evaluate"))
    let classes = try model.int("classes", default: data.labelMap.count)
    guard classes == data.labelMap.count else {
      throw model.invalid(
        "classes", "\(classes)",
        expected: "\(data.labelMap.count), the classes of the label map '\(data.labelMap.name)'")
    }
    // The builder reads the model's keys, so unknown keys are looked for once it has.
    try withPreservedRandomState { _ = try buildModel(pretrained: false) }
    try root.finish()
  }

  /// A network with weights drawn from libtorch's random numbers, and those of the backbone from the
  /// file that the configuration names, unless `pretrained` is false.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong; `WeightFileError` for the file.
  public func buildModel(pretrained: Bool = true) throws -> SegmentationModel {
    try attempt {
      try ModelBuilder.build(model, classes: data.labelMap.count, pretrained: pretrained)
    }
  }
}

/// How often something happens, in iterations.
public enum Interval: Sendable, Equatable {
  /// After every so many iterations.
  case iterations(Int)
  /// After every epoch.
  case epoch
  /// Only at the end.
  case never

  init(_ section: Section, _ key: String, default fallback: Interval) throws {
    guard section.has(key) else {
      self = fallback
      return
    }
    if let count = try? section.int(key) {
      guard count >= 0 else {
        throw section.invalid(key, "\(count)", expected: "a number of iterations, 0 or 'epoch'")
      }
      self = count == 0 ? .never : .iterations(count)
    } else {
      let text = try section.string(key)
      guard text == "epoch" else {
        throw section.invalid(key, "'\(text)'", expected: "a number of iterations, 0 or 'epoch'")
      }
      self = .epoch
    }
  }

  /// Whether it happens after `done` iterations, of `perEpoch` an epoch.
  func isDue(_ done: Int, perEpoch: Int) -> Bool {
    switch self {
    case .iterations(let count): done % count == 0
    case .epoch: done % perEpoch == 0
    case .never: false
    }
  }
}

/// The section `train`: how weights change.
public struct TrainingSettings {
  /// How long a run is.
  public enum Length: Sendable, Equatable {
    case iterations(Int)
    case epochs(Int)
  }

  /// How class weights come about.
  public enum ClassWeights: Sendable, Equatable {
    case none
    case inverseFrequency
    case sqrtInverseFrequency
    case medianFrequency
    case given([Double])
  }

  /// How long the run is.
  public let length: Length
  /// The images of a step.
  public let batchSize: Int
  /// The rule by which gradients change weights.
  public let rule: OptimizerRule
  /// The learning rate that the schedule multiplies.
  public let learningRate: Double
  /// The weight decay, and whether it holds for normalizations and biases too.
  public let weightDecay: Double
  /// Whether normalizations and biases decay.
  public let decaysNorms: Bool
  /// What the learning rate of the backbone is multiplied by.
  public let backboneRate: Double
  /// How the learning rate changes.
  public let schedule: Schedule
  /// The loss, without class weights that come from the data.
  public let loss: Loss
  /// The class weights.
  public let classWeights: ClassWeights
  /// The largest norm of all gradients together; nil for any.
  public let clip: Double?
  /// What is done to every image.
  public let augmentation: Pipeline
  /// How often the network is scored.
  public let evaluateEvery: Interval
  /// How often it is saved, besides after scoring and at the end.
  public let checkpointEvery: Interval
  /// How often a line is logged, in iterations.
  public let logEvery: Int
  /// What all random numbers come from.
  public let seed: UInt64
  /// The threads of the network; 0 for libtorch's choice.
  public let threads: Int
  /// The threads that prepare images; 0 for one a core.
  public let workers: Int
  /// The memory for decoded images, in bytes.
  public let cacheBytes: Int
  /// The type that convolutions are computed in; nil for that of the weights.
  public let precision: DType?
  /// The decay of the moving average of the weights; nil for none.
  public let movingAverage: Double?

  private enum Name: String, CaseIterable { case sgd, adam, adamW, rmsProp }
  private enum CurveName: String, CaseIterable {
    case constant, poly, step, cosine, oneCycle, plateau
  }
  private enum Precision: String, CaseIterable { case float32, bfloat16 }

  init(_ section: Section) throws {
    switch (
      try section.optionalInt("iterations", in: 1...longest),
      try section.optionalInt("epochs", in: 1...longest)
    ) {
    case (let iterations?, nil): length = .iterations(iterations)
    case (nil, let epochs?): length = .epochs(epochs)
    case (nil, nil):
      throw ConfigurationError.missing(
        place: section.place, key: "iterations", expected: "iterations or epochs")
    case (_?, let epochs?):
      throw section.invalid("epochs", "\(epochs)", expected: "nothing, as iterations are given too")
    }
    batchSize = try section.int("batchSize", default: 4, in: 1...65_536)

    let optimizer = try section.section("optimizer")
    rule = try Self.rule(optimizer)
    learningRate = try optimizer.double("learningRate", in: 0...1e6)
    weightDecay = try optimizer.double("weightDecay", default: 0, in: 0...1e6)
    decaysNorms = try optimizer.bool("decayNorms", default: true)
    backboneRate = try optimizer.double("backboneRate", default: 1, in: 0...1e6)
    schedule = try Self.schedule(section.section("schedule"))

    let loss = try section.section("loss")
    classWeights = try Self.classWeights(loss)
    self.loss = try Loss(loss)
    guard self.loss.isByPixel || classWeights == .none else {
      throw loss.invalid(
        "classWeights", "given", expected: "none, as only losses by cross-entropy weight classes")
    }
    clip = try section.optionalDouble("clip", in: 1e-12...1e12)
    augmentation = try Self.augmentation(section)
    evaluateEvery = try Interval(section, "evaluateEvery", default: .epoch)
    checkpointEvery = try Interval(section, "checkpointEvery", default: .epoch)
    logEvery = try section.int("logEvery", default: 10, in: 1...Int.max)
    seed = UInt64(try section.int("seed", default: 0, in: 0...Int.max))
    threads = try section.int("threads", default: 0, in: 0...4096)
    workers = try section.int("workers", default: 0, in: 0...4096)
    cacheBytes = try section.int("cacheMegabytes", default: 0, in: 0...1 << 40) << 20
    precision =
      try section.choice("precision", Precision.self, default: .float32) == .bfloat16
      ? .bfloat16 : nil
    movingAverage = try section.optionalDouble("ema", in: 0...1)
  }

  private static func rule(_ section: Section) throws -> OptimizerRule {
    func betas() throws -> (Double, Double) {
      let betas = try section.doubles("betas", default: [0.9, 0.999])
      guard betas.count == 2, betas.allSatisfy({ (0..<1).contains($0) }) else {
        throw section.invalid("betas", "\(betas)", expected: "two numbers from 0 up to below 1")
      }
      return (betas[0], betas[1])
    }
    func eps() throws -> Double { try section.double("eps", default: 1e-8, in: 0...1) }
    switch try section.choice("name", Name.self) {
    case .sgd:
      return .sgd(
        momentum: try section.double("momentum", default: 0, in: 0...1),
        nesterov: try section.bool("nesterov", default: false))
    case .adam: return try .adam(beta1: betas().0, beta2: betas().1, eps: eps())
    case .adamW: return try .adamW(beta1: betas().0, beta2: betas().1, eps: eps())
    case .rmsProp:
      return .rmsProp(
        alpha: try section.double("alpha", default: 0.99, in: 0...1),
        momentum: try section.double("momentum", default: 0, in: 0...1), eps: try eps())
    }
  }

  private static func schedule(_ section: Section) throws -> Schedule {
    let curve: Schedule.Curve
    switch try section.choice("name", CurveName.self, default: .constant) {
    case .constant: curve = .constant
    case .poly: curve = .poly(power: try section.double("power", default: 0.9, in: 0...100))
    case .step:
      curve = .step(
        milestones: try section.ints("milestones", in: 1...Int.max),
        gamma: try section.double("gamma", default: 0.1, in: 0...1))
    case .cosine: curve = .cosine
    case .oneCycle:
      curve = .oneCycle(
        rise: try section.double("rise", default: 0.3, in: 0...1),
        divisor: try section.double("divisor", default: 25, in: 1...1e9),
        finalDivisor: try section.double("finalDivisor", default: 10_000, in: 1...1e12))
    case .plateau:
      var rule = Plateau.Rule()
      rule.factor = try section.double("factor", default: rule.factor, in: 0...1)
      rule.patience = try section.int("patience", default: rule.patience, in: 0...longest)
      rule.threshold = try section.double("threshold", default: rule.threshold, in: 0...1)
      rule.cooldown = try section.int("cooldown", default: rule.cooldown, in: 0...longest)
      curve = .plateau(rule)
    }
    return Schedule(
      curve, warmUp: try section.int("warmUp", default: 0, in: 0...longest),
      warmUpStart: try section.double("warmUpStart", default: 0, in: 0...1),
      minimum: try section.double("minimum", default: 0, in: 0...1))
  }

  private static func classWeights(_ section: Section) throws -> ClassWeights {
    guard section.has("classWeights") else { return .none }
    if let list = try? section.doubles("classWeights") {
      guard list.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
        throw section.invalid("classWeights", "\(list)", expected: "numbers of at least 0")
      }
      return .given(list)
    }
    let known: [String: ClassWeights] = [
      "none": .none, "inverseFrequency": .inverseFrequency,
      "sqrtInverseFrequency": .sqrtInverseFrequency, "medianFrequency": .medianFrequency,
    ]
    let name = try section.string("classWeights")
    guard let weights = known[name] else {
      throw section.invalid(
        "classWeights", "'\(name)'",
        expected: "\(known.keys.sorted().joined(separator: ", ")), or a list of numbers")
    }
    return weights
  }

  static func augmentation(_ section: Section) throws -> Pipeline {
    let transforms = try section.sectionList("augmentation").map(Transform.init)
    do {
      return try Pipeline(transforms)
    } catch let error as DatasetError {
      throw section.invalid("augmentation", "impossible", expected: error.description)
    }
  }
}

/// The most iterations and epochs that can be meant; with more, their product would not be a number.
private let longest = 1_000_000_000

/// The section `evaluate`: how the network is scored.
public struct EvaluationSettings: Sendable {
  /// The part of the data that is scored.
  public let split: String
  /// The most images that are scored while training; nil for all.
  public let limit: Int?
  /// The size to which images are resized for the network; nil for their own.
  public let imageSize: Size?

  init(_ section: Section) throws {
    split = try section.string("split", default: "val")
    limit = try section.optionalInt("limit", in: 1...Int.max)
    imageSize =
      section.has("imageSize")
      ? Size(
        width: try section.size("imageSize").width, height: try section.size("imageSize").height)
      : nil
  }
}

/// Runs `body` and puts the state of the random numbers back.
func withPreservedRandomState<R>(_ body: () throws -> R) rethrows -> R {
  let state = Engine.randomState
  defer { Engine.randomState = state }
  return try body()
}
