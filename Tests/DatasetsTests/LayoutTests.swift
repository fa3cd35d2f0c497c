import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite("Layouts")
struct LayoutTests {
  /// Makes empty files below a folder.
  private func touch(_ folder: String, _ files: [String]) throws {
    for file in files {
      let url = URL(fileURLWithPath: folder).appendingPathComponent(file)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data().write(to: url)
    }
  }

  @Test("pairs are matched by name and sorted")
  func pairs() throws {
    try withTemporaryFolder { root in
      try touch(root, ["i/b.jpg", "i/a.JPG", "i/notes.txt", "i/.hidden.png", "l/a.png", "l/b.png"])
      let set = try FileDataset.pairs(images: "\(root)/i", labels: "\(root)/l", map: .camVid)
      #expect(set.items.map(\.name) == ["a", "b"])
      #expect(set.item(0).imagePath == "\(root)/i/a.JPG")
      #expect(set.item(0).labelPath == "\(root)/l/a.png")
    }
  }

  @Test("suffixes lead from an image to its label, in one folder or two")
  func suffixes() throws {
    try withTemporaryFolder { root in
      try touch(
        root,
        [
          "c/Image_01L.jpg", "c/Image_01L_1stHO.png", "c/Image_01L_2ndHO.png", "c/Image_01R.jpg",
          "c/Image_01R_1stHO.png", "c/Image_01R_2ndHO.png", "d/21_training.tif",
          "m/21_manual1.gif",
        ])
      let chase = try FileDataset.pairs(
        images: FileSelection("\(root)/c", extensions: ["jpg"]),
        labels: FileSelection("\(root)/c", suffix: "_1stHO"), map: .binary())
      #expect(chase.items.map(\.name) == ["Image_01L", "Image_01R"])
      #expect(chase.items[1].labelPath == "\(root)/c/Image_01R_1stHO.png")
      let drive = try FileDataset.pairs(
        images: FileSelection("\(root)/d", suffix: "_training"),
        labels: FileSelection("\(root)/m", suffix: "_manual1"), map: .binary())
      #expect(drive.items.map(\.name) == ["21"])
      #expect(try chase.named(["Image_01R"]).count == 1)
      #expect(throws: DatasetError.self) { try chase.named(["Image_99"]) }
    }
  }

  @Test("a pattern with one * selects files, and what follows the * is no part of their names")
  func patterns() throws {
    try withTemporaryFolder { root in
      try touch(
        root,
        [
          "c/Image_01L.jpg", "c/Image_01L_1stHO.png", "c/Image_01L_2ndHO.png", "c/other.txt",
          "p/photo_1.jpg", "p/photo_2.JPG", "p/mask_1.tif", "p/mask_2.tif", "p/photo_1.png",
          "s*r/a.png", "l/a.png",
        ])
      func names(_ images: String, _ labels: String) throws -> [String: String?] {
        let set = try FileDataset.pairs(
          images: FileSelection(images), labels: FileSelection(labels), map: .binary())
        return Dictionary(uniqueKeysWithValues: set.items.map { ($0.name, $0.labelPath) })
      }
      let label = "\(root)/c/Image_01L_1stHO.png"
      // Labels of a pattern without a folder lie beside the images.
      #expect(try names("\(root)/c/*.jpg", "*_1stHO.png") == ["Image_01L": label])
      #expect(
        try names("\(root)/c/Image_*.jpg", "\(root)/c/Image_*_1stHO.*") == ["Image_01L": label])
      #expect(
        try names("\(root)/p/photo_*.jpg", "\(root)/p/mask_*") == [
          "1": "\(root)/p/mask_1.tif", "2": "\(root)/p/mask_2.tif",
        ])
      // A folder of that name is a folder.
      #expect(try names("\(root)/s*r", "\(root)/l") == ["a": "\(root)/l/a.png"])
      for wrong in ["\(root)/*/a.png", "\(root)/c/*_*.png", "\(root)/**"] {
        let error = #expect(throws: DatasetError.self) { try FileSelection(wrong).files() }
        #expect(error?.description.contains("'\(wrong)'; expected a folder, or one *") == true)
      }
      let none = #expect(throws: DatasetError.self) {
        try FileSelection("\(root)/c/*_3rdHO.png").files()
      }
      #expect(
        none?.description
          == "\(root)/c: found no files to use; expected files named *_3rdHO.png")
    }
  }

  @Test("an image without a label and a label without an image are named")
  func missingPartner() throws {
    try withTemporaryFolder { root in
      try touch(root, ["i/a.png", "i/b.png", "l/a.png", "j/a.png", "k/a.png", "k/c.png"])
      #expect(
        throws: DatasetError.missingPartner(
          file: "\(root)/i/b.png", expected: "a label \(root)/l/b.*")
      ) { try FileDataset.pairs(images: "\(root)/i", labels: "\(root)/l", map: .camVid) }
      #expect(
        throws: DatasetError.missingPartner(
          file: "\(root)/k/c.png", expected: "an image \(root)/j/c.*")
      ) { try FileDataset.pairs(images: "\(root)/j", labels: "\(root)/k", map: .camVid) }
    }
  }

  @Test("missing and empty folders are named with what was expected")
  func emptyFolder() throws {
    try withTemporaryFolder { root in
      try touch(root, ["i/readme.txt", "l/a.png", "e/train/a.png"])
      #expect(
        throws: DatasetError.emptyFolder(
          path: "\(root)/i", expected: FileSelection("\(root)/i").expected)
      ) { try FileDataset.pairs(images: "\(root)/i", labels: "\(root)/l", map: .camVid) }
      let error = #expect(throws: DatasetError.self) {
        try FileDataset.camVid("\(root)/e", split: "train")
      }
      #expect(
        error?.description
          == "\(root)/e/trainannot: no such folder; expected files ending in .png")
    }
  }

  @Test("two files of one name are refused")
  func ambiguous() throws {
    try withTemporaryFolder { root in
      try touch(root, ["i/a.png", "i/a.jpg", "l/a.png"])
      #expect(
        throws: DatasetError.ambiguousPartner(
          name: "a", files: ["\(root)/i/a.jpg", "\(root)/i/a.png"])
      ) { try FileDataset.pairs(images: "\(root)/i", labels: "\(root)/l", map: .camVid) }
    }
  }

  @Test("Cityscapes' folders are read city by city")
  func cityscapes() throws {
    try withTemporaryFolder { root in
      try touch(
        root,
        [
          "leftImg8bit/val/munster/munster_000001_000019_leftImg8bit.png",
          "leftImg8bit/val/frankfurt/frankfurt_000000_000294_leftImg8bit.png",
          "gtFine/val/munster/munster_000001_000019_gtFine_labelIds.png",
          "gtFine/val/munster/munster_000001_000019_gtFine_color.png",
          "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_labelIds.png",
          "gtFine/val/frankfurt/frankfurt_000000_000294_gtFine_polygons.json",
        ])
      let set = try FileDataset.cityscapes(root, split: "val")
      #expect(set.items.map(\.name) == ["frankfurt_000000_000294", "munster_000001_000019"])
      #expect(
        set.items[1].labelPath?.hasSuffix("munster_000001_000019_gtFine_labelIds.png") == true)
      #expect(throws: DatasetError.self) { try FileDataset.cityscapes(root, split: "train") }
    }
  }

  @Test("subsets keep order and number anew")
  func subsets() throws {
    let set = try scenery(count: 10)
    #expect(set.limited(to: 3).count == 3 && set.limited(to: 30).count == 10)
    let spread = set.spread(to: 4)
    #expect((0..<4).map { spread.item($0).name } == ["scene 0", "scene 2", "scene 5", "scene 7"])
    #expect(try spread.load(2).index == 2 && spread.load(2).name == "scene 5")
    #expect(throws: DatasetError.self) { try set.subset([3, 10]) }
    #expect(throws: DatasetError.self) { try spread.load(4) }
  }
}
