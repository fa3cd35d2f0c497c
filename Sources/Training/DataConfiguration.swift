import Configuration
import Datasets
import Foundation
import Imaging

/// The section `data`: which images, which classes, how levels become numbers.
///
/// ```yaml
/// data:
///   layout: camvid              # cityscapes, folders, or another name of DatasetDescription.all
///   root: data/camvid
///   train: train                # the split; for folders {images: …, labels: …}
///   val: val
///   classes: 19                 # cityscapes: 19 or 20; folders: the names in order
///   merge: {flat: [road, sidewalk]}      # cityscapes: classes of one's own, in this order
///   values: {0: background, 255: road}   # folders: file value to class; 0, 1, 2 … if not given
///   ignored: [11]               # folders: values that count nowhere; 255 if not given
///   background: sky             # clear in overlays; if not given the class called background
///   normalization: imagenet     # denseaspp, unit, measured, or {mean: […], deviation: […]}
/// ```
public struct DataConfiguration: Sendable {
  /// How a data set lies on the disk.
  public enum Layout: Sendable {
    /// `leftImg8bit` and `gtFine`, with classes to choose.
    case cityscapes
    /// Images in one folder, labels of the same names in another.
    case folders
    /// As the description of a known data set says.
    case known(DatasetDescription)

    init(_ section: Section) throws {
      let word = try section.string("layout")
      if let known = DatasetDescription.named(word) {
        self = .known(known)
      } else if word == "cityscapes" {
        self = .cityscapes
      } else if word == "folders" {
        self = .folders
      } else {
        let names = ["cityscapes", "folders"] + DatasetDescription.all.map(\.name)
        throw section.invalid(
          "layout", "'\(word)'",
          expected: "one of \(names.sorted().joined(separator: ", "))"
            + (ConfigurationError.nearest(word, names).map { " (did you mean '\($0)'?)" } ?? ""))
      }
    }

    var isFolders: Bool { if case .folders = self { true } else { false } }
  }

  /// A part of the data set by its role in the configuration.
  private struct Part: Sendable {
    var split = ""
    var images = FileSelection("")
    var labels = FileSelection("")
    var limit: Int?
  }

  /// How the data set lies on the disk.
  public let layout: Layout
  /// What the files' values mean.
  public let labelMap: LabelMap
  /// How levels become numbers.
  public let normalization: Normalization
  private let root: String
  private let parts: [String: Part]
  private let background: String?
  private let place: String

  /// The roles that a part of the data can have.
  private static let roles = ["train", "val", "test"]

  /// What the section says; paths are taken from the working directory.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong, `DatasetError` for an impossible map.
  public init(_ section: Section) throws {
    place = section.place
    let layout = try Layout(section)
    self.layout = layout
    root = layout.isFolders ? "" : try section.string("root")
    let map = try Self.labelMap(layout, section)
    background = try section.optionalString("background")
    labelMap = try background.map { try map.withBackground($0) } ?? map
    normalization = try Self.normalization(section)
    var parts: [String: Part] = [:]
    for role in Self.roles {
      var part = Part(split: role)
      if layout.isFolders {
        guard let inner = try section.optionalSection(role) else { continue }
        part.images = FileSelection(
          try inner.string("images"), suffix: try inner.string("imageSuffix", default: ""))
        part.labels = FileSelection(
          try inner.string("labels"), suffix: try inner.string("labelSuffix", default: ""))
      } else {
        part.split = try section.string(role, default: role)
      }
      parts[role] = part
    }
    if let limit = try section.optionalInt("limitTrain", in: 1...Int.max) {
      parts["train"]?.limit = limit
    }
    if let limit = try section.optionalInt("limitVal", in: 1...Int.max) {
      parts["val"]?.limit = limit
    }
    self.parts = parts
  }

  /// The images of a role, `train`, `val` or `test`, or of a split's own name.
  ///
  /// - Throws: `DatasetError` for folders that are missing, empty or do not match;
  ///   `ConfigurationError` for a role that the configuration does not have.
  public func dataset(_ role: String) throws -> any Dataset {
    let whole = try listing(role).paired()
    return parts[role]?.limit.map { whole.spread(to: $0) } ?? whole
  }

  /// All images of a role, with those that lack a label, and labels without an image, in
  /// ``FileDataset/unpaired``.
  ///
  /// - Throws: As ``dataset(_:)``, but for files without a partner.
  public func listing(_ role: String) throws -> FileDataset {
    let named = parts.keys.sorted().joined(separator: ", ")
    guard let part = parts[role] ?? (layout.isFolders ? nil : Part(split: role)) else {
      throw ConfigurationError.missing(
        place: place, key: role, expected: "the folders of this part (given are \(named))")
    }
    let listing: FileDataset =
      switch layout {
      case .known(let known): try known.listing(root, split: part.split)
      case .cityscapes: try .cityscapesListing(root, split: part.split, map: labelMap)
      case .folders:
        try .listing(name: role, images: part.images, labels: part.labels, map: labelMap)
      }
    return try background.map { try listing.withBackground($0) } ?? listing
  }

  /// An override that gives the statistics of the training images, if the section says `measured`;
  /// files that have not changed since an earlier look are not read again.
  ///
  /// - Parameter root: The configuration, which is not looked at any further: only some keys are read.
  /// - Throws: As ``dataset(_:)``; `DatasetError.invalidSetting` for images all of one colour.
  static func measuredNormalization(_ root: Section) throws -> String? {
    let section = try root.section("data")
    guard (try? section.string("normalization")) == "measured" else { return nil }
    let training = try DataConfiguration(section).listing("train").paired()
    let found = try Inspection([("train", training)], cache: DataSource.cacheFile)
    let part = found.parts[0]
    // Refuses statistics that nothing can be divided by.
    _ = try Normalization(mean: part.mean, deviation: part.deviation)
    return "data.normalization={mean: \(part.mean), deviation: \(part.deviation)}"
  }

  private static func labelMap(_ layout: Layout, _ section: Section) throws -> LabelMap {
    switch layout {
    case .known(let known): return known.labelMap
    case .cityscapes:
      if section.has("merge") {
        let groups = try section.stringLists("merge").map { (name: $0.key, labels: $0.values) }
        return try Cityscapes.merged(
          name: "Cityscapes, \(groups.count) merged classes", groups: groups)
      }
      let count = try section.int("classes", default: 19)
      guard count == 19 || count == 20 else {
        throw section.invalid("classes", "\(count)", expected: "19 or 20")
      }
      return count == 19 ? Cityscapes.classes19 : Cityscapes.classes20
    case .folders:
      let names = try section.strings("classes")
      let ignored = try section.ints("ignored", default: [255], in: 0...65_535)
      var values: [Int: String] = [:]
      let given = try section.section("values")
      for key in given.keys {
        guard let value = Int(key), (0...65_535).contains(value) else {
          throw given.invalid(key, "a key", expected: "a file's value from 0 to 65535")
        }
        values[value] = try given.string(key)
      }
      if values.isEmpty { for (index, name) in names.enumerated() { values[index] = name } }
      return try LabelMap(
        name: "the configuration", classes: names, values: values, ignored: ignored)
    }
  }

  private static func normalization(_ section: Section) throws -> Normalization {
    if let inner = try? section.section("normalization"), !inner.keys.isEmpty {
      return try Normalization(
        mean: inner.doubles("mean"), deviation: inner.doubles("deviation"))
    }
    // A configuration that says "measured" is read again with what was measured.
    let known = [
      "imagenet": Normalization.imageNet, "denseaspp": .denseASPP, "unit": .unit, "measured": .unit,
    ]
    let name = try section.string("normalization", default: "imagenet")
    guard let normalization = known[name] else {
      throw section.invalid(
        "normalization", "'\(name)'",
        expected: "one of \(known.keys.sorted().joined(separator: ", ")), or {mean, deviation}")
    }
    return normalization
  }
}
