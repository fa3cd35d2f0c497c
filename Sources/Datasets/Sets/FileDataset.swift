import Files
import Foundation
import Imaging

/// A data set of files on disk: a list of items and a label map.
///
/// The layouts of known data sets are functions that make one; see ``pairs(images:labels:map:)``,
/// ``camVid(_:split:)`` and ``cityscapes(_:split:map:)``.
public struct FileDataset: Dataset {
  /// The set's name.
  public let name: String
  /// What the label files' values mean.
  public private(set) var labelMap: LabelMap
  /// For labels that are RGB pictures, the value of each colour.
  public private(set) var labelColors: [Color: UInt16]?
  /// Whether photographs are turned as the camera noted; labels never are.
  public private(set) var orientation = ImageOrientation.applied
  /// Which bands of the images are seen; nil for pictures in red, green and blue.
  public private(set) var bandPlan: BandPlan?
  /// The files, sorted by name.
  public let items: [Item]
  /// Images without a label and labels without an image, which a listing tells of and a data set
  /// does not have.
  public let unpaired: [Unpaired]

  /// For labels that are drawn from annotations, where these are.
  public let drawn: DrawnLabels?

  /// What the listing passed over: files of formats that are not read, and Atrous's own pictures.
  public let notes: [String]

  /// A file whose partner is missing.
  public struct Unpaired: Sendable {
    /// The name that both would have.
    public let name: String
    /// What is missing.
    public let error: DatasetError
  }

  /// A data set of these items, sorted by name.
  ///
  /// - Throws: `DatasetError.ambiguousPartner` if two items share a name.
  public init(
    name: String, labelMap: LabelMap, labelColors: [Color: UInt16]? = nil, items: [Item],
    unpaired: [Unpaired] = [], notes: [String] = [], drawn: DrawnLabels? = nil
  ) throws {
    self.drawn = drawn
    self.name = name
    self.labelMap = labelMap
    self.labelColors = labelColors
    self.items = items.sorted { $0.name < $1.name }
    self.unpaired = unpaired
    self.notes = notes
    for (item, next) in zip(self.items, self.items.dropFirst()) where item.name == next.name {
      throw DatasetError.ambiguousPartner(
        name: item.name, files: [item.imagePath, next.imagePath])
    }
  }

  /// The set read with another label map or table of colours, or with photographs as they are stored,
  /// or of other bands.
  package func read(
    with map: LabelMap? = nil, colors: [Color: UInt16]? = nil,
    orientation: ImageOrientation? = nil, bandPlan: BandPlan? = nil
  ) -> FileDataset {
    var set = self
    set.bandPlan = bandPlan ?? self.bandPlan
    set.labelMap = map ?? labelMap
    set.labelColors = colors ?? labelColors
    set.orientation = orientation ?? self.orientation
    return set
  }

  /// The number of items.
  public var count: Int { items.count }
  /// The files of a sample.
  public func item(_ index: Int) -> Item { items[index] }

  /// The set itself, if every file has its partner.
  ///
  /// - Throws: `DatasetError.missingPartner` for the first that has none.
  public func paired() throws -> FileDataset {
    if let first = unpaired.first { throw first.error }
    return self
  }
}

/// The files of a folder that belong to a data set, and how their names lead to a sample's name.
///
/// A path whose last part has one `*`, such as `eyes/*_1stHO.png`, selects files by it: what follows
/// the `*` is the suffix, its ending the only extension. A folder of that very name is a folder.
public struct FileSelection: Sendable, Hashable {
  /// The folder; empty for the working directory, or for labels that lie beside their images.
  public var folder: String
  /// What a file's name begins with where a `*` follows it; nil without a `*`.
  var prefix: String?
  /// What a file's name ends in before its extension, such as `_manual1`.
  ///
  /// It is left out of the sample's name; files without it are passed over.
  public var suffix: String
  /// The extensions looked for, in lower case; the files' own may be in either, and `.gz` may follow.
  public var extensions: [String]
  /// What the names of other files of the folder end in, which do not belong to the selection.
  public var excluded: [String]

  /// The extensions of the formats that this package reads.
  public static let pictures = [
    "png", "jpg", "jpeg", "tif", "tiff", "webp", "ppm", "pgm", "gif", "bmp", "jfif", "jpe",
  ]

  /// The extensions where images may have any bands: arrays of NumPy's, too.
  public static let rasters = pictures + ["npy"]

  /// The files in `folder` whose name without extension ends in `suffix`.
  public init(
    _ folder: String, suffix: String = "", extensions: [String] = Self.pictures,
    excluding excluded: [String] = []
  ) {
    self.folder = folder
    self.suffix = suffix
    self.extensions = extensions
    self.excluded = excluded
    applyPattern()
  }

  /// The files by sample name.
  ///
  /// - Throws: `DatasetError.missingFolder`, `.emptyFolder`, `.ambiguousPartner` and `.invalidSetting`.
  package func files() throws -> [String: String] { try listed().files }

  /// As ``files()``, with what the folder holds that is not read, in words.
  package func noted() throws -> (files: [String: String], notes: [String]) {
    let (files, passedOver) = try listed()
    return (files, passedOver.notes(in: folder))
  }

  /// The files by sample name, and those of kinds that are not read.
  func listed() throws -> (files: [String: String], passedOver: PassedOver) {
    try checkPattern()
    var found: [String: String] = [:]
    let (names, unread) = PassedOver.pictures(
      in: try fileNames(in: folder.isEmpty ? "." : folder, expected: expected),
      extensions: extensions)
    var passedOver = PassedOver()
    passedOver.unread = unread.map { folder.isEmpty ? $0 : "\(folder)/\($0)" }
    for file in names {
      let plain = file.lowercased().hasSuffix(".gz") ? file.dropLast(3) : file[...]
      guard let dot = plain.lastIndex(of: ".") else { continue }
      let stem = plain[..<dot]
      guard stem.hasSuffix(suffix), stem.count > suffix.count else { continue }
      guard stem.dropLast(suffix.count).hasPrefix(prefix ?? "") else { continue }
      guard !excluded.contains(where: { stem.hasSuffix($0) }) else { continue }
      let name = String(stem.dropLast(suffix.count))
      let path = folder.isEmpty ? file : "\(folder)/\(file)"
      if let other = found.updateValue(path, forKey: name) {
        throw DatasetError.ambiguousPartner(name: name, files: [other, path])
      }
    }
    guard !found.isEmpty else {
      let there =
        unread.first.map {
          "; there are \(unread.count) of kinds that are not read, such as \($0)"
        } ?? ""
      throw DatasetError.emptyFolder(path: folder, expected: expected + there)
    }
    return (found, passedOver)
  }
}

extension FileDataset {
  /// Images in one folder and labels in another, or both in one, matched by name.
  ///
  /// An image's name and its label's are equal once folder, suffix and extension are taken off:
  /// `images/Image_01L.jpg` and `labels/Image_01L_1stHO.png` with the label suffix `_1stHO`. Where
  /// both are in one folder and only the labels have a suffix, the images are the files that are not
  /// labels. Labels selected by a pattern without a folder, such as `*_1stHO.png`, lie beside the images.
  ///
  /// - Parameters:
  ///   - name: The set's name; without one, the images' folder.
  ///   - images: Where the images are.
  ///   - labels: Where the labels are; nil for images without labels.
  ///   - map: What the labels' values mean.
  ///   - labelColors: For labels that are RGB pictures, the value of each colour.
  /// - Throws: `DatasetError.missingFolder`, `.emptyFolder`, `.missingPartner`, `.ambiguousPartner`.
  public static func pairs(
    name: String? = nil, images: FileSelection, labels: FileSelection?, map: LabelMap,
    labelColors: [Color: UInt16]? = nil
  ) throws -> FileDataset {
    try listing(name: name, images: images, labels: labels, map: map, labelColors: labelColors)
      .paired()
  }

  /// As ``pairs(name:images:labels:map:labelColors:)``, with files whose partner is missing in
  /// ``unpaired``.
  public static func listing(
    name: String? = nil, images: FileSelection, labels: FileSelection?, map: LabelMap,
    labelColors: [Color: UInt16]? = nil
  ) throws -> FileDataset {
    var (imageFiles, passedOver) = try images.listed()
    guard var labels else {
      passedOver.outputs = imageFiles.values.filter(OutputMark.isOn).sorted()
      let outputs = Set(passedOver.outputs)
      return try FileDataset(
        name: name ?? images.folder, labelMap: map,
        items: imageFiles.filter { !outputs.contains($0.value) }
          .map { Item(name: $0, imagePath: $1) }, notes: passedOver.notes(in: images.folder))
    }
    if labels.folder.isEmpty { labels.folder = images.folder }
    var (labelFiles, passedOverLabels) = try labels.listed()
    if labels.folder == images.folder { passedOverLabels.unread = [] }
    let labelPaths = Set(labelFiles.values)
    if !labels.suffix.isEmpty || labels.prefix != nil {
      imageFiles = imageFiles.filter { !labelPaths.contains($0.value) }
    }
    guard !imageFiles.isEmpty else {
      throw DatasetError.emptyFolder(path: images.folder, expected: images.expected)
    }
    FileSelection.match(&imageFiles, images, &labelFiles, labels)
    var items: [Item] = []
    var unpaired: [Unpaired] = []
    for (stem, image) in imageFiles.sorted(by: { $0.key < $1.key }) {
      if let label = labelFiles[stem] {
        items.append(Item(name: stem, imagePath: image, labelPath: label))
        continue
      }
      // Only what has no partner is looked into.
      if OutputMark.isOn(image) {
        passedOver.outputs.append(image)
        continue
      }
      let wanted = labels.extensions.count == 1 ? labels.extensions[0] : "*"
      unpaired.append(
        Unpaired(
          name: stem,
          error: .missingPartner(
            file: image,
            expected: "a label \(labels.folder)/\(stem)\(labels.suffix).\(wanted)"
              + passedOverLabels.hint(stem + labels.suffix))))
    }
    for (stem, label) in labelFiles.sorted(by: { $0.key < $1.key }) where imageFiles[stem] == nil {
      if OutputMark.isOn(label) {
        if !passedOver.outputs.contains(label) { passedOverLabels.outputs.append(label) }
        continue
      }
      unpaired.append(
        Unpaired(
          name: stem,
          error: .missingPartner(
            file: label,
            expected: "an image \(images.folder)/\(stem)\(images.suffix).*"
              + passedOver.hint(stem + images.suffix))))
    }
    return try FileDataset(
      name: name ?? images.folder, labelMap: map, labelColors: labelColors, items: items,
      unpaired: unpaired,
      notes: passedOver.notes(in: images.folder) + passedOverLabels.notes(in: labels.folder))
  }

  /// Images in one folder and labels of the same names in another.
  ///
  /// - Throws: As the form with selections does.
  public static func pairs(images: String, labels: String, map: LabelMap) throws -> FileDataset {
    try pairs(images: FileSelection(images), labels: FileSelection(labels), map: map)
  }

  /// The part of the set whose names belong to it, called `title` or as the set.
  package func filtered(
    as title: String? = nil, _ contains: (String) -> Bool
  ) throws -> FileDataset {
    try FileDataset(
      name: title ?? name, labelMap: labelMap, labelColors: labelColors,
      items: items.filter { contains($0.name) }, unpaired: unpaired.filter { contains($0.name) },
      notes: notes, drawn: drawn
    ).read(orientation: orientation, bandPlan: bandPlan)
  }

  /// The images of several sets that are read in the same way.
  ///
  /// - Throws: `DatasetError.ambiguousPartner` for a name that two of them have; `.invalidLabelMap` where their
  ///   labels mean different things.
  static func joined(_ sets: [FileDataset]) throws -> FileDataset {
    guard let first = sets.first, sets.count > 1 else { return sets[0] }
    for set in sets where set.labelMap != first.labelMap || set.labelColors != first.labelColors {
      throw DatasetError.invalidLabelMap(
        name: set.labelMap.name,
        reason: "labels of \(set.name) and \(first.name) mean different things")
    }
    return try FileDataset(
      name: sets.map(\.name).joined(separator: " and "), labelMap: first.labelMap,
      labelColors: first.labelColors, items: sets.flatMap(\.items),
      unpaired: sets.flatMap(\.unpaired), notes: Set(sets.flatMap(\.notes)).sorted(),
      drawn: first.drawn
    ).read(orientation: first.orientation, bandPlan: first.bandPlan)
  }

  /// The set in whose label map the class of this name is the background.
  ///
  /// - Throws: `DatasetError.invalidLabelMap` for a name that no class has.
  package func withBackground(_ name: String) throws -> FileDataset {
    try FileDataset(
      name: self.name, labelMap: labelMap.withBackground(name), labelColors: labelColors,
      items: items, unpaired: unpaired, notes: notes, drawn: drawn
    ).read(orientation: orientation, bandPlan: bandPlan)
  }

  /// The items whose names a person chose, in the set's order.
  ///
  /// - Throws: `DatasetError.missingPartner` for a name that the set does not have.
  public func named(_ names: [String]) throws -> FileDataset {
    let known = Set(items.map(\.name))
    if let missing = names.first(where: { !known.contains($0) }) {
      throw DatasetError.missingPartner(file: missing, expected: "a sample of this name in \(name)")
    }
    return try filtered(Set(names).contains)
  }
}

/// The names in a folder, sorted.
///
/// - Throws: `DatasetError.missingFolder`.
func fileNames(in folder: String, expected: String) throws -> [String] {
  guard let names = FileSystem.names(in: folder) else {
    throw DatasetError.missingFolder(path: folder, expected: expected)
  }
  return names
}

/// Whether a path leads to a folder.
func isFolder(_ path: String) -> Bool { FileSystem.isFolder(path) }
