import Foundation

/// A file that could not be written; what stood there before is whole.
public struct WriteError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file.
  public let file: String
  /// The system's reason.
  public let reason: String

  /// The message for a person.
  public var description: String { "\(file): cannot be written: \(reason)" }

  init(_ file: String, _ code: Int32 = errno) {
    self.file = file
    reason = String(cString: strerror(code))
  }
}

/// Writes files so that a reader sees the old one or the new one and nothing between, whatever
/// happens on the way: into a neighbour first, which takes the name when it is safe on the disk.
enum AtomicFile {
  /// What the neighbour's name ends in.
  static let suffix = ".part"

  /// Writes what `body` appends.
  ///
  /// - Throws: ``WriteError``; the neighbour is removed then.
  static func write(_ path: String, _ body: (Appender) throws -> Void) throws {
    let neighbour = "\(path).\(ProcessInfo.processInfo.processIdentifier)\(suffix)"
    let descriptor = open(neighbour, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw WriteError(path) }
    do {
      do {
        defer { close(descriptor) }
        let appender = Appender(path: path, descriptor: descriptor)
        try body(appender)
        guard fsync(descriptor) == 0 else { throw WriteError(path) }
      }
      guard rename(neighbour, path) == 0 else { throw WriteError(path) }
    } catch {
      unlink(neighbour)
      throw error
    }
    // The name is safe once the folder is; not every file system lets a folder be synchronised.
    let folder = open((path as NSString).deletingLastPathComponent.orDot, O_RDONLY | O_CLOEXEC)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// Writes `data`.
  ///
  /// - Throws: ``WriteError``.
  static func write(_ path: String, _ data: Data) throws {
    try write(path) { file in try data.withUnsafeBytes { try file.append($0) } }
  }

  /// Appends bytes to the neighbour.
  struct Appender {
    fileprivate let path: String
    fileprivate let descriptor: Int32

    func append(_ bytes: UnsafeRawBufferPointer) throws {
      var rest = bytes[...]
      while !rest.isEmpty {
        let count = Foundation.write(
          descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, min(rest.count, 1 << 30))
        if count < 0 && errno == EINTR { continue }
        guard count > 0 else { throw WriteError(path, count == 0 ? ENOSPC : errno) }
        rest = rest.dropFirst(count)
      }
    }
  }
}

extension String {
  fileprivate var orDot: String { isEmpty ? "." : self }
}
