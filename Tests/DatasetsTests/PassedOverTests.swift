import Files
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("A folder of pictures")
struct PassedOverTests {
  private let folder: TemporaryFolder
  private let set: (images: String, labels: String)

  init() throws {
    folder = try TemporaryFolder()
    try writePairs(folder.path, count: 2)
    set = ("\(folder.path)/images", "\(folder.path)/labels")
  }

  private func listing() throws -> FileDataset {
    try .listing(
      images: FileSelection(set.images), labels: FileSelection(set.labels), map: .identity(2))
  }

  private func touch(_ path: String) throws {
    try Data("x".utf8).write(to: URL(fileURLWithPath: path))
  }

  @Test("has nothing to tell where all of it is used")
  func nothing() throws {
    for name in ["Thumbs.db", ".DS_Store", "._0.jpg", "notes.txt", "0.json"] {
      try touch("\(set.images)/\(name)")
    }
    #expect(try listing().notes == [])
    #expect(try listing().unpaired.isEmpty)
  }

  @Test(
    "names kinds that are not read",
    arguments: [
      "heic", "HEIF", "avif", "jp2", "jxl", "cr2", "NEF", "dng", "psd", "pdf", "svg", "npy", "exr",
      "nii.gz",
    ])
  func unread(_ suffix: String) throws {
    try touch("\(set.images)/IMG.\(suffix)")
    let set = try listing()
    #expect(set.notes.count == 1)
    #expect(set.notes.first?.contains("1 file of kinds that are not read") == true)
    #expect(set.notes.first?.contains("IMG.\(suffix)") == true)
    #expect(set.unpaired.isEmpty)
    #expect(set.spread(to: 1).notes == set.notes)
  }

  @Test("of such kinds alone is told apart from an empty one")
  func onlyUnread() throws {
    let path = "\(folder.path)/phone"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try touch("\(path)/a.heic")
    let error = #expect(throws: DatasetError.self) { try FileSelection(path).files() }
    #expect(error?.description.contains("a.heic") == true)
  }

  @Test("says that the partner is there, in a kind that is not read")
  func partner() throws {
    try FileManager.default.moveItem(atPath: "\(set.images)/0.png", toPath: "\(set.images)/0.heic")
    let error = try #require(try listing().unpaired.first?.error)
    #expect(error.description.contains("0.heic is of a kind that is not read"))
  }

  @Test("passes over what Atrous wrote, and no picture of a person's")
  func outputs() throws {
    let image = try Image(contentsOf: "\(set.images)/0.png")
    try image.write(to: "\(set.images)/0_overlay.png", isOutput: true)
    try image.write(to: "\(set.images)/0_sheet.jpg", isOutput: true)
    try LabelImage(width: 2, height: 1, values: [0, 1])
      .writePNG(to: "\(set.labels)/0_labels.png", isOutput: true)
    let set = try listing()
    #expect(set.items.map(\.name) == ["0", "1"])
    #expect(set.unpaired.isEmpty)
    #expect(set.notes.count == 2)
    #expect(set.notes.first?.contains("2 files that Atrous wrote") == true)
    // The same names, but nobody says that they are outputs.
    try image.write(to: "\(self.set.images)/1_overlay.png")
    #expect(try listing().unpaired.map(\.name) == ["1_overlay"])
  }

  @Test("may hold names that are no text")
  func names() throws {
    let name = String(pathBytes: [0x63, 0x61, 0x66, 0xE9])
    for (part, suffix) in [(set.images, "png"), (set.labels, "png")] {
      #expect(
        FileSystem.rename("\(part)/0.\(suffix)", to: "\(part)/\(name).\(suffix)") == 0)
    }
    let set = try listing()
    #expect(set.items.map(\.name.pathBytes).contains([0x63, 0x61, 0x66, 0xE9]))
    for index in 0..<2 { #expect(try set.load(index).image.width == 48) }
  }
}
