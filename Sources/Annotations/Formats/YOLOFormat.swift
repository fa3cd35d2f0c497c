import Configuration
import Files
import Foundation
import Imaging

/// Ultralytics' segmentation files: a line for each polygon, a class and corners as shares of width and height.
///
/// Shares times the size in single precision, fractions dropped, then `cv2.fillPoly`; the polygon of more
/// pixels lies under that of fewer. `data.yaml` names the classes.
enum YOLOFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let root = FileSystem.isFolder(source) ? source : source.folder
    let table = try description(source, root)
    var numbers = ClassNumbers(options)
    var names: [Int: String] = [:]
    if let table {
      names = try self.names(table)
    } else if let classes = options.classes {
      for (id, name) in classes.enumerated() { names[id] = name }
    } else {
      throw AnnotationError(
        root, found: "has no data.yaml, data.yml or dataset.yaml",
        expected: "one that names the classes, or --classes")
    }
    for (id, name) in names.sorted(by: { $0.key < $1.key }) {
      _ = try numbers.add(name, id: id, file: table ?? root, entry: "names")
    }
    var images: [AnnotationSet.Image] = []
    for path in try pictures(root, table) {
      let file = labelFile(path)
      let size = try ImageInfo(contentsOf: path).size
      let shapes = try FileSystem.text(file).map {
        try self.shapes($0, file, size, names) { numbers[$0] ?? 0 }
      }
      if shapes == nil, FileSystem.exists(file) {
        throw AnnotationError(
          file, found: "cannot be read as text", expected: "a line for each polygon")
      }
      images.append(
        .init(
          name: relative(path, to: root).withoutEnding, path: path,
          part: part(of: relative(path, to: root)), size: size, file: file,
          content: .shapes(shapes ?? [])))
    }
    var set = AnnotationSet(.yolo, classes: numbers.classes, images: images, rule: .opencv)
    set.isSmallerAbove = true
    return set
  }

  /// The YAML file that names the classes.
  static func description(_ source: String, _ root: String) throws -> String? {
    if !FileSystem.isFolder(source) { return source }
    let usual = ["data.yaml", "data.yml", "dataset.yaml", "dataset.yml"]
    if let name = usual.first(where: { FileSystem.exists("\(root)/\($0)") }) {
      return "\(root)/\(name)"
    }
    let others = (FileSystem.names(in: root) ?? []).filter {
      ["yaml", "yml"].contains($0.fileSuffix)
    }
    return others.count == 1 ? "\(root)/\(others[0])" : nil
  }

  private static func names(_ file: String) throws -> [Int: String] {
    let section = try Section(contentsOf: file)
    var names: [Int: String] = [:]
    // A mapping is read below.
    if let list = try? section.strings("names"), !list.isEmpty {
      for (id, name) in list.enumerated() { names[id] = name }
      return names
    }
    let mapping = try section.section("names")
    for key in mapping.keys {
      guard let id = Int(key), (0..<65_536).contains(id) else {
        throw AnnotationError(
          file, "names", found: "has the key \(quoted(key))", expected: "a number from 0")
      }
      names[id] = try mapping.string(key)
    }
    guard !names.isEmpty else {
      throw AnnotationError(file, found: "has no 'names'", expected: "the names of the classes")
    }
    return names
  }

  /// The pictures that the description names, or all below a folder `images`.
  private static func pictures(_ root: String, _ table: String?) throws -> [String] {
    let all = ImageFinder.pictures(below: root).filter {
      relative($0, to: root).split(separator: "/").dropLast().contains("images")
    }
    guard !all.isEmpty else {
      throw AnnotationError(
        root, found: "has no images in a folder 'images'", expected: "images/ and labels/")
    }
    return all
  }

  /// The label file of an image: in `labels` for the last `images` of its path.
  static func labelFile(_ image: String) -> String {
    var steps = image.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    if let place = steps.dropLast().lastIndex(of: "images") { steps[place] = "labels" }
    return steps.joined(separator: "/").withoutEnding + ".txt"
  }

  private static func shapes(
    _ text: String, _ file: String, _ size: Size, _ names: [Int: String], _ label: (String) -> Int
  ) throws -> [Shape] {
    var shapes: [Shape] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let words = line.split { $0 == " " || $0 == "\t" }
      guard !words.isEmpty else { continue }
      let place = "line \(number + 1)"
      guard let id = Int(words[0]) ?? Double(words[0]).flatMap({ Int(exactly: $0) }),
        let name = names[id]
      else {
        throw AnnotationError(
          file, place, found: "begins with \(quoted(words[0]))", expected: "the number of a class")
      }
      guard words.count >= 5, words.count % 2 == 1 else {
        throw AnnotationError(
          file, place, found: "has \(words.count - 1) numbers after the class",
          expected: "pairs of x and y, at least three, or a box")
      }
      let numbers = try words.dropFirst().map { word in
        // Single precision, as Ultralytics reads it.
        guard let number = Float(word), number.isFinite, abs(number) <= 1000 else {
          throw AnnotationError(
            file, place, found: "has \(quoted(word))",
            expected: "shares of width and height, 0 to 1")
        }
        return number
      }
      let (width, height) = (Float(size.width), Float(size.height))
      if numbers.count == 4 {
        // A box: middle and size.
        let (x, y) = (numbers[0] * width, numbers[1] * height)
        let (dx, dy) = (numbers[2] * width / 2, numbers[3] * height / 2)
        shapes.append(
          Shape(
            label(name),
            .rectangle(
              Point(Double(x - dx), Double(y - dy)), Point(Double(x + dx), Double(y + dy))),
            place: place))
        continue
      }
      let ring = stride(from: 0, to: numbers.count, by: 2).map {
        Point(Double(numbers[$0] * width), Double(numbers[$0 + 1] * height))
      }
      shapes.append(Shape(label(name), .rings([ring]), place: place))
    }
    return shapes
  }
}
