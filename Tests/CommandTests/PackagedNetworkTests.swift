import Datasets
import Evaluation
import Foundation
import Imaging
import Inference
import TestSupport
import Testing
import Training
import Weights

@Suite("The networks that come with the package")
struct PackagedNetworkTests {
  @Test("predict runs it without being told, at any size")
  func predict() throws {
    let folder = try TemporaryFolder()
    try writePicture("\(folder.path)/photo.png", Size(width: 131, height: 97))
    let outcome = try Command.run(
      "predict", "\(folder.path)/photo.png", "--output", "\(folder.path)/out")
    #expect(outcome.status == 0, "\(outcome)")
    let labels = try LabelImage(contentsOf: "\(folder.path)/out/photo_labels.png")
    #expect(labels.size == Size(width: 131, height: 97) && labels.values.allSatisfy { $0 < 11 })
    #expect(FileManager.default.fileExists(atPath: "\(folder.path)/out/photo_overlay.png"))
    #expect(try Command.run("predict", PackagedNetwork.streets.file()).status == 64)
    let missing = try Command.run("predict", "\(folder.path)/none.jpg", "--output", folder.path)
    #expect(missing.status == 1 && missing.errors.contains("none.jpg"))
  }

  @Test("its file is small, and tells nothing of the machine that it was trained on")
  func file() throws {
    let file = try PackagedNetwork.streets.file()
    let data = try #require(FileManager.default.contents(atPath: file))
    #expect(data.count <= 16 << 20)
    let record = try Checkpoint(file).record
    #expect(record.classes.count == 11 && !record.configuration.contains(": /"))
    #expect((record.scores?.meanIoU ?? 0) > 0.6)
  }

  @Test(
    "it finds what is on photographs of streets",
    .enabled(if: camVidFolder != nil, "shared/data/camvid is not there"))
  func photographs() throws {
    let root = try #require(camVidFolder)
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(root)/val").sorted()
    let folder = try TemporaryFolder()
    for name in [names[10], names[50], names[90]] {
      let outcome = try Command.run("predict", "\(root)/val/\(name)", "--output", folder.path)
      #expect(outcome.status == 0, "\(outcome)")
      let stem = (name as NSString).deletingPathExtension
      let found = try LabelImage(contentsOf: "\(folder.path)/\(stem)_labels.png").values
      let truth = try LabelImage(contentsOf: "\(root)/valannot/\(name)").values
      let labelled = zip(found, truth).filter { $1 < 11 }
      let right = labelled.count { $0 == $1 }
      #expect(Double(right) > 0.8 * Double(labelled.count), "\(name)")
    }
  }
}
