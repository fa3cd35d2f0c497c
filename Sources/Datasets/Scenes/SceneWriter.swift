import Files
import Foundation
import Imaging

/// Writes rendered scenes in the layout of Cityscapes: `leftImg8bit/<split>/scenes/…_leftImg8bit.png`,
/// and beside them in `gtFine` the files `…_gtFine_labelIds.png` and `…_gtFine_instanceIds.png`.
public struct SceneWriter: Sendable {
  private let renderer: SceneRenderer

  /// - Throws: ``DatasetError`` if the size cannot be rendered.
  public init(seed: UInt64, size: Size) throws {
    renderer = try SceneRenderer(seed: seed, size: size)
  }

  /// Renders `train` and `val` scenes into the folder, on `threads` threads (0: one a core).
  ///
  /// Scenes that the folder holds from the same seed and size are written again, byte for byte the
  /// same.
  /// - Throws: ``DatasetError`` if the folder holds something else or the counts are impossible,
  ///   `ImageError` if a file cannot be written.
  public func write(to folder: String, train: Int, val: Int, threads: Int = 0) throws {
    let splits = try SceneFolder.splits(train: train, val: val)
    try SceneFolder(folder).claim(
      record: "Atrous street scenes, seed \(renderer.seed), \(renderer.size.text)\n",
      called: "scenes of the same seed and size")
    for (split, first, count) in splits {
      for part in ["leftImg8bit", "gtFine"] {
        try SceneFolder.make("\(folder)/\(part)/\(split)/scenes")
      }
      try reduceInParallel(
        count: count, threads: threads, initial: (),
        step: { _, i in try write(first + i, to: folder, split) }, merge: { _, _ in })
    }
  }

  private func write(_ index: Int, to folder: String, _ split: String) throws {
    let scene = renderer.render(index)
    let number = String(format: "scenes_%06d_000000", index)
    try scene.image.write(to: "\(folder)/leftImg8bit/\(split)/scenes/\(number)_leftImg8bit.png")
    let truth = "\(folder)/gtFine/\(split)/scenes/\(number)_gtFine"
    try scene.labels.writePNG(to: truth + "_labelIds.png")
    try scene.instances.writePNG(to: truth + "_instanceIds.png")
  }
}

/// A folder of generated pictures, which says in `scenes.txt` what they follow from.
struct SceneFolder {
  private let path: String

  init(_ path: String) { self.path = path }

  /// Validation pictures are numbered from here, so that no split shares one.
  static let firstValidation = 1_000_000

  /// The splits that are asked for, each with the index of its first picture and how many it has.
  ///
  /// - Throws: `DatasetError.invalidSetting` for counts that are impossible.
  static func splits(train: Int, val: Int) throws -> [(name: String, first: Int, count: Int)] {
    for (name, count) in [("train", train), ("val", val)]
    where !(0...firstValidation).contains(count) {
      throw DatasetError.invalidSetting(
        name: "the number of \(name) scenes", value: "\(count)",
        expected: "0 to \(firstValidation)")
    }
    return [("train", 0, train), ("val", firstValidation, val)].filter { $0.2 > 0 }
  }

  /// Makes the folder the writer's: it must be new, empty, or have the same record.
  func claim(record: String, called name: String) throws {
    let path = path + "/scenes.txt"
    try Self.make(self.path)
    if FileSystem.names(in: self.path)?.isEmpty == true {
      try AtomicFile.write(path, Array(record.utf8))
    } else if FileSystem.contents(path).map({ Array($0) }) != Array(record.utf8) {
      throw DatasetError.invalidSetting(
        name: "the folder for the scenes", value: "\(self.path), which holds other files",
        expected: "a new or empty folder, or one of \(name)")
    }
  }

  /// Makes a folder and those above it.
  static func make(_ path: String) throws {
    guard FileSystem.makeFolder(path) == 0 else {
      throw DatasetError.missingFolder(path: path, expected: "a place where a folder can be made")
    }
  }
}
