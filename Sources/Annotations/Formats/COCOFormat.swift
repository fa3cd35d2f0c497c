import Files
import Imaging

/// COCO's JSON: `images`, `categories`, `annotations` with polygons, runs, or runs as text.
///
/// A class's number is its place in `categories`. Rings of an annotation are united; within a ring the rule is
/// even-odd. Annotations cover each other in the order of the file.
enum COCOFormat {
  private struct Picture {
    var id: Int
    var name: String
    var size: Size?
    var place: String
  }

  /// An annotation; of its shapes the place in ``Contents/forms``, -1 for none.
  private struct Annotation {
    var image: Int, category: Int
    var form: Int
  }

  /// What lies on images, image after image.
  private final class Shapes: Sendable {
    struct Entry {
      var label: Int32
      /// The place in the file's list of annotations.
      var number: Int32
      var form: Int
    }

    private let entries: [Entry]
    private let forms: PackedForms

    init(_ entries: [Entry], _ forms: PackedForms) { (self.entries, self.forms) = (entries, forms) }

    func shapes(_ range: Range<Int>) -> [Shape] {
      entries[range].map {
        Shape(Int($0.label), forms[$0.form], place: COCOFormat.place(Int($0.number)))
      }
    }
  }

  /// What one file says.
  private struct Contents {
    var pictures: [Picture] = []
    var categories: [(id: Int, name: String)] = []
    var annotations: [Annotation] = []
    var forms = PackedForms()
    /// Numbers for ids that are texts.
    var texts: [String: Int] = [:]

    mutating func id(_ cursor: inout JSONCursor) throws -> Int {
      guard cursor.peek() == 34 else { return try cursor.int() }
      let text = try cursor.string()
      if let id = texts[text] { return id }
      texts[text] = -1 - texts.count
      return -texts.count
    }
  }

  static func read(_ source: String, _ options: ReadingOptions) throws -> AnnotationSet {
    let files = try self.files(source)
    let root = FileSystem.isFolder(source) ? source : source.folder
    var numbers = ClassNumbers(options)
    var images: [AnnotationSet.Image] = []
    var notes: [String] = []
    for file in files {
      let contents = try self.contents(file)
      try add(contents, file, root, &numbers, &images, &notes, options)
    }
    var set = AnnotationSet(.coco, classes: numbers.classes, images: images, rule: .coco)
    set.notes = notes
    return set
  }

  /// The files of instances in a folder.
  static func files(_ source: String) throws -> [String] {
    guard FileSystem.isFolder(source) else { return [source] }
    let jsons = ImageFinder.files(below: source) { $0.fileSuffix == "json" }
    let others = ["captions_", "person_keypoints_", "image_info_", "panoptic_"]
    let found = jsons.filter { path in
      !others.contains { path.lastPart.hasPrefix($0) } && isCOCO(path)
    }
    guard !found.isEmpty else {
      throw AnnotationError(
        source, found: "has no JSON file of COCO's",
        expected: "one with images, categories and annotations")
    }
    return found
  }

  /// Whether a file begins as COCO's do.
  static func isCOCO(_ path: String) -> Bool {
    let text = String(decoding: FileSystem.beginning(path, 1 << 16), as: UTF8.self)
    guard
      text.contains("\"images\"") || text.contains("\"categories\"")
        || text.contains("\"annotations\"")
    else { return false }
    return !text.contains("\"segments_info\"") && !text.contains("\"shapes\"")
      && text.first { !$0.isWhitespace && $0 != "\u{FEFF}" } == "{"
  }

  // MARK: One file

  private static func contents(_ file: String) throws -> Contents {
    try JSONTree.reading(file) { cursor in
      var contents = Contents()
      var found: Set<String> = []
      try cursor.object { cursor, key in
        switch key {
        case "images":
          try cursor.list { cursor, _ in contents.pictures.append(try picture(&cursor, &contents)) }
        case "categories":
          try cursor.list { cursor, _ in
            contents.categories.append(try category(&cursor, &contents))
          }
        case "annotations":
          try cursor.list { cursor, _ in
            contents.annotations.append(try annotation(&cursor, &contents))
          }
        default:
          try cursor.skip()
          return
        }
        found.insert(key)
      }
      try cursor.end()
      for key in ["images", "categories", "annotations"] where !found.contains(key) {
        throw cursor.error(
          found: "has no '\(key)'", expected: "the lists images, categories and annotations")
      }
      return contents
    }
  }

  private static func picture(
    _ cursor: inout JSONCursor, _ contents: inout Contents
  ) throws -> Picture {
    var (id, name): (Int?, String?) = (nil, nil)
    var (width, height): (Int?, Int?) = (nil, nil)
    let place = cursor.place
    try cursor.object { cursor, key in
      switch key {
      case "id": id = try contents.id(&cursor)
      case "file_name": name = try cursor.string()
      case "width": width = try cursor.null() ? nil : try cursor.int(in: 1...1 << 20)
      case "height": height = try cursor.null() ? nil : try cursor.int(in: 1...1 << 20)
      default: try cursor.skip()
      }
    }
    guard let id else { throw cursor.error(found: "has no 'id'", expected: "one") }
    guard let name, !name.isEmpty else {
      throw cursor.error(found: "has no 'file_name'", expected: "one")
    }
    let size = width.flatMap { width in height.map { Size(width: width, height: $0) } }
    return Picture(id: id, name: name, size: size, place: place)
  }

  private static func category(
    _ cursor: inout JSONCursor, _ contents: inout Contents
  ) throws -> (Int, String) {
    var (id, name): (Int?, String?) = (nil, nil)
    try cursor.object { cursor, key in
      switch key {
      case "id": id = try contents.id(&cursor)
      case "name": name = try cursor.string()
      default: try cursor.skip()
      }
    }
    guard let id, let name, !name.isEmpty else {
      throw cursor.error(found: "has no '\(id == nil ? "id" : "name")'", expected: "id and name")
    }
    return (id, name)
  }

  /// Where an annotation stands in its file.
  private static func place(_ index: Int) -> String { "annotations[\(index)]" }

  private static func annotation(
    _ cursor: inout JSONCursor, _ contents: inout Contents
  ) throws -> Annotation {
    var (image, category): (Int?, Int?) = (nil, nil)
    var form: Int?
    try cursor.object { cursor, key in
      switch key {
      case "image_id": image = try contents.id(&cursor)
      case "category_id": category = try contents.id(&cursor)
      case "segmentation": form = try segmentation(&cursor, &contents.forms)
      default: try cursor.skip()
      }
    }
    guard let image, let category else {
      throw cursor.error(
        found: "has no '\(image == nil ? "image_id" : "category_id")'",
        expected: "image_id and category_id")
    }
    return Annotation(image: image, category: category, form: form ?? -1)
  }

  /// The place of polygons, or runs; nil for none.
  private static func segmentation(
    _ cursor: inout JSONCursor, _ forms: inout PackedForms
  ) throws -> Int? {
    if try cursor.null() { return nil }
    if cursor.peek() == 123 {
      let (counts, size) = try runs(&cursor)
      return forms.append(counts, size)
    }
    var rings: [[Point]] = []
    try cursor.list { cursor, index in
      var ring: [Point] = []
      var x: Double?
      var count = 0
      try cursor.list { cursor, _ in
        let number = try cursor.number()
        guard Shape.coordinates.contains(number) else {
          throw cursor.error(found: "is \(number)", expected: "a place within 1,000,000 pixels")
        }
        count += 1
        if let first = x {
          ring.append(Point(first, number))
          x = nil
        } else {
          x = number
        }
      }
      guard x == nil else {
        throw cursor.error(found: "is a list of \(count) numbers", expected: "pairs of x and y")
      }
      if index == 0, ring.count == 2 {
        // pycocotools takes four numbers for a box: x, y, width and height.
        let (corner, size) = (ring[0], ring[1])
        let other = corner + size
        ring = [corner, Point(corner.x, other.y), other, Point(other.x, corner.y)]
      }
      rings.append(ring)
    }
    return rings.isEmpty ? nil : forms.append(rings)
  }

  private static func runs(_ cursor: inout JSONCursor) throws -> ([UInt32], Size) {
    var counts: [UInt32]?
    var sides: [Int] = []
    try cursor.object { cursor, key in
      switch key {
      case "counts":
        if cursor.peek() == 34 {
          let text = try cursor.string()
          guard let decoded = Runs.decoded(text) else {
            throw cursor.error(found: "is \(quoted(text))", expected: "runs as COCO packs them")
          }
          counts = decoded
        } else {
          var list: [UInt32] = []
          try cursor.list { cursor, _ in
            list.append(UInt32(try cursor.int(in: 0...Int(UInt32.max))))
          }
          counts = list
        }
      case "size":
        try cursor.list { cursor, _ in sides.append(try cursor.int(in: 1...1 << 20)) }
      default: try cursor.skip()
      }
    }
    guard let counts, sides.count == 2 else {
      throw cursor.error(
        found: "has no '\(counts == nil ? "counts" : "size")' that can be used",
        expected: "counts, and size as [height, width]")
    }
    return (counts, Size(width: sides[1], height: sides[0]))
  }

  // MARK: Joining

  private static func add(
    _ contents: Contents, _ file: String, _ root: String, _ numbers: inout ClassNumbers,
    _ images: inout [AnnotationSet.Image], _ notes: inout [String], _ options: ReadingOptions
  ) throws {
    var labels: [Int: Int] = [:]
    for (index, (id, name)) in contents.categories.enumerated() {
      let number = try numbers.add(name, id: id, file: file, entry: "categories[\(index)]")
      if let other = labels.updateValue(number, forKey: id), other != number {
        throw AnnotationError(
          file, "categories[\(index)]", found: "has the id \(id) of another",
          expected: "an id of its own")
      }
    }
    var places: [Int: Int] = [:]
    for (index, picture) in contents.pictures.enumerated() {
      guard places.updateValue(index, forKey: picture.id) == nil else {
        throw AnnotationError(
          file, picture.place, found: "has the id \(picture.id) of another",
          expected: "an id of its own")
      }
    }
    // The places of each image's shapes, in the order of the file.
    var ends = [Int](repeating: 0, count: contents.pictures.count)
    var found: [(image: Int32, label: Int32)] = []
    found.reserveCapacity(contents.annotations.count)
    for (index, annotation) in contents.annotations.enumerated() {
      guard let image = places[annotation.image] else {
        throw AnnotationError(
          file, "\(place(index)).image_id", found: "is \(annotation.image)",
          expected: "the id of an image")
      }
      guard let label = labels[annotation.category] else {
        throw AnnotationError(
          file, "\(place(index)).category_id", found: "is \(annotation.category)",
          expected: "the id of a category")
      }
      found.append((Int32(image), Int32(label)))
      if annotation.form >= 0 { ends[image] += 1 }
    }
    var starts: [Int] = []
    var total = 0
    for image in ends.indices {
      starts.append(total)
      total += ends[image]
      ends[image] = starts[image]
    }
    var entries = [Shapes.Entry](repeating: .init(label: 0, number: 0, form: 0), count: total)
    for (index, (annotation, known)) in zip(contents.annotations, found).enumerated()
    where annotation.form >= 0 {
      entries[ends[Int(known.image)]] = .init(
        label: known.label, number: Int32(index), form: annotation.form)
      ends[Int(known.image)] += 1
    }
    let empty = contents.annotations.count - total
    if empty > 0 {
      notes.append("\(file): \(empty) annotations have no segmentation and are left out")
    }
    let shapes = Shapes(entries, contents.forms)
    let part = part(of: relative(file, to: root))
    let finder = ImageFinder(
      below: root,
      first: [
        file.folder, "\(file.folder)/images", "\(file.folder)/..", "\(file.folder)/../images",
        "\(file.folder)/../images/\(part.isEmpty ? "default" : part)", "\(file.folder)/../\(part)",
        "\(file.folder)/../images/\(part)2017", "\(file.folder)/../\(part)2017",
      ], options)
    for (index, picture) in contents.pictures.enumerated() {
      let own = starts[index]..<ends[index]
      images.append(
        .init(
          name: picture.name.withoutEnding, path: finder.path(picture.name), part: part,
          size: picture.size, file: file, content: .deferred { shapes.shapes(own) }))
    }
  }
}
