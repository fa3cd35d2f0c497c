/// Writes a zip archive of stored files from front to back.
///
/// Elements begin at multiples of 64 bytes, as in the archives that PyTorch writes, so that they can
/// be mapped.
struct ZipWriter {
  private static let alignment = 64
  /// 1980-01-01: archives of the same weights have the same bytes.
  private static let date: UInt32 = 0x0021_0000

  private let path: String
  private var directory: [UInt8] = []
  private var members = 0

  /// A writer of the archive that will be `path`.
  init(_ path: String) { self.path = path }

  /// Appends a file.
  ///
  /// - Throws: ``WriteError``, for an archive beyond 4 GiB too.
  mutating func add(
    _ name: String, _ bytes: UnsafeRawBufferPointer, to file: inout AtomicFile.Appender
  ) throws {
    let start = file.count
    let head = start + 30 + name.utf8.count
    // The padding is an extra field, which has four bytes of its own.
    let padding = (Self.alignment - (head + 4) % Self.alignment) % Self.alignment
    guard let size = UInt32(exactly: bytes.count), let offset = UInt32(exactly: start),
      let nameLength = UInt16(exactly: name.utf8.count), members < 0xffff, size < .max,
      offset < .max
    else {
      throw WriteError(
        path, reason: "it would pass the limits of a zip archive; safetensors has none")
    }
    var common: [UInt8] = []
    // Version 2.0, names in UTF-8, stored.
    for number in [20, 0x800, 0] as [UInt16] { common.append(little: number) }
    for number in [Self.date, CRC32.checksum(bytes), size, size] { common.append(little: number) }
    common.append(little: nameLength)

    var local: [UInt8] = []
    local.append(little: UInt32(0x0403_4b50))
    local += common
    local.append(little: UInt16(padding + 4))
    local += name.utf8
    local += Array("FB".utf8)
    local.append(little: UInt16(padding))
    local += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
    try file.append(local)
    try file.append(bytes)

    directory.append(little: UInt32(0x0201_4b50))
    directory.append(little: UInt16(20))
    directory += common
    directory += [UInt8](repeating: 0, count: 12)
    directory.append(little: offset)
    directory += name.utf8
    members += 1
  }

  /// Appends the directory.
  func finish(_ file: inout AtomicFile.Appender) throws {
    guard let start = UInt32(exactly: file.count), let size = UInt32(exactly: directory.count),
      start < .max, size < .max
    else {
      throw WriteError(
        path, reason: "it would pass the limits of a zip archive; safetensors has none")
    }
    var end: [UInt8] = []
    end.append(little: UInt32(0x0605_4b50))
    for number in [0, 0, UInt16(members), UInt16(members)] { end.append(little: number) }
    end.append(little: size)
    end.append(little: start)
    end.append(little: UInt16(0))
    try file.append(directory + end)
  }
}

/// The checksum of zip archives (ISO 3309, polynomial 0xedb88320), eight bytes at a time.
enum CRC32 {
  private static let tables: [UInt32] = {
    var tables = [UInt32](repeating: 0, count: 8 * 256)
    for index in 0..<256 {
      var value = UInt32(index)
      for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
      tables[index] = value
    }
    for index in 256..<tables.count {
      let before = tables[index - 256]
      tables[index] = before >> 8 ^ tables[Int(before & 0xff)]
    }
    return tables
  }()

  /// The checksum of `bytes`.
  static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    tables.withUnsafeBufferPointer { tables in
      var crc = UInt32.max
      var at = 0
      while at + 8 <= bytes.count {
        let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self))
        let mixed = word ^ UInt64(crc)
        crc = 0
        for byte in 0..<8 {
          crc ^= tables[(7 - byte) << 8 | Int(mixed >> (8 * UInt64(byte)) & 0xff)]
        }
        at += 8
      }
      while at < bytes.count {
        crc = crc >> 8 ^ tables[Int((crc ^ UInt32(bytes[at])) & 0xff)]
        at += 1
      }
      return ~crc
    }
  }
}
