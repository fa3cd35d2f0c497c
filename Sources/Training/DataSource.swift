import Configuration
import Datasets
import Evaluation
import Foundation
import Imaging

/// Data to look at: what a configuration names, a known data set in a folder, or two folders.
public struct DataSource: Sendable {
  /// What is done to images in training.
  public let augmentation: Pipeline
  /// How levels become numbers.
  public let normalization: Normalization
  /// The seed of the run.
  public let seed: UInt64
  /// The parts that are looked at if nobody asks for others.
  public let parts: [String]
  /// Whether parts that are not there are passed over.
  private let isLenient: Bool
  private let listing: @Sendable (String) throws -> FileDataset

  /// The data of a configuration's file; nothing is built.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public init(configuration file: String, overrides: [String] = []) throws {
    func read(_ more: [String]) throws -> Section {
      try Section(contentsOf: file, overrides: overrides + more)
    }
    let measured = try DataConfiguration.measuredNormalization(read([]))
    let root = try read(measured.map { [$0] } ?? [])
    let data = try DataConfiguration(root.section("data"))
    let train = try root.section("train")
    augmentation = try TrainingSettings.augmentation(train)
    normalization = data.normalization
    seed = UInt64(try train.int("seed", default: 0, in: 0...Int.max))
    let scored = try EvaluationSettings(root.section("evaluate")).split
    parts = scored == "train" ? ["train"] : ["train", scored]
    isLenient = false
    listing = { try data.listing($0) }
  }

  /// A known data set below a folder.
  ///
  /// - Throws: `DatasetError.invalidSetting` for a name that is not known.
  public init(_ root: String, layout: String) throws {
    let names = ["cityscapes"] + DatasetDescription.all.map(\.name)
    let known = DatasetDescription.named(layout)
    guard known != nil || layout == "cityscapes" else {
      throw DatasetError.invalidSetting(
        name: "the layout", value: "'\(layout)'",
        expected: "one of \(names.joined(separator: ", "))")
    }
    self.init(
      parts: ["train", "val", "test"].filter { known?.splits.contains($0) ?? true },
      isLenient: true,
      listing: {
        try known?.listing(root, split: $0) ?? .cityscapesListing(root, split: $0)
      })
  }

  /// Images in one folder and labels of the same names in another; `classes` as `LabelMap(named:)`.
  ///
  /// - Throws: `ScoringError`, `DatasetError.invalidLabelMap`.
  public init(images: String, labels: String, labelSuffix: String = "", classes: String) throws {
    let map = try LabelMap(named: classes)
    self.init(
      parts: ["all"], isLenient: false,
      listing: { _ in
        try .listing(
          name: images, images: FileSelection(images),
          labels: FileSelection(labels, suffix: labelSuffix), map: map)
      })
  }

  private init(
    parts: [String], isLenient: Bool, listing: @escaping @Sendable (String) throws -> FileDataset
  ) {
    augmentation = .none
    normalization = .imageNet
    seed = 0
    self.parts = parts
    self.isLenient = isLenient
    self.listing = listing
  }

  /// The files of the parts that are asked for, or of all that are there.
  ///
  /// - Throws: `DatasetError` and `ConfigurationError` for a part that is not there.
  public func datasets(_ asked: [String] = []) throws -> [(name: String, dataset: FileDataset)] {
    guard asked.isEmpty, isLenient else {
      return try (asked.isEmpty ? parts : asked).map { ($0, try listing($0)) }
    }
    let found = parts.map { part in (part, Result { try listing(part) }) }
    let there = found.compactMap { part, result in (try? result.get()).map { (part, $0) } }
    if there.isEmpty, let (_, first) = found.first { _ = try first.get() }
    return there
  }

  /// Where an inspection of this machine's files is kept, if nobody says otherwise.
  public static var cacheFile: String {
    let environment = ProcessInfo.processInfo.environment
    let folder = environment["XDG_CACHE_HOME"] ?? "\(NSHomeDirectory())/.cache"
    return "\(folder)/atrous/inspection.json"
  }
}
