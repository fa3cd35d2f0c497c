import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("A look at labels before training")
struct SurveyTests {
  private let size = Size(width: 6, height: 5)

  private func write(_ root: String, count: Int, _ value: (Int) -> UInt16) throws -> FileDataset {
    for index in 0..<count {
      let name = String(format: "%03d", index)
      try writePicture("\(root)/images/\(name).ppm", size)
      try writePicture(
        "\(root)/labels/\(name).png", size,
        [UInt16](repeating: value(index), count: size.width * size.height))
    }
    return try .pairs(images: "\(root)/images", labels: "\(root)/labels", map: .identity(3))
  }

  @Test("few files are all looked at; of many a spread, and what is known")
  func spread() throws {
    try withTemporaryFolder { root in
      let set = try write(root, count: 70) { $0 == 69 ? 2 : UInt16($0 % 2) }
      let whole = try LabelSurvey(set, cache: nil)
      #expect(whole.looked == 70 && whole.warnings.isEmpty)
      let part = try LabelSurvey(set, limit: 10)
      #expect(part.looked == 10 && part.count == 70 && part.filesRead == 10)
      #expect(part.warnings.first?.contains("the 10 of 70 training labels looked at") == true)
      #expect(part.warnings.first?.contains("class 2 (value 2)") == true)
      // An inspection has seen them all.
      let cache = "\(root)/cache/inspection.json"
      _ = try Inspection([("train", set)], cache: cache)
      let known = try LabelSurvey(set, limit: 10, cache: cache)
      #expect(known.looked == 70 && known.filesRead == 0 && known.warnings.isEmpty)
    }
  }

  @Test("what a look has read is kept for the next one, if it was long")
  func kept() throws {
    try withTemporaryFolder { root in
      let cache = "\(root)/inspection.json"
      let set = try write(root, count: 70) { _ in 1 }
      #expect(try LabelSurvey(set, limit: 60, cache: cache).filesRead == 60)
      #expect(!FileManager.default.fileExists(atPath: cache))
      #expect(try LabelSurvey(set, cache: cache).filesRead == 70)
      #expect(try LabelSurvey(set, cache: cache).filesRead == 0)
    }
  }

  @Test("a value that training would stop at stops it before")
  func wrongValue() throws {
    try withTemporaryFolder { root in
      let set = try write(root, count: 5) { $0 == 3 ? 9 : 0 }
      #expect(
        throws: DatasetError.valueOutsideMap(
          file: "\(root)/labels/003.png", x: 0, y: 0, value: 9, map: "3 classes",
          allowed: [0, 1, 2, 255])
      ) { try LabelSurvey(set) }
      #expect(try LabelSurvey(set, refuses: false).histogram.values == [0, 9])
    }
  }

  @Test("a table of other colours is another look")
  func colors() throws {
    try withTemporaryFolder { root in
      let cache = "\(root)/inspection.json"
      let set = try write(root, count: 2) { _ in 1 }
      func look(_ colors: [Color: UInt16]?) throws -> Int {
        try Inspection([("all", set.read(colors: colors))], cache: cache).filesRead
      }
      #expect(try look(nil) == 4)
      #expect(try look([Color(1, 1, 1): 2]) == 2)
      #expect(try look([Color(1, 1, 1): 1]) == 2)
      #expect(try look([Color(1, 1, 1): 1]) == 0)
    }
  }
}

@Suite("Turned photographs")
struct TurnedPhotographTests {
  private let stored = Size(width: 6, height: 4)

  /// A photograph of `size` that notes `orientation`, and a label of the stored size.
  private func write(
    _ root: String, _ orientation: Int, _ size: Size, label: Size? = nil
  ) throws -> FileDataset {
    try writePicture(
      "\(root)/images/a.tif", size, (0..<size.width * size.height).map { UInt16($0) },
      orientation: orientation)
    let label = label ?? size
    try writePicture(
      "\(root)/labels/a.png", label, [UInt16](repeating: 0, count: label.width * label.height))
    return try .pairs(images: "\(root)/images", labels: "\(root)/labels", map: .identity(2))
  }

  @Test("sizes that differ by EXIF say so and name the key, which reads them", arguments: 5...8)
  func explained(orientation: Int) throws {
    try withTemporaryFolder { root in
      let set = try write(root, orientation, stored)
      let error = #expect(throws: DatasetError.self) { try set.load(0) }
      #expect(
        error?.description.contains("Orientation \(orientation) in the photograph's EXIF") == true)
      #expect(error?.description.contains("`data.orientation: stored`") == true)
      let found = try Inspection([("train", set)])
      #expect(found.errors.count == 1)
      #expect(found.errors[0].message.contains("`data.orientation: stored`"))

      let asStored = set.read(orientation: .stored)
      #expect(try asStored.load(0).image.pixels.prefix(6) == [0, 0, 0, 1, 1, 1])
      #expect(try Inspection([("train", asStored)]).errors.isEmpty)
    }
  }

  @Test("labels of the turned size name the other setting")
  func turnedLabels() throws {
    try withTemporaryFolder { root in
      let set = try write(root, 6, stored, label: Size(width: 4, height: 6))
      #expect(try set.load(0).image.size == Size(width: 4, height: 6))
      let error = #expect(throws: DatasetError.self) {
        try set.read(orientation: .stored).load(0)
      }
      #expect(error?.description.contains("`data.orientation: applied`") == true)
    }
  }

  @Test("sizes that differ for another reason do not blame EXIF", arguments: [1, 3, 6])
  func otherReason(orientation: Int) throws {
    try withTemporaryFolder { root in
      let set = try write(root, orientation, stored, label: Size(width: 5, height: 4))
      let error = #expect(throws: DatasetError.self) { try set.load(0) }
      #expect(error?.description.contains("EXIF") == false)
    }
  }

  @Test("where sizes fit both ways an inspection says how many are turned", arguments: 1...8)
  func byChance(orientation: Int) throws {
    try withTemporaryFolder { root in
      let square = Size(width: 5, height: 5)
      let cache = "\(root)/inspection.json"
      let set = try write(root, orientation, orientation > 4 ? square : stored)
      for _ in 0..<2 {
        let found = try Inspection([("train", set)], cache: cache)
        #expect(found.errors.isEmpty)
        let said = found.warnings.filter { $0.contains("1 photographs are turned or mirrored") }
        #expect(said.count == (orientation == 1 ? 0 : 1))
      }
      let stored = try Inspection([("train", set.read(orientation: .stored))], cache: cache)
      #expect(stored.filesRead == 1 && !stored.warnings.contains { $0.contains("mirrored") })
    }
  }
}
