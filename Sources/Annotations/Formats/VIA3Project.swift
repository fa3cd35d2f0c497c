import Foundation
import Imaging

/// A project of VGG Image Annotator 3: views of files, regions as `[kind, numbers…]`, attributes by ids.
///
/// The class is the attribute of regions that the project shows beside them, or else that of a usual name, or the
/// only one. Extreme points are a rectangle's, or a circle's, as VIA draws them.
struct VIA3Project {
  /// An attribute of regions.
  private struct Attribute {
    let id: String, name: String
    let isText: Bool
    let options: [(id: String, name: String)]
    let standard: String
  }

  private let tree: JSONTree
  private let attribute: Attribute?
  /// The regions of each view.
  private var regions: [String: [JSONTree]] = [:]

  /// Whether a JSON file is a project of version 3.
  static func isProject(_ tree: JSONTree) -> Bool {
    tree["view"]?.isObject == true && tree["file"]?.isObject == true
  }

  /// A project.
  ///
  /// - Throws: ``AnnotationError`` for what is no project.
  init(_ tree: JSONTree) throws {
    self.tree = tree
    attribute = try Self.attribute(tree)
    for (_, entry) in try tree["metadata"]?.entries("regions by their ids") ?? [] {
      let view = try Self.id(entry.required("vid", "the id of a view"))
      // What has no place is said of the file or of a time.
      guard let place = entry["xy"], try !place.list("a region").isEmpty else { continue }
      regions[view, default: []].append(entry)
    }
  }

  /// The classes that the project lists as the options of the attribute.
  var options: [String] {
    guard let attribute, !attribute.isText else { return [] }
    return attribute.options.map(\.name).filter { !$0.isEmpty }
  }

  /// The images in the order of their views, with classes, shapes and places of regions.
  func images(
    _ notes: inout [String]
  ) throws -> [(name: String, regions: [(String, Shape.Form, String)])] {
    var files: [String: JSONTree] = [:]
    for (id, file) in try tree.required("file", "files").entries("files by their ids") {
      files[id] = file
    }
    var images: [(name: String, regions: [(String, Shape.Form, String)])] = []
    for (id, view) in try tree.required("view", "views").entries("views by their ids") {
      let ids = try view.required("fid_list", "the ids of files").list("a list of ids").map(Self.id)
      let own = regions[id] ?? []
      guard ids.count == 1, let file = files[ids[0]] else {
        guard own.isEmpty else {
          throw view.error(
            found: "has \(ids.count) files of which \(ids.count { files[$0] != nil }) are listed",
            expected: "one image where regions are drawn")
        }
        continue
      }
      // 2 is an image, 4 a video, 8 sound.
      guard try file["type"]?.number() ?? 2 == 2 else {
        guard own.isEmpty else {
          throw file.error(
            found: "is a video or sound with \(own.count) regions",
            expected: "images; take the frames from the video")
        }
        continue
      }
      let name = try (file["fname"] ?? file.required("src", "the name of an image")).text()
      let found = try own.compactMap { region -> (String, Shape.Form, String)? in
        guard let form = try form(region, &notes) else { return nil }
        return (try label(region), form, region.place)
      }
      images.append((name, found))
    }
    let views = Set(try tree.required("view", "views").entries("views").map(\.key))
    if let lost = regions.keys.filter({ !views.contains($0) }).min(), let entry = regions[lost]?[0]
    {
      throw entry.error(found: "is of the view \(quoted(lost))", expected: "a view that is listed")
    }
    return images
  }

  /// An id, which is a text or a number.
  private static func id(_ value: JSONTree) throws -> String {
    if let text = value.string { return text }
    return "\(try value.int("an id"))"
  }

  // MARK: Classes

  private static func attribute(_ tree: JSONTree) throws -> Attribute? {
    let entries = try tree["attribute"]?.entries("attributes by their ids") ?? []
    var found: [Attribute] = []
    for (id, entry) in entries where entry["anchor_id"]?.string?.hasSuffix("_XY1") ?? true {
      let options = try entry["options"]?.entries("options by their ids") ?? []
      found.append(
        Attribute(
          id: id, name: entry["aname"]?.string ?? "",
          isText: try entry["type"]?.number() ?? 1 == 1,
          options: try options.map { ($0.key, try $0.value.text("the name of a class")) },
          standard: entry["default_option_id"]?.string ?? ""))
    }
    let shown = try tree["config"]?["ui"]?["spatial_region_label_attribute_id"].map(id)
    return found.first { $0.id == shown }
      ?? VIAFormat.chosen(found.map(\.name)).flatMap { name in
        found.first { $0.name == name }
      }
  }

  private func label(_ region: JSONTree) throws -> String {
    guard let attribute else {
      throw region.error(
        found: "has no class", expected: "an attribute of regions such as 'class' or 'label'")
    }
    let value = region["av"]?[attribute.id]
    let text = try value.map { try Self.id($0) } ?? attribute.standard
    guard !attribute.isText else {
      guard !text.isEmpty else {
        throw region.error(
          found: "has no '\(attribute.name)'", expected: "the name of a class")
      }
      return text
    }
    // Boxes that are ticked are separated by commas.
    guard let option = attribute.options.first(where: { $0.id == text }), !option.name.isEmpty
    else {
      throw (value ?? region).error(
        found: value == nil ? "has no '\(attribute.name)'" : "is \(quoted(text))",
        expected: "one of the options of '\(attribute.name)',"
          + " \(attribute.options.map(\.id).joined(separator: ", "))")
    }
    return option.name
  }

  // MARK: Shapes

  private func form(_ region: JSONTree, _ notes: inout [String]) throws -> Shape.Form? {
    let place = try region.required("xy", "a region")
    let numbers = try place.numbers("a kind and numbers of pixels", in: Shape.coordinates)
    guard let kind = numbers.first.flatMap({ Int(exactly: $0) }), (1...9).contains(kind) else {
      throw place.error(found: "is of no kind that is known", expected: "a kind from 1 to 9")
    }
    let rest = Array(numbers.dropFirst())
    let names = [
      "point", "rectangle", "circle", "ellipse", "line", "polyline", "polygon",
      "extreme rectangle", "extreme circle",
    ]
    func expect(_ count: Int) throws {
      guard rest.count == count else {
        throw place.error(
          found: "is a \(names[kind - 1]) of \(rest.count) numbers", expected: "\(count) numbers")
      }
    }
    var points: [Point] {
      stride(from: 0, to: rest.count - 1, by: 2).map { Point(rest[$0], rest[$0 + 1]) }
    }
    switch kind {
    case 2:
      try expect(4)
      return .rectangle(points[0], points[0] + points[1])
    case 3:
      try expect(3)
      return .ellipse(points[0], radii: Point(repeating: rest[2]), degrees: 0)
    case 4:
      try expect(4)
      return .ellipse(points[0], radii: points[1], degrees: 0)
    case 7:
      guard rest.count >= 6, rest.count % 2 == 0 else {
        throw place.error(
          found: "is a polygon of \(rest.count) numbers",
          expected: "x and y of three or more corners")
      }
      return .rings([points])
    case 8:
      try expect(8)
      return .rectangle(
        points.reduce(points[0], pointwiseMin), points.reduce(points[0], pointwiseMax))
    case 9:
      try expect(6)
      guard let (center, radius) = Self.circle(points) else {
        throw place.error(found: "has three points on a line", expected: "points on a circle")
      }
      return .ellipse(center, radii: Point(repeating: radius), degrees: 0)
    default:
      notes.append(
        "\(region.file): \(region.place) is a \(names[kind - 1]), which covers no pixels")
      return nil
    }
  }

  /// The circle through three points; nil for those on a line, or nearly so.
  private static func circle(_ points: [Point]) -> (center: Point, radius: Double)? {
    let (a, b) = (points[1] - points[0], points[2] - points[0])
    let twice = 2 * (a.x * b.y - a.y * b.x)
    let (lengthA, lengthB) = ((a * a).sum(), (b * b).sum())
    let offset = Point(b.y * lengthA - a.y * lengthB, a.x * lengthB - b.x * lengthA) / twice
    let radius = (offset * offset).sum().squareRoot()
    guard radius.isFinite, Shape.coordinates.contains(radius) else { return nil }
    return (points[0] + offset, radius)
  }
}
