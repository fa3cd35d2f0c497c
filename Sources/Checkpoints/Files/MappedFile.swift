import Files
import Foundation
import Synchronization

/// The flag of mappings without a file.
#if os(Linux)
  private let anonymous = Int32(MAP_ANONYMOUS)
#else
  private let anonymous = MAP_ANON
#endif

/// A file's bytes as memory, read from the disk where they are touched.
///
/// The file must not be shortened while it is mapped; files written here are replaced, never
/// shortened.
final class MappedFile: Sendable {
  let path: String
  let count: Int
  private nonisolated(unsafe) let base: UnsafeMutableRawPointer
  private let descriptor: Int32
  /// A second mapping that tensors may write to without changing the file, made when first lent.
  private let writable = Mutex<UInt>(0)

  /// Maps the file at `path`.
  init(_ path: String) throws {
    self.path = path
    let descriptor = FileSystem.open(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else { throw Self.failure(path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      defer { close(descriptor) }
      throw Self.failure(path)
    }
    let kind = status.st_mode & S_IFMT
    count = Int(status.st_size)
    guard kind == S_IFREG, count > 0 else {
      close(descriptor)
      throw WeightFileError.notCheckpoint(
        file: path,
        found: kind == S_IFDIR ? "a folder" : kind == S_IFREG ? "an empty file" : "not a file")
    }
    guard let base = MappedBytes.map(descriptor, count, PROT_READ) else {
      defer { close(descriptor) }
      throw Self.failure(path)
    }
    self.descriptor = descriptor
    self.base = base
  }

  /// Memory of `count` bytes that `fill` writes, in the place of a part of the file at `path`.
  init(
    memory count: Int, for path: String,
    _ fill: (UnsafeMutableRawBufferPointer) throws -> Void
  ) throws {
    // An empty mapping is none.
    let length = max(count, 1)
    let memory = mmap(nil, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | anonymous, -1, 0)
    guard let memory, memory != MAP_FAILED else { throw Self.failure(path) }
    do {
      try fill(UnsafeMutableRawBufferPointer(start: memory, count: count))
    } catch {
      munmap(memory, length)
      throw error
    }
    self.path = path
    self.count = count
    base = memory
    descriptor = -1
  }

  /// Whether this is memory rather than a file's pages.
  var isMemory: Bool { descriptor < 0 }

  deinit {
    munmap(base, max(count, 1))
    writable.withLock {
      if let lent = UnsafeMutableRawPointer(bitPattern: $0) { munmap(lent, count) }
    }
    if !isMemory { close(descriptor) }
  }

  private static func failure(_ path: String) -> WeightFileError {
    .unreadable(file: path, reason: String(cString: strerror(errno)))
  }

  /// All bytes; they stay as long as this object.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// The bytes of `range`, which must lie in the file; they stay as long as this object.
  func bytes(_ range: Range<Int>) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: bytes[range])
  }

  /// The byte at `offset` for reading.
  func pointer(at offset: Int) -> UnsafeMutableRawPointer { base + offset }

  /// The byte at `offset` of a private copy of the file that shares its pages until written to.
  func writablePointer(at offset: Int) throws -> UnsafeMutableRawPointer {
    let address = writable.withLock { address in
      if address == 0 {
        address = UInt(
          bitPattern: MappedBytes.map(descriptor, count, PROT_READ | PROT_WRITE))
      }
      return address
    }
    guard let lent = UnsafeMutableRawPointer(bitPattern: address) else {
      throw Self.failure(path)
    }
    return lent + offset
  }

  /// Gives the memory of `range` back; it is read from the disk again when touched.
  func release(_ range: Range<Int>) {
    if !isMemory { MappedBytes.release(base, range) }
  }
}

/// Reads a part of a file from front to back and never beyond its end.
struct ByteReader {
  let file: MappedFile
  let end: Int
  var position: Int

  /// A reader of `range`, which must lie in the file.
  init(_ file: MappedFile, _ range: Range<Int>) {
    self.file = file
    position = range.lowerBound
    end = range.upperBound
  }

  var isAtEnd: Bool { position >= end }

  /// Passes over `count` bytes and returns where they lie.
  mutating func take(_ count: Int) throws -> Range<Int> {
    guard count >= 0, count <= end - position else {
      let (needed, overflow) = position.addingReportingOverflow(max(count, 0))
      throw overflow || count < 0
        ? WeightFileError.malformed(file: file.path, reason: "a length of \(count) bytes")
        : WeightFileError.truncated(file: file.path, expected: needed, found: end)
    }
    defer { position += count }
    return position..<position + count
  }

  /// The next little-endian number.
  mutating func next<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type = Number.self
  ) throws -> Number {
    let range = try take(MemoryLayout<Number>.size)
    return Number(
      littleEndian: file.bytes.loadUnaligned(fromByteOffset: range.lowerBound, as: type))
  }

  /// A little-endian number that counts something in memory.
  mutating func nextLength<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type
  ) throws -> Int {
    let number = try next(type)
    guard let length = Int(exactly: number), length >= 0 else {
      throw WeightFileError.malformed(file: file.path, reason: "a length of \(number)")
    }
    return length
  }
}

extension MappedFile {
  /// The text of `range`, or `nil` if it is not UTF-8.
  func text(_ range: Range<Int>) -> String? { String(validating: bytes(range), as: UTF8.self) }
}

extension MappedFile {
  /// Whether the bytes at `offset` are `bytes`.
  func begins(with expected: [UInt8], at offset: Int = 0) -> Bool {
    offset + expected.count <= count
      && bytes(offset..<offset + expected.count).elementsEqual(expected)
  }

  /// The little-endian number at `offset`, or 0 where the file has none.
  func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ offset: Int, _ type: Number.Type
  ) -> Number {
    guard offset >= 0, offset <= count - MemoryLayout<Number>.size else { return 0 }
    return Number(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: type))
  }
}
