import Foundation

/// Writes files that belong together so that none of them takes its name before all are whole.
package enum FileSet {
  /// Writes files into a new folder beside `path`, from which they take their places in the folder of `path`.
  ///
  /// What stood there before is whole if anything fails. Only a reader that opens one file while the
  /// others take their places may see old and new ones together.
  /// - Parameters:
  ///   - path: The file that the others belong to.
  ///   - body: Writes into the folder of this path, and gives the files' names in the order in which they
  ///     take their places.
  /// - Throws: ``WriteError`` of `path`, and what `body` throws.
  package static func write(_ path: String, _ body: (String) throws -> [String]) throws {
    let number = UInt32.random(in: 0 ... .max)
    let folder = "\(path).\(String(number, radix: 36))\(AtomicFile.suffix)"
    guard folder.withPath({ mkdir($0, 0o755) }) == 0 else { throw WriteError(path) }
    defer { FileSystem.removeAll(folder) }
    let names: [String]
    do { names = try body(folder) } catch let error as WriteError where error.isIn(folder) {
      throw WriteError(path, reason: error.reason)
    }
    let parent = path.parentFolder
    try place(names.map { ("\(folder)/\($0)", parent.isEmpty ? $0 : "\(parent)/\($0)") }, path)
    AtomicFile.synchronize(parent)
  }

  private static func place(_ files: [(new: String, name: String)], _ path: String) throws {
    var undo: [() -> Void] = []
    for (new, name) in files {
      // The last one's place is taken in one step or not at all.
      if name != files.last?.name {
        let old = "\(new).old"
        if FileSystem.exists(name) {
          let isKept = name.withPath { from in old.withPath { link(from, $0) } } == 0
          guard isKept || FileSystem.rename(name, to: old) == 0 else { throw WriteError(path) }
          undo.append { _ = FileSystem.rename(old, to: name) }
        } else {
          undo.append { FileSystem.remove(name) }
        }
      }
      guard FileSystem.rename(new, to: name) == 0 else {
        let code = errno
        for step in undo.reversed() { step() }
        throw WriteError(path, code)
      }
    }
  }
}

extension WriteError {
  fileprivate func isIn(_ folder: String) -> Bool { file.hasPrefix("\(folder)/") }
}
