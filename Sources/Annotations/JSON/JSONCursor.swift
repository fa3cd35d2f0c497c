import Files
import Foundation

/// Reads JSON from bytes value by value, so that a file of a hundred thousand polygons never stands in memory
/// as a tree.
///
/// Depth is bounded, numbers are those that fit a double, and what is wrong is told with line and column.
struct JSONCursor {
  /// The most lists and objects within each other.
  static let deepest = 64

  /// The file's name for messages.
  let file: String
  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0
  private var depth = 0
  /// The keys and places that lead to the value at hand.
  private var path: [Step] = []
  /// The file, whose memory is given back where the cursor is through, and the bytes that were.
  private let mapped: MappedBytes?
  private var released = 0
  /// So many bytes are given back at a time.
  private static let window = 1 << 21

  private enum Step {
    case key(String)
    case index(Int)
  }

  /// A cursor at the beginning of text, which must outlive it.
  ///
  /// - Parameter mapped: The file, where the text is its bytes.
  init(_ bytes: UnsafeBufferPointer<UInt8>, named file: String, mapped: MappedBytes? = nil) {
    (self.bytes, self.file, self.mapped) = (bytes, file, mapped)
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { at = 3 }
  }

  /// Where the cursor is: `annotations[17].segmentation`.
  var place: String {
    path.reduce(into: "") { text, step in
      switch step {
      case .key(let key): text += (text.isEmpty ? "" : ".") + key
      case .index(let index): text += "[\(index)]"
      }
    }
  }

  /// An error at the value at hand.
  func error(found: String, expected: String) -> AnnotationError {
    let place = place
    return AnnotationError(
      file, place.isEmpty ? nil : place, found: found, expected: expected)
  }

  /// An error of the text itself.
  private func damaged(_ expected: String) -> AnnotationError {
    var (line, column) = (1, 1)
    for byte in bytes[..<min(at, bytes.count)] {
      if byte == 10 { (line, column) = (line + 1, 1) } else { column += 1 }
    }
    let found =
      at < bytes.count
      ? (32..<127).contains(bytes[at])
        ? "has '\(Character(UnicodeScalar(bytes[at])))'" : "has the byte \(bytes[at])" : "ends"
    return AnnotationError(
      file, "line \(line), column \(column)" + (path.isEmpty ? "" : " (\(place))"), found: found,
      expected: expected)
  }

  // MARK: Structure

  private mutating func skipSpace() {
    while at < bytes.count, bytes[at] == 32 || bytes[at] == 10 || bytes[at] == 13 || bytes[at] == 9
    {
      at += 1
    }
  }

  /// The first byte of the next value; 0 at the end.
  mutating func peek() -> UInt8 {
    skipSpace()
    return at < bytes.count ? bytes[at] : 0
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek() == byte else { return false }
    at += 1
    return true
  }

  private mutating func enter() throws {
    depth += 1
    guard depth <= Self.deepest else {
      throw damaged("at most \(Self.deepest) lists and objects within each other")
    }
  }

  /// Reads an object; `body` reads or skips the value of each key.
  mutating func object(_ body: (inout JSONCursor, String) throws -> Void) throws {
    guard take(123) else { throw error(found: "is \(kind())", expected: "an object") }
    try enter()
    defer { depth -= 1 }
    if take(125) { return }
    while true {
      guard peek() == 34 else { throw damaged("a key in double quotes") }
      let key = try string()
      guard take(58) else { throw damaged("a colon after the key '\(key.prefix(60))'") }
      path.append(.key(key))
      try body(&self, key)
      path.removeLast()
      if take(125) { return }
      guard take(44) else { throw damaged("a comma or the end of the object") }
    }
  }

  /// Reads a list; `body` reads or skips each element.
  mutating func list(_ body: (inout JSONCursor, Int) throws -> Void) throws {
    guard take(91) else { throw error(found: "is \(kind())", expected: "a list") }
    try enter()
    defer { depth -= 1 }
    if take(93) { return }
    var index = 0
    path.append(.index(0))
    while true {
      path[path.count - 1] = .index(index)
      try body(&self, index)
      if at - released >= Self.window { letGo() }
      index += 1
      if take(93) { break }
      guard take(44) else { throw damaged("a comma or the end of the list") }
    }
    path.removeLast()
  }

  private mutating func letGo() {
    mapped?.release(released..<at)
    released = at
  }

  /// Sees that nothing follows.
  mutating func end() throws {
    guard peek() == 0, at >= bytes.count else { throw damaged("the end of the file") }
  }

  /// What the next value is, for messages.
  mutating func kind() -> String {
    switch peek() {
    case 123: "an object"
    case 91: "a list"
    case 34: "a text"
    case 116, 102: "true or false"
    case 110: "null"
    case 45, 48...57: "a number"
    case 0: "missing, as the file ends"
    default: "no JSON value"
    }
  }

  // MARK: Values

  /// Passes over a value.
  mutating func skip() throws {
    switch peek() {
    case 123: try object { cursor, _ in try cursor.skip() }
    case 91:
      // Without the places: what is skipped may be long.
      at += 1
      try enter()
      defer { depth -= 1 }
      if take(93) { return }
      while true {
        try skip()
        if take(93) { return }
        guard take(44) else { throw damaged("a comma or the end of the list") }
      }
    case 34: try skipString()
    case 116: try word("true")
    case 102: try word("false")
    case 110: try word("null")
    default: _ = try number()
    }
  }

  /// Reads `null`, if it is what comes next.
  mutating func null() throws -> Bool {
    guard peek() == 110 else { return false }
    try word("null")
    return true
  }

  /// Reads true or false.
  mutating func bool() throws -> Bool {
    switch peek() {
    case 116:
      try word("true")
      return true
    case 102:
      try word("false")
      return false
    default: throw error(found: "is \(kind())", expected: "true or false")
    }
  }

  private mutating func word(_ text: StaticString) throws {
    for i in 0..<text.utf8CodeUnitCount {
      guard at < bytes.count, bytes[at] == text.utf8Start[i] else { throw damaged("\(text)") }
      at += 1
    }
  }

  private mutating func skipString() throws {
    at += 1
    while at < bytes.count, bytes[at] != 34 { at += bytes[at] == 92 ? 2 : 1 }
    guard at < bytes.count else { throw damaged("the end of a text") }
    at += 1
  }

  /// Reads a text.
  mutating func string() throws -> String {
    guard peek() == 34 else { throw error(found: "is \(kind())", expected: "a text") }
    let start = at + 1
    var end = start
    var isPlain = true
    while end < bytes.count, bytes[end] != 34 {
      if bytes[end] == 92 {
        isPlain = false
        end += 1
      }
      end += 1
    }
    guard end < bytes.count else {
      at = bytes.count
      throw damaged("the end of a text")
    }
    at = end + 1
    let body = UnsafeBufferPointer(rebasing: bytes[start..<end])
    if isPlain, let text = String(validating: body, as: UTF8.self) { return text }
    guard
      let text = try? JSONDecoder().decode(  // may fail: told below
        String.self, from: Data(bytes[start - 1...end]))
    else {
      throw error(
        found: "is a text of no UTF-8, or with an escape that is none", expected: "a text")
    }
    return text
  }

  /// Powers of ten that doubles hold exactly.
  private static let powers: [Double] = (0...22).map { pow(10, Double($0)) }

  /// Reads a number.
  mutating func number() throws -> Double {
    let first = peek()
    guard first == 45 || (48...57).contains(first) else {
      throw error(
        found: "is \(kind())", expected: "a number")
    }
    let start = at
    if first == 45 { at += 1 }
    var (digits, count, scale, isShort) = (UInt64(0), 0, 0, true)
    func take(_ cursor: inout JSONCursor) -> Int {
      var taken = 0
      while cursor.at < cursor.bytes.count, (48...57).contains(cursor.bytes[cursor.at]) {
        if count < 18 {
          digits = digits * 10 + UInt64(cursor.bytes[cursor.at] - 48)
          if digits > 0 { count += 1 }
        } else {
          isShort = false
        }
        cursor.at += 1
        taken += 1
      }
      return taken
    }
    guard take(&self) > 0 else { throw damaged("a digit") }
    if at < bytes.count, bytes[at] == 46 {
      at += 1
      scale = take(&self)
      guard scale > 0 else { throw damaged("a digit after the point") }
    }
    if at < bytes.count, bytes[at] == 101 || bytes[at] == 69 {
      isShort = false
      at += 1
      if at < bytes.count, bytes[at] == 43 || bytes[at] == 45 { at += 1 }
      guard take(&self) > 0 else { throw damaged("a digit of the exponent") }
    }
    // Few digits divide exactly; others are read with all care.
    if isShort, digits < 1 << 53, scale <= 22 {
      let value = Double(digits) / Self.powers[scale]
      return first == 45 ? -value : value
    }
    let text = String(decoding: bytes[start..<at], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      throw error(found: "is \(quoted(text))", expected: "a number that a double holds")
    }
    return value
  }

  /// Reads a whole number in a range.
  mutating func int(in range: ClosedRange<Int> = -(1 << 53)...1 << 53) throws -> Int {
    let value = try number()
    guard let whole = Int(exactly: value), range.contains(whole) else {
      throw error(
        found: "is \(value)",
        expected: "a whole number"
          + (range.upperBound < 1 << 53 || range.lowerBound > -(1 << 53)
            ? " from \(range.lowerBound) to \(range.upperBound)" : ""))
    }
    return whole
  }
}
