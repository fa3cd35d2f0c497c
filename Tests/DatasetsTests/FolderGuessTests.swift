import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("What lies in a folder")
struct FolderGuessTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  private func write(_ files: String...) throws {
    for file in files {
      try writePicture(
        "\(path)/\(file)", Size(width: 4, height: 3), [UInt16](repeating: 0, count: 12))
    }
  }

  @Test(
    "known data sets are known by the names of their files",
    arguments: [
      "cityscapes", "camvid", "coco-stuff-164k", "stare", "chase-db1", "hrf", "isaid",
    ])
  func known(name: String) throws {
    try writeMiniature(name, in: path, size: Size(width: 20, height: 10))
    let guess = try FolderGuess(path)
    #expect(guess.layout == name && guess.parts.isEmpty)
    #expect(guess.reason.hasPrefix("taken for \(name) by the names"))
    #expect(guess.reason.contains("coco-stuff-164k-182") == (name == "coco-stuff-164k"))
  }

  /// Where the folders of a part lie, and what the labels' names end in.
  @Test(
    "two folders are found below, above or beside the parts",
    arguments: [
      (["images/a.jpg", "labels/a.png"], [["all", "images", "labels", ""]]),
      (["Imgs/a.jpg", "Masks/a_mask.png"], [["all", "Imgs", "Masks", "_mask"]]),
      (
        ["images/train/a.jpg", "images/val/b.jpg", "masks/train/a.png", "masks/val/b.png"],
        [["train", "images/train", "masks/train", ""], ["val", "images/val", "masks/val", ""]]
      ),
      (
        ["train/images/a.jpg", "train/gt/a.png", "valid/images/b.jpg", "valid/gt/b.png"],
        [["train", "train/images", "train/gt", ""], ["val", "valid/images", "valid/gt", ""]]
      ),
      (
        ["train/a_b.jpg", "train_masks/a_b_mask.gif", "test/c.jpg"],
        [["train", "train", "train_masks", "_mask"]]
      ),
    ])
  func pairs(files: [String], parts: [[String]]) throws {
    for file in files where !file.hasSuffix("gif") { try write(file) }
    for file in files where file.hasSuffix("gif") {
      // Its name alone counts.
      let place = "\(path)/\(file)"
      try FileManager.default.createDirectory(
        atPath: (place as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: place))
    }
    let guess = try FolderGuess(path)
    #expect(guess.layout == nil)
    #expect(
      guess.parts.map { part in
        [part.name]
          + [part.images, part.labels].map { String($0.dropFirst(path.count + 1)) }
          + [part.labelSuffix]
      } == parts)
    #expect(guess.reason.contains("\(parts[0][0]) is \(parts[0][1]) and \(parts[0][2])"))
  }

  @Test("the suffix of labels is what most have beyond an image's name, or what is given")
  func suffix() throws {
    try write("a/1.jpg", "a/2.jpg", "b/1_1stHO.png", "b/2_1stHO.png", "c/1.png", "c/2.png")
    func suffix(_ given: String, _ images: String, _ labels: String) -> String {
      FolderGuess.labelSuffix(given, images: "\(path)/\(images)", labels: "\(path)/\(labels)")
    }
    #expect(suffix("", "a", "b") == "_1stHO")
    #expect(suffix("_own", "a", "b") == "_own")
    #expect(suffix("", "a", "c") == "" && suffix("", "a", "none") == "")
    try write("d/1.jpg", "d/1_gt.png", "d/2.jpg", "d/2_gt.png")
    #expect(suffix("", "d", "d") == "_gt", "in one folder")
  }

  @Test("what cannot be guessed is told with what is there and what would do")
  func nothing() throws {
    try write("images/a.jpg", "other/b.png")
    let error = #expect(throws: DatasetError.self) { try FolderGuess(path) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("not to be guessed from images, other"), "\(text)")
    #expect(text.contains("--layout (cityscapes, camvid"), "\(text)")
    #expect(throws: DatasetError.self) { try FolderGuess("\(path)/none") }
    // Folders by these names whose files are no pairs are none.
    try write("labels/c.png")
    #expect(throws: DatasetError.self) { try FolderGuess(path) }
  }
}
