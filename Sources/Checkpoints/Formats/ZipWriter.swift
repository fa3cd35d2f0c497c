import CDeflate
import Files

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
    for number in [Self.date, libdeflate_crc32(0, bytes.baseAddress, bytes.count), size, size] {
      common.append(little: number)
    }
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
