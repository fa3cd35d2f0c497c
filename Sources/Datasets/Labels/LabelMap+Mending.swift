import Files
import Imaging

extension LabelMap {
  /// Where a person has written a label map, and so what changes it.
  public enum Origin: Sendable, Equatable {
    /// In a program; messages propose nothing.
    case library
    /// In the section `data` of a configuration, for folders.
    case configuration
    /// In the section `data` of a configuration that names a known data set, whose values it may change.
    case knownSet
    /// In the option `--classes` of a command.
    case commandLine
  }

  /// The word that stands for "counts nowhere" where a class is expected, unless a class has this name.
  public static let ignoredWord = "ignored"

  /// The map with `origin`.
  package func from(_ origin: Origin) -> LabelMap {
    var map = self
    map.origin = origin
    return map
  }

  /// What a person can write to read files that hold the values `found`, in a sentence; nil for a map
  /// that nobody has written.
  ///
  /// As many values as classes are paired in ascending order, 255 as a class only where that fits, and
  /// what stands for pixels without data beside values that are all classes never.
  func mend(for found: [Int]) -> String? {
    guard origin != .library, !found.isEmpty else { return nil }
    let unlisted = found.filter { index(of: UInt16($0)) == nil }
    if unlisted != [Self.withoutData] || found.count < 3, let pairs = pairs(with: found) {
      return "If \(Self.reading(pairs)), \(written(pairs)) says so"
    }
    guard !unlisted.isEmpty else { return nil }
    switch origin {
    case .library: return nil
    case .configuration, .knownSet:
      let ignored = rows.filter { $0.index == nil }.map { Int($0.value) } + unlisted
      // A known data set's values are added to; in a configuration of folders those given are all.
      let given = unlisted.prefix(1).map { (value: $0, name: classes[0].name) }
      let example = written((origin == .knownSet ? [] : whole(32)) + given)
      return "`data.ignored: [\(list(ignored.sorted()))]` lets \(list(unlisted)) count nowhere;"
        + " `data.values` gives values to classes, such as \(example)"
    case .commandLine:
      let example = unlisted.prefix(32).map { (value: $0, name: Self.ignoredWord) }
      let listed = whole(32)
      return "`--classes` takes a class for each value, or `\(Self.ignoredWord)`, such as"
        + " `\(unlisted[0])=\(Self.ignoredWord)`"
        + (listed.isEmpty ? "" : ": \(written(listed + example))")
    }
  }

  /// The value that readers give to pixels without data.
  private static let withoutData = 65_535

  /// Every value that is a class's, with its class; none where there are more than `most`.
  private func whole(_ most: Int) -> [(value: Int, name: String)] {
    let counted = rows.compactMap { row in
      row.index.map { (value: Int(row.value), name: classes[$0].name) }
    }
    return counted.count > most ? [] : counted
  }

  /// As ``mend(for:)``, or where that knows nothing, an example of what gives values to classes.
  func mendOrExample(for found: [Int]) -> String? {
    if let mend = mend(for: found) { return mend }
    let pairs = Array(zip(found, classes.map(\.name))).map { ($0, $1) }
    // What the map says already would change nothing.
    let isNew = zip(found, classes.indices).contains { index(of: UInt16($0)) != UInt8($1) }
    guard isNew else { return nil }
    switch origin {
    case .library: return nil
    case .configuration, .knownSet:
      let values = pairs.prefix(4).map { "\($0.0): \(Self.yaml($0.1))" }.joined(separator: ", ")
      return "`data.values` gives values to classes, such as `data.values: {\(values)}`"
    case .commandLine: return "`--classes` says so, such as \(written(Array(pairs.prefix(4))))"
    }
  }

  /// The classes of `found` where there are as many, ascending, or one more than a map of one class
  /// has, which is background then.
  private func pairs(with found: [Int]) -> [(value: Int, name: String)]? {
    let names = classes.map(\.name)
    if names.count == 1, found.count == 2 {
      let background = names[0] == "background" ? "foreground" : "background"
      return [(found[0], background), (found[1], names[0])]
    }
    if found.count == names.count { return Array(zip(found, names)).map { ($0, $1) } }
    let counted = found.filter { index(of: UInt16($0)) != Self.ignored }
    guard counted.count == names.count else { return nil }
    return Array(zip(counted, names)).map { ($0, $1) }
  }

  private static func reading(_ pairs: [(value: Int, name: String)]) -> String {
    let first = pairs.prefix(3).map { "\($0.value) is \($0.name)" }
    return first.joined(separator: ", ") + (pairs.count > 3 ? " and so on" : "")
  }

  /// Classes for values as a person writes them.
  private func written(_ pairs: [(value: Int, name: String)]) -> String {
    switch origin {
    case .library, .configuration, .knownSet:
      let values = "{\(pairs.map { "\($0.value): \(Self.yaml($0.name))" }.joined(separator: ", "))}"
      let isKnown = pairs.allSatisfy { pair in classes.contains { $0.name == pair.name } }
      guard !isKnown else { return "`data.values: \(values)`" }
      let names = pairs.map { Self.yaml($0.name) }.joined(separator: ", ")
      return "`data: {classes: [\(names)], values: \(values)}`"
    case .commandLine:
      return "`\(Self.option(pairs))`"
    }
  }

  /// The option with these classes, in quotes where a shell would part or read it otherwise.
  private static func option(_ pairs: [(value: Int, name: String)]) -> String {
    let text = pairs.map { "\($0.value)=\($0.name)" }.joined(separator: ",")
    return "--classes \(text.inShell)"
  }

  /// What a person can write to leave out classes that no file holds; nil where that changes nothing.
  func mend(without absent: Set<Int>) -> String? {
    let kept = rows.filter { row in row.index.map { !absent.contains($0) } ?? false }
    let names = classes.indices.filter { !absent.contains($0) }.map { classes[$0].name }
    guard !names.isEmpty, kept.count <= 32 else { return nil }
    let pairs = kept.compactMap { row in row.index.map { (Int(row.value), classes[$0].name) } }
    switch origin {
    case .library, .knownSet: return nil
    case .configuration:
      let values = pairs.map { "\($0): \(Self.yaml($1))" }.joined(separator: ", ")
      return "`data: {classes: [\(names.map(Self.yaml).joined(separator: ", "))],"
        + " values: {\(values)}}` leaves it out"
    case .commandLine:
      return "`\(Self.option(pairs.map { (value: $0, name: $1) }))` leaves it out"
    }
  }

  /// What a person can write to give `color` a meaning, in a sentence.
  func mend(for color: Color) -> String {
    let name = classes.last.map { Self.yaml($0.name) } ?? "class"
    return switch origin {
    case .library, .knownSet: "Expected a colour of the table"
    case .configuration:
      "`data.colors: {\(name): \(color.text)}` gives it to a class,"
        + " `data.colors: {\(Self.ignoredWord): \(color.text)}` lets it count nowhere"
    case .commandLine: "The file of `--colors` needs a line for it"
    }
  }

  /// What a person can write to read a picture of these colours as labels, in a sentence.
  func mend(forPictureOf colors: [Color]) -> String {
    if origin == .commandLine { return "`--colors` takes a file with the colour of each class" }
    if origin == .knownSet {
      return "With `layout: folders` labels may be coloured (`data.colors`)"
    }
    // Colours that no class is left for count nowhere.
    let pairs = colors.prefix(12).enumerated().map { index, color in
      let name = index < count ? classes[index].name : Self.ignoredWord
      return (name: name, color: color)
    }
    let named = pairs.filter { $0.name != Self.ignoredWord }.map {
      "\(Self.yaml($0.name)): \($0.color.text)"
    }
    return "`data.colors: {\(named.joined(separator: ", "))}` gives its colours to classes, or"
      + " `data.colors` names a labelmap.txt"
  }

  private func list(_ values: [Int]) -> String { values.map(String.init).joined(separator: ", ") }

  /// A name as YAML has it, in quotes where it would be something else.
  package static func yaml(_ name: String) -> String {
    let words = ["yes", "no", "true", "false", "null", "on", "off", "y", "n"]
    let isPlain =
      name.first?.isLetter == true && name.last != " "
      && name.allSatisfy { $0.isLetter || $0.isNumber || " _-./".contains($0) }
      && !words.contains(name.lowercased())
    guard !isPlain else { return name }
    let escaped = name.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
    return "\"\(escaped)\""
  }
}
