// Names of files are bytes, and text where they are UTF-8. Others come from old archives and
// systems: `strada_caf\xE9.png`. Foundation loses them.

/// The scalar that stands for the byte 0 in text; those of 0x80 to 0xFF follow at their distance.
private let firstEscape: UInt32 = 0x10F700

extension Unicode.Scalar {
  /// The byte that this scalar stands for in a path; nil for one that stands for itself.
  fileprivate var escapedByte: UInt8? {
    (firstEscape + 0x80...firstEscape + 0xFF).contains(value) ? UInt8(value - firstEscape) : nil
  }
}

extension String {
  /// A path or a name of these bytes.
  ///
  /// Bytes that are not UTF-8 become scalars of private use, U+10F780 to U+10F7FF, and those again
  /// the same bytes where a file is opened or made; see ``withPath(_:)``. A name that holds such
  /// scalars itself is taken byte by byte, so that no two names become one.
  package init(pathBytes bytes: some Collection<UInt8>) {
    if let text = String(validating: bytes, as: UTF8.self), !text.hasEscapes {
      self = text
      return
    }
    var scalars = String.UnicodeScalarView()
    func escape(_ part: some Sequence<UInt8>) {
      for byte in part {
        scalars.append(
          byte < 0x80 ? Unicode.Scalar(byte) : Unicode.Scalar(firstEscape + UInt32(byte)) ?? "?")
      }
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      var (parser, iterator) = (Unicode.UTF8.ForwardParser(), rest.makeIterator())
      switch parser.parseScalar(from: &iterator) {
      case .valid(let units):
        let scalar = Unicode.UTF8.decode(units)
        if scalar.escapedByte != nil { escape(units) } else { scalars.append(scalar) }
        rest = rest.dropFirst(units.count)
      case .error(let length):
        let count = Swift.max(length, 1)
        escape(rest.prefix(count))
        rest = rest.dropFirst(count)
      case .emptyInput: rest = rest.dropFirst(rest.count)
      }
    }
    self = String(scalars)
  }

  /// Whether a scalar stands for a byte.
  private var hasEscapes: Bool {
    // Their first byte in UTF-8 is that of few others.
    utf8.contains(0xF4) && unicodeScalars.contains { $0.escapedByte != nil }
  }

  /// The bytes of this path as the system knows it.
  package var pathBytes: [UInt8] {
    guard hasEscapes else { return Array(utf8) }
    return unicodeScalars.flatMap { scalar in
      scalar.escapedByte.map { [$0] } ?? Array(String(scalar).utf8)
    }
  }

  /// Gives this path to a function of the system.
  package func withPath<R>(_ body: (UnsafePointer<CChar>) throws -> R) rethrows -> R {
    guard hasEscapes else { return try withCString(body) }
    let bytes = pathBytes.map { CChar(bitPattern: $0) } + [0]
    return try bytes.withUnsafeBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return try "".withCString(body) }
      return try body(base)
    }
  }

  /// The text as a message can show it: bytes that are no text as `\xE9`, and without what would
  /// steer a terminal; lines stay lines.
  package var shown: String {
    let steers = unicodeScalars.contains {
      $0.properties.generalCategory == .control || $0.escapedByte != nil
    }
    guard steers else { return self }
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if let byte = scalar.escapedByte {
        result.append(contentsOf: "\\x\(String(byte, radix: 16, uppercase: true))".unicodeScalars)
      } else if scalar.properties.generalCategory == .control, scalar != "\n", scalar != "\t" {
        result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }

  /// The text in one line, otherwise as ``shown``: for names in tables and messages.
  package var shownInLine: String {
    let text = shown
    guard text.contains(where: { $0.isNewline || $0 == "\t" }) else { return text }
    return String(text.map { $0.isNewline || $0 == "\t" ? " " : $0 })
  }
}
