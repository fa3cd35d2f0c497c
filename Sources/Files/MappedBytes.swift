import Foundation

/// A file's bytes as memory, read from the disk where they are touched, for files that are read once from
/// front to back.
///
/// The file must not be shortened while it is mapped.
package final class MappedBytes {
  /// The bytes; they stay as long as this object.
  package let bytes: UnsafeRawBufferPointer

  /// Maps a file; nil for what is no file of at least `least` bytes, or cannot be read.
  package init?(_ path: String, atLeast least: Int = 1) {
    let descriptor = FileSystem.open(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
      status.st_size >= max(least, 1),
      let base = Self.map(descriptor, Int(status.st_size), PROT_READ)
    else { return nil }
    bytes = UnsafeRawBufferPointer(start: base, count: Int(status.st_size))
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

  /// Gives the memory of a range back; it is read from the disk again when touched.
  package func release(_ range: Range<Int>) {
    guard let base = bytes.baseAddress else { return }
    Self.release(base, range)
  }

  /// Maps `count` bytes of an open file; nil, and `errno`, if that fails.
  package static func map(
    _ descriptor: Int32, _ count: Int, _ protection: Int32
  ) -> UnsafeMutableRawPointer? {
    #if os(Linux)
      let flags = MAP_PRIVATE | Int32(MAP_NORESERVE)
    #else
      let flags = MAP_PRIVATE
    #endif
    let memory = mmap(nil, count, protection, flags, descriptor, 0)
    return memory == MAP_FAILED ? nil : memory
  }

  /// Gives the memory of a part of what ``map(_:_:_:)`` gave back to the system.
  package static func release(_ base: UnsafeRawPointer, _ range: Range<Int>) {
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    guard page > 0, !range.isEmpty else { return }
    let start = range.lowerBound / page * page
    madvise(
      UnsafeMutableRawPointer(mutating: base + start), range.upperBound - start, MADV_DONTNEED)
  }
}
