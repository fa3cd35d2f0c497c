import Files
import Foundation
import Torch

/// The safetensors format: the header's length in eight bytes, a JSON header, and the elements of
/// all tensors one after another without gaps.
///
/// https://github.com/huggingface/safetensors, section "Format".
enum Safetensors {
  /// The longest header that the reference reads.
  static let maximumHeader = 100_000_000
  /// The most tensors and texts that a file may have.
  static let maximumEntries = 1 << 18

  private static let types: [String: DType] = [
    "F64": .float64, "F32": .float32, "F16": .float16, "BF16": .bfloat16, "I64": .int64,
    "I32": .int32, "I16": .int16, "I8": .int8, "U8": .uint8, "BOOL": .bool, "U16": .uint16,
    "U32": .uint32, "U64": .uint64,
  ]

  /// What else there is.
  private static let kinds = [
    "C64": "complex numbers", "F4": "numbers of less than eight bits",
    "F6_E2M3": "numbers of less than eight bits", "F6_E3M2": "numbers of less than eight bits",
  ]

  /// Numbers of eight bits, which are read and not written.
  private static let codings: [String: Coding] = [
    "F8_E4M3": .float8E4M3FN, "F8_E5M2": .float8E5M2, "F8_E4M3FNUZ": .float8E4M3FNUZ,
    "F8_E5M2FNUZ": .float8E5M2FNUZ, "F8_E8M0": .float8E8M0FNU,
  ]

  /// Whether a file begins as one of the format does.
  static func recognises(_ file: MappedFile) -> Bool {
    guard file.count > 8, file.bytes[8] == UInt8(ascii: "{") else { return false }
    let length = file.bytes.loadUnaligned(as: UInt64.self)
    return UInt64(littleEndian: length) <= maximumHeader
  }

  /// Reads the header.
  static func open(_ file: MappedFile) throws -> WeightFile {
    var reader = ByteReader(file, 0..<file.count)
    let length = try reader.nextLength(UInt64.self)
    guard length <= maximumHeader else {
      throw WeightFileError.malformed(
        file: file.path, reason: "a header of \(length) bytes; at most \(maximumHeader) are read")
    }
    let header = try reader.take(length)
    var parser = HeaderParser(file, header)
    try parser.parse()

    var entries: [WeightFile.Entry] = []
    entries.reserveCapacity(parser.tensors.count)
    let start = header.upperBound
    for tensor in parser.tensors {
      func fault(_ reason: String) -> WeightFileError {
        .malformed(file: file.path, reason: "the tensor '\(tensor.name.printable)' \(reason)")
      }
      let coding = codings[tensor.dtype] ?? .plain
      guard let dtype = coding.isFloat8 ? .float32 : types[tensor.dtype] else {
        throw WeightFileError.unsupported(
          file: file.path,
          found: "\(kinds[tensor.dtype] ?? "elements") of type \(tensor.dtype.printable) in "
            + "'\(tensor.name.printable)'")
      }
      let (begin, end) = (tensor.offsets[0], tensor.offsets[1])
      guard begin <= end, end <= Int.max - start else {
        throw fault("lies in bytes \(begin) to \(end)")
      }
      guard
        let entry = WeightFile.Entry(
          tensor.name, dtype, coding, tensor.shape, start: start + begin),
        entry.bytes.count == end - begin
      else {
        throw fault(
          "has shape \(tensor.shape) of \(tensor.dtype) and \(end - begin) bytes for it")
      }
      entries.append(entry)
    }
    // No gaps and no overlaps: what the reference demands, so that a file has one meaning.
    var position = start
    for entry in entries.sorted(by: {
      ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound)
    }) {
      guard entry.bytes.lowerBound == position else {
        throw WeightFileError.malformed(
          file: file.path,
          reason: "the tensor '\(entry.name.printable)' begins at byte "
            + "\(entry.bytes.lowerBound - start) of the data; expected \(position - start)")
      }
      position = entry.bytes.upperBound
    }
    guard position <= file.count else {
      throw WeightFileError.truncated(file: file.path, expected: position, found: file.count)
    }
    guard position == file.count else {
      throw WeightFileError.malformed(
        file: file.path, reason: "\(file.count - position) bytes follow the last tensor")
    }
    return WeightFile(
      file.path, [ByteBlock(file)], .safetensors, entries, metadata: parser.metadata)
  }

  /// Writes a file whose header lists the tensors in their order.
  static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String], to path: String
  ) throws {
    // Larger elements first, so that all lie at multiples of their size.
    let order = tensors.indices.sorted {
      let (a, b) = (tensors[$0].tensor.dtype.byteCount, tensors[$1].tensor.dtype.byteCount)
      return a == b ? $0 < $1 : a > b
    }
    var offsets = [Range<Int>](repeating: 0..<0, count: tensors.count)
    var position = 0
    for index in order {
      let tensor = tensors[index].tensor
      offsets[index] = position..<position + tensor.count * tensor.dtype.byteCount
      position = offsets[index].upperBound
    }
    let names = Dictionary(uniqueKeysWithValues: types.map { ($1, $0) })
    var fields: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\($0.json):\($1.json)" }
      fields.append("\"__metadata__\":{\(texts.joined(separator: ","))}")
    }
    for ((name, tensor), range) in zip(tensors, offsets) {
      guard let dtype = names[tensor.dtype] else { continue }
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      fields.append(
        "\(name.json):{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(range.lowerBound),\(range.upperBound)]}")
    }
    var header = Array("{\(fields.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    guard header.count <= maximumHeader else {
      throw WriteError(path, reason: "its header would be \(header.count) bytes long")
    }
    try AtomicFile.write(path) { file in
      try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try file.append($0) }
      try file.append(header)
      for index in order {
        try tensors[index].tensor.withRowMajorBytes { try file.append($0) }
      }
    }
  }
}

/// Reads the header's JSON and nothing more general: its depth is fixed, so no file can nest deeply.
private struct HeaderParser {
  struct Tensor {
    var name: String
    var dtype = ""
    var shape: [Int] = []
    var offsets: [Int] = []
  }

  private var reader: ByteReader
  private(set) var tensors: [Tensor] = []
  private(set) var metadata: [String: String] = [:]

  init(_ file: MappedFile, _ range: Range<Int>) { reader = ByteReader(file, range) }

  private func fault(_ reason: String) -> WeightFileError {
    .malformed(
      file: reader.file.path, reason: "at byte \(reader.position) of the header \(reason)")
  }

  mutating func parse() throws {
    var names: Set<String> = []
    guard !reader.isAtEnd, reader.file.bytes[reader.position] == UInt8(ascii: "{") else {
      throw fault("there is no '{'")
    }
    try object { parser, name in
      guard names.count + parser.metadata.count < Safetensors.maximumEntries else {
        throw parser.fault("more than \(Safetensors.maximumEntries) entries follow")
      }
      guard names.insert(name).inserted else {
        throw parser.fault("the name '\(name.printable)' comes a second time")
      }
      if name == "__metadata__" {
        try parser.object { parser, key in
          let text = try parser.string()
          guard parser.metadata.count < Safetensors.maximumEntries else {
            throw parser.fault("more than \(Safetensors.maximumEntries) texts follow")
          }
          guard parser.metadata.updateValue(text, forKey: key) == nil else {
            throw parser.fault("the metadata '\(key.printable)' comes a second time")
          }
        }
      } else {
        parser.tensors.append(try parser.tensor(name))
      }
    }
    skipSpace()
    guard reader.isAtEnd else { throw fault("something follows the last '}'") }
  }

  private mutating func tensor(_ name: String) throws -> Tensor {
    var tensor = Tensor(name: name)
    var seen: Set<String> = []
    try object { parser, key in
      guard seen.insert(key).inserted else { throw parser.fault("'\(key)' comes a second time") }
      switch key {
      case "dtype": tensor.dtype = try parser.string()
      case "shape": tensor.shape = try parser.numbers(atMost: Pickle.maximumRank)
      case "data_offsets": tensor.offsets = try parser.numbers(atMost: 2)
      default: throw parser.fault("the field '\(key.printable)' is not one of the format's")
      }
    }
    guard seen.count == 3, tensor.offsets.count == 2 else {
      throw fault("the tensor '\(name.printable)' lacks its dtype, shape or data_offsets")
    }
    return tensor
  }

  private mutating func skipSpace() {
    while !reader.isAtEnd, [0x20, 0x09, 0x0a, 0x0d].contains(reader.file.bytes[reader.position]) {
      reader.position += 1
    }
  }

  /// The next byte that is not white space.
  private mutating func symbol() throws -> UInt8 {
    skipSpace()
    guard !reader.isAtEnd else { throw fault("the JSON ends too early") }
    return try reader.next()
  }

  private mutating func expect(_ character: Unicode.Scalar) throws {
    guard try symbol() == UInt8(ascii: character) else {
      reader.position -= 1
      throw fault("'\(character)' is missing")
    }
  }

  private mutating func object(_ member: (inout HeaderParser, String) throws -> Void) throws {
    try expect("{")
    var separator = try symbol()
    guard separator != UInt8(ascii: "}") else { return }
    reader.position -= 1
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
      separator = try symbol()
    } while separator == UInt8(ascii: ",")
    guard separator == UInt8(ascii: "}") else { throw fault("'}' is missing") }
  }

  private mutating func numbers(atMost limit: Int) throws -> [Int] {
    try expect("[")
    var numbers: [Int] = []
    var separator = try symbol()
    guard separator != UInt8(ascii: "]") else { return [] }
    reader.position -= 1
    repeat {
      skipSpace()
      let start = reader.position
      while !reader.isAtEnd, (0x30...0x39).contains(reader.file.bytes[reader.position]) {
        reader.position += 1
      }
      guard let digits = reader.file.text(start..<reader.position), let number = Int(digits),
        digits == "0" || !digits.hasPrefix("0")
      else { throw fault("there is no whole number that is 0 or more") }
      guard numbers.count < limit else { throw fault("more than \(limit) numbers follow") }
      numbers.append(number)
      separator = try symbol()
    } while separator == UInt8(ascii: ",")
    guard separator == UInt8(ascii: "]") else { throw fault("']' is missing") }
    return numbers
  }

  private mutating func string() throws -> String {
    try expect("\"")
    var text: [UInt8] = []
    while true {
      let byte = try reader.next(UInt8.self)
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw fault("the text is not UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): text += try escape().utf8
      case 0..<0x20: throw fault("there is a control character")
      default: text.append(byte)
      }
    }
  }

  private mutating func escape() throws -> String {
    let kind = try reader.next(UInt8.self)
    switch kind {
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"):
      return String(UnicodeScalar(kind))
    case UInt8(ascii: "u"):
      var units = [try unit()]
      if UTF16.isLeadSurrogate(units[0]) {
        guard try reader.next(UInt8.self) == UInt8(ascii: "\\"),
          try reader.next(UInt8.self) == UInt8(ascii: "u")
        else { throw fault("half of a surrogate pair is missing") }
        units.append(try unit())
      }
      if let text = String(validating: units, as: UTF16.self) { return text }
      throw fault("there is an escape that is no character")
    default: throw fault("there is an escape that JSON has not")
    }
  }

  private mutating func unit() throws -> UInt16 {
    guard let digits = reader.file.text(try reader.take(4)), let unit = UInt16(digits, radix: 16),
      digits.allSatisfy(\.isHexDigit)
    else { throw fault("there are no four hexadecimal digits") }
    return unit
  }
}

extension String {
  /// The text as JSON writes it.
  fileprivate var json: String {
    var result = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\0"..<" ": result += String(format: "\\u%04x", scalar.value)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
