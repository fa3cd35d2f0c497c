import Annotations
import Configuration
import Imaging
import Synchronization

extension DataConfiguration {
  /// What the section says of a tool's files; nil for other layouts.
  static func annotations(
    _ layout: Layout, _ section: Section, _ root: String
  ) throws -> LazyAnnotations? {
    guard case .annotations(let format) = layout else { return nil }
    var options = ReadingOptions()
    options.images = try section.optionalPath("images")
    section.declare("raster", as: .word(RasterRule.allCases.map(\.rawValue)))
    if let word = try section.optionalString("raster") {
      guard let rule = RasterRule(rawValue: word) else {
        throw section.invalid(
          "raster", "'\(word)'",
          expected: "one of \(RasterRule.allCases.map(\.rawValue).joined(separator: ", "))")
      }
      options.rule = rule
    }
    let names = section.has("classes") ? try section.strings("classes") : []
    if names.count == 1, names[0].hasSuffix(".txt") {
      options.classes = try ReadingOptions.classes(in: section.path("classes"))
    } else if !names.isEmpty {
      options.classes = names
    }
    section.declare("colors", as: .other("mapping of class names to colours"))
    let colors = try Self.colors(section.section("colors"))
    return LazyAnnotations(
      root, format, options, colors: Dictionary(colors.map { ($0.name, $0.colors[0]) }) { $1 })
  }

  /// Overrides that fix the classes of a tool's files as they are read now, so that a checkpoint tells
  /// them when the files are gone; none for other layouts, or where the section names them.
  ///
  /// - Throws: As reading the files does.
  package static func resolvedClasses(_ root: Section) throws -> [String] {
    let section = try root.section("data")
    guard let word = try? section.string("layout"), AnnotationFormat(rawValue: word) != nil,
      !section.has("classes") || (try? section.strings("classes"))?.first?.hasSuffix(".txt") == true
    else { return [] }
    let map = try DataConfiguration(section).labelMap
    func quoted(_ name: String) -> String {
      "'" + name.replacing("'", with: "''") + "'"
    }
    let names = map.classes.map { quoted($0.name) }
    let colors = map.classes.map {
      "\(quoted($0.name)): [\($0.color.red), \($0.color.green), \($0.color.blue)]"
    }
    return [
      "data.classes=[\(names.joined(separator: ", "))]",
      "data.colors={\(colors.joined(separator: ", "))}",
    ]
  }
}

/// A tool's files, read once, when something is asked of them that the configuration does not say.
final class LazyAnnotations: Sendable {
  private let root: String
  private let format: AnnotationFormat
  private let options: ReadingOptions
  private let colors: [String: Color]
  private let known = Mutex<DrawnLabels?>(nil)

  init(
    _ root: String, _ format: AnnotationFormat, _ options: ReadingOptions, colors: [String: Color]
  ) {
    (self.root, self.format, self.options, self.colors) = (root, format, options, colors)
  }

  /// The annotations.
  private func drawn() throws -> DrawnLabels {
    try known.withLock { known in
      if let known { return known }
      let read = DrawnLabels(try AnnotationSet(contentsOf: root, format: format, options: options))
      known = read
      return read
    }
  }

  /// The classes; nothing is read where the configuration names them.
  func labelMap() throws -> LabelMap {
    var set: AnnotationSet
    if let classes = options.classes {
      set = AnnotationSet(format, classes: classes.map { .init($0) }, images: [], rule: .coco)
    } else {
      set = try drawn().set
    }
    for i in set.classes.indices {
      if let color = colors[set.classes[i].name] { set.classes[i].color = color }
    }
    return try LabelMap(set).from(.library)
  }

  /// Whether there are images of a part; those of files without parts are all for training.
  func has(_ part: String) throws -> Bool {
    let parts = try drawn().set.parts
    return parts == [""] ? part == "train" : parts.contains(part)
  }

  /// The images of a part.
  func listing(_ part: String, name: String, map: LabelMap) throws -> FileDataset {
    let drawn = try drawn()
    let isWhole = drawn.set.parts == [""]
    return try .annotated(drawn, part: isWhole ? "" : part, name: name, map: map)
  }
}
