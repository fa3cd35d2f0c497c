import CDeflate
import Files
import Foundation
import Imaging

/// Supervisely's project: `meta.json`, and for each image `ann/NAME.png.json` beside `img/NAME.png`.
///
/// Bitmaps are PNG files packed by zlib in base64, at the place of their first pixel; polygons without their
/// interiors and rectangles by OpenCV's rule, fractions dropped. Objects cover each other in the order of the file.
enum SuperviselyFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let metas = ImageFinder.files(below: source) { $0 == "meta.json" }
    guard let meta = metas.min(by: { $0.count < $1.count }) else {
      throw AnnotationError(source, found: "has no meta.json", expected: "a project of Supervisely")
    }
    let root = meta.folder
    var numbers = ClassNumbers(options)
    for entry in try JSONTree(contentsOf: meta).required("classes", "classes").list(
      "a list of classes")
    {
      let color = entry["color"]?.string.flatMap { Color(hexadecimal: $0) }
      _ = numbers.add(try entry.required("title", "a name").text(), color)
    }
    var images: [AnnotationSet.Image] = []
    var notes: [String] = []
    for file in ImageFinder.files(below: root, where: { $0.fileSuffix == "json" })
    where file.folder.lastPart == "ann" {
      let folder = "\(file.folder.parentFolder)/img"
      let name = file.lastPart.withoutEnding
      let finder = ImageFinder(below: folder, first: [folder], options)
      let tree = try JSONTree(contentsOf: file)
      let size = try tree.required("size", "width and height")
      var shapes: [Shape] = []
      for entry in try tree.required("objects", "objects").list("a list of objects") {
        let title = try entry.required("classTitle", "a class").text()
        guard let label = numbers[title] else {
          throw entry.error(
            found: "is of the class \(quoted(title))", expected: "one that meta.json lists")
        }
        guard let form = try form(entry) else {
          notes.append(
            "\(file): \(entry.place) is a \(entry["geometryType"]?.string ?? "shape"), which covers no pixels"
          )
          continue
        }
        shapes.append(Shape(label, form, place: entry.place))
      }
      images.append(
        .init(
          name: "\(relative(file.folder.parentFolder, to: root))/\(name)".withoutEnding,
          path: finder.path(name), part: part(of: relative(file.folder.parentFolder, to: root)),
          size: Size(
            width: try size.required("width", "pixels").int("1 to 1048576", in: 1...1 << 20),
            height: try size.required("height", "pixels").int("1 to 1048576", in: 1...1 << 20)),
          file: file, content: .shapes(shapes)))
    }
    var set = AnnotationSet(.supervisely, classes: numbers.classes, images: images, rule: .opencv)
    set.notes = notes
    return set
  }

  private static func form(_ entry: JSONTree) throws -> Shape.Form? {
    let type = try (entry["geometryType"] ?? entry.required("shape", "a kind of shape")).text()
    switch type {
    case "bitmap": return try bitmap(try entry.required("bitmap", "data and origin"))
    case "polygon":
      let points = try entry.required("points", "exterior and interior")
      let outer = try points.required("exterior", "corners").points()
      let holes = try points["interior"]?.list("rings").map { try $0.points() } ?? []
      return .holed(outer, holes: holes)
    case "rectangle":
      let corners = try entry.required("points", "corners").required("exterior", "corners").points()
      guard corners.count == 2 else {
        throw entry.error(found: "has \(corners.count) corners", expected: "2, as a rectangle has")
      }
      return .rectangle(corners[0], corners[1])
    default: return nil
    }
  }

  private static func bitmap(_ entry: JSONTree) throws -> Shape.Form {
    let data = try entry.required("data", "a packed PNG in base64")
    let origin = try entry.required("origin", "[x, y]").numbers("[x, y] in pixels", in: -1e6...1e6)
    guard origin.count == 2, origin.allSatisfy({ $0 == $0.rounded() }) else {
      throw entry.error(found: "has an origin that is no place", expected: "[x, y] in whole pixels")
    }
    guard let packed = Data(base64Encoded: try data.text("base64")),
      let png = Zlib.unpacked([UInt8](packed))
    else {
      throw data.error(found: "cannot be unpacked", expected: "a PNG, packed by zlib, in base64")
    }
    let picture = try LabelImage(decoding: png, named: "\(entry.file): \(data.place)")
    return .patch(
      x: Int(origin[0]), y: Int(origin[1]), picture.size, picture.values.map { $0 > 0 })
  }
}

/// Deflate with zlib's frame.
enum Zlib {
  /// The bytes that were packed; nil where they are none, or more than 256 MiB.
  static func unpacked(_ bytes: [UInt8]) -> [UInt8]? {
    guard let unpacker = libdeflate_alloc_decompressor() else { return nil }
    defer { libdeflate_free_decompressor(unpacker) }
    var room = max(1 << 12, 4 * bytes.count)
    // Deflate packs at most 1032 to 1.
    while room <= min(1 << 28, 1040 * bytes.count + 1 << 13) {
      var result = LIBDEFLATE_SUCCESS
      let unpacked = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        var written = 0
        result = bytes.withUnsafeBytes {
          libdeflate_zlib_decompress(
            unpacker, $0.baseAddress, $0.count, buffer.baseAddress, room, &written)
        }
        count = result == LIBDEFLATE_SUCCESS ? written : 0
      }
      if result == LIBDEFLATE_SUCCESS { return unpacked }
      guard result == LIBDEFLATE_INSUFFICIENT_SPACE else { return nil }
      room *= 4
    }
    return nil
  }

  /// Packs bytes.
  static func packed(_ bytes: [UInt8]) -> [UInt8] {
    guard let packer = libdeflate_alloc_compressor(6) else { return [] }
    defer { libdeflate_free_compressor(packer) }
    let room = libdeflate_zlib_compress_bound(packer, bytes.count)
    return [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      count = bytes.withUnsafeBytes {
        libdeflate_zlib_compress(packer, $0.baseAddress, $0.count, buffer.baseAddress, room)
      }
    }
  }
}
