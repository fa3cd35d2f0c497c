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

  @Test("networks of the package have names, and a checkpoint beside one is refused")
  func names() throws {
    let list = try Command.run("models", "--packaged")
    #expect(list.status == 0, "\(list)")
    struct Entry: Decodable {
      let name: String, classes: [String], megabytes: Double, file: String
    }
    let json = try Command.run("models", "--packaged", "--json")
    let entries = try JSONDecoder().decode([Entry].self, from: Data(json.output.utf8))
    #expect(entries.map(\.name) == ["streets", "vessels"])
    #expect(entries.map(\.classes.count) == [11, 2])
    #expect(entries.map(\.classes)[1] == ["background", "vessel"])
    for entry in entries {
      #expect(list.output.contains(entry.name) && entry.megabytes < 16)
      #expect(FileManager.default.fileExists(atPath: entry.file))
    }
    let folder = try TemporaryFolder()
    try writePicture("\(folder.path)/photo.png", Size(width: 61, height: 47))
    let photo = "\(folder.path)/photo.png"
    let other = try Command.run("predict", "--network", "eyes", photo)
    #expect(other.status == 64 && other.errors.contains("streets"), "\(other)")
    let both = try Command.run(
      "predict", "--network", "vessels", PackagedNetwork.streets.file(), photo)
    #expect(both.status == 64 && both.errors.contains("without checkpoints"), "\(both)")
    let narrowed = try Command.run("models", "--packaged", "--why")
    #expect(narrowed.status == 64, "\(narrowed)")
  }

  @Test("the vessels' network is small, takes any size, and is free for any use")
  func vessels() throws {
    let file = try PackagedNetwork.vessels.file()
    let data = try #require(FileManager.default.contents(atPath: file))
    #expect(data.count <= 8 << 20)
    #expect(try !Checkpoint(file).record.configuration.contains(": /"))
    let folder = try TemporaryFolder()
    try writePicture("\(folder.path)/eye.png", Size(width: 131, height: 97))
    let outcome = try Command.run(
      "predict", "--network", "vessels", "\(folder.path)/eye.png", "--output", folder.path)
    #expect(outcome.status == 0 && !outcome.errors.contains("research"), "\(outcome)")
    let labels = try LabelImage(contentsOf: "\(folder.path)/eye_labels.png")
    #expect(labels.size == Size(width: 131, height: 97) && labels.values.allSatisfy { $0 < 2 })
  }

  @Test(
    "it finds the vessels of eyes that it was not trained on",
    .enabled(if: chaseFolder != nil, "shared/data/chasedb1 is not there"))
  func eyes() throws {
    let root = try #require(chaseFolder)
    let folder = try TemporaryFolder()
    let outcome = try Command.run(
      "predict", "--network", "vessels", "\(root)/Image_09L.jpg", "--output", folder.path)
    #expect(outcome.status == 0, "\(outcome)")
    let found = try LabelImage(contentsOf: "\(folder.path)/Image_09L_labels.png").values
    let truth = try LabelImage(contentsOf: "\(root)/Image_09L_1stHO.png").values
    let hits = zip(found, truth).count { $0 == 1 && $1 > 0 }
    let misses = zip(found, truth).count { ($0 == 1) != ($1 > 0) }
    #expect(2 * Double(hits) > 0.7 * Double(2 * hits + misses))
  }
}
