import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("Inspection of data sets")
struct InspectionTests {
  private let size = Size(width: 12, height: 10)

  /// Six images, of which one repeats another in a second format, one has no label, one is no image,
  /// one has values outside the map and one a label of another size; and a label without an image.
  private func write(_ root: String) throws -> FileDataset {
    func values(_ all: [UInt16]) -> [UInt16] { (0..<120).map { all[$0 % all.count] } }
    for (name, level) in [("a", 9), ("b", 20), ("c", 30), ("d", 40), ("e", 50)] {
      try writePicture("\(root)/images/\(name).png", size, values([UInt16(level)]))
      try writePicture("\(root)/labels/\(name).png", size, values([0, 1, 255]))
    }
    try writePicture("\(root)/images/again.ppm", size, values([9]))
    try writePicture("\(root)/labels/again.png", size, values([0]))
    try writePicture("\(root)/labels/b.png", size, values([0, 1, 7]))
    try FileManager.default.removeItem(atPath: "\(root)/labels/c.png")
    try Data("no image".utf8).write(to: URL(fileURLWithPath: "\(root)/images/d.png"))
    try writePicture("\(root)/labels/e.png", Size(width: 10, height: 12), values([0]))
    try writePicture("\(root)/labels/f.png", size, values([0]))
    return try .listing(
      images: FileSelection("\(root)/images"), labels: FileSelection("\(root)/labels"),
      map: .identity(3))
  }

  @Test("counts, sizes, statistics, and everything that is wrong, each by its file")
  func everything() throws {
    try withTemporaryFolder { root in
      let found = try Inspection([("all", write(root))], threads: 2)
      let part = try #require(found.parts.first)
      #expect(part.images == 5)
      let pixels = part.classes.map(\.pixels)
      #expect(pixels == [360, 120, 0])
      #expect(part.classes.map(\.images) == [5, 3, 0])
      #expect(part.ignoredPixels == 80)
      let sizes = part.sizes.map { [$0.width, $0.height, $0.images] }
      #expect(sizes == [[12, 10, 4]])
      let mean = (9.0 + 9 + 20 + 50) / 4 / 255
      #expect(abs(part.mean[0] - mean) < 1e-12)
      let problems = found.errors.map { error -> String in
        let parts = error.file.split(separator: "/").suffix(2)
        return "\(error.kind) " + parts.joined(separator: "/")
      }
      #expect(
        Set(problems) == [
          "missingPartner images/c.png", "missingPartner labels/f.png", "unreadable images/d.png",
          "valueOutsideMap labels/b.png", "sizeMismatch labels/e.png",
        ])
      let value = try #require(found.errors.first { $0.kind == .valueOutsideMap })
      #expect(value.value == 7 && value.pixels == 40 && value.x == 2 && value.y == 0)
      let equal = found.duplicates.map { $0.map { $0.split(separator: "/").last } }
      #expect(equal == [["a.png", "again.ppm"]])
      let text = found.text()
      #expect(text.contains("5 errors, 1 equal pictures"))
      #expect(text.contains("class 2"))
    }
  }

  @Test("the threads do not matter, and a second pass reads only what has changed")
  func cached() throws {
    try withTemporaryFolder { root in
      let set = try write(root)
      let cache = "\(root)/cache/inspection.json"
      let first = try Inspection([("all", set)], cache: cache, threads: 1)
      let second = try Inspection([("all", set)], cache: cache, threads: 8)
      #expect(first.filesRead == 10 && second.filesRead == 0)
      #expect(first.errors.map(\.message) == second.errors.map(\.message))
      #expect(first.duplicates == second.duplicates)
      #expect(first.parts[0].classes.map(\.pixels) == second.parts[0].classes.map(\.pixels))
      #expect(first.parts[0].mean == second.parts[0].mean)
      try writePicture("\(root)/labels/b.png", size, [UInt16](repeating: 2, count: 120))
      try FileManager.default.setAttributes(
        [.modificationDate: Date(timeIntervalSince1970: 1e9)], ofItemAtPath: "\(root)/labels/b.png")
      let third = try Inspection([("all", set)], cache: cache)
      #expect(third.filesRead == 1)
      #expect(third.parts[0].classes[2].pixels == 120)
      #expect(!third.errors.contains { $0.kind == .valueOutsideMap })
      // A cache that is none is not read.
      try Data("{".utf8).write(to: URL(fileURLWithPath: cache))
      #expect(try Inspection([("all", set)], cache: cache).filesRead == 10)
    }
  }

  @Test("the same pixels in two parts are equal pictures")
  func leak() throws {
    try withTemporaryFolder { root in
      for split in ["train", "val"] {
        try writePicture("\(root)/\(split)/x\(split).png", size)
        try writePicture(
          "\(root)/\(split)annot/x\(split).png", size, [UInt16](repeating: 0, count: 120))
      }
      let parts = try ["train", "val"].map {
        ($0, try DatasetDescription.camVid.listing(root, split: $0))
      }
      let found = try Inspection(parts)
      #expect(found.errors.isEmpty && found.duplicates.count == 1)
    }
  }
}
