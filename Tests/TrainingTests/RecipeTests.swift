import Datasets
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Training

private let experiments = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  .appendingPathComponent("Experiments").path

@Suite("Recipes of the papers")
struct RecipeTests {
  @Test(
    "every recipe is read whole, its network built",
    arguments: [
      ("001-comparison/deeplabv3", 19), ("001-comparison/unet", 10),
      ("002-deeplabv3/train-resnet50", 171), ("003-atrous-rates/stare", 2),
      ("003-atrous-rates/chase-db1", 2), ("003-atrous-rates/hrf", 2),
      ("003-atrous-rates/cityscapes", 19), ("003-atrous-rates/isaid", 16),
    ])
  func loads(name: String, classes: Int) throws {
    let configuration = try TrainingConfiguration(contentsOf: "\(experiments)/\(name).yaml")
    #expect(configuration.data.labelMap.count == classes)
    #expect(configuration.output != nil)
  }

  @Test("paper 002's other rules are a word each", arguments: ["sgd", "adam", "rmsProp"])
  func rules(name: String) throws {
    _ = try TrainingConfiguration(
      contentsOf: "\(experiments)/002-deeplabv3/train-resnet50.yaml",
      overrides: [
        "train.optimizer.name=\(name)", "train.batchSize=32", "model.backbone.name=resnet18",
      ])
  }

  @Test("three iterations on a miniature of CHASE_DB1, at two rates", arguments: [1, 6])
  func vessels(rate: Int) throws {
    let folder = try TemporaryFolder()
    for name in ["Image_01L", "Image_01R", "Image_11L"] {
      try Image(
        width: 50, height: 48, pixels: (0..<7200).map { UInt8($0 * 7 % 251) }
      ).write(to: "\(folder.path)/\(name).jpg")
      try LabelImage(
        width: 50, height: 48, values: (0..<2400).map { $0 % 7 == 0 ? 255 : 0 }
      ).writePNG(to: "\(folder.path)/\(name)_1stHO.png")
    }
    let configuration = try TrainingConfiguration(
      contentsOf: "\(experiments)/003-atrous-rates/chase-db1.yaml",
      overrides: [
        "data.root=\(folder.path)", "output=\(folder.path)/run", "model.head.rate=\(rate)",
        "model.head.channels=8", "model.backbone.widths=[4, 4, 8, 8, 16]", "train.iterations=3",
        "train.batchSize=2", "train.threads=1", "train.augmentation=[{randomCrop: 32x32}]",
      ])
    let trainer = try Trainer(configuration)
    #expect(try trainer.fit() == .finished)
    #expect(trainer.step == 3)
    #expect(trainer.lastResult != nil)
  }
}
