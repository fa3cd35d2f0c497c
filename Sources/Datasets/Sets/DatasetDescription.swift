import Files
import Foundation
import Imaging

/// A known data set: how it lies on the disk, what its labels mean, and where a person gets it.
///
/// A set is read as it unpacks and, where that is another, as MMSegmentation's
/// `tools/dataset_converters` lay it out, so that nobody prepares files twice.
public struct DatasetDescription: Sendable {
  /// One way in which the files may lie on the disk.
  struct Layout: Sendable {
    /// Where the images are; `{split}` stands for the split's word in folders and suffixes.
    var images: FileSelection
    /// Where the labels are.
    var labels: FileSelection
    /// A text file that names the images of the split; nil where the folders hold just these.
    var list: String?
    /// The words for splits where they are not the splits' own names.
    var words: [String: String] = [:]
    /// A folder of further labels, for images that have none in the first.
    var furtherLabels: String?
    /// What the values mean, where this layout's files follow another convention.
    var labelMap: LabelMap?
  }

  /// A part of the data set.
  struct Split: Sendable {
    /// Which names belong to it; nil for all that its folder or list has.
    var contains: (@Sendable (String) -> Bool)?

    init(_ contains: (@Sendable (String) -> Bool)? = nil) { self.contains = contains }
  }

  /// The word for it in configurations, such as `chase-db1`.
  public let name: String
  /// The name in messages and tables.
  public let title: String
  /// What the values of the label files mean.
  public let labelMap: LabelMap
  /// For labels that may be RGB pictures, the value of each colour.
  public let labelColors: [Color: UInt16]?
  /// Under which terms it may be used.
  public let licence: String
  /// Where a person obtains it.
  public let source: String
  let layouts: [Layout]
  let parts: [String: Split]

  init(
    _ name: String, _ title: String, _ labelMap: LabelMap, colors: [Color: UInt16]? = nil,
    layouts: [Layout], splits: [String: Split], licence: String, source: String
  ) {
    self.name = name
    self.title = title
    self.labelMap = labelMap
    labelColors = colors
    self.layouts = layouts
    parts = splits
    self.licence = licence
    self.source = source
  }

  /// The names of the splits, sorted.
  public var splits: [String] { parts.keys.sorted() }

  /// The files of a split below `root`.
  ///
  /// - Throws: `DatasetError.invalidSetting` for a split that does not exist, `.missingFolder`,
  ///   `.emptyFolder`, `.missingPartner`, `.ambiguousPartner`.
  public func dataset(_ root: String, split: String) throws -> FileDataset {
    try listing(root, split: split).paired()
  }

  /// As ``dataset(_:split:)``, with files whose partner is missing in ``FileDataset/unpaired``.
  public func listing(_ root: String, split: String) throws -> FileDataset {
    let (layout, images, labels) = try selections(root, split: split)
    if let list = layout.list {
      return try listed("\(root)/\(list)", layout, root, split, images, labels)
    }
    let whole = try FileDataset.listing(
      name: "\(title) \(split)", images: images, labels: labels, map: layout.labelMap ?? labelMap,
      labelColors: labelColors)
    guard let contains = parts[split]?.contains else { return whole }
    let part = try whole.filtered(contains)
    guard !(part.items.isEmpty && part.unpaired.isEmpty) else {
      throw DatasetError.emptyFolder(
        path: images.folder, expected: "images of the split '\(split)' of \(title)")
    }
    return part
  }

  /// The first layout that there are images for, and where a split's images and labels are.
  ///
  /// - Throws: `DatasetError.invalidSetting` for a split that does not exist; what is missing for
  ///   the first layout where none fits.
  func selections(
    _ root: String, split: String
  ) throws -> (layout: Layout, images: FileSelection, labels: FileSelection) {
    guard parts[split] != nil else {
      throw DatasetError.invalidSetting(
        name: "the split of \(title)", value: "'\(split)'",
        expected: "one of \(splits.joined(separator: ", "))")
    }
    var failure: (any Error)?
    for var layout in layouts {
      let word = layout.words[split] ?? split
      func placed(_ selection: FileSelection) -> FileSelection {
        var selection = selection
        let folder = selection.folder.replacingOccurrences(of: "{split}", with: word)
        selection.folder = folder.isEmpty ? root : "\(root)/\(folder)"
        selection.suffix = selection.suffix.replacingOccurrences(of: "{split}", with: word)
        return selection
      }
      layout.list = layout.list?.replacingOccurrences(of: "{split}", with: word)
      let (images, labels) = (placed(layout.images), placed(layout.labels))
      do {
        _ = try images.files()
        return (layout, images, labels)
      } catch {
        failure = failure ?? error
      }
    }
    throw failure
      ?? DatasetError.emptyFolder(path: root, expected: "the files of \(title)")
  }

  /// The pairs that the lines of a text file name; other files in the folders are left alone.
  private func listed(
    _ path: String, _ layout: Layout, _ root: String, _ split: String, _ images: FileSelection,
    _ labels: FileSelection
  ) throws -> FileDataset {
    guard let text = FileSystem.text(path) else {
      throw DatasetError.missingPartner(
        file: path, expected: "a text file with a name a line, which \(title) has for '\(split)'")
    }
    let imageFiles = try images.files()
    var labelFiles = try labels.files()
    if let folder = layout.furtherLabels {
      var further = labels
      further.folder = "\(root)/\(folder)"
      if isFolder(further.folder) {
        labelFiles.merge(try further.files()) { first, _ in first }
      }
    }
    let names = text.split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    guard !names.isEmpty else {
      throw DatasetError.emptyFolder(path: path, expected: "a name a line")
    }
    var items: [Item] = []
    var unpaired: [FileDataset.Unpaired] = []
    for name in names {
      if let image = imageFiles[name], let label = labelFiles[name] {
        items.append(Item(name: name, imagePath: image, labelPath: label))
      } else {
        unpaired.append(
          FileDataset.Unpaired(
            name: name,
            error: .missingPartner(
              file: path,
              expected:
                "\(images.folder)/\(name).* and \(labels.folder)/\(name).*, as it lists them"
            )))
      }
    }
    return try FileDataset(
      name: "\(title) \(split)", labelMap: layout.labelMap ?? labelMap, labelColors: labelColors,
      items: items, unpaired: unpaired)
  }

  /// The description that configurations call `name`, in any case and with `_` for `-`.
  public static func named(_ name: String) -> DatasetDescription? {
    let plain = name.lowercased().replacingOccurrences(of: "_", with: "-")
    return all.first { $0.name == plain }
  }

  /// A split of a known data set below `root`: the one asked for, or `val`, or else `test`.
  ///
  /// - Parameter background: The class that is the background; nil for the one of that name.
  /// - Throws: `DatasetError.invalidSetting` for a name that is not known; as ``dataset(_:split:)``.
  package static func dataset(
    _ name: String, in root: String, split: String?, background: String?
  ) throws -> FileDataset {
    guard let known = named(name) else {
      throw DatasetError.invalidSetting(
        name: "the layout", value: "'\(name)'",
        expected: "one of \((["cityscapes"] + all.map(\.name)).joined(separator: ", "))")
    }
    let split = split ?? (known.parts["val"] == nil ? "test" : "val")
    let set = try known.dataset(root, split: split)
    return try background.map { try set.withBackground($0) } ?? set
  }
}
