import Annotations
import Files
import Imaging

/// Labels that are drawn from a tool's annotations as they are asked for.
public final class DrawnLabels: Sendable {
  /// The annotations.
  package let set: AnnotationSet
  /// The place of each image in the set by the path of its label.
  private let places: [String: Int]

  /// The labels of these annotations.
  package init(_ set: AnnotationSet) {
    self.set = set
    var places: [String: Int] = [:]
    for (index, image) in set.images.enumerated() { places[Self.path(image)] = index }
    self.places = places
  }

  /// What stands for the path of an image's label, and tells people where it is: the file of annotations and
  /// the image's name in it.
  static func path(_ image: AnnotationSet.Image) -> String {
    "\(image.file): \(image.part.isEmpty ? "" : "\(image.part)/")\(image.name)"
  }

  /// The classes of an image by its label's path; nil for a path that is none of these.
  ///
  /// - Throws: `AnnotationError`, `ImageError`.
  func label(_ path: String) throws -> LabelImage? {
    try places[path].map { try set.mask(of: set.images[$0]) }
  }

  /// What is odd about the annotations of a data set's images, in sentences.
  ///
  /// - Throws: Nothing of single images, whose failures are told where they are read.
  func oddities(of dataset: FileDataset, threads: Int) throws -> [String] {
    let chosen = dataset.items.compactMap { $0.labelPath.flatMap { places[$0] } }
    let all = try reduceInParallel(
      count: chosen.count, threads: threads, initial: Oddities(),
      step: { odd, index in
        // A failure is told where the image is read.
        if let found = try? set.oddities(of: set.images[chosen[index]]) {
          odd.merge(found)
        }
      },
      merge: { $0.merge($1) })
    return all.sentences + set.oddNames
  }
}

extension LabelMap {
  /// The classes of annotations, each value of a drawn label being the class of this number.
  package init(_ set: AnnotationSet) throws {
    let names = set.classes.map(\.name)
    let usual = Self.usualColors(names)
    let colors = zip(set.classes, usual).map { $0.color ?? $1 }
    try self.init(
      name: "the classes of \(set.format.rawValue)",
      classes: zip(names, colors).map { Class($0, $1) },
      rows: names.indices.map { Row(value: UInt16($0), index: $0, label: names[$0]) }
        + [Row(value: AnnotationSet.ignoredValue, index: nil, label: Self.ignoredWord)])
  }
}

extension FileDataset {
  /// The images of a part of annotations; of all parts where `part` is nil.
  ///
  /// - Throws: `DatasetError.emptyFolder` for a part without images, `.ambiguousPartner` for an image that
  ///   is annotated twice.
  package static func annotated(
    _ drawn: DrawnLabels, part: String?, name: String, map: LabelMap
  ) throws -> FileDataset {
    var items: [Item] = []
    var unpaired: [Unpaired] = []
    for image in drawn.set.images where part == nil || image.part == part {
      if FileSystem.exists(image.path) {
        items.append(
          Item(name: image.name, imagePath: image.path, labelPath: DrawnLabels.path(image)))
      } else {
        unpaired.append(
          Unpaired(
            name: image.name,
            error: .missingPartner(
              file: DrawnLabels.path(image), expected: "the image \(image.path)")))
      }
    }
    guard !(items.isEmpty && unpaired.isEmpty) else {
      let parts = drawn.set.parts.filter { !$0.isEmpty }
      throw DatasetError.emptyFolder(
        path: drawn.set.images.first?.file ?? name,
        expected: "images of the part '\(part ?? "")'"
          + (parts.isEmpty ? "" : "; there are \(parts.joined(separator: ", "))"))
    }
    return try FileDataset(
      name: name, labelMap: map, items: items, unpaired: unpaired, notes: drawn.set.notes,
      drawn: drawn)
  }
}
