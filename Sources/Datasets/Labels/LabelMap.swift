import Imaging

/// What the values of a label file mean: a class, or nothing that counts.
///
/// A data set has exactly one label map. It is applied in one place, ``classes(of:file:)``, as a file
/// is read; the loss, the metrics, the overlay and the exporter use the classes it gives. There is
/// no second knob beside it: what is to be ignored is listed here, and a value that is not listed
/// is an error that names file and pixel.
public struct LabelMap: Sendable, Equatable {
  /// The class of pixels that count nowhere: not in the loss, not in a score.
  public static let ignored: UInt8 = 255

  /// A class by name and colour.
  public struct Class: Sendable, Hashable {
    /// The name that tables and legends show.
    public let name: String
    /// The colour of overlays.
    public let color: Color

    /// A class of this name and colour.
    public init(_ name: String, _ color: Color) {
      self.name = name
      self.color = color
    }
  }

  /// What one value in a file stands for.
  public struct Row: Sendable, Hashable {
    /// The value as it stands in the file.
    public let value: UInt16
    /// The class it means, or nil where it is ignored.
    public let index: Int?
    /// The data set's own name for the value, which differs from the class's where classes merge.
    public let label: String

    /// A row that maps `value` to class `index`, or to nothing that counts.
    public init(value: UInt16, index: Int?, label: String) {
      self.value = value
      self.index = index
      self.label = label
    }
  }

  /// The map's name, shown in messages.
  public let name: String
  /// Where a person has written the map, which decides how messages tell to change it.
  public internal(set) var origin = Origin.library
  /// The classes; a class's position is its index.
  public let classes: [Class]
  /// Every value that a file may hold, ascending.
  public let rows: [Row]
  /// The value that an exported file has where a mask is ignored, if any value means that.
  public let ignoredValue: UInt16?
  /// The class that stands for nothing to be found, which overlays leave clear: the one that is named
  /// so, or else the one called `background` in any case; nil if there is none.
  public let background: Int?

  /// For each of the 65,536 values: a class, `ignored`, or `unlisted`.
  private let lookup: [UInt16]
  /// For each class the value that an exported file has.
  private let exported: [UInt16?]

  private static let unlisted: UInt16 = 0x8000

  /// A map from rows; a class that several values mean is exported as the first of them listed.
  ///
  /// - Throws: `DatasetError.invalidLabelMap` if there is no class or more than 255, if two classes
  ///   share a name, if a value is listed twice, or if a row names a class that is not there.
  public init(name: String, classes: [Class], rows: [Row]) throws {
    func fail(_ reason: String) -> DatasetError { .invalidLabelMap(name: name, reason: reason) }
    guard (1...255).contains(classes.count) else {
      throw fail("has \(classes.count) classes; expected 1 to 255")
    }
    var names: Set<String> = []
    for entry in classes where !names.insert(entry.name).inserted {
      throw fail("two classes are named \"\(entry.name)\"; expected different names")
    }
    var seen: Set<UInt16> = []
    for row in rows {
      guard seen.insert(row.value).inserted else {
        throw fail("lists the value \(row.value) twice; expected one meaning")
      }
      if let index = row.index, !classes.indices.contains(index) {
        throw fail(
          "value \(row.value) means class \(index); expected 0 to \(classes.count - 1)")
      }
    }
    self.init(unchecked: name, classes: classes, rows: rows)
  }

  /// A map whose rows are known to be sound: the ready maps of this module.
  init(unchecked name: String, classes: [Class], rows: [Row], background: Int? = nil) {
    self.name = name
    self.classes = classes
    self.background =
      background ?? classes.firstIndex { $0.name.lowercased() == "background" }
    self.rows = rows.sorted { $0.value < $1.value }
    var lookup = [UInt16](repeating: Self.unlisted, count: 65_536)
    var exported = [UInt16?](repeating: nil, count: classes.count)
    for row in rows {
      lookup[Int(row.value)] = UInt16(row.index ?? Int(Self.ignored))
      if let index = row.index, exported[index] == nil { exported[index] = row.value }
    }
    self.lookup = lookup
    self.exported = exported
    ignoredValue = rows.first { $0.index == nil }?.value
  }

  /// A map from the plain values that a configuration file holds.
  ///
  /// - Parameters:
  ///   - name: The map's name in messages.
  ///   - origin: Where a person has written it.
  ///   - classes: The class names in order.
  ///   - values: For each value in a file, the name of its class.
  ///   - ignored: The values that count nowhere.
  ///   - colors: A colour for each class; without them, the usual ones.
  /// - Throws: `DatasetError.invalidLabelMap` if a name is unknown, a value does not fit 16 bits or
  ///   is listed twice, or the number of colours is not that of the classes.
  public init(
    name: String, origin: Origin = .library, classes: [String], values: [Int: String],
    ignored: [Int] = [], colors: [Color]? = nil
  ) throws {
    func fail(_ reason: String) -> DatasetError { .invalidLabelMap(name: name, reason: reason) }
    let colors = colors ?? Self.usualColors(classes)
    guard colors.count == classes.count else {
      throw fail("has \(colors.count) colours for \(classes.count) classes")
    }
    var rows: [Row] = []
    for (value, label) in values.sorted(by: { $0.key < $1.key }) {
      guard let short = UInt16(exactly: value) else {
        throw fail("lists the value \(value); expected 0 to 65535")
      }
      guard let index = classes.firstIndex(of: label) else {
        throw fail(
          "value \(value) means \"\(label)\"; expected one of \(classes.joined(separator: ", "))")
      }
      rows.append(Row(value: short, index: index, label: label))
    }
    for value in ignored.sorted() {
      guard let short = UInt16(exactly: value) else {
        throw fail("ignores the value \(value); expected 0 to 65535")
      }
      rows.append(Row(value: short, index: nil, label: "ignored"))
    }
    try self.init(
      name: name, classes: zip(classes, colors).map { Class($0, $1) }, rows: rows)
    self.origin = origin
  }
}

extension LabelMap {
  /// The number of classes, ignored not among them.
  public var count: Int { classes.count }
  /// The colour of each class.
  public var colors: [Color] { classes.map(\.color) }
  /// The values that a file may hold, ascending.
  public var values: [Int] { rows.map { Int($0.value) } }

  /// The class that a file's value means.
  ///
  /// - Returns: The class's index, ``ignored``, or nil for a value that is not listed.
  public func index(of value: UInt16) -> UInt8? {
    let found = lookup[Int(value)]
    return found == Self.unlisted ? nil : UInt8(truncatingIfNeeded: found)
  }

  /// The value that stands for a class in an exported file, or nil if no value means it.
  ///
  /// Where several values mean the class it is the first that the map's maker listed. ``ignored``
  /// gives ``ignoredValue``.
  public func value(of index: UInt8) -> UInt16? {
    if index == Self.ignored { return ignoredValue }
    return Int(index) < exported.count ? exported[Int(index)] : nil
  }

  /// The classes that a label file's values mean.
  ///
  /// - Parameters:
  ///   - label: The label file as it stands.
  ///   - file: The file's path, for the message.
  /// - Throws: `DatasetError.valueOutsideMap` at the first pixel, in reading order, whose value is
  ///   not listed.
  public func classes(of label: LabelImage, file: String) throws -> ClassMask {
    var seen: UInt16 = 0
    let classes = [UInt8](unsafeUninitializedCapacity: label.values.count) { output, count in
      label.values.withUnsafeBufferPointer { values in
        lookup.withUnsafeBufferPointer { lookup in
          for i in 0..<values.count {
            let found = lookup[Int(values[i])]
            seen |= found
            output[i] = UInt8(truncatingIfNeeded: found)
          }
        }
      }
      count = label.values.count
    }
    guard seen & Self.unlisted == 0 else {
      let at = label.values.firstIndex { index(of: $0) == nil } ?? 0
      throw DatasetError.valueOutsideMap(
        file: file, x: at % label.width, y: at / label.width, value: Int(label.values[at]),
        map: name, allowed: values, mend: mend(for: ValueHistogram(of: label).values))
    }
    return ClassMask(width: label.width, height: label.height, classes: classes)
  }

  /// The label image whose values stand for a mask's classes: the inverse of ``classes(of:file:)``.
  ///
  /// - Throws: `DatasetError.invalidLabelMap` if the mask holds a class that no value means.
  public func labels(of mask: ClassMask) throws -> LabelImage {
    var table = [UInt16](repeating: 0, count: 256)
    var known = [Bool](repeating: false, count: 256)
    for index in 0...255 {
      guard let value = value(of: UInt8(index)) else { continue }
      table[index] = value
      known[index] = true
    }
    if let bad = mask.classes.first(where: { !known[Int($0)] }) {
      let what = bad == Self.ignored ? "ignored" : "class \(bad)"
      throw DatasetError.invalidLabelMap(
        name: name, reason: "no file value means \(what), which the mask holds")
    }
    return LabelImage(
      width: mask.width, height: mask.height, values: mask.classes.map { table[Int($0)] })
  }
}

extension LabelMap: CustomStringConvertible {
  /// The map as a table for people: value, label, class index, class name and colour.
  public var table: String {
    var lines: [[String]] = [["value", "label", "class", "name", "colour"]]
    for row in rows {
      guard let index = row.index else {
        lines.append(["\(row.value)", row.label, "-", "ignored", ""])
        continue
      }
      let entry = classes[index]
      let color = entry.color
      lines.append(
        [
          "\(row.value)", row.label, "\(index)", entry.name,
          "\(color.red) \(color.green) \(color.blue)",
        ])
    }
    let widths = (0..<5).map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { line in
      line.indices.map { column in
        let gap = String(repeating: " ", count: widths[column] - line[column].count)
        return column == 0 || column == 2 ? gap + line[column] : line[column] + gap
      }.joined(separator: "  ").trimmingTrailingSpaces
    }.joined(separator: "\n")
  }

  /// The name, the number of classes and the table.
  public var description: String { "\(name): \(count) classes\n\(table)" }
}

extension String {
  fileprivate var trimmingTrailingSpaces: String {
    var text = self
    while text.last == " " { text.removeLast() }
    return text
  }
}
