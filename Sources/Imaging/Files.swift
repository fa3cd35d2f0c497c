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
  guard descriptor >= 0 else { throw ImageError.unreadable(file: path, reason: reason(errno)) }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else {
    throw ImageError.unreadable(file: path, reason: reason(errno))
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
  guard failure == 0 else { throw ImageError.unreadable(file: path, reason: reason(failure)) }
  return bytes
}

/// Writes a file so that a reader finds the old content or the new one, never a part.
///
/// The bytes go to a temporary file in the same folder, which takes the name in one step. Whatever
/// fails, the old file stays and nothing else is left.
/// - Throws: ``ImageError/unwritable(file:reason:)``.
public func writeAtomically(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
  let temporary = "\(path).\(getpid()).\(UInt32.random(in: 0 ... .max)).tmp"
  let descriptor = FileSystem.open(temporary, O_WRONLY | O_CREAT | O_EXCL)
  guard descriptor >= 0 else { throw ImageError.unwritable(file: path, reason: reason(errno)) }
  var code: Int32 = 0
  var done = 0
  while done < bytes.count, let base = bytes.baseAddress {
    let written = write(descriptor, base + done, bytes.count - done)
    if written < 0 && errno == EINTR { continue }
    if written <= 0 {
      code = written < 0 ? errno : EIO
      break
    }
    done += written
  }
  if code == 0 && fsync(descriptor) != 0 { code = errno }
  if close(descriptor) != 0 && code == 0 { code = errno }
  if code == 0 && FileSystem.rename(temporary, to: path) != 0 { code = errno }
  guard code == 0 else {
    FileSystem.remove(temporary)
    throw ImageError.unwritable(file: path, reason: reason(code))
  }
}

/// Writes a file so that a reader finds the old content or the new one, never a part.
///
/// - Throws: ``ImageError/unwritable(file:reason:)``.
public func writeAtomically(_ bytes: [UInt8], to path: String) throws {
  try bytes.withUnsafeBytes { try writeAtomically($0, to: path) }
}

private func reason(_ code: Int32) -> String {
  switch code {
  case ENOENT: "there is no such file or folder"
  case EACCES, EPERM: "permission is denied"
  case ENOSPC, EDQUOT: "the disk is full"
  case EISDIR: "it is a folder"
  case ENOTDIR: "a part of the path is no folder"
  case EROFS: "the file system is read-only"
  default: String(cString: strerror(code))
  }
}
