/// The directory of a zip archive: which files it holds and where.
///
/// APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3; archives above 4 GiB included. Files are stored as
/// they are, which is how PyTorch writes them, or deflated, as other programs pack them again.
struct ZipArchive {
  /// A file of the archive.
  struct Member {
    fileprivate let header: Int
    fileprivate let size: Int
    fileprivate let packed: Int
    fileprivate let method: UInt16
    fileprivate let flags: UInt16
    fileprivate let checksum: UInt32
  }

  /// The methods of zip archives.
  private enum Method {
    static let stored: UInt16 = 0
    static let deflated: UInt16 = 8
  }

  /// The most files that an archive may hold.
  private static let maximumMembers = 1 << 18

  let file: MappedFile
  /// The part of the file that the archive is.
  private let window: Range<Int>
  private let whole: ByteBlock
  private let memory = UnpackedMemory()
  /// The files by name.
  private(set) var members: [String: Member] = [:]
  /// The names of the files in the directory's order.
  private(set) var names: [String] = []

  /// Whether a file begins as an archive does.
  static func recognises(_ file: MappedFile) -> Bool {
    file.begins(with: [0x50, 0x4b, 3, 4]) || file.begins(with: [0x50, 0x4b, 5, 6])
  }

  private func fault(_ reason: String) -> WeightFileError {
    .malformed(file: file.path, reason: "its zip directory \(reason)")
  }

  /// Reads the directory of the archive that the file is, or that `window` of it is.
  init(_ file: MappedFile, _ window: Range<Int>? = nil) throws {
    self.file = file
    self.window = window ?? 0..<file.count
    whole = ByteBlock(file)
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
      names.append(name)
    }
  }

  /// What the archive can hold: its own bytes, and what is packed in them.
  var capacity: Int {
    members.values.reduce(file.count) { sum, member in
      let unpacked = min(member.size, 64 * min(member.packed, file.count))
      return unpacked > member.packed ? sum &+ (unpacked - member.packed) : sum
    }
  }

  /// The folder of the file `name` that lies least deep, with a slash at its end; nil if there is none.
  func folder(of name: String) -> String? {
    names.filter { $0 == name || $0.hasSuffix("/" + name) }.min { $0.utf8.count < $1.utf8.count }
      .map { String($0.dropLast(name.count)) }
  }

  private func findDirectory() throws -> (bytes: Range<Int>, count: Int) {
    let size = 22
    // The record stands at the end, before a comment of up to 65,535 bytes.
    var at = window.upperBound - size
    let lowest = max(window.lowerBound, at - 65_535)
    while at >= lowest {
      if file.number(at, UInt32.self) == 0x0605_4b50,
        Int(file.number(at + 20, UInt16.self)) == window.upperBound - at - size
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
      at - window.lowerBound >= 20, file.number(at - 20, UInt32.self) == 0x0706_4b50
    {
      var reader = ByteReader(file, at - 12..<at)
      let place = try reader.nextLength(UInt64.self)
      guard place <= at - window.lowerBound - 56 else {
        throw fault("has no 64-bit record where it should be")
      }
      let record = window.lowerBound + place
      guard file.number(record, UInt32.self) == 0x0606_4b50 else {
        throw fault("has no 64-bit record where it should be")
      }
      reader = ByteReader(file, record + 32..<record + 56)
      count = try reader.nextLength(UInt64.self)
      length = try reader.nextLength(UInt64.self)
      start = try reader.nextLength(UInt64.self)
      end = record
    }
    let space = end - window.lowerBound
    guard start <= space, length <= space - start else {
      throw fault("should lie in bytes \(start) to \(start &+ length) of \(space)")
    }
    start += window.lowerBound
    return (start..<start + length, count)
  }

  private func readMember(_ reader: inout ByteReader) throws -> (String, Member) {
    guard try reader.next(UInt32.self) == 0x0201_4b50 else { throw fault("is damaged") }
    _ = try reader.take(4)
    let flags = try reader.next(UInt16.self)
    let method = try reader.next(UInt16.self)
    _ = try reader.take(4)
    let checksum = try reader.next(UInt32.self)
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
      name,
      Member(
        header: header, size: size, packed: packed, method: method, flags: flags,
        checksum: checksum)
    )
  }

  /// Where the bytes of a file lie, or nil if the archive has none of that name.
  ///
  /// - Throws: ``WeightFileError`` if it is encrypted, packed in a way that is not known here, or does
  ///   not lie in the archive.
  func place(_ name: String) throws -> Place? {
    guard let member = members[name] else { return nil }
    guard member.flags & 1 == 0 else {
      throw WeightFileError.unsupported(
        file: file.path, found: "'\(name.printable)' in encrypted form")
    }
    guard [Method.stored, Method.deflated].contains(member.method) else {
      throw WeightFileError.unsupported(
        file: file.path,
        found: "'\(name.printable)' in compressed form by another method than deflate (zip method "
          + "\(member.method))")
    }
    guard member.method == Method.deflated || member.packed == member.size,
      member.header < window.count
    else { throw fault("has no place for '\(name.printable)'") }
    var reader = ByteReader(file, window.lowerBound + member.header..<window.upperBound)
    guard try reader.next(UInt32.self) == 0x0403_4b50 else {
      throw fault("has a wrong place for '\(name.printable)'")
    }
    _ = try reader.take(22)
    let nameLength = Int(try reader.next(UInt16.self))
    let extraLength = Int(try reader.next(UInt16.self))
    _ = try reader.take(nameLength + extraLength)
    let bytes = try reader.take(member.packed)
    guard member.method == Method.deflated else { return Place(block: whole, bytes: bytes) }
    let block = try ByteBlock(
      file, bytes, size: member.size, .deflate(checksum: member.checksum), name: name, memory)
    return Place(block: block, bytes: 0..<member.size)
  }

  /// The bytes of a file, unpacked if need be, or nil if the archive has none of that name.
  ///
  /// - Throws: As ``place(_:)``.
  func contents(_ name: String) throws -> (file: MappedFile, range: Range<Int>)? {
    guard let place = try place(name) else { return nil }
    return (try place.block.bytes(), place.bytes)
  }

  /// The text of a file of at most `limit` bytes, or nil if the archive has none of that name.
  ///
  /// - Throws: As ``place(_:)``; ``WeightFileError`` if it is longer or no text.
  func text(_ name: String, atMost limit: Int = 1 << 16) throws -> String? {
    guard let (file, range) = try contents(name) else { return nil }
    guard range.count <= limit, let text = file.text(range) else {
      throw fault("has '\(name.printable)', which is no text of at most \(limit) bytes")
    }
    return text
  }
}
