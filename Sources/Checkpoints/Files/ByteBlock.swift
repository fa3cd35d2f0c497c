import CDeflate
import Foundation
import Synchronization

/// Bytes that elements lie in: those of a file, or what has to be unpacked from it first.
final class ByteBlock: Sendable {
  /// What stands between the file's bytes and the elements.
  enum Packing: Sendable, Equatable {
    /// Nothing: places of elements are those of the file.
    case none
    /// Deflate, with the checksum of what comes out.
    case deflate(checksum: UInt32)
    /// A text of a pickle's, a byte a character.
    case text(PickleText.Coding)
  }

  /// How much deflate is believed to have packed into a byte; zeros alone reach 1032.
  private static let maximumRatio = 64
  /// What may come out of a member in any case.
  private static let slack = 16 << 20

  /// What tells a block from all others, those that are gone included.
  final class Identity: Sendable {}

  let identity = Identity()
  private let file: MappedFile
  private let range: Range<Int>
  private let size: Int
  private let packing: Packing
  private let name: String
  private let memory: UnpackedMemory

  /// All bytes of a file as they are.
  init(_ file: MappedFile) {
    self.file = file
    range = 0..<file.count
    size = file.count
    packing = .none
    name = ""
    memory = UnpackedMemory()
  }

  /// What `range` holds under a packing: `size` bytes.
  ///
  /// - Throws: ``WeightFileError`` for a size that the packed bytes cannot justify.
  init(
    _ file: MappedFile, _ range: Range<Int>, size: Int, _ packing: Packing, name: String,
    _ memory: UnpackedMemory
  ) throws {
    let ratio = if case .deflate = packing { Self.maximumRatio } else { 1 }
    let slack = ratio > 1 ? Self.slack : 0
    guard size >= 0, size <= slack || (size - slack) / ratio <= range.count else {
      throw WeightFileError.malformed(
        file: file.path,
        reason: "'\(name.printable)' would unpack \(range.count) bytes to \(size)")
    }
    self.file = file
    self.range = range
    self.size = size
    self.packing = packing
    self.name = name
    self.memory = memory
  }

  /// The memory in which the elements lie where the entries say.
  ///
  /// What was unpacked last stays unpacked, so that tensors that share a storage cost it once.
  func bytes() throws -> MappedFile {
    guard packing != .none else { return file }
    return try memory.lend(self) {
      defer { file.release(range) }
      return try MappedFile(memory: size, for: file.path) { try unpack(into: $0) }
    }
  }

  private func fault(_ reason: String) -> WeightFileError {
    .malformed(file: file.path, reason: "'\(name.printable)' \(reason)")
  }

  private func unpack(into target: UnsafeMutableRawBufferPointer) throws {
    let packed = file.bytes(range)
    switch packing {
    case .none: break
    case .text(let coding):
      guard PickleText.decode(packed, coding, into: target) == size else {
        throw fault("has not the \(size) bytes that its shape needs")
      }
    case .deflate(let checksum):
      guard let decompressor = libdeflate_alloc_decompressor() else {
        throw WeightFileError.unreadable(file: file.path, reason: "there is no memory to unpack it")
      }
      defer { libdeflate_free_decompressor(decompressor) }
      let result = libdeflate_deflate_decompress(
        decompressor, packed.baseAddress, packed.count, target.baseAddress, size, nil)
      guard result == LIBDEFLATE_SUCCESS else {
        throw fault("in compressed form cannot be unpacked to \(size) bytes")
      }
      let found = libdeflate_crc32(0, target.baseAddress, size)
      guard found == checksum else {
        throw fault(
          "in compressed form has the checksum \(String(found, radix: 16)), not "
            + String(checksum, radix: 16))
      }
    }
  }
}

/// The block that was unpacked last.
final class UnpackedMemory: Sendable {
  private let last = Mutex<(block: ByteBlock.Identity, bytes: MappedFile)?>(nil)

  /// The memory of `block`, made by `unpack` if it is not the last one.
  func lend(_ block: ByteBlock, _ unpack: () throws -> MappedFile) throws -> MappedFile {
    try last.withLock { last in
      if let held = last, held.block === block.identity { return held.bytes }
      // Before the next is made, so that no two are there at once.
      last = nil
      let bytes = try unpack()
      last = (block.identity, bytes)
      return bytes
    }
  }
}

/// Where a run of elements lies.
struct Place {
  /// The block that has them.
  let block: ByteBlock
  /// Their bytes in it.
  let bytes: Range<Int>
}

/// The blocks that a file's entries lie in, each once.
struct BlockTable {
  private(set) var blocks: [ByteBlock] = []
  private var numbers: [ObjectIdentifier: Int] = [:]

  /// The number of a block, by which entries name it.
  mutating func number(of block: ByteBlock) -> Int {
    if let known = numbers[ObjectIdentifier(block)] { return known }
    numbers[ObjectIdentifier(block)] = blocks.count
    blocks.append(block)
    return blocks.count - 1
  }
}
