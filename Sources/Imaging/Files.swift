import Files
import Foundation

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// The most bytes that an image file may have: 4 GiB.
private let largestFile = 1 << 32

/// The bytes of a file, or its first `limit` ones.
///
/// - Throws: ``ImageError/unreadable(file:reason:)`` if it is absent, a folder or not permitted.
func readFile(_ path: String, upTo limit: Int = largestFile) throws -> [UInt8] {
  let descriptor = FileSystem.open(path, O_RDONLY)
  guard descriptor >= 0 else {
    throw ImageError.unreadable(file: path, reason: FileSystem.reason(errno))
  }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else {
    throw ImageError.unreadable(file: path, reason: FileSystem.reason(errno))
  }
  guard status.st_mode & S_IFMT != S_IFDIR else {
    throw ImageError.unreadable(file: path, reason: "it is a folder")
  }
  let length = max(0, Int(status.st_size))
  guard length <= largestFile else {
    throw ImageError.unreadable(
      file: path, reason: "it has \(length) bytes, more than an image may have (\(largestFile))")
  }
  let expected = min(length, limit)
  var failure: Int32 = 0
  let bytes = [UInt8](unsafeUninitializedCapacity: expected) { buffer, count in
    count = 0
    while count < expected, let base = buffer.baseAddress {
      let got = read(descriptor, base + count, expected - count)
      if got < 0 && errno == EINTR { continue }
      if got < 0 { failure = errno }
      if got <= 0 { break }
      count += got
    }
  }
  guard failure == 0 else {
    throw ImageError.unreadable(file: path, reason: FileSystem.reason(failure))
  }
  return bytes
}

/// Writes a picture's bytes; a reader finds the old file or the new one, never a part.
///
/// - Throws: ``ImageError/unwritable(file:reason:)``.
package func writePicture(_ bytes: [UInt8], to path: String) throws {
  do {
    try AtomicFile.write(path, bytes)
  } catch let error as WriteError {
    throw ImageError.unwritable(file: path, reason: error.reason)
  }
}
