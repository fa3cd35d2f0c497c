import Files
import Foundation

/// A value of a JSON file with the place where it stands, for files that are read as a whole.
struct JSONTree {
  /// What the value is.
  indirect enum Value {
    case null
    case bool(Bool)
    case number(Double)
    case text(String)
    case list([Value])
    case object([(key: String, value: Value)])
  }

  /// The value.
  let value: Value
  /// The file, and the keys that lead to the value.
  let file: String, place: String

  /// The most bytes that a file may have: 2 GiB.
  static let largest = 1 << 31

  /// Reads a file.
  ///
  /// - Parameter isLatin: Whether what is no UTF-8 is read as Latin-1.
  /// - Throws: ``AnnotationError`` with line and column.
  init(contentsOf path: String, isLatin: Bool = false) throws {
    self = try Self.reading(path, isLatin: isLatin) { cursor in
      let value = try Self.value(&cursor)
      try cursor.end()
      return JSONTree(value, path, "")
    }
  }

  private init(_ value: Value, _ file: String, _ place: String) {
    (self.value, self.file, self.place) = (value, file, place)
  }

  /// Lets `body` read a file.
  static func reading<T>(
    _ path: String, isLatin: Bool = false, _ body: (inout JSONCursor) throws -> T
  ) throws -> T {
    func read(_ raw: UnsafeRawBufferPointer, _ mapped: MappedBytes?) throws -> T {
      guard raw.count < largest else {
        throw AnnotationError(
          path, found: "has \(raw.count) bytes", expected: "less than \(largest)")
      }
      var cursor = JSONCursor(raw.bindMemory(to: UInt8.self), named: path, mapped: mapped)
      return try body(&cursor)
    }
    // Small files are read at once: they may be written anew meanwhile.
    if !isLatin, let mapped = MappedBytes(path, atLeast: 1 << 22) {
      return try read(mapped.bytes, mapped)
    }
    guard var data = FileSystem.contents(path) else {
      throw AnnotationError(path, found: "cannot be read", expected: "a JSON file")
    }
    if isLatin, String(validating: data, as: UTF8.self) == nil {
      data = Data(String(String.UnicodeScalarView(data.map { UnicodeScalar($0) })).utf8)
    }
    return try data.withUnsafeBytes { try read($0, nil) }
  }

  private static func value(_ cursor: inout JSONCursor) throws -> Value {
    switch cursor.peek() {
    case 123:
      var entries: [(String, Value)] = []
      try cursor.object { cursor, key in entries.append((key, try value(&cursor))) }
      return .object(entries)
    case 91:
      var elements: [Value] = []
      try cursor.list { cursor, _ in elements.append(try value(&cursor)) }
      return .list(elements)
    case 34: return .text(try cursor.string())
    case 116, 102: return .bool(try cursor.bool())
    case 110:
      _ = try cursor.null()
      return .null
    default: return .number(try cursor.number())
    }
  }

  // MARK: Reading

  /// An error at this value.
  func error(found: String? = nil, expected: String) -> AnnotationError {
    AnnotationError(
      file, place.isEmpty ? nil : place, found: found ?? "is \(kind)", expected: expected)
  }

  private var kind: String {
    switch value {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): "\(value)"
    case .text(let value): quoted(value)
    case .list(let values): "a list of \(values.count)"
    case .object: "an object"
    }
  }

  /// The value at a key, if it is there and not null; the last of several, as other readers take it.
  subscript(key: String) -> JSONTree? {
    guard case .object(let entries) = value,
      let entry = entries.last(where: { $0.key == key })
    else { return nil }
    if case .null = entry.value { return nil }
    return JSONTree(entry.value, file, place.isEmpty ? key : "\(place).\(key)")
  }

  /// The value at a key.
  func required(_ key: String, _ expected: String) throws -> JSONTree {
    guard case .object = value else { throw error(expected: "an object with '\(key)'") }
    guard let found = self[key] else { throw error(found: "has no '\(key)'", expected: expected) }
    return found
  }

  /// The keys and values of an object.
  func entries(_ expected: String) throws -> [(key: String, value: JSONTree)] {
    guard case .object(let entries) = value else { throw error(expected: expected) }
    return entries.map {
      ($0.key, JSONTree($0.value, file, place.isEmpty ? $0.key : "\(place).\($0.key)"))
    }
  }

  /// Whether it is an object, or a list.
  var isObject: Bool { if case .object = value { true } else { false } }
  /// Whether it is a list.
  var isList: Bool { if case .list = value { true } else { false } }

  /// The elements of a list.
  func list(_ expected: String) throws -> [JSONTree] {
    guard case .list(let values) = value else { throw error(expected: expected) }
    return values.enumerated().map { JSONTree($1, file, "\(place)[\($0)]") }
  }

  /// The text.
  func text(_ expected: String = "a text") throws -> String {
    guard case .text(let text) = value else { throw error(expected: expected) }
    return text
  }

  /// The text, or nil for anything else.
  var string: String? { if case .text(let text) = value { text } else { nil } }

  /// The number.
  func number(
    _ expected: String = "a number", in range: ClosedRange<Double> = -1e9...1e9
  ) throws -> Double {
    guard case .number(let number) = value, range.contains(number) else {
      throw error(expected: expected)
    }
    return number
  }

  /// The whole number.
  func int(_ expected: String, in range: ClosedRange<Int> = -(1 << 53)...1 << 53) throws -> Int {
    guard case .number(let number) = value, let whole = Int(exactly: number),
      range.contains(whole)
    else { throw error(expected: expected) }
    return whole
  }

  /// A list of numbers.
  func numbers(_ expected: String, in range: ClosedRange<Double> = -1e9...1e9) throws -> [Double] {
    guard case .list(let values) = value else { throw error(expected: expected) }
    return try values.enumerated().map { index, value in
      guard case .number(let number) = value, range.contains(number) else {
        throw JSONTree(value, file, "\(place)[\(index)]").error(expected: expected)
      }
      return number
    }
  }

  /// A list of places `[x, y]`.
  func points(_ expected: String = "a list of [x, y] in pixels") throws -> [Point] {
    try list(expected).map { pair in
      let numbers = try pair.numbers(expected, in: Shape.coordinates)
      guard numbers.count == 2 else { throw pair.error(expected: expected) }
      return Point(numbers[0], numbers[1])
    }
  }
}
