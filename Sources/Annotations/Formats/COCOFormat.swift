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

  private struct Annotation {
    var image: Int?, category: Int?
    var form: Shape.Form?
    var place: String
  }

  /// What one file says.
  private struct Contents {
    var pictures: [Picture] = []
    var categories: [(id: Int, name: String)] = []
    var annotations: [Annotation] = []
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
          try cursor.list { cursor, index in
            contents.annotations.append(try annotation(&cursor, index, &contents))
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

  private static func annotation(
    _ cursor: inout JSONCursor, _ index: Int, _ contents: inout Contents
  ) throws -> Annotation {
    var annotation = Annotation(place: "annotations[\(index)]")
    try cursor.object { cursor, key in
      switch key {
      case "image_id": annotation.image = try contents.id(&cursor)
      case "category_id": annotation.category = try contents.id(&cursor)
      case "segmentation": annotation.form = try segmentation(&cursor)
      default: try cursor.skip()
      }
    }
    guard annotation.image != nil, annotation.category != nil else {
      throw cursor.error(
        found: "has no '\(annotation.image == nil ? "image_id" : "category_id")'",
        expected: "image_id and category_id")
    }
    return annotation
  }

  /// Polygons, or runs; nil for none.
  private static func segmentation(_ cursor: inout JSONCursor) throws -> Shape.Form? {
    if try cursor.null() { return nil }
    if cursor.peek() == 123 { return try runs(&cursor) }
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
    return rings.isEmpty ? nil : .rings(rings)
  }

  private static func runs(_ cursor: inout JSONCursor) throws -> Shape.Form {
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
    return .runs(counts, Size(width: sides[1], height: sides[0]))
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
    var shapes = [[Shape]](repeating: [], count: contents.pictures.count)
    var empty = 0
    for annotation in contents.annotations {
      guard let image = annotation.image, let place = places[image] else {
        throw AnnotationError(
          file, "\(annotation.place).image_id", found: "is \(annotation.image ?? 0)",
          expected: "the id of an image")
      }
      guard let category = annotation.category, let label = labels[category] else {
        throw AnnotationError(
          file, "\(annotation.place).category_id", found: "is \(annotation.category ?? 0)",
          expected: "the id of a category")
      }
      guard let form = annotation.form else {
        empty += 1
        continue
      }
      shapes[place].append(Shape(label, form, place: annotation.place))
    }
    if empty > 0 {
      notes.append("\(file): \(empty) annotations have no segmentation and are left out")
    }
    let part = part(of: relative(file, to: root))
    let finder = ImageFinder(
      below: root,
      first: [
        file.folder, "\(file.folder)/images", "\(file.folder)/..", "\(file.folder)/../images",
        "\(file.folder)/../images/\(part.isEmpty ? "default" : part)", "\(file.folder)/../\(part)",
        "\(file.folder)/../images/\(part)2017", "\(file.folder)/../\(part)2017",
      ], options)
    for (picture, shapes) in zip(contents.pictures, shapes) {
      images.append(
        .init(
          name: picture.name.withoutEnding, path: finder.path(picture.name), part: part,
          size: picture.size, file: file, content: .shapes(shapes)))
    }
  }
}
