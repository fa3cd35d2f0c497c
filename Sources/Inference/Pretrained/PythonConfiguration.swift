import Files

/// Reads the configurations of OpenMMLab's programs, which are Python, for what they say and without running
/// anything: assignments of texts, numbers, lists, dictionaries and calls of `dict`.
struct PythonConfiguration {
  /// Why a text is none of those.
  struct Fault: Error {
    let line: Int
    let reason: String
  }

  /// How deep values may lie in one another.
  private static let maximumDepth = 64
  /// The most bytes of a text that is read.
  static let maximumBytes = 4 << 20

  private let bytes: [UInt8]
  private var place = 0
  private var names: [String: JSON] = [:]

  private init(_ text: String) { bytes = Array(text.utf8) }

  /// What the assignments of a text say, by name; a name stands for what was assigned to it before.
  ///
  /// - Throws: ``Fault`` for anything else than such assignments.
  static func values(_ text: String) throws(Fault) -> [String: JSON] {
    var reader = PythonConfiguration(text)
    guard reader.bytes.count <= maximumBytes else {
      throw Fault(line: 1, reason: "it has more than \(maximumBytes) bytes")
    }
    while true {
      reader.skip(acrossLines: true)
      guard reader.place < reader.bytes.count else { return reader.names }
      let name = try reader.name("a name that is assigned to")
      reader.skip(acrossLines: false)
      try reader.take("=")
      let value = try reader.value(0)
      reader.skip(acrossLines: false)
      guard reader.place == reader.bytes.count || reader.takes("\n") || reader.takes(";") else {
        throw reader.fault("the end of a line")
      }
      reader.names[name] = value
    }
  }

  // MARK: Values

  private mutating func value(_ depth: Int) throws(Fault) -> JSON {
    guard depth < Self.maximumDepth else { throw fault("no more than \(Self.maximumDepth) levels") }
    skip(acrossLines: true)
    guard let byte = next else { throw fault("a value") }
    switch byte {
    case UInt8(ascii: "["): return .list(try list(closedBy: "]", depth).items)
    case UInt8(ascii: "("):
      let (items, isTuple) = try list(closedBy: ")", depth)
      return isTuple || items.count != 1 ? .list(items) : items[0]
    case UInt8(ascii: "{"): return try dictionary(depth)
    case UInt8(ascii: "'"), UInt8(ascii: "\""): return .string(try texts())
    case UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      return .number(try number())
    default: return try named(depth)
    }
  }

  /// What stands for a name: a constant, an earlier value, a text with a prefix or a call of `dict`.
  private mutating func named(_ depth: Int) throws(Fault) -> JSON {
    let name = try name("a value")
    if let quote = next, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") {
      guard ["r", "R", "u", "U"].contains(name) else { throw fault("a text without a prefix") }
      return .string(try texts(isRaw: name.lowercased() == "r"))
    }
    switch name {
    case "True": return .bool(true)
    case "False": return .bool(false)
    case "None": return .null
    default: break
    }
    skip(acrossLines: false)
    guard takes("(") else {
      guard let known = names[name] else { throw fault("a value, not the name '\(name)'") }
      return known
    }
    switch name {
    case "dict": return try arguments(depth)
    case "tuple", "list", "set":
      let items = try list(closedBy: ")", depth, isOpen: true).items
      guard items.count <= 1, case .list(let list) = items.first ?? .list([]) else {
        throw fault("a list in \(name)(…)")
      }
      return .list(list)
    default: throw fault("a value, not a call of '\(name)'")
    }
  }

  private mutating func list(
    closedBy end: Character, _ depth: Int, isOpen: Bool = false
  ) throws(Fault) -> (items: [JSON], isTuple: Bool) {
    if !isOpen { place += 1 }
    var items: [JSON] = []
    var hasComma = false
    while true {
      skip(acrossLines: true)
      if takes(end) { return (items, hasComma || items.isEmpty) }
      guard items.isEmpty || hasComma else { throw fault("a comma or '\(end)'") }
      items.append(try value(depth + 1))
      skip(acrossLines: true)
      hasComma = takes(",")
    }
  }

  private mutating func dictionary(_ depth: Int) throws(Fault) -> JSON {
    place += 1
    var object: [String: JSON] = [:]
    var (isFirst, hasComma) = (true, true)
    while true {
      skip(acrossLines: true)
      if takes("}") { return .object(object) }
      guard isFirst || hasComma else { throw fault("a comma or '}'") }
      let key: String =
        switch try value(depth + 1) {
        case .string(let text): text
        case .number(let number): JSON.number(number).text
        default: throw fault("a text or a number as a key")
        }
      skip(acrossLines: true)
      try take(":")
      object[key] = try value(depth + 1)
      skip(acrossLines: true)
      (isFirst, hasComma) = (false, takes(","))
    }
  }

  /// The arguments of `dict`, behind the parenthesis: a dictionary, names with values, and dictionaries after `**`.
  private mutating func arguments(_ depth: Int) throws(Fault) -> JSON {
    var object: [String: JSON] = [:]
    var (isFirst, hasComma) = (true, true)
    while true {
      skip(acrossLines: true)
      if takes(")") { return .object(object) }
      guard isFirst || hasComma else { throw fault("a comma or ')'") }
      if object.isEmpty, next == UInt8(ascii: "{") {
        object = try dictionary(depth + 1).object ?? [:]
      } else if takes("*") {
        try take("*")
        guard case .object(let more) = try value(depth + 1) else { throw fault("a dictionary") }
        object.merge(more) { _, new in new }
      } else {
        let key = try name("the name of an argument")
        skip(acrossLines: true)
        try take("=")
        object[key] = try value(depth + 1)
      }
      skip(acrossLines: true)
      (isFirst, hasComma) = (false, takes(","))
    }
  }

  private mutating func number() throws(Fault) -> Double {
    let start = place
    while let byte = next,
      (48...57).contains(byte) || "+-._eE".utf8.contains(byte)
    {
      // A sign belongs to a number at its beginning and behind its exponent only.
      let isSign = byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-")
      if isSign, place > start, !"eE".utf8.contains(bytes[place - 1]) { break }
      place += 1
    }
    let text = String(decoding: bytes[start..<place], as: UTF8.self).replacing("_", with: "")
    guard let number = Double(text) else { throw fault("a number") }
    return number
  }

  /// A text, and those that follow it, which are parts of it.
  private mutating func texts(isRaw: Bool = false) throws(Fault) -> String {
    var all = try text(isRaw)
    while true {
      let end = place
      skip(acrossLines: true)
      guard let byte = next, byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") else {
        place = end
        return all
      }
      all += try text(false)
    }
  }

  private mutating func text(_ isRaw: Bool) throws(Fault) -> String {
    let quote = bytes[place]
    let isLong = bytes[place...].starts(with: [quote, quote, quote])
    place += isLong ? 3 : 1
    var result: [UInt8] = []
    while let byte = next {
      if isLong ? bytes[place...].starts(with: [quote, quote, quote]) : byte == quote {
        place += isLong ? 3 : 1
        return String(decoding: result, as: UTF8.self)
      }
      if byte == UInt8(ascii: "\n"), !isLong { break }
      place += 1
      guard byte == UInt8(ascii: "\\"), let escaped = next else {
        result.append(byte)
        continue
      }
      place += 1
      let plain: [UInt8: UInt8] = [
        UInt8(ascii: "n"): 10, UInt8(ascii: "t"): 9, UInt8(ascii: "r"): 13,
        UInt8(ascii: "\\"): 92, UInt8(ascii: "'"): 39, UInt8(ascii: "\""): 34,
      ]
      if isRaw {
        result += [byte, escaped]
      } else if let character = plain[escaped] {
        result.append(character)
      }
      // The end of a line disappears.
      else if escaped != 10 {
        result += [byte, escaped]
      }
    }
    throw fault("the end of a text")
  }

  // MARK: Bytes

  private var next: UInt8? { place < bytes.count ? bytes[place] : nil }

  /// Passes over blanks, comments and the ends of lines that are written as none; and over ends of lines.
  private mutating func skip(acrossLines: Bool) {
    while let byte = next {
      switch byte {
      case 32, 9, 13: place += 1
      case 10 where acrossLines: place += 1
      case UInt8(ascii: "#"): while let byte = next, byte != 10 { place += 1 }
      case UInt8(ascii: "\\") where place + 1 < bytes.count && bytes[place + 1] == 10: place += 2
      default: return
      }
    }
  }

  private mutating func name(_ expected: String) throws(Fault) -> String {
    let start = place
    while let byte = next,
      (48...57).contains(byte) && place > start || (65...90).contains(byte)
        || (97...122).contains(byte) || byte == 95 || byte > 127
    { place += 1 }
    guard place > start else { throw fault(expected) }
    return String(decoding: bytes[start..<place], as: UTF8.self)
  }

  private mutating func takes(_ character: Character) -> Bool {
    guard let byte = next, byte == character.asciiValue else { return false }
    place += 1
    return true
  }

  private mutating func take(_ character: Character) throws(Fault) {
    guard takes(character) else { throw fault("'\(character)'") }
  }

  private func fault(_ expected: String) -> Fault {
    let line = 1 + bytes[..<min(place, bytes.count)].count { $0 == 10 }
    let rest = bytes[min(place, bytes.count)...].prefix { $0 != 10 }.prefix(24)
    let found = rest.isEmpty ? "the end of a line" : "'\(String(decoding: rest, as: UTF8.self))'"
    return Fault(line: line, reason: "\(found), where \(expected) was expected")
  }
}
