import Foundation
import Imaging

/// A known data set: how it lies on the disk, what its labels mean, and where a person gets it.
public struct DatasetDescription: Sendable {
  /// How a split leads to files.
  enum Layout: Sendable {
    /// Images and labels in folders, matched by name; `{split}` stands for the split's word.
    case folders(images: FileSelection, labels: FileSelection)
    /// As `folders`, of which a text file lists the names of the split.
    case listed(images: FileSelection, labels: FileSelection, list: String)
  }

  /// A part of the data set.
  struct Split: Sendable {
    /// What `{split}` stands for.
    var folder: String
    /// Which names belong to it; nil for all.
    var contains: (@Sendable (String) -> Bool)?
    /// The folder of labels where it is another than the layout's.
    var labelFolder: String?

    init(
      _ folder: String = "", labelFolder: String? = nil,
      _ contains: (@Sendable (String) -> Bool)? = nil
    ) {
      self.folder = folder
      self.labelFolder = labelFolder
      self.contains = contains
    }
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
  let layout: Layout
  let parts: [String: Split]

  init(
    _ name: String, _ title: String, _ labelMap: LabelMap, colors: [Color: UInt16]? = nil,
    layout: Layout, splits: [String: Split], licence: String, source: String
  ) {
    self.name = name
    self.title = title
    self.labelMap = labelMap
    labelColors = colors
    self.layout = layout
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
    guard let part = parts[split] else {
      throw DatasetError.invalidSetting(
        name: "the split of \(title)", value: "'\(split)'",
        expected: "one of \(splits.joined(separator: ", "))")
    }
    func place(_ selection: FileSelection, folder: String? = nil) -> FileSelection {
      var selection = selection
      let path = (folder ?? selection.folder).replacingOccurrences(of: "{split}", with: part.folder)
      selection.folder = path.isEmpty ? root : "\(root)/\(path)"
      selection.suffix = selection.suffix.replacingOccurrences(of: "{split}", with: part.folder)
      return selection
    }
    func pairs(_ images: FileSelection, _ labels: FileSelection) throws -> FileDataset {
      try .pairs(
        name: "\(title) \(split)", images: place(images),
        labels: place(labels, folder: part.labelFolder), map: labelMap, labelColors: labelColors)
    }
    switch layout {
    case .folders(let images, let labels):
      let whole = try pairs(images, labels)
      guard let contains = part.contains else { return whole }
      let names = whole.items.map(\.name).filter(contains)
      guard !names.isEmpty else {
        throw DatasetError.emptyFolder(
          path: place(images).folder, expected: "images of the split '\(split)' of \(title)")
      }
      return try whole.named(names)
    case .listed(let images, let labels, let list):
      let path = "\(root)/\(list.replacingOccurrences(of: "{split}", with: part.folder))"
      return try listed(
        path, split, place(images), place(labels, folder: part.labelFolder))
    }
  }

  /// The pairs that the lines of a text file name; other files in the folders are left alone.
  private func listed(
    _ path: String, _ split: String, _ images: FileSelection, _ labels: FileSelection
  ) throws -> FileDataset {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw DatasetError.missingPartner(
        file: path, expected: "a text file with a name a line, which \(title) has for '\(split)'")
    }
    let (imageFiles, labelFiles) = (try images.files(), try labels.files())
    let names = text.split(whereSeparator: \.isNewline)
      .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    guard !names.isEmpty else {
      throw DatasetError.emptyFolder(path: path, expected: "a name a line")
    }
    return try FileDataset(
      name: "\(title) \(split)", labelMap: labelMap, labelColors: labelColors,
      items: names.map { name in
        guard let image = imageFiles[name], let label = labelFiles[name] else {
          throw DatasetError.missingPartner(
            file: path,
            expected: "\(images.folder)/\(name).* and \(labels.folder)/\(name).*, as it lists them")
        }
        return Item(name: name, imagePath: image, labelPath: label)
      })
  }

  /// The description that configurations call `name`.
  public static func named(_ name: String) -> DatasetDescription? {
    all.first { $0.name == name }
  }
}
