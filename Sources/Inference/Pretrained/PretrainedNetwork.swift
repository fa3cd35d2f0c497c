import Checkpoints
import Configuration
import Datasets
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
  }

  /// Recognises a network of one program; nil if the source is none of its kind.
  ///
  /// A source that is of its kind and cannot be built is an error that says what is not known.
  public typealias Reader = @Sendable (PretrainedSource) throws -> Description?

  /// The readers, of which the first that recognises a source is taken.
  static let readers: [Reader] = [TorchvisionReader.read]

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

  /// What loads into `model`, and what does not.
  public func plan(for model: SegmentationModel) -> WeightImport {
    WeightImport(source.weights, for: model, convention: description.convention)
  }

  /// Loads the weights into the network that ``configuration(overrides:)`` describes.
  ///
  /// - Throws: `WeightFileError` for weights that are not all of the network's.
  func load(into model: SegmentationModel) throws {
    let plan = plan(for: model)
    guard isWhole(plan) else {
      throw WeightFileError.otherNetwork(file: source.weights.path, report: plan.report)
    }
    try plan.load([])
  }

  /// Whether everything of the network loads, and nothing is left over that it should have.
  public func isWhole(_ plan: WeightImport) -> Bool {
    plan.report.mismatched.isEmpty
      && (plan.report.missing.isEmpty || plan.lacksOnlyAuxiliary)
      && plan.report.unexpected.allSatisfy { name in
        description.unused.contains { name.hasPrefix($0) }
      }
  }

  /// What it is, what was told and what was assumed, a line each.
  public var lines: [String] {
    ["network: \(description.title)"] + description.told.map { "told: \($0)" }
      + description.assumed.map { "assumed: \($0)" }
  }
}
