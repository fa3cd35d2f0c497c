import Annotations
import Configuration
import Foundation
import Imaging

/// The section `data`: which images, which classes, how levels become numbers.
///
/// ```yaml
/// data:
///   layout: camvid              # cityscapes, folders, another name of DatasetDescription.all, or
///                               # a tool's: coco, labelme, cvat and the others of AnnotationFormat
///   root: data/camvid
///   train: train                # the split; for folders {images: …, labels: …}
///   val: val
///   classes: 19                 # cityscapes: 19 or 20; folders: the names in order
///   merge: {flat: [road, sidewalk]}      # cityscapes: classes of one's own, in this order
///   values: {0: background, 255: road}   # file value to class, or ignored; 0, 1, 2 … if not given
///   ignored: [11]               # values that count nowhere; 255 if not given, and no class's
///   colors: {road: [128, 64, 128]}       # folders: of coloured labels, or the path of a labelmap.txt
///   background: sky             # clear in overlays; if not given the class called background
///   holdOut: 0.2                # folders: the share of train that is val, where there is no val
///   fold: 2/5                   # the second of five parts of train is val
///   folds: {prefix: 8}          # images whose names begin with the same 8 letters stay together
///   orientation: stored         # photographs are not turned as EXIF says; applied: they are
///   bands: [4, 3, 2]            # of images of any number of bands; pictures in red, green, blue if not given
///   range: [0, 10000]           # of samples; for each band, {percentiles: [2, 98]}, measured
///   imageResizing: opencv       # the library whose rule images are resized by
///   labelResizing: torch        # the library whose rule labels are resized by
///   windows: 1024               # images are read by windows of this size, each a sample of its own
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
    /// As an annotation tool leaves its files.
    case annotations(AnnotationFormat)

    init(_ section: Section) throws {
      section.declare("layout", as: .word(Self.names))
      let word = try section.string("layout")
      if let known = DatasetDescription.named(word) {
        self = .known(known)
      } else if word == "cityscapes" {
        self = .cityscapes
      } else if word == "folders" {
        self = .folders
      } else if let format = AnnotationFormat(rawValue: word) {
        self = .annotations(format)
      } else {
        throw section.invalid(
          "layout", "'\(word)'",
          expected: "one of \(Self.names.joined(separator: ", "))"
            + (ConfigurationError.nearest(word, Self.names).map { " (did you mean '\($0)'?)" } ?? "")
        )
      }
    }

    /// The words for layouts.
    static let names =
      (["cityscapes", "folders"] + DatasetDescription.all.map(\.name)
      + AnnotationFormat.allCases.map(\.rawValue)).sorted()

    package var isFolders: Bool { if case .folders = self { true } else { false } }
    /// Whether it is of an annotation tool.
    package var isAnnotations: Bool { if case .annotations = self { true } else { false } }
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
  /// For folders with coloured labels the value of each colour.
  public let labelColors: [Color: UInt16]?
  /// How levels become numbers.
  public let encoding: InputEncoding
  /// Whether photographs are turned as EXIF says.
  public let orientation: ImageOrientation
  /// Which bands of images are seen; nil for pictures in red, green and blue.
  public let bandPlan: BandPlan?
  /// Whose levels images take where they are resized.
  public let imageResizing: ImageResizing
  /// Which labels masks take where they are resized.
  public let labelResizing: NearestRule
  /// The windows that images are read by; nil for whole images.
  public let windows: Size?
  /// The part of the images that is held out and scored; the others are trained on.
  public let fold: Fold?
  /// By which rule images are divided into such parts.
  public let foldRule: FoldRule
  /// The share of the training images that is scored instead, where folders have no `val`.
  private let holdOut: Double?
  private let classes: LabelTable
  private let root: String
  private let parts: [String: Part]
  package let place: String
  private let background: String?
  /// What a tool's files say, read when it is asked for.
  private let annotations: LazyAnnotations?
  /// The roles that the configuration names itself.
  private let given: Set<String>

  /// The roles that a part of the data can have.
  static let roles = ["train", "val", "test"]
  /// The roles that there are, in their order.
  package var roles: [String] {
    Self.roles.filter { parts[$0] != nil && (!layout.isAnnotations || has($0)) }
  }

  /// Whether a tool's files have images for a role.
  private func isThere(_ role: String) -> Bool { isThere(split: parts[role]?.split ?? role) }

  /// Whether a tool's files have images of this split.
  private func isThere(split: String) -> Bool {
    // A failure to read them is told where they are needed.
    (try? annotations?.has(split)) ?? false  // may fail: see above
  }

  /// What the section says; paths are taken from the working directory.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong, `DatasetError` for an impossible map.
  public init(_ section: Section) throws {
    place = section.place
    let layout = try Layout(section)
    self.layout = layout
    root = layout.isFolders ? "" : try section.path("root")
    annotations = try Self.annotations(layout, section, root)
    classes = try Self.classTable(layout, section)
    let (map, colors) =
      try annotations.map { (try $0.labelMap(), nil) }
      ?? Self.labels(layout, section, classes)
    labelColors = colors
    background = try section.optionalString("background")
    labelMap = try background.map { try map.withBackground($0) } ?? map
    encoding = try Self.encoding(section)
    orientation = try Self.orientation(section)
    bandPlan = try Self.bandPlan(section)
    windows = try Self.windows(section)
    imageResizing = try Self.imageResizing(section)
    labelResizing = try section.choice(
      "labelResizing", NearestRule.self, default: .centre)
    var parts: [String: Part] = [:]
    for role in Self.roles {
      var part = Part(split: role)
      if layout.isFolders {
        guard let inner = try section.optionalSection(role) else { continue }
        part.images = FileSelection(
          try inner.path("images"), suffix: try inner.string("imageSuffix", default: ""),
          extensions: bandPlan == nil ? FileSelection.pictures : FileSelection.rasters)
        part.labels = FileSelection(
          try inner.path("labels"), suffix: try inner.string("labelSuffix", default: ""))
      } else {
        part.split = try section.string(role, default: role)
      }
      parts[role] = part
    }
    fold = try Self.fold(section)
    foldRule = try Self.foldRule(section)
    holdOut =
      (layout.isFolders || layout.isAnnotations) && section.has("holdOut")
      ? try section.double("holdOut", in: 0.001...0.9) : nil
    if holdOut != nil,
      parts["train"] == nil || (layout.isFolders ? parts["val"] != nil : section.has("val"))
    {
      throw section.invalid(
        "holdOut", "given", expected: "images to take from, train, and no val beside it")
    }
    if holdOut != nil { parts["val"] = parts["train"] }
    if fold != nil {
      if layout.isFolders, let part = foldRule.parts.first(where: { parts[$0] == nil }) {
        throw ConfigurationError.missing(
          place: section.place, key: part, expected: "the folders of a part that folds are made of")
      }
      if parts["val"] == nil { parts["val"] = Part(split: "val") }
    }
    if let limit = try section.optionalInt("limitTrain", in: 1...Int.max) {
      parts["train"]?.limit = limit
    }
    if let limit = try section.optionalInt("limitVal", in: 1...Int.max) {
      parts["val"]?.limit = limit
    }
    self.parts = parts
    given = Set(Self.roles.filter(section.has))
  }

  /// Whether the configuration names a part of this role, or the data set has a split of this name.
  public func has(_ role: String) -> Bool {
    if fold != nil, role == "train" || role == "val" { return true }
    return switch layout {
    case .folders: parts[role] != nil
    case .known(let known):
      given.contains(role) || known.splits.contains(parts[role]?.split ?? role)
    case .cityscapes: true
    case .annotations:
      given.contains(role) || isThere(role)
    }
  }

  /// The images of a role, `train`, `val` or `test`, or of a split's own name.
  ///
  /// - Throws: `DatasetError` for folders that are missing, empty or do not match;
  ///   `ConfigurationError` for a role that the configuration does not have.
  public func dataset(_ role: String) throws -> any Dataset {
    let listing = try listing(role).paired()
    let whole: any Dataset =
      try windows.map { try WindowedDataset(listing, size: $0, areWhole: role == "train") }
      ?? listing
    return parts[role]?.limit.map { whole.spread(to: $0) } ?? whole
  }

  /// All images of a role, with those that lack a label, and labels without an image, in
  /// ``FileDataset/unpaired``.
  ///
  /// - Throws: As ``dataset(_:)``, but for files without a partner.
  public func listing(_ role: String) throws -> FileDataset {
    if let fold, role == "train" || role == "val" { return try listing(role, of: fold) }
    return try wholeListing(role)
  }

  /// All images of a role, whatever folds hold out.
  func wholeListing(_ role: String) throws -> FileDataset {
    let named = parts.keys.sorted().joined(separator: ", ")
    guard let part = parts[role] ?? (layout.isFolders ? nil : Part(split: role)) else {
      throw ConfigurationError.missing(
        place: place, key: role, expected: "the folders of this part (given are \(named))")
    }
    let listing: FileDataset = try .joined(
      splits(of: part).map { part in
        do { return try self.listing(role, part) } catch let error as DatasetError {
          throw explained(error, part.split)
        }
      })
    return try background.map { try listing.withBackground($0) } ?? listing
  }

  /// The splits that make a part together: `train+val` stands for two, unless one has that name.
  private func splits(of part: Part) -> [Part] {
    guard part.split.contains("+"), !isThere(split: part.split) else { return [part] }
    return part.split.split(separator: "+", omittingEmptySubsequences: false).map {
      Part(split: String($0))
    }
  }

  /// What is missing of a known data set, with what is there.
  private func explained(_ error: DatasetError, _ split: String) -> DatasetError {
    let (title, splits) =
      switch layout {
      case .folders, .annotations: ("", [String]())
      case .cityscapes: ("Cityscapes", Self.roles)
      case .known(let known): (known.title, known.splits)
      }
    guard !splits.isEmpty else { return error }
    guard isFolder(root) else {
      return .missingFolder(path: root, expected: "the folder of \(title), which data.root names")
    }
    let there = splits.filter { name in
      name != split && (try? listing(name, Part(split: name))).map { $0.count > 0 } ?? false
    }
    let hint = there.isEmpty ? "" : "; splits with images are \(there.joined(separator: ", "))"
    switch error {
    case .missingFolder(let path, let expected):
      return .missingFolder(path: path, expected: expected + hint)
    case .emptyFolder(let path, let expected):
      return .emptyFolder(path: path, expected: expected + hint)
    default: return error
    }
  }

  private func listing(_ role: String, _ part: Part) throws -> FileDataset {
    switch layout {
    case .known(let known):
      let listing = try known.listing(root, split: part.split)
      // A layout's files may follow another convention than the set's.
      return try listing.read(
        with: classes.over(listing.labelMap), orientation: orientation, bandPlan: bandPlan)
    case .cityscapes:
      return try .cityscapesListing(root, split: part.split, map: labelMap)
        .read(orientation: orientation, bandPlan: bandPlan)
    case .folders:
      let listing = try FileDataset.listing(
        name: role, images: part.images, labels: part.labels, map: labelMap,
        labelColors: labelColors
      ).read(orientation: orientation, bandPlan: bandPlan)
      return try heldOut(listing, role)
    case .annotations:
      guard let annotations else {
        throw DatasetError.emptyFolder(path: root, expected: "annotations")
      }
      let listing = try annotations.listing(part.split, name: role, map: labelMap)
        .read(orientation: orientation, bandPlan: bandPlan)
      return try heldOut(listing, role)
    }
  }

  /// The part of the training images that a role has where some are held out.
  private func heldOut(_ listing: FileDataset, _ role: String) throws -> FileDataset {
    guard fold == nil, let holdOut, role != "test" else { return listing }
    let held = Self.heldOut(holdOut, of: listing.items.map(\.name))
    return try listing.filtered { held.contains($0) == (role == "val") }
  }

  /// The names of a share of the images, taken at equal distances in the order of names; of two images
  /// or more at least one, and not all.
  package static func heldOut(_ share: Double, of names: [String]) -> Set<String> {
    let count = min(max(Int((share * Double(names.count)).rounded()), 1), names.count - 1)
    guard count > 0 else { return [] }
    let sorted = names.sorted()
    return Set((1...count).map { sorted[$0 * sorted.count / count - 1] })
  }

  /// Whether photographs are turned as EXIF says, which single ones are read by, too.
  package static func orientation(_ section: Section) throws -> ImageOrientation {
    try section.choice("orientation", ImageOrientation.self, default: .applied)
  }

  /// Whose levels images take where they are resized, single ones too.
  package static func imageResizing(_ section: Section) throws -> ImageResizing {
    try section.choice("imageResizing", ImageResizing.self, default: .own)
  }

  /// An override that gives the statistics of the training images, if the section says `measured`;
  /// files that have not changed since an earlier look are not read again.
  ///
  /// - Parameter root: The configuration, which is not looked at any further: only some keys are read.
  /// - Throws: As ``dataset(_:)``; `DatasetError.invalidSetting` for images all of one colour.
  package static func measuredNormalization(_ root: Section) throws -> String? {
    let section = try root.section("data")
    guard (try? section.string("normalization")) == "measured" else { return nil }
    let training = try DataConfiguration(section).listing("train").paired()
    let found = try Inspection([("train", training)], cache: Inspection.cacheFile)
    let part = found.parts[0]
    // Refuses statistics that nothing can be divided by.
    _ = try InputEncoding(levelsWithMean: part.mean, deviation: part.deviation)
    return "data.normalization={mean: \(part.mean), deviation: \(part.deviation)}"
  }

  /// How levels become numbers by the section; statistics that were measured are given by then.
  package static func encoding(_ section: Section) throws -> InputEncoding {
    // A configuration that says "measured" is read again with what was measured.
    let known = [
      "imagenet": InputEncoding.imageNet, "denseaspp": .denseASPP, "unit": .unit, "measured": .unit,
    ]
    let bands = section.has("bands") ? try section.ints("bands", in: 1...65_535).count : 3
    section.declare("normalization", as: .word(known.keys.sorted()))
    section.declare("normalization", as: .mapping)
    if let inner = try? section.section("normalization"), !inner.keys.isEmpty {
      let (mean, deviation) = (try inner.doubles("mean"), try inner.doubles("deviation"))
      guard mean.count == bands, deviation.count == bands else {
        throw section.invalid(
          "normalization", "of \(mean.count) means and \(deviation.count) deviations",
          expected: "\(bands) of each, one for a band")
      }
      return try InputEncoding(levelsWithMean: mean, deviation: deviation)
    }
    let name = try section.string("normalization", default: "imagenet")
    guard let encoding = known[name] else {
      throw section.invalid(
        "normalization", "'\(name)'",
        expected: "one of \(known.keys.sorted().joined(separator: ", ")), or {mean, deviation}")
    }
    guard bands != 3 else { return encoding }
    guard encoding == .unit else {
      throw section.invalid(
        "normalization", "'\(name)'",
        expected:
          "measured, unit, or {mean, deviation} of \(bands) numbers each, as data.bands names"
          + " \(bands) \(bands == 1 ? "band" : "bands") and \(name) is for three")
    }
    return try InputEncoding(
      levelsWithMean: [Double](repeating: 0, count: bands),
      deviation: [Double](repeating: 1, count: bands))
  }
}
