import Files

/// Finds the images that annotations name, which lie somewhere by them.
final class ImageFinder {
  /// The endings of pictures, in lower case.
  static let endings: Set = [
    "png", "jpg", "jpeg", "tif", "tiff", "webp", "ppm", "pgm", "gif", "bmp", "jfif", "jpe",
  ]
  /// The most names that are looked at, and folders within each other.
  private static let (most, deepest) = (500_000, 6)

  private let root: String
  private let folders: [String]
  private var names: [String: [String]]?
  private var known: [String: Set<String>] = [:]

  /// A finder in `folders`, one after the other, and then anywhere below `root`.
  init(below root: String, first folders: [String], _ options: ReadingOptions) {
    self.root = options.images ?? root
    self.folders = (options.images.map { [$0] } ?? []) + folders
  }

  /// The path of an image by the name that annotations give it; where it is not there, where it should be.
  func path(_ name: String) -> String {
    if name.hasPrefix("/"), FileSystem.exists(name) { return name }
    let plain = name.replacing("\\", with: "/")
    let last = plain.lastPart
    for folder in folders {
      for candidate in plain == last ? [last] : [plain, last] where has(folder, candidate) {
        return "\(folder)/\(candidate)"
      }
    }
    let found = all[last] ?? []
    return found.count == 1 ? found[0] : "\(folders.first ?? root)/\(last)"
  }

  /// The image of a name without ending in a folder.
  func path(stem: String, in folder: String) -> String? {
    let names = listed(folder)
    return Self.endings.lazy.flatMap { [$0, $0.uppercased()] }.map { "\(stem).\($0)" }
      .filter(names.contains).min().map { "\(folder)/\($0)" }
  }

  private func listed(_ folder: String) -> Set<String> {
    if let names = known[folder] { return names }
    let names = Set(FileSystem.names(in: folder) ?? [])
    known[folder] = names
    return names
  }

  private func has(_ folder: String, _ name: String) -> Bool {
    name.contains("/") ? FileSystem.exists("\(folder)/\(name)") : listed(folder).contains(name)
  }

  /// The pictures below the root by name.
  private var all: [String: [String]] {
    if let names { return names }
    var found: [String: [String]] = [:]
    for path in Self.pictures(below: root) { found[path.lastPart, default: []].append(path) }
    names = found
    return found
  }

  /// The files of a folder and of those below it, sorted.
  static func files(below root: String, where isWanted: (String) -> Bool) -> [String] {
    var (found, seen): ([String], Int) = ([], 0)
    func visit(_ folder: String, _ depth: Int) {
      for name in FileSystem.names(in: folder) ?? [] where !name.hasPrefix(".") {
        seen += 1
        guard seen <= most else { return }
        let path = folder == "." ? name : "\(folder)/\(name)"
        // A name with an ending is seldom a folder, and asking takes time.
        if isWanted(name) {
          found.append(path)
        } else if depth < deepest, FileSystem.isFolder(path) {
          visit(path, depth + 1)
        }
      }
    }
    visit(root, 0)
    return found
  }

  /// The pictures of a folder and of those below it, sorted.
  static func pictures(below root: String) -> [String] {
    files(below: root) { endings.contains($0.fileSuffix) }
  }

  /// The pictures of one folder, sorted.
  static func pictures(in folder: String) -> [String] {
    (FileSystem.names(in: folder) ?? []).filter {
      endings.contains($0.fileSuffix) && !$0.hasPrefix(".")
    }
  }
}

/// The part of a data set that a path speaks of; empty for none.
func part(of path: String) -> String {
  let words = [
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val",
    "test": "test", "testing": "test",
  ]
  let steps = path.lowercased().split { !$0.isLetter }
  return steps.reversed().lazy.compactMap { words[String($0)] }.first ?? ""
}
