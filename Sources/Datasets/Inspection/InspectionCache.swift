import Files
import Foundation
import Imaging

/// What was found in files, kept on the disk: a file that has not changed since is not read again.
struct InspectionCache: Codable, Sendable {
  /// What was found in a file, when it had this date and this size.
  struct Entry<Facts: Codable & Sendable>: Codable, Sendable {
    var modified: Double
    var bytes: Int
    var facts: Facts
  }

  /// The form of the file; one of another form counts as none.
  private var version = Self.current
  var images: [String: Entry<ImageFacts>] = [:]
  var labels: [String: Entry<LabelFacts>] = [:]

  private static let current = 1

  init() {}

  /// The cache in a file, or an empty one if there is none that can be read.
  init(contentsOf path: String?) {
    guard let path, let data = FileSystem.contents(path),
      let found = try? JSONDecoder().decode(Self.self, from: data), found.version == Self.current
    else { return }
    self = found
  }

  /// Writes the cache; one that cannot be written is not missed.
  func write(to path: String) {
    let folder = path.parentFolder
    guard FileSystem.makeFolder(folder) == 0 else { return }
    // Another inspection may have added to the file meanwhile.
    var whole = InspectionCache(contentsOf: path)
    whole.merge(self)
    guard let data = try? JSONEncoder().encode(whole) else { return }
    try? writeAtomically(Array(data), to: path)
  }

  /// When a file was changed last, and its size.
  static func stamp(_ path: String) -> (modified: Double, bytes: Int)? {
    guard let found = FileSystem.status(path) else { return nil }
    #if canImport(Darwin)
      let time = found.st_mtimespec
    #else
      let time = found.st_mtim
    #endif
    return (Double(time.tv_sec) + Double(time.tv_nsec) / 1e9, Int(found.st_size))
  }

  /// The absolute path that an entry is kept under; labels read by a table of colours are others.
  static func key(_ path: String, colors: Bool = false) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path + (colors ? "#colors" : "")
  }

  mutating func merge(_ other: InspectionCache) {
    images.merge(other.images) { $1 }
    labels.merge(other.labels) { $1 }
  }
}
