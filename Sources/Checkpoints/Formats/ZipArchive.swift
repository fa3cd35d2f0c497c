/// The directory of a zip archive: which files it holds and where.
///
/// APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3; archives above 4 GiB included. Files must be
/// stored as they are, which is how PyTorch writes them.
struct ZipArchive {
  /// A file of the archive.
  struct Member {
    fileprivate let header: Int
    fileprivate let size: Int
    fileprivate let packed: Int
    fileprivate let method: UInt16
    fileprivate let flags: UInt16
  }

  /// The most files that an archive may hold.
  private static let maximumMembers = 1 << 18

  private let file: MappedFile
  /// The files by name.
  private(set) var members: [String: Member] = [:]
  /// The name of the first file.
  private(set) var first = ""

  /// Whether a file begins as an archive does.
  static func recognises(_ file: MappedFile) -> Bool {
    file.begins(with: [0x50, 0x4b, 3, 4]) || file.begins(with: [0x50, 0x4b, 5, 6])
  }

  private func fault(_ reason: String) -> WeightFileError {
    .malformed(file: file.path, reason: "its zip directory \(reason)")
  }

  /// Reads the directory.
  init(_ file: MappedFile) throws {
    self.file = file
    let (directory, count) = try findDirectory()
    var reader = ByteReader(file, directory)
    guard count <= Self.maximumMembers else {
      throw fault("has \(count) entries; at most \(Self.maximumMembers) are read")
    }
    for _ in 0..<count {
      let (name, member) = try readMember(&reader)
      guard members.updateValue(member, forKey: name) == nil else {
        throw fault("has '\(name.printable)' twice")
      }
      if first.isEmpty { first = name }
    }
  }

  private func findDirectory() throws -> (bytes: Range<Int>, count: Int) {
    let size = 22
    // The record stands at the end, before a comment of up to 65,535 bytes.
    var at = file.count - size
    let lowest = max(0, at - 65_535)
    while at >= lowest {
      if file.number(at, UInt32.self) == 0x0605_4b50,
        Int(file.number(at + 20, UInt16.self)) == file.count - at - size
      {
        break
      }
      at -= 1
    }
    guard at >= lowest else {
      throw WeightFileError.malformed(
        file: file.path, reason: "its end is missing, where a zip archive has its directory")
    }
    var count = Int(file.number(at + 10, UInt16.self))
    var length = Int(file.number(at + 12, UInt32.self))
    var start = Int(file.number(at + 16, UInt32.self))
    var end = at
    if count == 0xffff || length == 0xffff_ffff || start == 0xffff_ffff,
      at >= 20, file.number(at - 20, UInt32.self) == 0x0706_4b50
    {
      var reader = ByteReader(file, at - 12..<at)
      let record = try reader.nextLength(UInt64.self)
      guard record <= at - 56, file.number(record, UInt32.self) == 0x0606_4b50 else {
        throw fault("has no 64-bit record where it should be")
      }
      reader = ByteReader(file, record + 32..<record + 56)
      count = try reader.nextLength(UInt64.self)
      length = try reader.nextLength(UInt64.self)
      start = try reader.nextLength(UInt64.self)
      end = record
    }
    guard start <= end, length <= end - start else {
      throw fault("should lie in bytes \(start) to \(start &+ length) of \(end)")
    }
    return (start..<start + length, count)
  }

  private func readMember(_ reader: inout ByteReader) throws -> (String, Member) {
    guard try reader.next(UInt32.self) == 0x0201_4b50 else { throw fault("is damaged") }
    _ = try reader.take(4)
    let flags = try reader.next(UInt16.self)
    let method = try reader.next(UInt16.self)
    _ = try reader.take(8)
    var packed = UInt64(try reader.next(UInt32.self))
    var size = UInt64(try reader.next(UInt32.self))
    let nameLength = Int(try reader.next(UInt16.self))
    let extraLength = Int(try reader.next(UInt16.self))
    let commentLength = Int(try reader.next(UInt16.self))
    _ = try reader.take(8)
    var header = UInt64(try reader.next(UInt32.self))
    guard let name = file.text(try reader.take(nameLength)) else {
      throw fault("has a name that is no text")
    }
    var extra = ByteReader(file, try reader.take(extraLength))
    _ = try reader.take(commentLength)
    while extra.end - extra.position >= 4 {
      let kind = try extra.next(UInt16.self)
      var field = ByteReader(file, try extra.take(Int(extra.next(UInt16.self))))
      guard kind == 1 else { continue }
      // What did not fit in 32 bits, in this order.
      if size == 0xffff_ffff { size = try field.next() }
      if packed == 0xffff_ffff { packed = try field.next() }
      if header == 0xffff_ffff { header = try field.next() }
    }
    guard let size = Int(exactly: size), let packed = Int(exactly: packed),
      let header = Int(exactly: header)
    else { throw fault("has a length beyond all files in '\(name.printable)'") }
    return (
      name, Member(header: header, size: size, packed: packed, method: method, flags: flags)
    )
  }

  /// Where the bytes of a file lie, or nil if the archive has none of that name.
  ///
  /// - Throws: ``WeightFileError`` if it is compressed, encrypted or does not lie in the archive.
  func bytes(_ name: String) throws -> Range<Int>? {
    guard let member = members[name] else { return nil }
    guard member.method == 0, member.flags & 1 == 0 else {
      throw WeightFileError.unsupported(
        file: file.path,
        found: member.flags & 1 == 0
          ? "'\(name.printable)' in compressed form (zip method \(member.method))"
          : "'\(name.printable)' in encrypted form")
    }
    guard member.packed == member.size, member.header < file.count else {
      throw fault("has no place for '\(name.printable)'")
    }
    var reader = ByteReader(file, member.header..<file.count)
    guard try reader.next(UInt32.self) == 0x0403_4b50 else {
      throw fault("has a wrong place for '\(name.printable)'")
    }
    _ = try reader.take(22)
    let nameLength = Int(try reader.next(UInt16.self))
    let extraLength = Int(try reader.next(UInt16.self))
    _ = try reader.take(nameLength + extraLength)
    return try reader.take(member.size)
  }
}
