import Files
import Foundation

/// What a person says beside the files.
public struct ReadingOptions: Sendable {
  /// The classes in the order of their numbers; nil for those of the files.
  public var classes: [String]?
  /// How corners become pixels; nil for the tool's own rule.
  public var rule: RasterRule?
  /// The folder of images, where they do not lie by the annotations.
  public var images: String?

  /// Options.
  public init(classes: [String]? = nil, rule: RasterRule? = nil, images: String? = nil) {
    (self.classes, self.rule, self.images) = (classes, rule, images)
  }

  /// The names in a file, one a line; labelme's `__ignore__` and `_background_` are no classes.
  ///
  /// - Throws: ``AnnotationError`` for a file that cannot be read, has no name, or one twice.
  public static func classes(in path: String) throws -> [String] {
    guard let text = FileSystem.text(path) else {
      throw AnnotationError(
        path, found: "cannot be read", expected: "a text file with a name a line")
    }
    var names: [String] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let name = line.drop { $0 == "\u{FEFF}" }.trimmingCharacters(in: .whitespaces)
      guard !name.isEmpty, name != "__ignore__", name != "_background_" else { continue }
      guard !names.contains(name) else {
        throw AnnotationError(
          path, "line \(number + 1)", found: "names \(quoted(name)) again",
          expected: "each name once")
      }
      names.append(name)
    }
    guard (1...255).contains(names.count) else {
      throw AnnotationError(
        path, found: "has \(names.count) names", expected: "1 to 255, one a line")
    }
    return names
  }
}

extension AnnotationSet {
  /// Reads the annotations in a folder or a file.
  ///
  /// - Parameters:
  ///   - source: The folder, or the file where the format has one.
  ///   - format: How the files lie; nil to find out.
  ///   - options: What overrides the rules of the format.
  /// - Throws: ``AnnotationError``, naming file, entry and what was expected; `ImageError`.
  public init(
    contentsOf source: String, format: AnnotationFormat? = nil, options: ReadingOptions = .init()
  ) throws {
    let format = try format ?? AnnotationFormat(guessing: source)
    var set =
      switch format {
      case .coco: try COCOFormat.read(source, options)
      case .cocoPanoptic: try PanopticFormat.read(source, options)
      case .yolo: try YOLOFormat.read(source, options)
      case .labelme: try LabelmeFormat.read(source, options)
      case .cvat: try CVATFormat.read(source, options)
      case .voc: try VOCFormat.read(source, options)
      case .datumaroCamVid: try CamVidFormat.read(source, options)
      case .datumaroCityscapes: try CityscapesFormat.read(source, options)
      case .labelStudio: try LabelStudioFormat.read(source, options)
      case .labelStudioPNG: try LabelStudioPNGFormat.read(source, options)
      case .supervisely: try SuperviselyFormat.read(source, options)
      case .via: try VIAFormat.read(source, options)
      case .roboflow: try RoboflowFormat.read(source, options)
      case .ade20kFull: try ADE20KFormat.read(source, options)
      case .mapillary: try MapillaryFormat.read(source, options)
      }
    if let rule = options.rule { set.rule = rule }
    if let classes = options.classes { try set.renumber(classes, source) }
    guard (1...255).contains(set.classes.count) else {
      throw AnnotationError(
        source, found: "has \(set.classes.count) classes", expected: "1 to 255")
    }
    guard !set.images.isEmpty else {
      throw AnnotationError(source, found: "has no images", expected: "annotations of images")
    }
    set.nameImages()
    self = set
  }

  /// Gives the classes the numbers of a list.
  ///
  /// - Throws: ``AnnotationError`` for a class of the annotations that the list lacks.
  private mutating func renumber(_ names: [String], _ source: String) throws {
    var numbers: [Int] = []
    for entry in classes {
      guard let number = names.firstIndex(of: entry.name) else {
        // A class that is not used is no loss.
        numbers.append(Shape.ignored - 1)
        continue
      }
      numbers.append(number)
    }
    let table = numbers
    func number(_ label: Int) -> Int { label < 0 ? label : table[label] }
    func renumbered(_ shape: Shape, _ file: String) throws -> Shape {
      var renumbered = shape
      renumbered.label = number(shape.label)
      guard renumbered.label >= Shape.ignored else {
        throw AnnotationError(
          file, shape.place, found: "has the class \(quoted(classes[shape.label].name))",
          expected: "one of the classes given, \(names.joined(separator: ", "))")
      }
      return renumbered
    }
    for i in images.indices {
      switch images[i].content {
      case .shapes(let shapes):
        images[i].content = .shapes(try shapes.map { try renumbered($0, images[i].file) })
      case .deferred(let made):
        for shape in made() { _ = try renumbered(shape, images[i].file) }
        images[i].content = .deferred {
          made().map { shape in
            var shape = shape
            if shape.label >= 0 { shape.label = table[shape.label] }
            return shape
          }
        }
      case .pictures(let pictures):
        images[i].content = .pictures(pictures.renumbered { max(number($0), Shape.ignored) })
      case .nothing, .mask: break
      }
    }
    if let old = background { background = table[old] < 0 ? nil : table[old] }
    let colors = Dictionary(classes.map { ($0.name, $0.color) }) { first, _ in first }
    classes = names.map { Class($0, colors[$0] ?? nil) }
  }

  /// Shortens images' names to the last part of their paths where those differ.
  private mutating func nameImages() {
    for part in parts {
      let places = images.indices.filter { images[$0].part == part }
      var counts: [String: Int] = [:]
      for i in places { counts[images[i].name.lastPart, default: 0] += 1 }
      for i in places {
        let last = images[i].name.lastPart
        images[i].name =
          counts[last] == 1 ? last : images[i].name.split(separator: "/").joined(separator: "_")
      }
    }
  }
}

extension String {
  /// What follows the last slash.
  var lastPart: String { split(separator: "/").last.map(String.init) ?? self }
  /// The text before the last dot of the last part of a path.
  var withoutEnding: String {
    guard let dot = lastIndex(of: "."), dot > startIndex, !self[dot...].contains("/") else {
      return self
    }
    return String(self[..<dot])
  }
  /// The path's folder; `.` for none.
  var folder: String {
    let parent = parentFolder
    return parent.isEmpty ? "." : parent
  }
}
