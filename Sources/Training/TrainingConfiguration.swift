import Configuration
import Datasets
import Evaluation
import Foundation
import Imaging
import Inference
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
/// evaluate: {limit: 50}         # also imageSize, window, overlap, scales, flip
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
    try self.init { try Section(contentsOf: file, overrides: overrides + $0) }
  }

  /// Reads text; `named` stands for the file in messages.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public init(yaml: String, named file: String, overrides: [String] = []) throws {
    try self.init { try Section(yaml: yaml, named: file, overrides: overrides + $0) }
  }

  /// Reads the sections that `read` gives with further overrides.
  private init(_ read: ([String]) throws -> Section) throws {
    let classes = try DataConfiguration.resolvedClasses(read([]))
    func resolved(_ overrides: [String]) throws -> Section { try read(classes + overrides) }
    try self.init(root: resolved(DataConfiguration.measured(resolved)))
  }

  /// Reads the sections of a configuration in which nothing is left to measure.
  init(root: Section) throws {
    yaml = root.yaml
    output = try root.optionalPath("output")
    data = try DataConfiguration(root.section("data"))
    model = try root.section("model")
    let training = try root.section("train")
    train = try TrainingSettings(training, classes: data.labelMap.classes.map(\.name))
    evaluate = try EvaluationSettings(root.section("evaluate"))
    if case .near = evaluate.imageSize, train.best == .loss {
      throw training.invalid(
        "best", "loss beside evaluate.keepAspectRatio",
        expected: "another score, as the loss is found at sizes that transforms make")
    }
    let classes = try model.int("classes", default: data.labelMap.count)
    guard classes == data.labelMap.count else {
      throw model.invalid(
        "classes", "\(classes)",
        expected: "\(data.labelMap.count), the classes of the label map '\(data.labelMap.name)'")
    }
    try checkScores(training)
    // The builder reads the model's keys, so unknown keys are looked for once it has.
    try withPreservedRandomState { _ = try buildModel(pretrained: false) }
    try root.finish(help: Section.helpCommand)
  }

  /// The configuration as text, with `folder` as its output: what a run in that folder goes on from.
  ///
  /// - Throws: `ConfigurationError`, which text that was read before does not.
  func yaml(output folder: String) throws -> String {
    if output == folder { return yaml }
    return try Section(yaml: yaml, named: "the configuration").with("output", text: folder).yaml
  }

  /// A network with weights drawn from libtorch's random numbers, and those of the backbone from the
  /// file that the configuration names, unless `pretrained` is false.
  ///
  /// - Parameters:
  ///   - pretrained: Whether the backbone's file is read.
  ///   - classes: Another number of classes than the label map's, whatever the section says.
  /// - Throws: `ConfigurationError` naming what is wrong; `WeightFileError` for the file.
  public func buildModel(pretrained: Bool = true, classes: Int? = nil) throws -> SegmentationModel {
    try attempt {
      let section = try classes.map { try model.with("classes", "\($0)") } ?? model
      return try ModelBuilder.build(
        section, classes: data.labelMap.count, inputChannels: data.encoding.bands,
        pretrained: pretrained)
    }
  }
}

/// The section `train`: how weights change.
public struct TrainingSettings {
  /// How long a run is.
  public enum Length: Sendable, Equatable {
    case iterations(Int)
    case epochs(Int)
    case minutes(Double)
  }

  /// How class weights come about.
  public enum ClassWeights: Sendable, Equatable {
    case none
    case inverseFrequency
    case sqrtInverseFrequency
    case medianFrequency
    case given([Double])

    /// Whether they come from the training labels, all of which are read for them.
    var areCounted: Bool {
      switch self {
      case .none, .given: false
      case .inverseFrequency, .sqrtInverseFrequency, .medianFrequency: true
      }
    }
  }

  /// Where the section stands, such as `camvid.yaml: train`, for messages.
  public let place: String
  /// How long the run is.
  public let length: Length
  /// The images of a batch.
  public let batchSize: Int
  /// The batches whose gradients make one step together.
  public let accumulation: Int
  /// The rule, the rates and what decays.
  public let optimizer: OptimizerSettings
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
  /// Which images are seen how often, and where they are cut.
  public let sampling: Sampling
  /// How often the network is scored.
  public let evaluateEvery: Interval
  /// How often it is saved, besides after scoring and at the end.
  public let checkpointEvery: Interval
  /// The checkpoints that stay beside the last and the best; nil for none.
  public let snapshots: Snapshots?
  /// What the best checkpoint is the best by.
  public let best: Metric
  /// When a run ends before its time; nil for never.
  public let earlyStopping: EarlyStopping?
  /// How often a line is logged, in iterations.
  public let logEvery: Int
  /// How many of the images that are scored TensorBoard shows; nil without event files.
  public let tensorBoardImages: Int?
  /// What all random numbers come from.
  public let seed: UInt64
  /// Whether only algorithms run that give the same bits on every run.
  public let deterministic: Bool
  /// The threads of the network; 0 for libtorch's choice.
  public let threads: Int
  /// The threads that prepare images; 0 for one a core.
  public let workers: Int
  /// The memory for decoded images, in bytes.
  public let cacheBytes: Int
  /// The type that convolutions are computed in; nil for that of the weights.
  public let precision: DType?
  /// Whether blocks of the network run again for their gradients instead of keeping activations.
  public let recomputesActivations: Bool
  /// Whether batch normalization takes its statistics over the images of all processes.
  public let synchronizesBatchNorm: Bool
  /// What training leaves as it is.
  public let freeze: FreezeSettings
  /// The decay of the moving average of the weights; nil for none.
  public let movingAverage: Double?
  /// The run, checkpoint or file of weights that training starts from; nil for the network as built.
  public let startFrom: String?

  init(_ section: Section, classes: [String]) throws {
    place = section.place
    length = try Self.length(section)
    batchSize = try section.int("batchSize", default: 4, in: 1...65_536)
    accumulation = try section.int("accumulate", default: 1, in: 1...65_536)
    optimizer = try OptimizerSettings(section.section("optimizer", isNamed: true))
    schedule = try Schedule(section.section("schedule", isNamed: true))

    let loss = try section.section("loss", isNamed: true)
    classWeights = try Self.classWeights(loss)
    self.loss = try Loss(loss)
    guard self.loss.isByPixel || classWeights == .none else {
      throw loss.invalid(
        "classWeights", "given", expected: "none, as only losses by cross-entropy weight classes")
    }
    clip = try section.optionalDouble("clip", in: 1e-12...1e12)
    augmentation = try Self.augmentation(section, classes: classes)
    sampling = try Self.sampling(section, augmentation)
    evaluateEvery = try Interval(section, "evaluateEvery", default: .epochs(1))
    checkpointEvery = try Interval(section, "checkpointEvery", default: .epochs(1))
    snapshots = try Snapshots(section.optionalSection("snapshots"))
    best = try Metric(section, "best", classes: classes)
    earlyStopping = try EarlyStopping(section.optionalSection("earlyStopping"))
    if earlyStopping != nil && evaluateEvery == .never {
      throw section.invalid(
        "evaluateEvery", "0", expected: "an interval, as earlyStopping follows the scores")
    }
    logEvery = try section.int("logEvery", default: 10, in: 1...Int.max)
    tensorBoardImages = try Self.tensorBoardImages(section)
    seed = UInt64(try section.int("seed", default: 0, in: 0...Int.max))
    deterministic = try section.bool("deterministic", default: false)
    threads = try section.int("threads", default: 0, in: 0...4096)
    workers = try section.int("workers", default: 0, in: 0...4096)
    cacheBytes = try section.int("cacheMegabytes", default: 0, in: 0...1 << 40) << 20
    precision = try NetworkConfiguration.precision(section)
    recomputesActivations = try section.bool("recomputeActivations", default: false)
    synchronizesBatchNorm = try section.bool("synchronizeBatchNorm", default: false)
    freeze = try FreezeSettings(section)
    movingAverage = try section.optionalDouble("ema", in: 0...1)
    startFrom = try section.optionalPath("startFrom")
  }

  private static func length(_ section: Section) throws -> Length {
    let given: [(key: String, value: String, length: Length)] = [
      try section.optionalInt("iterations", in: 1...longest)
        .map { ("iterations", "\($0)", .iterations($0)) },
      try section.optionalInt("epochs", in: 1...longest).map { ("epochs", "\($0)", .epochs($0)) },
      try section.optionalDouble("minutes", in: 0.01...1e6)
        .map { ("minutes", "\($0)", .minutes($0)) },
    ].compactMap { $0 }
    guard let first = given.first else {
      throw ConfigurationError.missing(
        place: section.place, key: "iterations", expected: "iterations or epochs, or minutes")
    }
    guard given.count == 1 else {
      throw section.invalid(
        given[1].key, given[1].value, expected: "nothing, as \(first.key) are given too")
    }
    return first.length
  }

  static func classWeights(_ section: Section) throws -> ClassWeights {
    let known: [String: ClassWeights] = [
      "none": .none, "inverseFrequency": .inverseFrequency,
      "sqrtInverseFrequency": .sqrtInverseFrequency, "medianFrequency": .medianFrequency,
    ]
    section.declare("classWeights", as: .word(known.keys.sorted()), default: "none")
    section.declare("classWeights", as: .numbers)
    guard section.has("classWeights") else { return .none }
    if let list = try? section.doubles("classWeights") {
      guard list.allSatisfy({ $0 >= 0 && $0.isFinite }) else {
        throw section.invalid("classWeights", "\(list)", expected: "numbers of at least 0")
      }
      return .given(list)
    }
    let name = try section.string("classWeights")
    guard let weights = known[name] else {
      throw section.invalid(
        "classWeights", "'\(name)'",
        expected: "\(known.keys.sorted().joined(separator: ", ")), or a list of numbers")
    }
    return weights
  }

  /// Reads `tensorBoard: false`, `true` or `{images: 4}`.
  private static func tensorBoardImages(_ section: Section) throws -> Int? {
    let usual = 4
    section.declare("tensorBoard", as: .yesOrNo, default: "true")
    section.declare("tensorBoard", as: .mapping)
    guard section.has("tensorBoard") else { return usual }
    if let on = try? section.bool("tensorBoard") { return on ? usual : nil }
    return try section.section("tensorBoard").int("images", default: usual, in: 0...1000)
  }

  /// What is done to every image, of which each pixel has one of these classes.
  static func augmentation(_ section: Section, classes: [String]) throws -> Pipeline {
    let transforms = try section.sectionList("augmentation").map { entry in
      let transform = try Transform(entry)
      if case .copyPaste(let paste) = transform,
        let name = paste.classes.first(where: { !classes.contains($0) })
      {
        throw try entry.section("copyPaste").unknownClass("classes", name, of: classes)
      }
      return transform
    }
    do {
      return try Pipeline(transforms)
    } catch DatasetError.invalidSetting(let name, let value, let expected) {
      throw section.invalid("augmentation", "\(value) for \(name)", expected: expected)
    }
  }
}
