import Foundation

/// A file that could not be written; what stood there before is whole.
public struct WriteError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The file.
  public let file: String
  /// Why, in the system's words where it was the system that refused.
  public let reason: String

  /// The message for a person.
  public var description: String { "\(file): cannot be written: \(reason)" }

  /// The failure to write `file` for `reason`.
  public init(_ file: String, reason: String) {
    self.file = file
    self.reason = reason
  }

  /// The failure to write `file` with the system's error number.
  package init(_ file: String, _ code: Int32 = errno) {
    self.init(file, reason: FileSystem.reason(code))
  }
}

/// Writes files so that a reader sees the old one or the new one and nothing between, whatever
/// happens on the way: into a neighbour first, which takes the name when it is safe on the disk.
package enum AtomicFile {
  /// What the neighbour's name ends in.
  package static let suffix = ".part"

  /// Writes what `body` appends.
  ///
  /// - Throws: ``WriteError``; the neighbour is removed then.
  package static func write(_ path: String, _ body: (inout Appender) throws -> Void) throws {
    let number = UInt32.random(in: 0 ... .max)
    let neighbour = "\(path).\(String(number, radix: 36))\(suffix)"
    let descriptor = FileSystem.open(neighbour, O_WRONLY | O_CREAT | O_EXCL)
    guard descriptor >= 0 else { throw WriteError(path) }
    do {
      do {
        defer { close(descriptor) }
        var appender = Appender(path: path, descriptor: descriptor)
        try body(&appender)
        guard fsync(descriptor) == 0 else { throw WriteError(path) }
      }
      guard FileSystem.rename(neighbour, to: path) == 0 else { throw WriteError(path) }
    } catch {
      FileSystem.remove(neighbour)
      throw error
    }
    synchronize(path.parentFolder)
  }

  /// Makes a folder's names safe; not every file system lets a folder be synchronised.
  package static func synchronize(_ folder: String) {
    let folder = FileSystem.open(folder.isEmpty ? "." : folder, O_RDONLY)
    if folder >= 0 {
      fsync(folder)
      close(folder)
    }
  }

  /// Writes bytes.
  ///
  /// - Throws: ``WriteError``.
  package static func write(_ path: String, _ bytes: some ContiguousBytes) throws {
    try write(path) { file in try bytes.withUnsafeBytes { try file.append($0) } }
  }

  /// Appends bytes to the neighbour.
  package struct Appender {
    fileprivate let path: String
    fileprivate let descriptor: Int32
    /// The number of bytes written so far.
    package private(set) var count = 0

    fileprivate init(path: String, descriptor: Int32) {
      self.path = path
      self.descriptor = descriptor
    }

    /// Appends `bytes`.
    package mutating func append(_ bytes: UnsafeRawBufferPointer) throws {
      var rest = bytes
      while !rest.isEmpty {
        let written = Foundation.write(descriptor, rest.baseAddress, min(rest.count, 1 << 30))
        if written < 0 && errno == EINTR { continue }
        guard written > 0 else { throw WriteError(path, written == 0 ? ENOSPC : errno) }
        rest = UnsafeRawBufferPointer(rebasing: rest[written...])
        count += written
      }
    }

    /// Appends `bytes`.
    package mutating func append(_ bytes: [UInt8]) throws {
      try bytes.withUnsafeBytes { try append($0) }
    }
  }
}
