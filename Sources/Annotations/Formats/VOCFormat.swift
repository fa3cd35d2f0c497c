import Files
import Imaging

/// Pascal VOC's folders: `JPEGImages`, `SegmentationClass`, `ImageSets/Segmentation`.
///
/// With a `labelmap.txt`, as CVAT's "Segmentation mask" and datumaro write it, pictures are coloured, and an image
/// without one is all background. Without it they are indexed as Pascal VOC's own: 0 is background, 255 the rim
/// of objects; the classes are those of a `classes.txt`, or Pascal VOC's.
enum VOCFormat {
  /// Pascal VOC's classes.
  static let names = [
    "background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
    "cow",
    "diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train",
    "tvmonitor",
  ]

  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let masks = "\(source)/SegmentationClass"
    guard FileSystem.isFolder(masks) else {
      throw AnnotationError(
        source, found: "has no folder SegmentationClass", expected: "Pascal VOC's folders")
    }
    let (classes, coding, background) = try meanings(source, options)
    var images: [AnnotationSet.Image] = []
    let finder = ImageFinder(below: source, first: ["\(source)/JPEGImages"], options)
    for (name, part, file) in try listed(source) {
      let path = finder.path(stem: name, in: options.images ?? "\(source)/JPEGImages")
      let mask = "\(masks)/\(name).png"
      let content: AnnotationSet.Content =
        FileSystem.exists(mask)
        ? .pictures(LabelPictures(files: [(mask, coding)])) : .nothing
      images.append(
        .init(
          name: name, path: path ?? "\(source)/JPEGImages/\(name).jpg", part: part, file: file,
          content: content))
    }
    return AnnotationSet(
      .voc, classes: classes, images: images, rule: .coco, background: background)
  }

  private static func meanings(
    _ source: String, _ options: ReadingOptions
  ) throws -> ([AnnotationSet.Class], LabelPictures.Coding, Int?) {
    let table = "\(source)/labelmap.txt"
    if FileSystem.exists(table) {
      let (classes, colors, values, background) = try ColorTable(contentsOf: table).meanings(
        black: .background)
      return (classes, .values(values, colors: colors), background)
    }
    let list = "\(source)/classes.txt"
    let names =
      try options.classes
      ?? (FileSystem.exists(list) ? ReadingOptions.classes(in: list) : self.names)
    var (values, colors): ([UInt16: Int], [Color: Int]) = ([255: Shape.ignored], [:])
    let classes = names.enumerated().map { index, name in
      values[UInt16(index)] = index
      colors[ColorTable.palette(index)] = index
      return AnnotationSet.Class(name, ColorTable.palette(index))
    }
    colors[Color(224, 224, 192)] = Shape.ignored
    return (classes, .values(values, colors: colors), 0)
  }

  /// The names of images with their parts, from the lists or else from the pictures of labels.
  private static func listed(_ source: String) throws -> [(String, String, String)] {
    let folder = "\(source)/ImageSets/Segmentation"
    let lists = (FileSystem.names(in: folder) ?? []).filter { $0.fileSuffix == "txt" }
    var found: [(String, String, String)] = []
    var seen: Set<String> = []
    // trainval repeats what train and val say.
    let hasParts = lists.contains("train.txt") && lists.contains("val.txt")
    for list in lists where !(hasParts && list == "trainval.txt") {
      let file = "\(folder)/\(list)"
      guard let text = FileSystem.text(file) else {
        throw AnnotationError(file, found: "cannot be read", expected: "a name a line")
      }
      for line in text.split(whereSeparator: \.isNewline) {
        let plain = String(line).trimmingSpaces
        guard !plain.isEmpty else { continue }
        guard !plain.hasPrefix("/"), !plain.split(separator: "/").contains("..") else {
          throw AnnotationError(
            file, found: "names \(quoted(plain))", expected: "a name within the folder")
        }
        let part = list == "default.txt" ? "" : part(of: list)
        guard seen.insert("\(part)/\(plain)").inserted else { continue }
        found.append((plain, part, file))
      }
    }
    if found.isEmpty {
      found = ImageFinder.pictures(in: "\(source)/SegmentationClass").map {
        ($0.withoutEnding, "", "\(source)/SegmentationClass/\($0)")
      }
    }
    guard !found.isEmpty else {
      throw AnnotationError(folder, found: "lists no images", expected: "a name a line")
    }
    return found
  }
}

extension String {
  /// The text without spaces at its ends.
  var trimmingSpaces: String {
    var text = self[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
