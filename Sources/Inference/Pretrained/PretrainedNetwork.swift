import Checkpoints
import Configuration
import Datasets
import Foundation
import Segmentation
import Torch

/// A network of another program that says itself what it is: with its file nobody has to write a
/// configuration.
public struct PretrainedNetwork {
  /// What a reader found out.
  public struct Description: Sendable, Equatable {
    /// The program, as `atrous export --as` calls it.
    public var family: String
    /// The network in a person's words: `segmentation_models.pytorch's Unet on resnet34`.
    public var title: String
    /// The sections `model`, and `data` with `classes` and `normalization`, as YAML.
    public var yaml: String
    /// The convention of the file's names, which alone is tried; nil for whichever fits best.
    public var convention: String?
    /// What the file says of what weights do not show, a line each.
    public var told: [String] = []
    /// What it leaves open and was assumed, a line each.
    public var assumed: [String] = []
    /// What the names begin with of tensors that the network has no use for.
    public var unused: [String] = []
    /// Whether the file has one score, the foreground's, where the network has two classes.
    public var isBinary = false
    /// The probability of the foreground above which it is taken, where the file has one score.
    var threshold = 0.5
  }

  /// Recognises a network of one program; nil if the source is none of its kind.
  ///
  /// A source that is of its kind and cannot be built is an error that says what is not known.
  typealias Reader = @Sendable (PretrainedSource) throws -> Description?

  /// The readers, of which the first that recognises a source is taken.
  static let readers: [Reader] = [
    SMPReader.read, HuggingFaceReader.read, MMSegmentationReader.read, TorchvisionReader.read,
    SMPShapes.read,
  ]

  /// Where the weights are, and what lies beside them.
  public let source: PretrainedSource
  /// What it is.
  public let description: Description

  /// The network in a file or a folder; nil if nothing there says what it is.
  ///
  /// - Throws: `WeightFileError`, and ``PretrainedError`` for a network that cannot be built here.
  public init?(_ path: String) throws {
    source = try PretrainedSource(path)
    for reader in Self.readers {
      if let found = try reader(source) {
        description = found
        return
      }
    }
    return nil
  }

  /// The configuration that builds it.
  ///
  /// - Throws: `ConfigurationError`.
  public func configuration(overrides: [String] = []) throws -> NetworkConfiguration {
    try NetworkConfiguration(yaml: description.yaml, named: source.path, overrides: overrides)
  }

  /// What loads into the network of ``configuration(overrides:)``, and what does not.
  ///
  /// - Throws: `ConfigurationError`.
  public func plan(
    for model: SegmentationModel, _ configuration: NetworkConfiguration
  ) throws -> PretrainedPlan {
    guard description.isBinary, model.classes == 2 else {
      return PretrainedPlan(self, model)
    }
    // The file's network, whose single score becomes the second of two.
    let single = try NetworkConfiguration(
      yaml: configuration.yaml, named: source.path,
      overrides: ["model.classes=1", "data.classes=[foreground]", "data.colors=null"])
    var plan = try PretrainedPlan(
      self, Initialization.skipped { try single.buildModel(pretrained: false) }, twin: model)
    let share = description.threshold
    plan.boundary = log(share / (1 - share))
    return plan
  }

  /// Loads the weights into the network of a configuration.
  ///
  /// - Throws: `WeightFileError` for weights that are not all of the network's; `ConfigurationError`.
  func load(into model: SegmentationModel, _ configuration: NetworkConfiguration) throws {
    let plan = try plan(for: model, configuration)
    guard plan.isWhole else {
      throw WeightFileError.otherNetwork(file: source.weights.path, report: plan.weights.report)
    }
    try plan.load()
  }

  /// Names of classes, those that come again with their number.
  static func distinct(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.enumerated().map { index, name in
      let name = name.split(whereSeparator: \.isNewline).joined(separator: " ")
      return seen.insert(name).inserted ? name : "\(name) \(index)"
    }
  }

  /// What it is, what was told and what was assumed, a line each.
  public var lines: [String] {
    ["network: \(description.title)"] + description.told.map { "told: \($0)" }
      + description.assumed.map { "assumed: \($0)" }
  }
}

/// The weights of a network that says itself what it is, before they are loaded.
public struct PretrainedPlan {
  /// What loads and what does not.
  public let weights: WeightImport
  /// Whether everything of the network loads, and nothing is left over that it should have.
  public let isWhole: Bool
  private let model: SegmentationModel
  private let twin: SegmentationModel?
  /// The score above which the foreground is taken, where there is one.
  fileprivate var boundary = 0.0

  /// The weights for `model`; `twin` is the same with two classes in the place of one score.
  init(_ network: PretrainedNetwork, _ model: SegmentationModel, twin: SegmentationModel? = nil) {
    (self.model, self.twin) = (model, twin)
    weights = WeightImport(
      network.source.weights, for: model, convention: network.description.convention)
    let report = weights.report
    isWhole =
      report.mismatched.isEmpty && (report.missing.isEmpty || weights.lacksOnlyAuxiliary)
      && report.unexpected.allSatisfy { name in
        network.description.unused.contains { name.hasPrefix($0) }
      }
  }

  /// Copies the weights into the network.
  ///
  /// - Throws: `WeightFileError`; `TorchError` if memory is short.
  public func load() throws {
    try weights.load([])
    guard let twin else { return }
    try attempt {
      withoutGradients {
        for (own, single) in zip(twin.state, model.state) {
          let value = single.tensor
          // A score of 0 for the background leaves the sigmoid of the other as its probability.
          let moved = boundary != 0 && value.rank == 1 ? value - boundary : value
          own.tensor.assign(
            own.tensor.shape == value.shape
              ? value : concatenate([value.zerosLike(), moved], along: 0))
        }
      }
    }
  }
}
