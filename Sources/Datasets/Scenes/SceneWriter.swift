import Files
import Foundation
import Imaging

/// Writes rendered scenes in the layout of Cityscapes: `leftImg8bit/<split>/scenes/…_leftImg8bit.png`,
/// and beside them in `gtFine` the files `…_gtFine_labelIds.png` and `…_gtFine_instanceIds.png`.
public struct SceneWriter: Sendable {
  private let renderer: SceneRenderer

  /// Validation scenes are numbered from here, so that no split shares one.
  static let firstValidation = 1_000_000

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
    for (name, count) in [("train", train), ("val", val)]
    where !(0...Self.firstValidation).contains(count) {
      throw DatasetError.invalidSetting(
        name: "the number of \(name) scenes", value: "\(count)",
        expected: "0 to \(Self.firstValidation)")
    }
    try claim(folder)
    for (split, first, count) in [("train", 0, train), ("val", Self.firstValidation, val)]
    where count > 0 {
      for part in ["leftImg8bit", "gtFine"] { try makeFolder("\(folder)/\(part)/\(split)/scenes") }
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

  /// Makes the folder this writer's: it must be new, empty, or hold scenes of this seed and size.
  private func claim(_ folder: String) throws {
    let path = folder + "/scenes.txt"
    let record = "Atrous street scenes, seed \(renderer.seed), \(renderer.size.text)\n"
    try makeFolder(folder)
    if FileSystem.names(in: folder)?.isEmpty == true {
      try AtomicFile.write(path, Array(record.utf8))
    } else if FileSystem.contents(path).map({ Array($0) }) != Array(record.utf8) {
      throw DatasetError.invalidSetting(
        name: "the folder for the scenes", value: "\(folder), which holds other files",
        expected: "a new or empty folder, or one of scenes of the same seed and size")
    }
  }

  private func makeFolder(_ path: String) throws {
    guard FileSystem.makeFolder(path) == 0 else {
      throw DatasetError.missingFolder(path: path, expected: "a place where a folder can be made")
    }
  }
}
