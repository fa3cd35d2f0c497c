import Foundation

/// A folder that another process works in, or that cannot be locked because of it.
package enum FolderLockError: Error, Sendable, Equatable {
  /// Another holds the lock; who, if it has said so already.
  case held(by: String?)
  /// The file of the lock cannot be made; the system's code.
  case unusable(Int32)
}

/// A lock on a folder, held while the value lives and no longer than the process: the system lets go
/// of it when a process ends, however that happens.
///
/// It is a lock of a file's whole range that belongs to the open file, not to the process
/// (`F_OFD_SETLK`), so that two in one process exclude each other too. A server of NFS knows such
/// locks, unlike those of `flock` in older versions. The file tells which process on which host holds
/// the lock, and is removed with it; one that a killed process has left is no obstacle.
package final class FolderLock: Sendable {
  /// Why the folder is not locked in truth, where the file system has no locks; nil where it is.
  package let obstacle: String?
  private let path: String
  private let descriptor: Int32
  /// The folders that were made for the lock, the topmost first.
  private let made: [String]

  /// Locks `folder`, which is made if it is not there, by the file `name`.
  ///
  /// - Throws: ``FolderLockError``; nothing in the folder has changed then.
  package init(_ folder: String, name: String) throws {
    let made = Self.missing(folder)
    func undo() { for folder in made.reversed() { _ = folder.withPath { rmdir($0) } } }
    let code = FileSystem.makeFolder(folder)
    guard code == 0 else {
      undo()
      throw FolderLockError.unusable(code)
    }
    path = "\(folder)/\(name)"
    self.made = made
    while true {
      let descriptor = FileSystem.open(path, O_RDWR | O_CREAT, 0o666)
      guard descriptor >= 0 else {
        let code = errno
        undo()
        throw FolderLockError.unusable(code)
      }
      switch Self.lock(descriptor) {
      case 0: break
      case EAGAIN, EACCES:
        defer { close(descriptor) }
        throw FolderLockError.held(by: Self.holder(descriptor))
      case let code:
        // No locks here: better to work without than not at all.
        (self.descriptor, obstacle) = (descriptor, String(cString: strerror(code)))
        return
      }
      // The one before may have removed the file between the two steps.
      var own = stat()
      if fstat(descriptor, &own) == 0, let there = FileSystem.status(path),
        own.st_ino == there.st_ino, own.st_dev == there.st_dev
      {
        (self.descriptor, obstacle) = (descriptor, nil)
        break
      }
      close(descriptor)
    }
    let text = Array("process \(getpid()) on \(Self.host)\n".utf8)
    ftruncate(descriptor, 0)
    _ = pwrite(descriptor, text, text.count, 0)
  }

  deinit {
    FileSystem.remove(path)
    close(descriptor)
    for folder in made.reversed() { _ = folder.withPath { rmdir($0) } }
  }

  /// The folders that are not there, the topmost first.
  private static func missing(_ folder: String) -> [String] {
    guard !folder.isEmpty, !FileSystem.exists(folder) else { return [] }
    return missing(folder.parentFolder) + [folder]
  }

  /// Tries to lock a file; 0, or the system's code.
  private static func lock(_ descriptor: Int32) -> Int32 {
    #if os(Linux)
      var range = flock()
      range.l_type = Int16(F_WRLCK)
      range.l_whence = Int16(SEEK_SET)
      // F_OFD_SETLK, which Glibc shows to GNU sources only.
      return fcntl(descriptor, 37, &range) == 0 ? 0 : errno
    #else
      return flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno
    #endif
  }

  /// What the holder has written.
  private static func holder(_ descriptor: Int32) -> String? {
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = pread(descriptor, &bytes, bytes.count, 0)
    guard count > 0 else { return nil }
    let text = String(decoding: bytes[..<count], as: UTF8.self)
    return text.split(separator: "\n").first.map { String($0).shown }
  }

  private static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    gethostname(&name, name.count - 1)
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}
