// By bytes, not characters: a slash or a point may be followed by a mark that joins it. Foundation's
// functions of these names also end the process for paths of one letter.

extension String {
  /// The path without slashes at its end, but for the root's.
  private var withoutLastSlashes: Substring {
    var end = utf8.endIndex
    while end > utf8.startIndex, utf8[utf8.index(before: end)] == UInt8(ascii: "/") {
      end = utf8.index(before: end)
    }
    return self[..<end]
  }

  /// The last name of a path.
  package var fileName: String {
    let path = withoutLastSlashes
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/"))
    return String(slash.map { path[path.utf8.index(after: $0)...] } ?? path)
  }

  /// The folder that holds what the path leads to: empty for the working directory, as for a name
  /// alone.
  package var parentFolder: String {
    let path = withoutLastSlashes
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
    let parent = String(path[..<slash]).withoutLastSlashes
    return parent.isEmpty ? "/" : String(parent)
  }

  /// The last name's ending after the last point, in lower case; empty if there is none.
  package var fileSuffix: String {
    let name = fileName
    guard let point = name.pointOfSuffix else { return "" }
    return name[name.utf8.index(after: point)...].lowercased()
  }

  /// The last name without its ending.
  package var fileStem: String {
    let name = fileName
    return String(name.pointOfSuffix.map { name[..<$0] } ?? name[...])
  }

  /// Where a name's ending begins; a point at the beginning is that of a hidden file.
  private var pointOfSuffix: String.Index? {
    guard let point = utf8.lastIndex(of: UInt8(ascii: ".")), point > utf8.startIndex,
      utf8.index(after: point) < utf8.endIndex
    else { return nil }
    return point
  }
}
