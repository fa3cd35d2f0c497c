import Files
import Foundation
import Imaging

/// labelme's JSON files, one by each image.
///
/// Shapes are drawn by Pillow in the order of the file, the last one above. `labels.txt` fixes the order of
/// classes; without it they are sorted by name. `__ignore__` and what no shape covers count nowhere.
enum LabelmeFormat {
  /// The label whose pixels count nowhere, and that for what is no class.
  static let (ignore, nothing) = ("__ignore__", "_background_")

  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let root = FileSystem.isFolder(source) ? source : source.folder
    let files = FileSystem.isFolder(source) ? try self.files(source) : [source]
    var numbers = ClassNumbers(options)
    let list = "\(root)/labels.txt"
    if FileSystem.exists(list) {
      for name in try ReadingOptions.classes(in: list) { _ = numbers.add(name) }
    }
    let trees = try files.map { try JSONTree(contentsOf: $0) }
    let names = try trees.flatMap { tree in
      try tree.required("shapes", "the shapes of an image").list("a list of shapes").map {
        try $0.required("label", "the name of a class").text()
      }
    }
    for name in Set(names).sorted() where name != ignore && name != nothing {
      _ = numbers.add(name)
    }
    let finder = ImageFinder(below: root, first: [], options)
    var notes: [String] = []
    let images = try zip(files, trees).map { file, tree in
      try image(file, tree, root, finder, options, &notes) { name in
        name == ignore || name == nothing ? Shape.ignored : numbers[name] ?? Shape.ignored
      }
    }
    var set = AnnotationSet(.labelme, classes: numbers.classes, images: images, rule: .pillow)
    set.notes = notes
    return set
  }

  /// The JSON files of shapes in a folder.
  static func files(_ source: String) throws -> [String] {
    let found = ImageFinder.files(below: source) { $0.fileSuffix == "json" }.filter(isLabelme)
    guard !found.isEmpty else {
      throw AnnotationError(
        source, found: "has no JSON file of labelme's", expected: "one with shapes")
    }
    return found
  }

  static func isLabelme(_ path: String) -> Bool {
    let text = String(decoding: FileSystem.beginning(path, 1 << 12), as: UTF8.self)
    return text.contains("\"shapes\"") && !text.contains("\"annotations\"")
  }

  private static func image(
    _ file: String, _ tree: JSONTree, _ root: String, _ finder: ImageFinder,
    _ options: ReadingOptions, _ notes: inout [String], _ label: (String) -> Int
  ) throws -> AnnotationSet.Image {
    let version = tree["version"]?.string ?? ""
    let major = version.split(separator: ".").first.flatMap { Int($0) } ?? 6
    let imagePath = tree["imagePath"]?.string
    let name = imagePath?.replacing("\\", with: "/") ?? "\(file.withoutEnding.lastPart).png"
    var path = ImageFinder(below: root, first: [file.folder], options).path(name)
    if !FileSystem.exists(path), let other = finder.path(stem: file.fileStem, in: file.folder) {
      path = other
    }
    let size = try self.size(tree)
    var shapes: [Shape] = []
    for entry in try tree.required("shapes", "the shapes of an image").list("a list of shapes") {
      let form = try form(entry, version: major)
      guard let form else {
        notes.append(
          "\(file): \(entry.place) is of the type \(quoted(entry["shape_type"]?.string ?? "")), which"
            + " labelme does not draw either")
        continue
      }
      shapes.append(
        Shape(label(try entry.required("label", "a class").text()), form, place: entry.place))
    }
    return .init(
      name: relative(file, to: root).withoutEnding, path: path,
      part: part(of: relative(file, to: root).withoutLastPart), size: size, file: file,
      content: .shapes(shapes))
  }

  private static func size(_ tree: JSONTree) throws -> Size? {
    guard let width = tree["imageWidth"], let height = tree["imageHeight"] else { return nil }
    return Size(
      width: try width.int("a width in pixels", in: 1...1 << 20),
      height: try height.int("a height in pixels", in: 1...1 << 20))
  }

  /// What was drawn; nil for what labelme makes no mask of.
  private static func form(_ entry: JSONTree, version: Int) throws -> Shape.Form? {
    let points = try entry.required("points", "the corners").points()
    func need(_ count: Int, _ what: String) throws {
      guard points.count == count else {
        throw entry.error(found: "has \(points.count) points", expected: "\(count), as \(what) has")
      }
    }
    let type = entry["shape_type"]?.string ?? "polygon"
    switch type {
    case "polygon", "oriented_rectangle":
      guard points.count > 2 else {
        throw entry.error(
          found: "has \(points.count) points", expected: "three or more, as a polygon has")
      }
      if type != "polygon" { try need(4, "an oriented rectangle") }
      return .rings([points])
    case "rectangle":
      try need(2, "a rectangle")
      return .rectangle(points[0], points[1])
    case "circle":
      try need(2, "a circle")
      let offset = points[0] - points[1]
      guard (offset * offset).sum() <= 20_000 * 20_000 else {
        throw entry.error(
          found: "is a circle with a radius of more than 20,000 pixels", expected: "a smaller one")
      }
      return .circle(points[0], rim: points[1])
    case "point":
      try need(1, "a point")
      return .dot(points[0])
    case "line":
      try need(2, "a line")
      return .line(points, isRounded: false)
    case "linestrip":
      guard points.count > 1 else {
        throw entry.error(
          found: "has \(points.count) points", expected: "two or more, as a line has")
      }
      return .line(points, isRounded: version >= 7)
    case "mask": return try mask(entry, points, version: version)
    case "points": return nil
    default:
      throw entry.error(
        found: "is of the type \(quoted(type))",
        expected: "polygon, rectangle, oriented_rectangle, circle, point, line, linestrip or mask")
    }
  }

  /// A picture of a part of the image, whose place is that of its corners.
  private static func mask(_ entry: JSONTree, _ points: [Point], version: Int) throws -> Shape.Form
  {
    guard points.count == 2 else {
      throw entry.error(found: "has \(points.count) points", expected: "2, as a mask has")
    }
    let text = try entry.required("mask", "a PNG in base64").text("a PNG in base64")
    guard let data = Data(base64Encoded: text) else {
      throw entry.error(found: "has a mask that is no base64", expected: "a PNG in base64")
    }
    let picture = try LabelImage(
      decoding: [UInt8](data), named: "\(entry.file): \(entry.place).mask")
    func whole(_ value: Double) -> Int {
      version >= 7 ? value.rounded(.toNearestOrEven).truncated : value.truncated
    }
    let (x, y) = (whole(points[0].x), whole(points[0].y))
    let (right, bottom) = (whole(points[1].x), whole(points[1].y))
    let isWhole = points.allSatisfy { $0 == $0.rounded(.towardZero) }
    // From version 7 on a fractional place takes the picture's own size.
    if version < 7 || isWhole {
      guard picture.width == right - x + 1, picture.height == bottom - y + 1 else {
        throw entry.error(
          found: "has a mask of \(picture.width)×\(picture.height) pixels",
          expected: "\(right - x + 1)×\(bottom - y + 1), as its points say")
      }
    }
    return .patch(x: x, y: y, picture.size, picture.values.map { $0 > 0 })
  }
}

extension String {
  /// The path without its last part.
  var withoutLastPart: String { split(separator: "/").dropLast().joined(separator: "/") }
}
