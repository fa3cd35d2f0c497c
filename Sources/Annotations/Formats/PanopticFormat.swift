import Files
import Imaging

/// COCO's panoptic form: a JSON of segments, and PNG files of their ids as R + 256 G + 65536 B; 0 is void.
enum PanopticFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let files = try self.files(source)
    let root = FileSystem.isFolder(source) ? source : source.folder
    var numbers = ClassNumbers(options)
    var images: [AnnotationSet.Image] = []
    for file in files {
      let tree = try JSONTree(contentsOf: file)
      var labels: [Int: Int] = [:]
      for entry in try tree.required("categories", "classes").list("a list of classes") {
        let id = try entry.required("id", "a number").int("a number")
        labels[id] = try numbers.add(
          entry.required("name", "a name").text(), id: id, file: file, entry: entry.place)
      }
      var annotations: [Int: JSONTree] = [:]
      for entry in try tree.required("annotations", "segments of images").list("a list") {
        let id = try entry.required("image_id", "an image").int("a number")
        guard annotations.updateValue(entry, forKey: id) == nil else {
          throw entry.error(found: "is of the image \(id), as another is", expected: "one an image")
        }
      }
      let part = part(of: relative(file, to: root))
      let finder = ImageFinder(
        below: root,
        first: [
          "\(file.folder)/images", "\(file.folder)/../images/\(part.isEmpty ? "default" : part)",
          "\(file.folder)/../images",
          "\(file.folder)/../\(part)", "\(file.folder)/../\(part)2017",
        ], options)
      for entry in try tree.required("images", "images").list("a list of images") {
        let id = try entry.required("id", "a number").int("a number")
        let name = try entry.required("file_name", "a name").text()
        let size = Size(
          width: try entry.required("width", "a width").int("1 to 1048576", in: 1...1 << 20),
          height: try entry.required("height", "a height").int("1 to 1048576", in: 1...1 << 20))
        let content = try annotations.removeValue(forKey: id).map {
          try pictures($0, name, folders: folders(file), labels)
        }
        images.append(
          .init(
            name: name.withoutEnding, path: finder.path(name), part: part, size: size, file: file,
            content: content.map { .pictures($0) } ?? .nothing))
      }
      if let (id, entry) = annotations.min(by: { $0.key < $1.key }) {
        throw entry.error(found: "is of the image \(id)", expected: "the id of an image")
      }
    }
    return AnnotationSet(.cocoPanoptic, classes: numbers.classes, images: images, rule: .coco)
  }

  static func files(_ source: String) throws -> [String] {
    guard FileSystem.isFolder(source) else { return [source] }
    let found = ImageFinder.files(below: source) { $0.fileSuffix == "json" }.filter(isPanoptic)
    guard !found.isEmpty else {
      throw AnnotationError(
        source, found: "has no panoptic JSON file", expected: "one with segments_info")
    }
    return found
  }

  static func isPanoptic(_ path: String) -> Bool {
    let text = String(decoding: FileSystem.beginning(path, 1 << 16), as: UTF8.self)
    return text.contains("\"segments_info\"")
      || path.lastPart.hasPrefix("panoptic_") && text.contains("\"categories\"")
  }

  /// Where the PNG files are.
  private static func folders(_ file: String) -> [String] {
    let stem = file.withoutEnding
    return [stem, "\(file.folder)/panoptic", file.folder].filter(FileSystem.isFolder)
  }

  private static func pictures(
    _ entry: JSONTree, _ image: String, folders: [String], _ labels: [Int: Int]
  ) throws -> LabelPictures {
    var ids: [UInt32: Int] = [0: Shape.ignored]
    for segment in try entry.required("segments_info", "segments").list("a list of segments") {
      let id = try segment.required("id", "an id").int(
        "an id from 0 to 16777215", in: 0...0xFF_FFFF)
      let category = try segment.required("category_id", "a class").int("a number")
      guard let label = labels[category] else {
        throw segment.error(
          found: "is of the category \(category)", expected: "the id of a category")
      }
      ids[UInt32(id)] = label
    }
    let name = entry["file_name"]?.string ?? image
    let wanted = name.withoutEnding + ".png"
    let path = folders.lazy.map { "\($0)/\(wanted)" }.first(where: FileSystem.exists)
    guard let path else {
      throw entry.error(
        found: "has no picture \(wanted) in \(folders.joined(separator: " or "))", expected: "one")
    }
    return LabelPictures(files: [(path, .ids(ids))])
  }
}
