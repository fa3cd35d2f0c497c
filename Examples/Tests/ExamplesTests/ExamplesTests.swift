import Datasets
import Foundation
import Imaging
import Segmentation
import Testing
import Torch

@testable import own_head
@testable import receptive_field
@testable import segment
@testable import train

@Suite("The examples")
struct ExamplesTests {
  @Test("segment a street that was drawn, and find road and sky in it")
  func segmenting() throws {
    try inFolder { folder in
      let street = "\(folder)/street.png"
      let scene = try SceneRenderer(seed: 1, size: Size(width: 480, height: 360)).render(0)
      try scene.image.write(to: street)
      let shares = try Segment.segment(street, to: "\(folder)/labels.png")
      #expect(abs(shares.reduce(0) { $0 + $1.share } - 1) < 1e-9)
      #expect(shares.prefix(4).contains { $0.name == "road" })
      let labels = try LabelImage(contentsOf: "\(folder)/labels.png")
      #expect(labels.width == 480 && labels.height == 360)
    }
  }

  @Test("train on two folders, and give a score")
  func training() throws {
    try inFolder { folder in
      for name in ["images", "labels"] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
      }
      // A bright square before something dark.
      for index in 0..<10 {
        let inside = (0..<64 * 64).map { i in
          let (x, y) = (i % 64 - 4 * index, i / 64 - 3 * index)
          return (0..<20).contains(x) && (0..<20).contains(y)
        }
        let image = Image(
          width: 64, height: 64,
          pixels: inside.flatMap { [UInt8](repeating: $0 ? 220 : 30, count: 3) })
        try image.write(to: "\(folder)/images/\(index).png")
        try LabelImage(width: 64, height: 64, values: inside.map { $0 ? 1 : 0 })
          .writePNG(to: "\(folder)/labels/\(index).png")
      }
      let result = try Train.train(
        "\(folder)/images", "\(folder)/labels", to: "\(folder)/run",
        overrides: ["train.iterations=30", "train.batchSize=2"])
      #expect(try #require(result?.scores.meanIoU) > 0.5)
    }
  }

  @Test("name a head of their own in a configuration, once")
  func ownHead() throws {
    try DilatedHead.register()
    #expect(throws: CatalogueError.taken(kind: "head", name: "dilated")) {
      try DilatedHead.register()
    }
    let model = try OwnHead.model(rate: 4)
    #expect(model.classifier is DilatedHead)
    #expect(OwnHead.scores(model).shape == [1, 3, 65, 97])
    #expect(model.parameters.contains { $0.name == "classifier.dilated.0.weight" })
  }

  @Test("read how far a pixel looks")
  func receptiveField() throws {
    try inFolder { folder in
      let street = "\(folder)/street.png"
      try SceneRenderer(seed: 1, size: Size(width: 160, height: 128)).render(0).image
        .write(to: street)
      let report = try ReceptiveField.field(of: street)
      #expect(report.halfWithin > 0 && report.halfWithin <= report.ninetyWithin)
      #expect(report.ninetyWithin <= 160)
    }
  }

  private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = NSTemporaryDirectory() + "examples-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }  // may fail: nothing to tell
    try body(folder)
  }
}
