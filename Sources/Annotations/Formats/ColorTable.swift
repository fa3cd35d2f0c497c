import Files
import Foundation
import Imaging

/// The classes and colours in a `labelmap.txt` (`name:r,g,b:parts:actions`) or a `label_colors.txt`
/// (`r g b name`, whose name may hold spaces).
struct ColorTable {
  /// A line of the file.
  struct Line {
    var name: String
    /// The colour; nil where the line has none.
    var color: Color?
  }

  let file: String
  var lines: [Line]

  init(contentsOf path: String) throws {
    guard let text = FileSystem.text(path) else {
      throw AnnotationError(path, found: "cannot be read", expected: "names and colours of classes")
    }
    file = path
    lines = []
    var names: Set<String> = []
    for (number, raw) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let line = raw.drop { $0 == "\u{FEFF}" }.trimmingCharacters(in: .whitespaces)
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      let entry = try Self.line(line, path, number + 1)
      guard names.insert(entry.name).inserted else {
        throw AnnotationError(
          path, "line \(number + 1)", found: "names \(quoted(entry.name)) again",
          expected: "each class once")
      }
      lines.append(entry)
    }
    guard (1...255).contains(lines.count) else {
      throw AnnotationError(path, found: "has \(lines.count) classes", expected: "1 to 255")
    }
  }

  private static func line(_ text: String, _ file: String, _ number: Int) throws -> Line {
    func color(_ words: [Substring]) -> Color? {
      let levels = words.compactMap { UInt8($0.trimmingCharacters(in: .whitespaces)) }
      return words.count == 3 && levels.count == 3 ? Color(levels[0], levels[1], levels[2]) : nil
    }
    func fail(_ found: String) -> AnnotationError {
      AnnotationError(
        file, "line \(number)", found: found,
        expected: "`name:r,g,b:parts:actions` or `r g b name`, levels from 0 to 255")
    }
    let fields = text.split(separator: ":", omittingEmptySubsequences: false)
    if fields.count > 1 {
      // A name may hold colons: three fields follow it, or the colour alone.
      let place = fields.count > 3 ? fields.count - 3 : 1
      let name = fields[..<place].joined(separator: ":").trimmingCharacters(in: .whitespaces)
      guard !name.isEmpty else { throw fail("has no name") }
      guard !fields[place].trimmingCharacters(in: .whitespaces).isEmpty else {
        return Line(name: name, color: nil)
      }
      guard let color = color(fields[place].split(separator: ",")) else {
        throw fail("has the colour \(quoted(fields[place]))")
      }
      return Line(name: name, color: color)
    }
    let words = text.split(whereSeparator: \.isWhitespace)
    if words.count > 3, let color = color(Array(words.prefix(3))) {
      return Line(name: words.dropFirst(3).joined(separator: " "), color: color)
    }
    guard let first = words.first, Int(first) == nil else { throw fail("is \(quoted(text))") }
    return Line(name: words.joined(separator: " "), color: nil)
  }

  /// The colours of PASCAL VOC's map: the bits of a number, spread over the three components.
  static func palette(_ index: Int) -> Color {
    var (rest, red, green, blue) = (index, 0, 0, 0)
    for shift in stride(from: 7, through: 0, by: -1) {
      red |= (rest & 1) << shift
      green |= (rest >> 1 & 1) << shift
      blue |= (rest >> 2 & 1) << shift
      rest >>= 3
    }
    return Color(UInt8(red), UInt8(green), UInt8(blue))
  }

  /// What is done with black that no line names.
  enum Black { case background, unlabelled }

  /// The classes with their colours, and what each colour and each value in a picture means.
  ///
  /// - Throws: ``AnnotationError`` for two classes of one colour.
  func meanings(
    black: Black
  ) throws -> (
    classes: [AnnotationSet.Class], colors: [Color: Int], values: [UInt16: Int], background: Int?
  ) {
    var lines = lines
    let none = Color(0, 0, 0)
    if let place = lines.firstIndex(where: { $0.name == "background" }), lines[place].color == nil {
      lines.insert(lines.remove(at: place), at: 0)
    }
    let hasColors = lines.contains { $0.color != nil }
    // Without colours those of the place in the pictures count, where background comes first.
    let isFirstMissing = lines[0].name != "background" && !lines.contains { $0.color == none }
    if isFirstMissing, black == .background || !hasColors {
      if black == .background { lines.insert(Line(name: "background", color: none), at: 0) }
    }
    let offset = isFirstMissing && black == .unlabelled ? 1 : 0
    var (classes, colors): ([AnnotationSet.Class], [Color: Int]) = ([], [:])
    // The line by which what counts nowhere has a colour among others.
    let rim = Color(224, 224, 192)
    lines.removeAll { $0.name == "ignored" && $0.color == rim }
    for (index, line) in lines.enumerated() {
      let color = line.color ?? Self.palette(index + offset)
      if let other = colors.updateValue(index, forKey: color) {
        throw AnnotationError(
          file,
          found:
            "gives the colour \(color.red),\(color.green),\(color.blue) to \(quoted(lines[other].name)) and to \(quoted(line.name))",
          expected: "colours that differ")
      }
      classes.append(.init(line.name, color))
    }
    var values: [UInt16: Int] = [:]
    for index in classes.indices { values[UInt16(index + offset)] = index }
    if offset == 1 {
      values[0] = Shape.ignored
      colors[none] = Shape.ignored
    }
    if values[255] == nil { values[255] = Shape.ignored }
    // The rim of objects in Pascal VOC's own files.
    if colors[rim] == nil { colors[rim] = Shape.ignored }
    return (classes, colors, values, colors[none].flatMap { $0 < 0 ? nil : $0 })
  }
}
