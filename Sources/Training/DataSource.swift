import Annotations
import Configuration
import Datasets
import Evaluation
import Foundation
import Imaging

/// Data to look at: what a configuration names, a known data set in a folder, or two folders.
package struct DataSource: Sendable {
  /// What is done to images in training.
  package let augmentation: Pipeline
  /// Which images training sees how often, and where it cuts them.
  package let sampling: Sampling
  /// How levels become numbers.
  package let encoding: InputEncoding
  /// The seed of the run.
  package let seed: UInt64
  /// The parts that are looked at if nobody asks for others.
  package let parts: [String]
  /// Those of ``parts`` that are passed over where they are not there.
  private let extra: Set<String>
  /// A tool's annotations, where these are the data.
  package private(set) var annotations: AnnotationSet?
  private let listing: @Sendable (String) throws -> FileDataset

  /// The data of a configuration's file; nothing is built.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  package init(configuration file: String, overrides: [String] = []) throws {
    func read(_ more: [String]) throws -> Section {
      try Section(contentsOf: file, overrides: overrides + more)
    }
    let root = try read(DataConfiguration.measured(read))
    let dataSection = try root.section("data")
    let data = try DataConfiguration(dataSection)
    let train = try root.section("train")
    let classes = data.labelMap.classes.map(\.name)
    augmentation = try TrainingSettings.augmentation(train, classes: classes)
      .resizingLabels(by: data.labelResizing).resizingImages(by: data.imageResizing)
    sampling = try TrainingSettings.sampling(train, augmentation)
    encoding = data.encoding
    seed = UInt64(try train.int("seed", default: 0, in: 0...Int.max))
    let evaluation = try root.section("evaluate")
    let scored = try EvaluationSettings(evaluation)
    try Self.refuseUnknownKeys(root, [dataSection, evaluation], file, overrides: overrides)
    let split = data.scoredPart(scored.split)
    let isScored = split != "train" && (scored.isSplitGiven || data.has(split))
    let needed = ["train"] + (isScored ? [split] : [])
    let others = data.roles.filter { !needed.contains($0) }
    parts = needed + others
    // A known data set has its splits without being told so, but not all of them on every disk.
    extra = data.layout.isFolders ? [] : Set(others)
    listing = { try data.listing($0) }
  }

  /// The annotations of a tool.
  ///
  /// - Throws: `AnnotationError`, naming file, entry and what was expected.
  package init(
    _ source: String, format: AnnotationFormat?, options: ReadingOptions,
    orientation: ImageOrientation = .applied
  ) throws {
    let drawn = DrawnLabels(try AnnotationSet(contentsOf: source, format: format, options: options))
    let map = try LabelMap(drawn.set)
    let parts = drawn.set.parts
    self.init(
      parts: parts.map { $0.isEmpty ? "all" : $0 },
      listing: { name in
        try .annotated(
          drawn, part: parts.contains(name) ? name : name == "all" ? "" : name, name: name, map: map
        ).read(orientation: orientation)
      })
    annotations = drawn.set
  }

  /// A known data set below a folder.
  ///
  /// - Throws: `DatasetError.invalidSetting` for a name that is not known.
  package init(
    _ root: String, layout: String, orientation: ImageOrientation = .applied
  ) throws {
    let names = ["cityscapes"] + DatasetDescription.all.map(\.name)
    let known = DatasetDescription.named(layout)
    if known == nil, let format = AnnotationFormat(rawValue: layout) {
      try self.init(root, format: format, options: .init(), orientation: orientation)
      return
    }
    guard known != nil || layout == "cityscapes" else {
      throw DatasetError.invalidSetting(
        name: "the layout", value: "'\(layout)'",
        expected:
          "one of \((names + AnnotationFormat.allCases.map(\.rawValue)).joined(separator: ", "))")
    }
    let parts = ["train", "val", "test"].filter { known?.splits.contains($0) ?? true }
    self.init(
      parts: parts, extra: Set(parts),
      listing: {
        try (known?.listing(root, split: $0) ?? .cityscapesListing(root, split: $0))
          .read(orientation: orientation)
      })
  }

  /// Images in one folder and labels of the same names in another.
  ///
  /// - Parameters:
  ///   - classes: As `LabelMap(named:)` takes them; nil for those of `colors`.
  ///   - colors: A file of names and colours for coloured labels; see `ColorFile`.
  ///   - orientation: Whether photographs are turned as EXIF says.
  /// - Throws: `ScoringError`, `DatasetError.invalidLabelMap`, `.invalidColorFile`.
  package init(
    images: String, labels: String, labelSuffix: String = "", classes: String?,
    colors: String? = nil, orientation: ImageOrientation = .applied
  ) throws {
    var map = try classes.map { try LabelMap(named: $0) }
    var palette: [Color: UInt16]?
    if let colors {
      var table = LabelTable(.commandLine, classes: map?.classes.map(\.name))
      if let map {
        table.ignored = map.rows.filter { $0.index == nil }.map { Int($0.value) }
        for row in map.rows {
          table.values[Int(row.value)] = row.index.map { map.classes[$0].name }
        }
      }
      table.file = (colors, try ColorFile(contentsOf: colors))
      (map, palette) = try table.resolved("the classes given")
    }
    guard let map else {
      throw DatasetError.invalidSetting(
        name: "the classes", value: "not given", expected: "--classes or --colors")
    }
    let read = (map: map, palette: palette)
    let labelSuffix = FolderGuess.labelSuffix(labelSuffix, images: images, labels: labels)
    self.init(
      parts: ["all"],
      listing: { _ in
        try .listing(
          name: images, images: FileSelection(images),
          labels: FileSelection(labels, suffix: labelSuffix), map: read.map,
          labelColors: read.palette
        ).read(orientation: orientation)
      })
  }

  init(
    parts: [String], extra: Set<String> = [],
    listing: @escaping @Sendable (String) throws -> FileDataset
  ) {
    augmentation = .none
    sampling = .uniform
    encoding = .imageNet
    seed = 0
    self.parts = parts
    self.extra = extra
    self.listing = listing
  }

  /// The files of the parts that are asked for, or of all that are there.
  ///
  /// - Throws: `DatasetError` and `ConfigurationError` for a part that is not there.
  package func datasets(_ asked: [String] = []) throws -> [(name: String, dataset: FileDataset)] {
    guard asked.isEmpty else { return try asked.map { ($0, try listing($0)) } }
    let found = parts.map { part in (name: part, result: Result { try listing(part) }) }
    let there = try found.compactMap { part, result in
      extra.contains(part) ? (try? result.get()).map { (part, $0) } : (part, try result.get())
    }
    if there.isEmpty, let (_, first) = found.first { _ = try first.get() }
    return there
  }
}
