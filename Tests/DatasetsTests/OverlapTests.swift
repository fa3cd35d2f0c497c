import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Parts that share images")
struct OverlapTests {
  @Test("each two parts are compared by file and by pixels")
  func parts() {
    let parts: [Inspection.Seen] = [
      .init("train", [("/a/1.png", [1]), ("/a/2.png", [2]), ("/a/3.png", [3])]),
      .init("val", [("/a/2.png", [2]), ("/b/3.png", [3]), ("/b/4.png", [4])]),
      .init("test", [("/b/4.png", [4])]),
    ]
    #expect(
      Inspection.overlaps(parts) == [
        "2 of the 3 images of val are in train, too (1 the same files, 1 other files of equal"
          + " pixels): scores on them say nothing of new images",
        "the only image of test is in val, too (1 the same files): scores on them say nothing of new"
          + " images",
      ])
    #expect(Inspection.overlaps([parts[0]]).isEmpty && Inspection.overlaps([]).isEmpty)
  }

  @Test("a file under two names is the same")
  func links() throws {
    let folder = try TemporaryFolder()
    try Data([1]).write(to: URL(fileURLWithPath: "\(folder.path)/a.png"))
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/b.png", withDestinationPath: "\(folder.path)/a.png")
    let parts: [Inspection.Seen] = [
      .init("train", [("\(folder.path)/a.png", [1])]),
      .init("val", [("\(folder.path)/b.png", [1])]),
    ]
    #expect(Inspection.overlaps(parts).first?.contains("(1 the same files)") == true)
  }
}
