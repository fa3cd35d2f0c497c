import Foundation

/// Bytes at places of a file that is open.
package enum FilePlaces {
  /// Writes bytes from a place on.
  ///
  /// - Parameter path: What messages call the file.
  /// - Throws: ``WriteError``.
  package static func write(
    _ bytes: [UInt8], to descriptor: Int32, at offset: Int, _ path: String
  ) throws {
    var done = 0
    while done < bytes.count {
      let written = bytes.withUnsafeBytes {
        pwrite(
          descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done, off_t(offset + done))
      }
      if written < 0 && errno == EINTR { continue }
      guard written > 0 else { throw WriteError(path, written == 0 ? ENOSPC : errno) }
      done += written
    }
  }

  /// Bytes from a place on; fewer where the file ends.
  ///
  /// - Parameter path: What messages call the file.
  /// - Throws: ``WriteError``.
  package static func read(
    _ descriptor: Int32, _ offset: Int, _ count: Int, _ path: String
  ) throws -> [UInt8] {
    var failure: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
      length = 0
      while length < count, let base = buffer.baseAddress {
        let got = pread(descriptor, base + length, count - length, off_t(offset + length))
        if got < 0 && errno == EINTR { continue }
        if got < 0 { failure = errno }
        guard got > 0 else { break }
        length += got
      }
    }
    guard failure == 0 else { throw WriteError(path, failure) }
    return bytes
  }
}
