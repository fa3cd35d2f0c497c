import Files
import Foundation

/// Reads XML in UTF-8 element by element.
///
/// It knows what annotation tools write: elements, attributes, text, comments and the five entities; nothing
/// outside of the file is looked at, and no entity is declared. Foundation's parser is not used, as it may end
/// the process on damaged files.
struct XMLReading {
  /// An element that begins.
  struct Element {
    let name: String
    let attributes: [String: String]
    let line: Int
  }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - begin: Is told of every element.
  ///   - end: Is told of the end of every element, with the text since the last tag.
  /// - Throws: ``AnnotationError`` with the line for text that is no XML; what the two throw.
  static func read(
    _ path: String, begin: (Element) throws -> Void,
    end: (_ name: String, _ text: String) throws -> Void
  ) throws {
    guard let data = FileSystem.contents(path), data.count < JSONTree.largest else {
      throw AnnotationError(path, found: "cannot be read", expected: "an XML file")
    }
    guard String(validating: data, as: UTF8.self) != nil else {
      throw AnnotationError(path, found: "is no UTF-8", expected: "XML in UTF-8")
    }
    try data.withUnsafeBytes { raw in
      var reading = XMLReading(path, raw.bindMemory(to: UInt8.self))
      try reading.read(begin, end)
    }
  }

  private let file: String
  private let bytes: UnsafeBufferPointer<UInt8>
  private var at = 0
  private var line = 1
  private var open: [String] = []

  private init(_ file: String, _ bytes: UnsafeBufferPointer<UInt8>) {
    (self.file, self.bytes) = (file, bytes)
    if has("\u{FEFF}") { at = 3 }
  }

  private func fail(_ found: String, _ expected: String) -> AnnotationError {
    AnnotationError(file, "line \(line)", found: found, expected: expected)
  }

  // MARK: Bytes

  private func has(_ text: StaticString) -> Bool {
    let count = text.utf8CodeUnitCount
    guard at + count <= bytes.count else { return false }
    return (0..<count).allSatisfy { bytes[at + $0] == text.utf8Start[$0] }
  }

  private mutating func step(_ count: Int = 1) {
    for _ in 0..<count where at < bytes.count {
      if bytes[at] == 10 { line += 1 }
      at += 1
    }
  }

  private mutating func skipSpace() {
    while at < bytes.count, [9, 10, 13, 32].contains(bytes[at]) { step() }
  }

  /// Passes over everything up to and with a text.
  private mutating func skip(past text: StaticString, _ what: String) throws {
    while at < bytes.count, !has(text) { step() }
    guard at < bytes.count else { throw fail("ends within \(what)", "\(text)") }
    step(text.utf8CodeUnitCount)
  }

  private func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self)
  }

  private mutating func name() throws -> String {
    let start = at
    // White space, quotes, /, <, = and > end a name.
    while at < bytes.count, ![9, 10, 13, 32, 34, 39, 47, 60, 61, 62].contains(bytes[at]) { step() }
    guard at > start, at - start <= 256 else { throw fail("has no name here", "a name") }
    return text(start..<at)
  }

  // MARK: Structure

  private mutating func read(
    _ begin: (Element) throws -> Void, _ end: (String, String) throws -> Void
  ) throws {
    var words = ""
    var hasRoot = false
    while at < bytes.count {
      if bytes[at] != 60 {
        let start = at
        while at < bytes.count, bytes[at] != 60 { step() }
        let part = try decoded(text(start..<at))
        guard !open.isEmpty || part.allSatisfy(\.isWhitespace) else {
          throw fail("has text outside of elements", "an element")
        }
        if words.utf8.count < 1 << 16 { words += part }
      } else if has("<!--") {
        try skip(past: "-->", "a comment")
      } else if has("<![CDATA[") {
        step(9)
        let start = at
        try skip(past: "]]>", "text")
        if words.utf8.count < 1 << 16 { words += text(start..<at - 3) }
      } else if has("<?") {
        try skip(past: "?>", "an instruction")
      } else if has("<!") {
        let start = at
        try skip(past: ">", "a declaration")
        guard !bytes[start..<at].contains(91) else {
          throw fail("declares entities or elements", "a file without declarations")
        }
      } else if has("</") {
        step(2)
        let name = try name()
        skipSpace()
        guard has(">"), open.last == name else {
          throw fail(
            "ends <\(name)>", open.last.map { "the end of <\($0)>" } ?? "no end, as nothing is open"
          )
        }
        step()
        open.removeLast()
        try end(name, words.trimmingSpaces)
        words = ""
      } else {
        words = ""
        hasRoot = true
        try element(begin, end)
      }
    }
    guard open.isEmpty, hasRoot else {
      throw fail("ends", open.last.map { "the end of <\($0)>" } ?? "an element")
    }
  }

  /// Reads the tag of an element that begins.
  private mutating func element(
    _ begin: (Element) throws -> Void, _ end: (String, String) throws -> Void
  ) throws {
    let start = line
    step()
    let name = try name()
    var attributes: [String: String] = [:]
    while true {
      skipSpace()
      guard at < bytes.count else { throw fail("ends within <\(name)>", ">") }
      if has(">") || has("/>") { break }
      let key = try self.name()
      skipSpace()
      guard has("=") else { throw fail("has no value for '\(key)'", "\(key)=\"…\"") }
      step()
      skipSpace()
      guard at < bytes.count, bytes[at] == 34 || bytes[at] == 39 else {
        throw fail("has a value for '\(key)' that is not in quotes", "\(key)=\"…\"")
      }
      let quote = bytes[at]
      step()
      let first = at
      while at < bytes.count, bytes[at] != quote, bytes[at] != 60 { step() }
      guard at < bytes.count, bytes[at] == quote else {
        throw fail("has no end of the value of '\(key)'", "a quotation mark")
      }
      guard attributes.updateValue(try decoded(text(first..<at)), forKey: key) == nil else {
        throw fail("has '\(key)' twice", "it once")
      }
      step()
    }
    open.append(name)
    guard open.count <= JSONCursor.deepest else {
      throw fail("has elements \(open.count) deep", "at most \(JSONCursor.deepest)")
    }
    try begin(Element(name: name, attributes: attributes, line: start))
    if has("/>") {
      step(2)
      open.removeLast()
      try end(name, "")
    } else {
      step()
    }
  }

  /// Text with its entities replaced.
  private func decoded(_ text: String) throws -> String {
    guard text.utf8.contains(38) else { return text }
    var result = ""
    var rest = text[...]
    while let mark = rest.firstIndex(of: "&") {
      result += rest[..<mark]
      guard let stop = rest[mark...].prefix(12).firstIndex(of: ";") else {
        throw fail("has & that begins no entity", "&amp;")
      }
      let word = rest[rest.index(after: mark)..<stop]
      let known = ["lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'"]
      if let text = known[String(word)] {
        result += text
      } else if word.hasPrefix("#"),
        let number = word.hasPrefix("#x")
          ? UInt32(word.dropFirst(2), radix: 16) : UInt32(word.dropFirst()),
        let scalar = UnicodeScalar(number)
      {
        result.unicodeScalars.append(scalar)
      } else {
        throw fail("has the entity \(quoted(word))", "lt, gt, amp, quot, apos or a number")
      }
      rest = rest[rest.index(after: stop)...]
    }
    return result + rest
  }
}
