import Annotations
import Files
import Foundation
import Imaging

/// How data lie in a folder, guessed from the names that are there.
public struct FolderGuess: Sendable, Equatable {
  /// Two folders whose files are pairs.
  public struct Part: Sendable, Equatable {
    /// What the part is called: `train`, `val`, `test`, or `all` where there is one only.
    public let name: String
    /// The folders of images and labels, and what the labels' names end in besides.
    public let images: String, labels: String, labelSuffix: String
  }

  /// The known data set that the folder is taken for; nil where its parts are pairs of folders.
  public let layout: String?
  /// The pairs of folders.
  public let parts: [Part]
  /// What the guess rests on, in a sentence.
  public let reason: String

  /// Looks at the names in a folder; no file is opened.
  ///
  /// - Throws: `DatasetError.missingFolder`; `.invalidSetting` for a folder in which nothing is known.
  public init(_ folder: String) throws {
    let names = try fileNames(in: folder, expected: "a data set")
    if let known = Self.known(folder) {
      (layout, parts, reason) = (known.name, [], known.reason)
      return
    }
    let parts = Self.pairs(folder)
    guard !parts.isEmpty else {
      let shown = names.filter { !$0.hasPrefix(".") }.prefix(6).joined(separator: ", ")
      throw DatasetError.invalidSetting(
        name: "the layout of \(folder)",
        value: "not to be guessed from \(shown.isEmpty ? "an empty folder" : shown)",
        expected:
          "--layout (\((["cityscapes"] + DatasetDescription.all.map(\.name) + AnnotationFormat.allCases.map(\.rawValue)).joined(separator: ", ")))"
          + ", --labels and --classes, or two folders such as images and labels, also below or above"
          + " train and val")
    }
    layout = nil
    self.parts = parts
    reason =
      "taken for pairs of folders: "
      + parts.map { part in
        func below(_ path: String) -> String { String(path.dropFirst(folder.count + 1)) }
        let suffix = part.labelSuffix.isEmpty ? "" : " (NAME\(part.labelSuffix))"
        return "\(part.name) is \(below(part.images)) and \(below(part.labels))\(suffix)"
      }.joined(separator: "; ")
  }

  // MARK: Annotations

  /// The tool that left the files of a folder, or a file; nil where they are a known data set, or none's.
  package static func annotations(_ source: String) -> AnnotationFormat? {
    guard let format = AnnotationFormat.guess(source) else { return nil }
    guard isFolder(source) else { return format }
    // Sets that are known are read as such, but for tables of colours and lists that they do not have.
    let own = ["labelmap.txt", "label_colors.txt"].contains { FileSystem.exists("\(source)/\($0)") }
    return own || known(source) == nil ? format : nil
  }

  // MARK: Known data sets

  /// The known data set with the most images that have their labels, where they are most of its images.
  private static func known(_ folder: String) -> (name: String, reason: String)? {
    func score(_ listing: (String) throws -> FileDataset, _ splits: [String]) -> (Int, [String]) {
      var (count, found) = (0, [String]())
      for split in splits {
        guard let part = try? listing(split), part.count > part.unpaired.count else { continue }
        count += part.count
        found.append("\(split) \(part.count)")
      }
      return (count, found)
    }
    let usual = ["train", "val", "test"]
    var candidates = [
      ("cityscapes", score({ try .cityscapesListing(folder, split: $0) }, usual))
    ]
    candidates += DatasetDescription.all.map { known in
      (
        known.name,
        score({ try known.listing(folder, split: $0) }, usual.filter(known.splits.contains))
      )
    }
    // The first of equals is the one that is listed first.
    guard let best = candidates.map(\.1.0).max(), best > 0,
      let found = candidates.first(where: { $0.1.0 == best })
    else { return nil }
    let others = candidates.filter { $0.1.0 == best }.dropFirst().map(\.0)
    return (
      found.0,
      "taken for \(found.0) by the names of its files (\(found.1.1.joined(separator: ", ")) images)"
        + (others.isEmpty ? "" : "; \(others.joined(separator: " and ")) would fit, too")
    )
  }

  // MARK: Pairs of folders

  private static let imageWords = [
    "images", "image", "imgs", "img", "img_dir", "photos", "jpegimages", "inputs", "input", "rgb",
    "x",
  ]
  private static let labelWords = [
    "labels", "label", "masks", "mask", "annotations", "annotation", "annots", "annot", "ann_dir",
    "gt",
    "groundtruth", "ground_truth", "segmentationclass", "segmentations", "targets", "target", "y",
  ]
  /// The words for parts, by what they are called here.
  private static let splitWords = [
    ("train", ["train", "training"]), ("val", ["val", "valid", "validation"]),
    ("test", ["test", "testing"]),
  ]

  private static func pairs(_ folder: String) -> [Part] {
    let inside = folders(folder)
    func place(_ name: String) -> String { "\(folder)/\(name)" }
    // images and labels, which may have the parts below them.
    if let images = first(imageWords, in: inside), let labels = first(labelWords, in: inside) {
      if let whole = part("all", place(images), place(labels)) { return [whole] }
      let (left, right) = (folders(place(images)), folders(place(labels)))
      return splitWords.compactMap { name, words in
        first(words, in: left.filter(right.contains)).flatMap {
          part(name, "\(place(images))/\($0)", "\(place(labels))/\($0)")
        }
      }
    }
    return splitWords.compactMap { name, words in
      guard let split = first(words, in: inside) else { return nil }
      // train/images and train/labels, or train beside train_masks.
      let below = folders(place(split))
      if let images = first(imageWords, in: below), let labels = first(labelWords, in: below) {
        return part(name, "\(place(split))/\(images)", "\(place(split))/\(labels)")
      }
      let beside = labelWords.flatMap { ["\(split)\($0)", "\(split)_\($0)", "\(split)-\($0)"] }
      return first(beside.map { $0.lowercased() }, in: inside).flatMap {
        part(name, place(split), place($0))
      }
    }
  }

  private static func first(_ words: [String], in names: [String]) -> String? {
    words.lazy.compactMap { word in names.first { $0.lowercased() == word } }.first
  }

  private static func folders(_ path: String) -> [String] {
    (FileSystem.names(in: path) ?? []).filter { FileSystem.isFolder("\(path)/\($0)") }
  }

  /// The names of pictures without their endings.
  private static func stems(_ path: String) -> Set<String> {
    Set(PassedOver.pictures(in: FileSystem.names(in: path) ?? []).read.map(\.fileStem))
  }

  /// What labels' names end in beyond an image's name: `given`, or where that is empty and the folders are
  /// plain ones, what most of them do.
  package static func labelSuffix(_ given: String, images: String, labels: String) -> String {
    given.isEmpty ? part("", images, labels)?.labelSuffix ?? "" : given
  }

  /// The pair of folders, with the ending that most labels have beyond an image's name; nil where no label
  /// belongs to an image.
  private static func part(_ name: String, _ images: String, _ labels: String) -> Part? {
    let pictures = stems(images)
    var counts: [String: Int] = [:]
    for stem in stems(labels) {
      // In one folder every file is among the images.
      if images != labels, pictures.contains(stem) {
        counts["", default: 0] += 1
        continue
      }
      let ends = stem.indices.filter { "_-.".contains(stem[$0]) }
      if let end = ends.last(where: { pictures.contains(String(stem[..<$0])) }) {
        counts[String(stem[end...]), default: 0] += 1
      }
    }
    let best = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }
    return best.map { Part(name: name, images: images, labels: labels, labelSuffix: $0.key) }
  }
}
