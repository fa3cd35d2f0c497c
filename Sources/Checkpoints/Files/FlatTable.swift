/// A table of a flatbuffer: fields by their numbers, each of which may be absent.
///
/// Offsets only lead on towards the end of the file and are checked where they are followed, so that
/// nothing can be read outside of it or go around in circles.
/// https://flatbuffers.dev/internals
struct FlatTable {
  /// The most elements that a list may have.
  private static let maximumCount = 1 << 18

  private let file: MappedFile
  private let position: Int
  private let fields: Range<Int>

  /// The table that a file begins with.
  init(root file: MappedFile) throws {
    try self.init(file, at: Self.follow(file, 0))
  }

  private init(_ file: MappedFile, at position: Int) throws {
    self.file = file
    self.position = position
    // The list of the fields' places may lie before the table or behind it.
    var reader = ByteReader(file, try Self.range(file, position, 4))
    let start = position - Int(try reader.next(Int32.self))
    reader = ByteReader(file, try Self.range(file, start, 4))
    let size = Int(try reader.next(UInt16.self))
    guard size >= 4 else { throw Self.fault(file, start) }
    fields = try Self.range(file, start, size)
  }

  private static func fault(_ file: MappedFile, _ at: Int) -> WeightFileError {
    .malformed(file: file.path, reason: "byte \(at) is no part of a flatbuffer")
  }

  private static func range(_ file: MappedFile, _ start: Int, _ count: Int) throws -> Range<Int> {
    guard start >= 0, start <= file.count, count <= file.count - start else {
      throw fault(file, start)
    }
    return start..<start + count
  }

  /// Where the offset at `place` leads.
  private static func follow(_ file: MappedFile, _ place: Int) throws -> Int {
    var reader = ByteReader(file, try range(file, place, 4))
    let offset = Int(try reader.next(UInt32.self))
    guard offset > 0 else { throw fault(file, place) }
    return place + offset
  }

  /// Where a field lies, or nil if the table has none.
  private func place(_ field: Int) throws -> Int? {
    let entry = 4 + 2 * field
    guard entry + 2 <= fields.count else { return nil }
    let offset = Int(file.number(fields.lowerBound + entry, UInt16.self))
    return offset == 0 ? nil : position + offset
  }

  /// A number.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ field: Int, _ type: Number.Type
  ) throws -> Number? {
    guard let place = try place(field) else { return nil }
    var reader = ByteReader(file, try Self.range(file, place, MemoryLayout<Number>.size))
    return try reader.next(type)
  }

  /// The bytes of a list whose elements have a size, and how many there are; nil if there is none.
  private func list(_ field: Int, elementSize: Int) throws -> Range<Int>? {
    guard let place = try place(field) else { return nil }
    let start = try Self.follow(file, place)
    var reader = ByteReader(file, try Self.range(file, start, 4))
    let count = Int(try reader.next(UInt32.self))
    return try Self.range(file, start + 4, count * elementSize)
  }

  /// A list of bytes.
  func bytes(_ field: Int) throws -> Range<Int>? { try list(field, elementSize: 1) }

  /// The number of elements of a list of numbers of four bytes.
  func count(_ field: Int) throws -> Int { (try list(field, elementSize: 4)?.count ?? 0) / 4 }

  /// A text.
  func text(_ field: Int) throws -> String? {
    guard let range = try bytes(field) else { return nil }
    guard range.count <= 1 << 16, let text = file.text(range) else {
      throw Self.fault(file, range.lowerBound)
    }
    return text
  }

  /// A list of whole numbers.
  func numbers(_ field: Int) throws -> [Int32] {
    guard let range = try list(field, elementSize: 4) else { return [] }
    guard range.count <= 4 * Self.maximumCount else { throw Self.fault(file, range.lowerBound) }
    return stride(from: range.lowerBound, to: range.upperBound, by: 4)
      .map { file.number($0, Int32.self) }
  }

  /// A table in this one.
  func table(_ field: Int) throws -> FlatTable? {
    try place(field).map { try FlatTable(file, at: Self.follow(file, $0)) }
  }

  /// A list of tables.
  func tables(_ field: Int) throws -> [FlatTable] {
    guard let range = try list(field, elementSize: 4) else { return [] }
    guard range.count <= 4 * Self.maximumCount else { throw Self.fault(file, range.lowerBound) }
    return try stride(from: range.lowerBound, to: range.upperBound, by: 4)
      .map { try FlatTable(file, at: Self.follow(file, $0)) }
  }
}
