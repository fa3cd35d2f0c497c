import Files
import Foundation
import Imaging

/// Label Studio's JSON, and JSON_MIN.
///
/// Brushes count where they are not transparent; polygons and rectangles are in percent of the size and become pixels
/// by pycocotools' rule; rectangles turn clockwise about their first corner, in pixels. Results cover each other in
/// the order of the file. The order of classes is that of a `label_config.xml`, or of their names.
enum LabelStudioFormat {
  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let file = try self.file(source)
    let root = FileSystem.isFolder(source) ? source : source.folder
    let tasks = try JSONTree(contentsOf: file).list("a list of tasks")
    var numbers = try configured(root, file, options)
    var notes: [String] = []
    var read: [(image: AnnotationSet.Image, results: [Result])] = []
    let finder = ImageFinder(
      below: root,
      first: ["\(file.folder)/images", "\(file.folder)/../images", file.folder, "\(root)/images"],
      options)
    for task in tasks {
      let name = try image(of: task)
      let results =
        try task["annotations"] == nil && task["data"] == nil
        ? minimal(task) : results(task, &notes)
      let image = AnnotationSet.Image(
        name: name.withoutEnding, path: finder.path(name), size: results.first?.size, file: file,
        content: .nothing)
      if let other = results.first(where: { $0.size != results[0].size }) {
        throw AnnotationError(
          file, other.place, found: "is drawn on \(other.size.width)×\(other.size.height) pixels",
          expected: "\(results[0].size.width)×\(results[0].size.height), as the results before it")
      }
      read.append((image, results))
    }
    for name in Set(read.flatMap { $0.results.flatMap(\.labels) }).sorted() {
      _ = numbers.add(name)
    }
    let images = try read.map { image, results in
      var image = image
      image.content = .shapes(
        try results.map { result in
          guard let name = result.labels.first, let label = numbers[name], result.labels.count == 1
          else {
            throw AnnotationError(
              file, result.place, found: "has \(result.labels.count) labels", expected: "one class")
          }
          return Shape(label, result.form, place: result.place)
        })
      return image
    }
    var set = AnnotationSet(.labelStudio, classes: numbers.classes, images: images, rule: .coco)
    set.notes = notes
    return set
  }

  /// The file of an export.
  static func file(_ source: String) throws -> String {
    guard FileSystem.isFolder(source) else { return source }
    let found = ImageFinder.files(below: source) { $0.fileSuffix == "json" }.filter(isLabelStudio)
    let direct = found.filter { $0.folder == source }
    let chosen = direct.isEmpty ? found : direct
    guard chosen.count == 1 else {
      throw AnnotationError(
        source,
        found: chosen.isEmpty
          ? "has no JSON file of Label Studio's"
          : "has \(chosen.count) exports: \(chosen.joined(separator: ", "))",
        expected: "one")
    }
    return chosen[0]
  }

  static func isLabelStudio(_ path: String) -> Bool {
    let text = String(decoding: FileSystem.beginning(path, 1 << 14), as: UTF8.self)
    guard text.first(where: { !$0.isWhitespace && $0 != "\u{FEFF}" }) == "[" else { return false }
    return text.contains("\"annotations\"") && text.contains("\"result\"")
      || text.contains("\"original_width\"")
      || text.contains("\"annotation_id\"")
  }

  /// The classes of a labelling configuration, if there is one by the export.
  static func configured(
    _ root: String, _ file: String, _ options: ReadingOptions
  ) throws -> ClassNumbers {
    var numbers = ClassNumbers(options)
    let places = [file.folder, root, "\(file.folder)/.."].flatMap {
      ["\($0)/label_config.xml", "\($0)/config.xml"]
    }
    guard let path = places.first(where: FileSystem.exists) else { return numbers }
    try XMLReading.read(path) { element in
      if element.name == "Label" || element.name == "Brush", let name = element.attributes["value"]
      {
        _ = numbers.add(name, element.attributes["background"].flatMap { Color(hexadecimal: $0) })
      }
    } end: { _, _ in
    }
    return numbers
  }

  // MARK: Tasks

  /// The name of a task's image: that of the upload, or the last part of its address.
  static func image(of task: JSONTree) throws -> String {
    if let name = task["file_upload"]?.string, !name.isEmpty { return name.lastPart }
    let data = task["data"] ?? task
    let pictures = try data.entries("an image").compactMap { key, value -> String? in
      guard let text = value.string else { return nil }
      let path = text.split(separator: "?", maxSplits: 1).first.map(String.init) ?? text
      let local = text.contains("?d=") ? String(text.split(separator: "=").last ?? "") : path
      let name = (local.removingPercentEncoding ?? local).lastPart
      return ImageFinder.endings.contains(name.fileSuffix) ? name : nil
    }
    guard let name = pictures.first else {
      throw task.error(found: "names no image", expected: "the address of one in 'data'")
    }
    return name
  }

  struct Result {
    var labels: [String]
    var form: Shape.Form
    var size: Size
    var place: String
  }

  /// The results of the annotation that counts: the ground truth, or the first that was not cancelled.
  private static func results(_ task: JSONTree, _ notes: inout [String]) throws -> [Result] {
    let all = try (task["annotations"] ?? task["completions"])?.list("a list of annotations") ?? []
    func isTrue(_ entry: JSONTree, _ key: String) -> Bool {
      if let value = entry[key]?.value, case .bool(true) = value { return true }
      return false
    }
    let valid = all.filter { !isTrue($0, "was_cancelled") }
    guard let chosen = valid.first(where: { isTrue($0, "ground_truth") }) ?? valid.first else {
      return []
    }
    if valid.count > 1 {
      notes.append(
        "\(task.file): \(task.place) is annotated \(valid.count) times; \(chosen.place) is used")
    }
    return try chosen.required("result", "what was drawn").list("a list of results").compactMap {
      entry in
      guard let type = entry["type"]?.string, let value = entry["value"] else { return nil }
      return try result(
        value, sizes: entry, kind: type.hasSuffix("labels") ? type : nil, type: type)
    }
  }

  /// The results of a task of JSON_MIN, one control after the other.
  private static func minimal(_ task: JSONTree) throws -> [Result] {
    try task.entries("a task").flatMap { _, control -> [Result] in
      guard control.isList else { return [] }
      return try control.list("results").compactMap { entry in
        guard entry.isObject else { return nil }
        let kind = try entry.entries("a result").map(\.key).first { $0.hasSuffix("labels") }
        guard let kind else { return nil }
        return try result(entry, sizes: entry, kind: kind, type: kind)
      }
    }
  }

  /// What was drawn; nil for what covers no pixels.
  private static func result(
    _ value: JSONTree, sizes: JSONTree, kind: String?, type: String
  ) throws -> Result? {
    let key = kind ?? "labels"
    guard let given = value[key] ?? value["labels"] else { return nil }
    let labels = try given.list("a list of labels").map { try $0.text() }
    func side(_ key: String) throws -> Int {
      try sizes.required(key, "the size of the image").int("1 to 1048576", in: 1...1 << 20)
    }
    let size = Size(width: try side("original_width"), height: try side("original_height"))
    func number(_ key: String) throws -> Double {
      try value.required(key, "percent of the image").number("percent of the image", in: -1e4...1e4)
    }
    func pixels(_ x: Double, _ y: Double) -> Point {
      // In this order, as the kit computes it.
      Point(x * Double(size.width) / 100, y * Double(size.height) / 100)
    }
    let turn = try value["rotation"]?.number("degrees", in: -1e6...1e6) ?? 0
    let form: Shape.Form
    if value["rle"] != nil {
      form = .patch(x: 0, y: 0, size, try BrushRuns.decoded(value, size))
    } else if value["points"] != nil {
      let points = try value.required("points", "corners").list("corners in percent").map { pair in
        let numbers = try pair.numbers("[x, y] in percent", in: -1e4...1e4)
        guard numbers.count == 2 else { throw pair.error(expected: "[x, y] in percent") }
        return pixels(numbers[0], numbers[1])
      }
      guard points.count > 2 else { return nil }
      form = .rings([points])
    } else if value["radiusX"] != nil {
      let radii = pixels(try number("radiusX"), try number("radiusY"))
      form = .ellipse(pixels(try number("x"), try number("y")), radii: radii, degrees: turn)
    } else if value["width"] != nil, value["height"] != nil,
      type.hasPrefix("rectangle") || kind == nil
    {
      let (corner, sides) = (
        pixels(try number("x"), try number("y")), pixels(try number("width"), try number("height"))
      )
      let corners = [
        corner, Point(corner.x + sides.x, corner.y), corner + sides,
        Point(corner.x, corner.y + sides.y),
      ]
      form = .rings([turn == 0 ? corners : corners.map { $0.turned(by: turn, about: corner) }])
    } else {
      return nil
    }
    return Result(labels: labels, form: form, size: size, place: sizes.place)
  }
}

/// The runs of Label Studio's brushes: bytes of red, green, blue and opacity, packed by thi.ng's rle-pack.
enum BrushRuns {
  /// Which pixels are not transparent.
  static func decoded(_ value: JSONTree, _ size: Size) throws -> [Bool] {
    let entry = try value.required("rle", "the runs of a brush")
    let bytes = try entry.numbers("bytes from 0 to 255", in: 0...255).map { UInt8($0) }
    func fail(_ found: String, _ expected: String) -> AnnotationError {
      entry.error(found: found, expected: expected)
    }
    var at = 0
    func read(_ count: Int) throws -> Int {
      guard at + count <= 8 * bytes.count else {
        throw fail(
          "ends after \(bytes.count) bytes", "the runs of \(size.width)×\(size.height) pixels")
      }
      var value = 0
      for _ in 0..<count {
        value = value << 1 | Int(bytes[at >> 3] >> UInt8(7 - at & 7) & 1)
        at += 1
      }
      return value
    }
    let total = try read(32)
    guard total == 4 * size.width * size.height else {
      throw fail(
        "has \(total) values",
        "\(4 * size.width * size.height), four for each of \(size.width)×\(size.height) pixels")
    }
    let width = try read(5) + 1
    let lengths = try (0..<4).map { _ in try read(4) + 1 }
    guard width <= 8 else { throw fail("has values of \(width) bits", "8 bits or fewer") }
    var covered = [Bool](repeating: false, count: size.width * size.height)
    var i = 0
    while i < total {
      let isRun = try read(1) == 1
      let end = i + 1 + (try read(lengths[try read(2)]))
      guard end <= total else { throw fail("has runs of more than \(total) values", "\(total)") }
      if isRun {
        if try read(width) > 0 {
          // The values of opacity among them.
          var place = i + (3 - i % 4 + 4) % 4
          while place < end {
            covered[place / 4] = true
            place += 4
          }
        }
        i = end
      } else {
        while i < end {
          if try read(width) > 0, i % 4 == 3 { covered[i / 4] = true }
          i += 1
        }
      }
    }
    return covered
  }

  /// The bytes of a brush that covers pixels: runs alone, of 4, 8, 16 or 16 bits of length.
  static func encoded(_ covered: [Bool]) -> [UInt8] {
    var (bytes, bits): ([UInt8], Int) = ([], 0)
    func write(_ value: Int, _ count: Int) {
      for shift in (0..<count).reversed() {
        if bits % 8 == 0 { bytes.append(0) }
        if value >> shift & 1 == 1 { bytes[bits >> 3] |= UInt8(0x80 >> (bits & 7)) }
        bits += 1
      }
    }
    write(4 * covered.count, 32)
    write(7, 5)
    let lengths = [3, 4, 8, 16]
    for length in lengths { write(length - 1, 4) }
    var i = 0
    while i < covered.count {
      var end = i
      while end < covered.count, covered[end] == covered[i] { end += 1 }
      var left = 4 * (end - i)
      let value = covered[i] ? 255 : 0
      while left > 0 {
        let part = min(left, 1 << 16)
        let kind = lengths.firstIndex { part - 1 < 1 << $0 } ?? 3
        write(1, 1)
        write(kind, 2)
        write(part - 1, lengths[kind])
        write(value, 8)
        left -= part
      }
      i = end
    }
    return bytes
  }
}
