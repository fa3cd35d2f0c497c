import Foundation

/// Files and folders by paths that may hold any bytes; see `String.init(pathBytes:)`.
package enum FileSystem {
  /// What the system says of a path, links followed; nil if nothing is there.
  package static func status(_ path: String) -> stat? {
    var status = stat()
    return path.withPath { stat($0, &status) } == 0 ? status : nil
  }

  /// What tells a file apart from one that was written later: its size and the time of its last change.
  package static func stamp(_ path: String) -> String {
    guard let found = status(path) else { return "none" }
    #if canImport(Darwin)
      let time = found.st_mtimespec
    #else
      let time = found.st_mtim
    #endif
    return "\(found.st_size) \(time.tv_sec) \(time.tv_nsec)"
  }

  /// Whether something is there.
  package static func exists(_ path: String) -> Bool { status(path) != nil }

  /// Whether a path leads to a folder.
  package static func isFolder(_ path: String) -> Bool {
    status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
  }

  /// Whether a path is a link itself.
  package static func isLink(_ path: String) -> Bool {
    var status = stat()
    return path.withPath { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFLNK
  }

  /// A file's descriptor, closed where another program begins; -1 and `errno` if there is none.
  package static func open(_ path: String, _ flags: Int32, _ mode: mode_t = 0o644) -> Int32 {
    path.withPath { Foundation.open($0, flags | O_CLOEXEC, mode) }
  }

  /// Removes a file; 0, or -1 and `errno`.
  @discardableResult
  package static func remove(_ path: String) -> Int32 { path.withPath { unlink($0) } }

  /// Gives a file another name, in place of what has it; 0, or -1 and `errno`.
  package static func rename(_ path: String, to other: String) -> Int32 {
    path.withPath { from in other.withPath { Foundation.rename(from, $0) } }
  }

  /// Gives a file a second name; 0, or -1 and `errno`.
  package static func link(_ path: String, to other: String) -> Int32 {
    path.withPath { from in other.withPath { Foundation.link(from, $0) } }
  }

  /// The names in a folder, sorted; nil if it cannot be read.
  package static func names(in folder: String) -> [String]? {
    guard let stream = (folder.isEmpty ? "." : folder).withPath({ opendir($0) }) else { return nil }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let bytes = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if bytes != [46], bytes != [46, 46] { names.append(String(pathBytes: bytes)) }
    }
    return names.sorted()
  }

  /// A file's bytes; nil if it cannot be read.
  package static func contents(_ path: String) -> Data? {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    return try? FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).readToEnd() ?? Data()
  }

  /// The first bytes of a file, at most `count`; none if it cannot be read.
  package static func beginning(_ path: String, _ count: Int) -> [UInt8] {
    // A pipe would be waited for.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, length in
      length = max(0, read(descriptor, buffer.baseAddress, count))
    }
  }

  /// A file's text; nil if it cannot be read or is not UTF-8.
  package static func text(_ path: String) -> String? {
    contents(path).flatMap { String(validating: $0, as: UTF8.self) }
  }

  /// Makes a folder with those above it; 0, or the system's code of why it cannot be.
  ///
  /// Foundation's function does not tell the reason on every platform.
  package static func makeFolder(_ path: String) -> Int32 {
    guard path.withPath({ mkdir($0, 0o777) }) != 0 else { return 0 }
    let code = errno
    if isFolder(path) { return 0 }
    if code == EEXIST { return ENOTDIR }
    let parent = path.parentFolder
    guard code == ENOENT, !parent.isEmpty, parent != path else { return code }
    let above = makeFolder(parent)
    guard above == 0 else { return above }
    return path.withPath { mkdir($0, 0o777) } == 0 || errno == EEXIST ? 0 : errno
  }

  /// Removes a file, or a folder with all that is in it; false if something stays.
  @discardableResult
  package static func removeAll(_ path: String) -> Bool {
    var status = stat()
    guard path.withPath({ lstat($0, &status) }) == 0 else { return errno == ENOENT }
    guard status.st_mode & S_IFMT == S_IFDIR else { return remove(path) == 0 }
    for name in names(in: path) ?? [] { removeAll("\(path)/\(name)") }
    return path.withPath { rmdir($0) } == 0
  }

  /// Makes a folder for results if need be, and sees that files can be written there.
  ///
  /// - Throws: ``FolderError``.
  package static func makeOutputFolder(_ path: String) throws {
    let code = makeFolder(path)
    guard code == 0 else { throw FolderError(path, reason: reason(code)) }
    let file = "\(path)/.writable"
    do {
      try AtomicFile.write(file, Data())
      remove(file)
    } catch let error as WriteError {
      throw FolderError(path, reason: error.reason)
    }
  }

  /// Makes the folder of a result's file if need be, and sees that files can be written there: before work
  /// whose result could not be kept.
  ///
  /// - Throws: ``FolderError``.
  package static func makeOutputFolder(of file: String) throws {
    let folder = file.parentFolder
    try makeOutputFolder(folder.isEmpty ? "." : folder)
  }

  /// What the system's number of an error means, for a person.
  package static func reason(_ code: Int32) -> String {
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
}

/// A folder that cannot be made, or that nothing can be written to.
public struct FolderError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The folder.
  public let folder: String
  /// Why, in the system's words.
  public let reason: String

  /// The message for a person.
  public var description: String { "\(folder): cannot be written to: \(reason)" }

  /// The failure to write into `folder` for `reason`.
  package init(_ folder: String, reason: String) {
    self.folder = folder
    self.reason = reason
  }
}
