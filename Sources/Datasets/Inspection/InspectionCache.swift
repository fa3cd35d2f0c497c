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

  private static let current = 3

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
    try? AtomicFile.write(path, Array(data))
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

  /// The absolute path that an entry is kept under; what a setting lets be read otherwise is another.
  static func key(_ path: String, _ setting: String = "") -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path + (setting.isEmpty ? "" : "#\(setting)")
  }

  /// What is known of a label file as `dataset` reads it, if it has not changed since.
  func labelFacts(_ path: String, in dataset: some Dataset) -> LabelFacts? {
    Self.current(labels[Self.key(path, dataset.labelSetting)], Self.stamp(path))
  }

  private static func current<Facts>(
    _ entry: Entry<Facts>?, _ stamp: (modified: Double, bytes: Int)?
  ) -> Facts? {
    guard let entry, let stamp, entry.modified == stamp.modified, entry.bytes == stamp.bytes else {
      return nil
    }
    return entry.facts
  }

  /// What is known of a file, or what `read` finds, which is kept unless it is nil.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - key: The key that it is known by.
  ///   - known: What is known.
  ///   - kept: Takes what was found.
  ///   - filesRead: Counts the files that are read.
  ///   - read: Looks at the file; the second result says whether what it found depends on more than the
  ///     file and the key.
  fileprivate static func facts<Facts>(
    _ path: String, _ key: String, _ known: [String: Entry<Facts>],
    keeping kept: inout [String: Entry<Facts>], _ filesRead: inout Int,
    read: (String) -> (facts: Facts, isPassing: Bool)
  ) -> Facts {
    let stamp = stamp(path)
    if let facts = current(known[key], stamp) { return facts }
    filesRead += 1
    let (facts, isPassing) = read(path)
    if let stamp, !isPassing {
      kept[key] = Entry(modified: stamp.modified, bytes: stamp.bytes, facts: facts)
    }
    return facts
  }

  mutating func merge(_ other: InspectionCache) {
    images.merge(other.images) { $1 }
    labels.merge(other.labels) { $1 }
  }
}

extension Dataset {
  /// What besides the file decides which values its labels have: the table of colours.
  fileprivate var labelSetting: String {
    guard let labelColors else { return "" }
    let rows = labelColors.map { color, value in
      [UInt64(color.red) << 16 | UInt64(color.green) << 8 | UInt64(color.blue), UInt64(value)]
    }
    // FNV-1a, which is the same in every process, unlike a hash of Swift's.
    let sum = rows.sorted { $0[0] < $1[0] }.joined().reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
      ($0 ^ $1) &* 0x0000_0100_0000_01b3
    }
    return "colors-\(String(sum, radix: 16))"
  }

  /// What is in an image file, known or read.
  func imageFacts(
    _ path: String, _ known: InspectionCache, keeping cache: inout InspectionCache,
    _ filesRead: inout Int
  ) -> ImageFacts {
    let setting = (orientation == .applied ? "" : orientation.rawValue) + (bandPlan?.setting ?? "")
    let key = InspectionCache.key(path, setting)
    return InspectionCache.facts(path, key, known.images, keeping: &cache.images, &filesRead) {
      do {
        if bandPlan != nil || RasterFile.isReadByWindows($0),
          let facts = try ImageFacts($0, bandPlan)
        {
          return (facts, false)
        }
        let turn = (try? ImageInfo(contentsOf: $0).orientation) ?? 1
        return (ImageFacts(try readImage($0), orientation: turn), false)
      } catch {
        return (ImageFacts(failure: error), false)
      }
    }
  }

  /// What is in a label file, known or read.
  func labelFacts(
    _ path: String, _ known: InspectionCache, keeping cache: inout InspectionCache,
    _ filesRead: inout Int
  ) -> LabelFacts {
    let key = InspectionCache.key(path, labelSetting)
    return InspectionCache.facts(path, key, known.labels, keeping: &cache.labels, &filesRead) {
      do {
        if labelColors == nil, let large = try LabelFacts(ofLarge: $0) { return (large, false) }
        return (LabelFacts(try readLabel($0)), false)
      } catch {
        // What a label map's reader says names the map's classes.
        return (LabelFacts(failure: error), error is DatasetError)
      }
    }
  }
}

extension BandPlan {
  /// The plan as a part of a key.
  fileprivate var setting: String {
    "bands-\(bands)-\(ranges.map { "\($0)" } ?? "whole")-\(page)-\(noData.map { "\($0)" } ?? "")"
  }
}

extension ImageFacts {
  /// What is in an image of levels, or in a large picture, strip by strip; nil for pictures that are read
  /// whole.
  fileprivate init?(_ path: String, _ plan: BandPlan?) throws {
    let file = try RasterFile(path, page: plan?.page ?? 1)
    let isLarge = file.isPicture && file.size.width > (1 << 26) / file.size.height
    guard plan != nil || isLarge else { return nil }
    self.init(file.size)
    for window in file.strips { add(try file.image(window, plan: plan)) }
  }
}

extension LabelFacts {
  /// What is in a label file that is read by windows, strip by strip; nil for others, and for small ones,
  /// which are read whole.
  fileprivate init?(ofLarge path: String) throws {
    guard RasterFile.isReadByWindows(path) else { return nil }
    let file = try RasterFile(path)
    guard file.size.width > (1 << 26) / file.size.height, file.isLabels else { return nil }
    self.init(file.size)
    for window in file.strips {
      if let labels = try file.labels(window) { add(labels, from: window.y) }
    }
  }
}

extension Inspection {
  /// Where an inspection of this machine's files is kept, if nobody says otherwise.
  public static var cacheFile: String {
    let environment = ProcessInfo.processInfo.environment
    let folder = environment["XDG_CACHE_HOME"] ?? "\(NSHomeDirectory())/.cache"
    return "\(folder)/atrous/inspection.json"
  }
}
