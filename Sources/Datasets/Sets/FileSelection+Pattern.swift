import Foundation

extension FileSelection {
  /// Takes a folder with a `*` in its last part apart, unless there is a folder of that name.
  mutating func applyPattern() {
    guard folder.contains("*"), !isFolder(folder) else { return }
    let parts = folder.split(separator: "/", omittingEmptySubsequences: false)
    let above = parts.dropLast().joined(separator: "/")
    // Any ending, or several of them, is the same as none.
    var pattern = parts.last.map(String.init) ?? ""
    if pattern.hasSuffix(".*") { pattern.removeLast(2) }
    let sides = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard sides.count == 2, !above.contains("*") else { return }
    var ending = sides[1]
    if ending.lowercased().hasSuffix(".gz") { ending = ending.dropLast(3) }
    if let dot = ending.lastIndex(of: ".") {
      extensions = [ending[ending.index(after: dot)...].lowercased()]
      ending = ending[..<dot]
    }
    // An absolute pattern such as /*.png lies in the root.
    folder = above.isEmpty && parts.count > 1 ? "/" : above
    prefix = String(sides[0])
    suffix += ending
  }

  /// Refuses patterns that are none.
  ///
  /// - Throws: `DatasetError.invalidSetting`.
  func checkPattern() throws {
    guard folder.contains("*"), !isFolder(folder) else { return }
    throw DatasetError.invalidSetting(
      name: "the selection of files", value: "'\(folder)'",
      expected: "a folder, or one * in the file's name such as labels/*_mask.png")
  }

  /// What the selection looks for, in words.
  var expected: String {
    let start = prefix.map { "\($0)*" } ?? "files ending in "
    let each = prefix == nil ? suffix : "\(start)\(suffix)"
    let files = extensions.map { "\(each).\($0)" }.joined(separator: ", ")
    return prefix == nil && suffix.isEmpty
      ? "files ending in .\(extensions.joined(separator: ", ."))"
      : prefix == nil ? start + files : "files named \(files)"
  }

  /// Makes the names of two selections meet: what stands before a `*` belongs to the names unless the
  /// patterns differ in it, as those of `photo_*.jpg` and `mask_*.png` do.
  package static func match(
    _ first: inout [String: String], _ one: FileSelection, _ second: inout [String: String],
    _ other: FileSelection
  ) {
    guard let a = one.prefix, let b = other.prefix, a != b else { return }
    func stripped(_ files: [String: String], _ prefix: String) -> [String: String] {
      Dictionary(
        uniqueKeysWithValues: files.map { (String($0.key.dropFirst(prefix.count)), $0.value) })
    }
    first = stripped(first, a)
    second = stripped(second, b)
  }
}
