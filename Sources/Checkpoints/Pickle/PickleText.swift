/// A text or bytes of a pickle: where they lie in it, and how they are written there.
struct PickleText: Equatable {
  /// How characters are written.
  enum Coding: UInt8, Sendable {
    /// As they are: UTF-8 for texts, bytes for bytes.
    case plain
    /// Bytes as the characters of the same numbers in UTF-8, as protocols 1 and 2 have them.
    case latin1
    /// Characters up to 255 as bytes, others as `\u1234`, as protocol 0 writes texts.
    case unicodeEscape
    /// Between quotation marks, with Python's escapes, as protocol 0 writes bytes.
    case quoted
  }

  let range: Range<Int>
  var coding = Coding.plain

  /// The text, or nil if it is none; of at most `limit` bytes as written.
  func text(in file: MappedFile, atMost limit: Int = .max) -> String? {
    guard range.count <= limit else { return nil }
    switch coding {
    case .plain, .latin1: return file.text(range)
    case .unicodeEscape, .quoted:
      var scalars = String.UnicodeScalarView()
      let isRead = Self.forEachCharacter(file.bytes(range), coding) { number in
        guard let scalar = UnicodeScalar(number) else { return false }
        scalars.append(scalar)
        return true
      }
      return isRead ? String(scalars) : nil
    }
  }

  /// Writes the bytes that characters up to 255 stand for, and returns how many; nil if there are
  /// others, or more than `target` takes.
  static func decode(
    _ source: UnsafeRawBufferPointer, _ coding: Coding, into target: UnsafeMutableRawBufferPointer
  ) -> Int? {
    var count = 0
    let isRead = forEachCharacter(source, coding) { number in
      guard number < 256, count < target.count else { return false }
      target[count] = UInt8(truncatingIfNeeded: number)
      count += 1
      return true
    }
    return isRead ? count : nil
  }

  /// Calls `body` with the number of each character until it says no or one is written wrong.
  private static func forEachCharacter(
    _ source: UnsafeRawBufferPointer, _ coding: Coding, _ body: (UInt32) -> Bool
  ) -> Bool {
    switch coding {
    case .plain: return source.allSatisfy { body(UInt32($0)) }
    case .latin1:
      var decoder = UTF8()
      var bytes = source.makeIterator()
      while true {
        switch decoder.decode(&bytes) {
        case .scalarValue(let scalar): if !body(scalar.value) { return false }
        case .emptyInput: return true
        case .error: return false
        }
      }
    case .unicodeEscape: return escaped(source[...], body) { $0 == "u" ? 4 : $0 == "U" ? 8 : nil }
    case .quoted:
      guard let mark = source.first, source.count >= 2, source.last == mark,
        [UInt8(ascii: "'"), UInt8(ascii: "\"")].contains(mark)
      else { return false }
      return escaped(source[1..<source.count - 1], simple: true, body) { $0 == "x" ? 2 : nil }
    }
  }

  /// The characters of a run of bytes with escapes: those after which `digits` hexadecimal ones
  /// stand, and if `simple` those of a letter.
  private static func escaped(
    _ source: Slice<UnsafeRawBufferPointer>, simple: Bool = false, _ body: (UInt32) -> Bool,
    _ digits: (UnicodeScalar) -> Int?
  ) -> Bool {
    let letters: [UnicodeScalar: UInt32] = [
      "n": 10, "r": 13, "t": 9, "0": 0, "a": 7, "b": 8, "f": 12, "v": 11, "\\": 92, "'": 39,
      "\"": 34,
    ]
    var at = source.startIndex
    while at < source.endIndex {
      var number = UInt32(source[at])
      at += 1
      if number == 92, at < source.endIndex {
        let kind = UnicodeScalar(source[at])
        if let count = digits(kind) {
          guard count <= source.endIndex - at - 1,
            let text = String(validating: source[at + 1..<at + 1 + count], as: UTF8.self),
            let value = UInt32(text, radix: 16)
          else { return false }
          number = value
          at += 1 + count
        } else if simple {
          guard let letter = letters[kind] else { return false }
          number = letter
          at += 1
        }
      }
      guard body(number) else { return false }
    }
    return true
  }
}
