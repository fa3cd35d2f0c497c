import CDeflate
import Files
import Foundation

/// Blocks of bytes in a file, each written once and in order, which a process that was stopped goes on with.
///
/// The file begins with what it is about. Every block has its length and check sum before it, so that one
/// that was not written whole is found, whatever stopped the process.
package final class TileSpool {
  /// The file.
  package let path: String
  private let descriptor: Int32
  private var blocks: [(offset: Int, length: Int)] = []
  private var end: Int

  /// The number of blocks.
  package var count: Int { blocks.count }
  /// The bytes of each block.
  package var lengths: [Int] { blocks.map(\.length) }

  private static let magic = Array("ATROUS-SPOOL-1\n".utf8)

  /// Opens a file for the work that `subject` describes.
  ///
  /// - Parameter isResumed: Whether blocks that are there for the same subject stay.
  /// - Throws: ``WriteError``.
  package init(_ path: String, subject: String, isResumed: Bool) throws {
    self.path = path
    descriptor = FileSystem.open(path, O_RDWR | O_CREAT)
    end = 0
    guard descriptor >= 0 else { throw WriteError(path) }
    // Two processes must not write into one file.
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      throw WriteError(path, reason: "another process is writing it")
    }
    let text = Array(subject.utf8)
    let header = Self.magic + Self.word(text.count) + text
    if isResumed, try read(0, header.count) == header {
      end = header.count
      try scan()
    } else {
      guard ftruncate(descriptor, 0) == 0 else { throw WriteError(path) }
      try write(header, at: 0)
      end = header.count
    }
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw WriteError(path) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Appends a block.
  ///
  /// - Throws: ``WriteError``.
  package func append(_ block: [UInt8]) throws {
    try write(Self.word(block.count) + Self.word(Int(Self.sum(block))) + block, at: end)
    blocks.append((end + 8, block.count))
    end += 8 + block.count
  }

  /// Lets go of all blocks but the first `count`.
  ///
  /// - Throws: ``WriteError``.
  package func keep(_ count: Int) throws {
    guard count < blocks.count else { return }
    end = blocks[count].offset - 8
    blocks.removeLast(blocks.count - count)
    guard ftruncate(descriptor, off_t(end)) == 0 else { throw WriteError(path) }
  }

  /// The bytes of a block.
  ///
  /// - Throws: ``WriteError`` if they are no longer there.
  package func block(_ index: Int) throws -> [UInt8] {
    let (offset, length) = blocks[index]
    let bytes = try read(offset, length)
    guard bytes.count == length else {
      throw WriteError(path, reason: "it was cut short meanwhile")
    }
    return bytes
  }

  /// Removes the file.
  package func remove() { FileSystem.remove(path) }

  /// Finds the blocks that are whole.
  private func scan() throws {
    while true {
      let head = try read(end, 8)
      guard head.count == 8 else { return }
      let length = Self.number(head[0..<4]), sum = Self.number(head[4..<8])
      let block = length <= 1 << 28 ? try read(end + 8, length) : []
      guard block.count == length, Int(Self.sum(block)) == sum else { return }
      blocks.append((end + 8, length))
      end += 8 + length
    }
  }

  private func write(_ bytes: [UInt8], at offset: Int) throws {
    try FilePlaces.write(bytes, to: descriptor, at: offset, path)
  }

  /// Bytes from a place on; fewer where the file ends.
  private func read(_ offset: Int, _ count: Int) throws -> [UInt8] {
    try FilePlaces.read(descriptor, offset, count, path)
  }

  private static func sum(_ bytes: [UInt8]) -> UInt32 {
    bytes.withUnsafeBytes { libdeflate_crc32(0, $0.baseAddress, $0.count) }
  }

  private static func word(_ number: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.reversed().reduce(0) { $0 << 8 | Int($1) }
  }
}
