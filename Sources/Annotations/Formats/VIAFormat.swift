import Files
import Foundation
import Imaging

/// VGG Image Annotator's JSON: of a project of version 2 or 3 (``VIA3Project``), or of the annotations alone.
///
/// VIA draws no masks; shapes become pixels by pycocotools' rule, as those of its export to COCO do. The class is the
/// region attribute of a usual name, such as `class` or `label`, or the only one.
enum VIAFormat {
  private static let usual = ["class", "label", "name", "type", "category", "object", "class_name"]

  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let files = try self.files(source)
    let root = FileSystem.isFolder(source) ? source : source.folder
    var numbers = ClassNumbers(options)
    var notes: [String] = []
    var read: [(image: AnnotationSet.Image, regions: [(String, Shape.Form, String)])] = []
    for file in files {
      let tree = try JSONTree(contentsOf: file)
      let part = part(of: relative(file, to: root))
      let finder = ImageFinder(below: root, first: [file.folder, "\(file.folder)/images"], options)
      func add(_ name: String, _ regions: [(String, Shape.Form, String)]) {
        let image = AnnotationSet.Image(
          name: name.withoutEnding, path: finder.path(name), part: part, file: file,
          content: .nothing)
        read.append((image, regions))
      }
      guard !VIA3Project.isProject(tree) else {
        let project = try VIA3Project(tree)
        for name in project.options { _ = numbers.add(name) }
        for (name, regions) in try project.images(&notes) { add(name, regions) }
        continue
      }
      let entries = try (tree["_via_img_metadata"] ?? tree).entries("images by their keys")
      try listOptions(in: tree, &numbers)
      for (_, entry) in entries {
        add(
          try entry.required("filename", "the name of an image").text(), try regions(entry, &notes))
      }
    }
    for name in Set(read.flatMap { $0.regions.map(\.0) }).sorted() { _ = numbers.add(name) }
    let images = read.map { image, regions in
      var image = image
      image.content = .shapes(regions.map { Shape(numbers[$0] ?? Shape.ignored, $1, place: $2) })
      return image
    }
    var set = AnnotationSet(.via, classes: numbers.classes, images: images, rule: .coco)
    set.notes = notes
    return set
  }

  static func files(_ source: String) throws -> [String] {
    guard FileSystem.isFolder(source) else { return [source] }
    let found = ImageFinder.files(below: source) { $0.fileSuffix == "json" }.filter(isVIA)
    guard !found.isEmpty else {
      throw AnnotationError(
        source, found: "has no JSON file of VIA's", expected: "one with regions")
    }
    return found
  }

  static func isVIA(_ path: String) -> Bool {
    let text = String(decoding: FileSystem.beginning(path, 1 << 16), as: UTF8.self)
    return text.contains("\"_via_img_metadata\"") || text.contains("\"_via_settings\"")
      || text.contains("\"vid_list\"")
      || text.contains("\"filename\"") && text.contains("\"regions\"")
  }

  /// The classes that a project lists as the options of the attribute.
  private static func listOptions(in tree: JSONTree, _ numbers: inout ClassNumbers) throws {
    guard let region = tree["_via_attributes"]?["region"], region.isObject else { return }
    let attributes = try region.entries("attributes")
    guard let chosen = chosen(attributes.map(\.key)),
      let options = attributes.first(where: { $0.key == chosen })?.value["options"],
      options.isObject
    else { return }
    for (name, _) in try options.entries("options") where !name.isEmpty { _ = numbers.add(name) }
  }

  /// The attribute that is the class: of a usual name, or the only one.
  static func chosen(_ names: [String]) -> String? {
    usual.lazy.compactMap { word in names.first { $0.lowercased() == word } }.first
      ?? (names.count == 1 ? names[0] : nil)
  }

  private static func regions(
    _ entry: JSONTree, _ notes: inout [String]
  ) throws -> [(String, Shape.Form, String)] {
    guard let given = entry["regions"] else { return [] }
    // Version 1 has them by number.
    let all =
      given.isObject
      ? try given.entries("regions").map(\.value) : try given.list("a list of regions")
    return try all.compactMap { region in
      let shape = try region.required("shape_attributes", "a shape")
      guard let form = try form(shape) else {
        notes.append(
          "\(entry.file): \(region.place) is a \(shape["name"]?.string ?? "shape"), which covers no pixels"
        )
        return nil
      }
      return (try label(region), form, region.place)
    }
  }

  private static func label(_ region: JSONTree) throws -> String {
    let attributes = try region.required("region_attributes", "attributes").entries("attributes")
    guard let key = chosen(attributes.map(\.key)),
      let value = attributes.first(where: { $0.key == key })?.value
    else {
      throw region.error(
        found: "has the attributes \(attributes.map(\.key).joined(separator: ", "))",
        expected: "one for the class, such as 'class' or 'label'")
    }
    if value.isObject {
      let ticked = try value.entries("options").filter {
        if case .bool(true) = $0.value.value { true } else { false }
      }
      guard ticked.count == 1 else {
        throw value.error(found: "has \(ticked.count) options ticked", expected: "one class")
      }
      return ticked[0].key
    }
    let text = try value.text("the name of a class")
    guard !text.isEmpty else {
      throw value.error(found: "is empty", expected: "the name of a class")
    }
    return text
  }

  private static func form(_ shape: JSONTree) throws -> Shape.Form? {
    func number(_ key: String) throws -> Double {
      try shape.required(key, "pixels").number("a number of pixels", in: Shape.coordinates)
    }
    switch try shape.required("name", "a kind of shape").text() {
    case "polygon", "polyline":
      guard shape["name"]?.string == "polygon" else { return nil }
      let xs = try shape.required("all_points_x", "places").numbers("pixels", in: Shape.coordinates)
      let ys = try shape.required("all_points_y", "places").numbers("pixels", in: Shape.coordinates)
      guard xs.count == ys.count, xs.count > 2 else {
        throw shape.error(
          found: "has \(xs.count) x and \(ys.count) y", expected: "as many, three or more")
      }
      return .rings([zip(xs, ys).map { Point($0, $1) }])
    case "rect":
      let corner = Point(try number("x"), try number("y"))
      return .rectangle(corner, corner + Point(try number("width"), try number("height")))
    case "circle":
      let radius = try number("r")
      return .ellipse(
        Point(try number("cx"), try number("cy")), radii: Point(radius, radius), degrees: 0)
    case "ellipse":
      let turn = try shape["theta"]?.number("radians") ?? 0
      return .ellipse(
        Point(try number("cx"), try number("cy")), radii: Point(try number("rx"), try number("ry")),
        degrees: turn * 180 / .pi)
    default: return nil
    }
  }
}
