import Files
import Foundation
import Imaging

/// CVAT's XML "for images 1.1", and "for video 1.1" (``CVATTracks``).
///
/// Polygons and boxes by pycocotools' rule, ellipses as `cv2.ellipse` fills them, masks as runs along the rows of
/// a part of the image. Higher `z_order` lies above lower, then the later above the earlier.
enum CVATFormat {
  /// What is read on the way through a file.
  private final class State {
    var numbers: ClassNumbers
    var images: [AnnotationSet.Image] = []
    var notes: [String] = []
    /// The elements that are open.
    var open: [String] = []
    var name = "", color: Color?
    var shapes: [Shape] = []
    var image: (name: String, size: Size, part: String)?
    var tracks = CVATTracks("")

    init(_ options: ReadingOptions) { numbers = ClassNumbers(options) }
  }

  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let files = try self.files(source)
    let root = FileSystem.isFolder(source) ? source : source.folder
    let state = State(options)
    for file in files {
      let finder = ImageFinder(below: root, first: ["\(file.folder)/images", file.folder], options)
      state.tracks = CVATTracks(file)
      try XMLReading.read(file) {
        try begin($0, file, state)
      } end: { name, text in
        try end(name, text, file, root, finder, state)
      }
      if !state.tracks.isEmpty {
        state.images += try state.tracks.images(part(of: relative(file, to: root)), options)
      }
    }
    var set = AnnotationSet(
      .cvat, classes: state.numbers.classes, images: state.images, rule: .coco)
    set.notes = state.notes
    return set
  }

  static func files(_ source: String) throws -> [String] {
    guard FileSystem.isFolder(source) else { return [source] }
    let found = ImageFinder.files(below: source) { $0.fileSuffix == "xml" }.filter(isCVAT)
    guard !found.isEmpty else {
      throw AnnotationError(source, found: "has no XML file of CVAT's", expected: "annotations.xml")
    }
    return found
  }

  static func isCVAT(_ path: String) -> Bool {
    String(decoding: FileSystem.beginning(path, 1 << 12), as: UTF8.self).contains("<annotations>")
  }

  private static func begin(
    _ element: XMLReading.Element, _ file: String, _ state: State
  ) throws {
    let parent = state.open.last
    state.open.append(element.name)
    func fail(_ found: String, _ expected: String) -> AnnotationError {
      AnnotationError(
        file, "line \(element.line) (<\(element.name)>)", found: found, expected: expected)
    }
    if element.name == "label", parent == "labels" { (state.name, state.color) = ("", nil) }
    if element.name == "image", parent == "annotations" {
      let sides = try ["width", "height"].map { key in
        guard let side = element.attributes[key].flatMap({ Int($0) }), (1...1 << 20).contains(side)
        else { throw fail("has no '\(key)' that can be used", "a side from 1 to 1048576") }
        return side
      }
      guard let name = element.attributes["name"], !name.isEmpty else {
        throw fail("has no 'name'", "the name of an image")
      }
      state.image = (
        name, Size(width: sides[0], height: sides[1]), element.attributes["subset"] ?? ""
      )
      state.shapes = []
    }
    if element.name == "track", parent == "annotations" {
      state.tracks.begin(element, try label(of: element, state, fail))
    }
    let isTracked = state.open.dropLast() == ["annotations", "track"]
    guard parent == "image" && state.image != nil || isTracked else { return }
    let kinds = [
      "polygon", "box", "ellipse", "mask", "polyline", "points", "tag", "skeleton", "cuboid",
    ]
    guard kinds.contains(element.name) else { return }
    guard let outline = try outline(element, fail) else { return }
    let layer = element.attributes["z_order"].map { Int($0) } ?? 0
    guard let layer, abs(layer) < 1 << 31 else {
      throw fail("has the z_order \(quoted(element.attributes["z_order"] ?? ""))", "a whole number")
    }
    if isTracked { return try state.tracks.add(element, outline, layer: layer) }
    let place = "image \(quoted(state.image?.name ?? "")), line \(element.line)"
    state.shapes.append(
      Shape(try label(of: element, state, fail), outline.form, place: place, layer: layer))
  }

  private static func label(
    of element: XMLReading.Element, _ state: State, _ fail: (String, String) -> AnnotationError
  ) throws -> Int {
    guard let name = element.attributes["label"] else { throw fail("has no 'label'", "a class") }
    guard let label = state.numbers[name] else {
      throw fail("is of the class \(quoted(name))", "one that <labels> lists")
    }
    return label
  }

  private static func end(
    _ name: String, _ text: String, _ file: String, _ root: String, _ finder: ImageFinder,
    _ state: State
  ) throws {
    state.open.removeLast()
    let parent = state.open.last
    if name == "track", parent == "annotations" { try state.tracks.end() }
    if ["task", "job", "original_size"].contains(parent) { state.tracks.note(name, text) }
    if parent == "label" {
      if name == "name" { state.name = text }
      if name == "color" { state.color = Color(hexadecimal: text) }
    } else if name == "label", parent == "labels", !state.name.isEmpty {
      _ = state.numbers.add(state.name, state.color)
    } else if name == "image", parent == "annotations", let image = state.image {
      let known =
        part(of: image.part).isEmpty ? part(of: relative(file, to: root)) : part(of: image.part)
      state.images.append(
        .init(
          name: image.name.withoutEnding, path: finder.path(image.name), part: known,
          size: image.size, file: file, content: .shapes(state.shapes)))
      state.image = nil
    }
  }

  // MARK: Shapes

  private static func outline(
    _ element: XMLReading.Element, _ fail: (String, String) -> AnnotationError
  ) throws -> CVATOutline? {
    func number(_ key: String) throws -> Double {
      guard let text = element.attributes[key], let value = Double(text),
        Shape.coordinates.contains(value)
      else {
        throw fail(
          "has the \(key) \(quoted(element.attributes[key] ?? ""))",
          "a number of pixels within 1,000,000")
      }
      return value
    }
    func turn() throws -> Double {
      element.attributes["rotation"] == nil ? 0 : try number("rotation")
    }
    switch element.name {
    case "polygon":
      let points = try (element.attributes["points"] ?? "").split(separator: ";").map { pair in
        let numbers = pair.split(separator: ",").map {
          Double($0.trimmingCharacters(in: .whitespaces)) ?? .nan
        }
        guard numbers.count == 2, numbers.allSatisfy(Shape.coordinates.contains) else {
          throw fail("has the corner \(quoted(pair))", "x,y in pixels, separated by ;")
        }
        return Point(numbers[0], numbers[1])
      }
      guard points.count > 2 else {
        throw fail("has \(points.count) corners", "three or more")
      }
      return .polygon(points)
    case "box":
      let (a, b) = (
        Point(try number("xtl"), try number("ytl")), Point(try number("xbr"), try number("ybr"))
      )
      return .box(a, b, degrees: try turn())
    case "ellipse":
      let radii = Point(try number("rx"), try number("ry"))
      guard radii.min() >= 0 else { throw fail("has a radius below 0", "radii from 0") }
      return .ellipse(
        Point(try number("cx"), try number("cy")), radii: radii, degrees: try turn())
    case "mask": return .pixels(try mask(element, fail))
    default: return nil
    }
  }

  private static func mask(
    _ element: XMLReading.Element, _ fail: (String, String) -> AnnotationError
  ) throws -> Shape.Form {
    func side(_ key: String, _ range: ClosedRange<Int>) throws -> Int {
      guard let text = element.attributes[key],
        let value = Double(text).flatMap({ Int(exactly: $0) }), range.contains(value)
      else {
        throw fail(
          "has the \(key) \(quoted(element.attributes[key] ?? ""))",
          "a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return value
    }
    let (left, top) = (try side("left", -1 << 20...1 << 20), try side("top", -1 << 20...1 << 20))
    let (width, height) = (try side("width", 1...1 << 20), try side("height", 1...1 << 20))
    guard width * height <= AnnotationSet.mostPixels else {
      throw fail("has \(width)×\(height) pixels", "at most \(AnnotationSet.mostPixels)")
    }
    var runs: [Int] = []
    var total = 0
    for word in (element.attributes["rle"] ?? "").split(whereSeparator: { $0 == "," || $0 == " " })
    {
      guard let run = Int(word), run >= 0, run <= width * height else {
        throw fail("has the run \(quoted(word))", "a number of pixels")
      }
      runs.append(run)
      total += run
      guard total <= width * height else { break }
    }
    guard total == width * height else {
      throw fail(
        "has runs of \(total) pixels or more", "\(width * height), those of \(width)×\(height)")
    }
    var bits: [Bool] = []
    bits.reserveCapacity(total)
    for (i, run) in runs.enumerated() {
      bits.append(contentsOf: repeatElement(i % 2 == 1, count: run))
    }
    return .patch(x: left, y: top, Size(width: width, height: height), bits)
  }
}

extension Point {
  /// The place turned clockwise about another.
  func turned(by degrees: Double, about center: Point) -> Point {
    let radians = degrees * .pi / 180
    let (cosine, sine) = (cos(radians), sin(radians))
    let from = self - center
    return center + Point(from.x * cosine - from.y * sine, from.x * sine + from.y * cosine)
  }
}

extension Color {
  /// A colour written `#8040ff`; nil for anything else.
  init?(hexadecimal text: String) {
    let digits = text.drop { $0 == "#" }
    guard digits.count == 6, let number = UInt32(digits, radix: 16) else { return nil }
    self.init(UInt8(number >> 16), UInt8(number >> 8 & 255), UInt8(number & 255))
  }
  /// The colour as `#8040ff`.
  var hexadecimal: String {
    String(format: "#%02x%02x%02x", Int(red), Int(green), Int(blue))
  }
}
