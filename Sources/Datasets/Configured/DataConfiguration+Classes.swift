import Configuration
import Imaging

// The keys `classes`, `merge`, `values`, `ignored` and `colors` of the section `data`.
extension DataConfiguration {
  /// What the section says of classes, values and colours.
  static func classTable(_ layout: Layout, _ section: Section) throws -> LabelTable {
    // A tool's files name their classes, and have no values to give to them.
    if layout.isAnnotations { return LabelTable(.library) }
    var values: [Int: String] = [:]
    section.declare("values", as: .other("mapping of file values, 0 to 65535, to class names"))
    let given = try section.section("values")
    for key in given.keys {
      guard let value = Int(key), (0...65_535).contains(value) else {
        throw given.invalid(key, "a key", expected: "a file's value from 0 to 65535")
      }
      values[value] = try given.string(key)
    }
    var table = LabelTable(layout.isFolders ? .configuration : .knownSet, values: values)
    if section.has("ignored") { table.ignored = try section.ints("ignored", in: 0...65_535) }
    guard layout.isFolders else { return table }
    section.declare("colors", as: .other("mapping of class names to colours, or a path"))
    if let path = try? section.path("colors") {
      table.file = (path, try ColorFile(contentsOf: path))
    } else {
      table.colors = try colors(section.section("colors"))
    }
    let inFile = table.file == nil ? nil : [String]()
    let classes = try section.strings("classes", default: inFile)
    table.classes = classes.isEmpty ? nil : classes
    return table
  }

  /// The map of the classes that a section without a layout names, with the colours that it gives them; nil
  /// if it names none.
  ///
  /// - Throws: `ConfigurationError` for a colour of no class, `DatasetError`.
  package static func namedClasses(_ section: Section) throws -> LabelMap? {
    let names = try section.strings("classes", default: [])
    guard !names.isEmpty else { return nil }
    guard section.has("colors") else { return try .identity(names.count, names: names) }
    let given = try section.section("colors")
    var table: [String: Color] = [:]
    for (name, colors) in try colors(given) {
      guard names.contains(name) else {
        throw given.invalid(name, "a colour", expected: "one of \(names.joined(separator: ", "))")
      }
      table[name] = colors.first
    }
    let usual = try LabelMap.identity(names.count, names: names).colors
    return try .identity(
      names.count, names: names, colors: zip(names, usual).map { table[$0] ?? $1 })
  }

  /// Reads a colour for each class, or several: `[128, 64, 128]`, `"#804080"`, or a list of the latter.
  static func colors(_ section: Section) throws -> [(name: String, colors: [Color])] {
    let expected = "[red, green, blue] from 0 to 255, or \"#rrggbb\" in quotes, or a list of those"
    return try section.keys.map { name in
      // What # begins outside of quotes is a comment in YAML, which leaves nothing.
      guard section.has(name) else {
        throw section.invalid(name, "nothing", expected: expected)
      }
      let words = try section.strings(name)
      if let color = Color(text: words.joined(separator: ",")) { return (name, [color]) }
      let colors = words.compactMap { Color(text: $0) }
      guard !words.isEmpty, colors.count == words.count else {
        throw section.invalid(
          name, "[\(words.joined(separator: ", "))]", expected: expected)
      }
      return (name, colors)
    }
  }

  /// What values mean, and for coloured labels the value of each colour.
  static func labels(
    _ layout: Layout, _ section: Section, _ table: LabelTable
  ) throws -> (LabelMap, [Color: UInt16]?) {
    switch layout {
    case .known(let known): return (try table.over(known.labelMap), nil)
    case .cityscapes: return (try table.over(cityscapes(section)), nil)
    case .folders, .annotations: return try table.resolved("the configuration")
    }
  }

  private static func cityscapes(_ section: Section) throws -> LabelMap {
    if section.has("merge") {
      let groups = try section.stringLists("merge").map { (name: $0.key, labels: $0.values) }
      return try Cityscapes.merged(
        name: "Cityscapes, \(groups.count) merged classes", groups: groups)
    }
    section.declare("classes", as: .word(["19", "20"]))
    let count = try section.int("classes", default: 19)
    guard count == 19 || count == 20 else {
      throw section.invalid("classes", "\(count)", expected: "19 or 20")
    }
    return count == 19 ? Cityscapes.classes19 : Cityscapes.classes20
  }
}
