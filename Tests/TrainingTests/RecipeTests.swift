import Datasets
import Evaluation
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Training

private let package = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
private let experiments = package.appendingPathComponent("Experiments").path

/// The data sets of the shared folder, if they are there.
private let realData: String? = camVidFolder == nil ? nil : "\(shared)/data"

/// A recipe of a paper, and what makes it small.
private struct Recipe: Sendable, CustomTestStringConvertible {
  var name: String
  var set: String
  var classes: Int
  /// Overrides that keep the kind of network and take its size.
  var smaller: [String] = []
  var testDescription: String { name }

  static let unet = ["model.backbone.widths=[4, 4, 8, 8, 16]", "model.head.channels=8"]
  static let resnet = ["model.backbone.name=resnet18"]

  static let all =
    (1...5).map {
      Recipe(name: "000-denseaspp/model-\($0)", set: "cityscapes", classes: $0 == 5 ? 19 : 20)
    } + [
      Recipe(name: "000-denseaspp/densenet201", set: "cityscapes", classes: 20),
      Recipe(name: "000-denseaspp/mobilenet-v3", set: "cityscapes", classes: 20),
      Recipe(name: "000-denseaspp/convnext", set: "cityscapes", classes: 20),
      Recipe(name: "001-comparison/deeplabv3", set: "cityscapes", classes: 19, smaller: resnet),
      Recipe(
        name: "001-comparison/unet", set: "cityscapes", classes: 10,
        smaller: ["model.backbone.widths=[4, 4, 8, 8, 16]"]),
      Recipe(name: "002-deeplabv3/train", set: "coco-stuff-164k", classes: 171, smaller: resnet),
      Recipe(
        name: "002-deeplabv3/train-jitter", set: "coco-stuff-164k", classes: 171, smaller: resnet),
      Recipe(name: "003-atrous-rates/stare", set: "stare", classes: 2, smaller: unet),
      Recipe(name: "003-atrous-rates/chase-db1", set: "chase-db1", classes: 2, smaller: unet),
      Recipe(name: "003-atrous-rates/hrf", set: "hrf", classes: 2, smaller: unet),
      Recipe(name: "003-atrous-rates/cityscapes", set: "cityscapes", classes: 19, smaller: resnet),
      Recipe(name: "003-atrous-rates/isaid", set: "isaid", classes: 16, smaller: resnet),
      Recipe(name: "003-atrous-rates/camvid", set: "camvid", classes: 11, smaller: resnet),
    ]

  /// Runs three iterations with these overrides, a score at the end, and says what became of them.
  func train(_ root: String, in folder: String, _ overrides: [String]) throws -> Trainer {
    let configuration = try TrainingConfiguration(
      contentsOf: "\(experiments)/\(name).yaml",
      overrides: [
        "data.root=\(root)", "output=\(folder)/run", "train.iterations=3", "train.batchSize=2",
        "train.threads=1", "train.evaluateEvery=\(stopsEarly ? 1 : 0)",
        "train.checkpointEvery=0", "evaluate.limit=1",
      ].filter { !$0.hasPrefix("train.iterations") || !hasEpochs }
        + (hasEpochs ? ["train.epochs=3", "data.limitTrain=2"] : []) + smaller + overrides)
    let trainer = try Trainer(configuration)
    #expect(try trainer.fit() == .finished)
    #expect(trainer.step == 3)
    #expect(try #require(trainer.lastResult).pixels > 0)
    return trainer
  }

  /// Whether the recipe follows its scores.
  private var stopsEarly: Bool { name == "001-comparison/unet" }

  /// Whether the recipe counts epochs.
  private var hasEpochs: Bool { name.hasPrefix("000") || name.hasPrefix("001") }

  /// The recipe's sizes in proportion, for pictures of 64×32 and 48×48.
  var smallSizes: [String] {
    switch name.split(separator: "/").first {
    case "000-denseaspp", "001-comparison":
      ["train.augmentation=[{resize: 64x32}]", "evaluate.imageSize=64x32"]
    case "002-deeplabv3":
      name.hasSuffix("jitter")
        ? [
          "train.augmentation=[{centerCrop: 32x32}, {pad: 32x32, fill: black}, {colorJitter: {hue: 0.1}}]"
        ] : ["train.augmentation=[{centerCrop: 32x32}, {pad: 32x32, fill: black}]"]
    default:
      [
        "train.augmentation=[{randomResize: [0.5, 2.0], box: 48x40, antialias: false}, "
          + "{randomCrop: 32x32, maxClassShare: 0.75}, {horizontalFlip: 0.5}, "
          + "{photometricDistortion: true}, {pad: 32x32}]"
      ]
    }
  }
}

@Suite("Recipes of the papers", .serialized)
struct RecipeTests {
  @Test("every recipe is read whole, its network built", arguments: Recipe.all)
  fileprivate func loads(recipe: Recipe) throws {
    let configuration = try TrainingConfiguration(
      contentsOf: "\(experiments)/\(recipe.name).yaml")
    #expect(configuration.data.labelMap.count == recipe.classes)
    #expect(configuration.output != nil)
  }

  @Test(
    "three iterations on a miniature in the layout of the real files", arguments: Recipe.all)
  fileprivate func miniature(recipe: Recipe) throws {
    let folder = try TemporaryFolder()
    let isStreet = recipe.set == "cityscapes"
    try writeMiniature(
      recipe.set, in: folder.path,
      size: isStreet ? Size(width: 64, height: 32) : Size(width: 48, height: 40))
    _ = try recipe.train(folder.path, in: folder.path, recipe.smallSizes)
  }

  @Test(
    "the base rate of Kim et al., 2023, is a variable",
    arguments: ["stare", "chase-db1", "hrf", "cityscapes", "isaid"])
  func rates(name: String) throws {
    for rate in [1, 12, 18] {
      let configuration = try TrainingConfiguration(
        contentsOf: "\(experiments)/003-atrous-rates/\(name).yaml",
        overrides: ["model.head.rate=\(rate)"])
      #expect(configuration.yaml.contains("rate: \(rate)"))
    }
  }

  @Test(
    "batches and rules for COCO-Stuff, with jitter and without",
    arguments: [8, 16, 32], ["sgd", "adam", "rmsProp"])
  func tables(batch: Int, rule: String) throws {
    let folder = try TemporaryFolder()
    try writeMiniature("coco-stuff-164k", in: folder.path, size: Size(width: 48, height: 40))
    for recipe in Recipe.all where recipe.name.hasPrefix("002") {
      let overrides = ["train.optimizer.name=\(rule)"]
      let configuration = try TrainingConfiguration(
        contentsOf: "\(experiments)/\(recipe.name).yaml",
        overrides: overrides + ["train.batchSize=\(batch)", "model.backbone.name=resnet18"])
      #expect(configuration.train.batchSize == batch)
      // Two images make no batch of 32: the batch is in the configuration, the rule in the run.
      if batch == 8 {
        _ = try recipe.train(
          folder.path, in: "\(folder.path)/\(recipe.name)", recipe.smallSizes + overrides)
      }
    }
  }

  @Test(
    "three iterations on the real files of HRF, CHASE_DB1, COCO-Stuff and CamVid",
    .enabled(if: realData != nil),
    arguments: Recipe.all.filter {
      [
        "003-atrous-rates/hrf", "003-atrous-rates/chase-db1", "002-deeplabv3/train",
        "003-atrous-rates/camvid",
      ].contains($0.name)
    })
  fileprivate func real(recipe: Recipe) throws {
    let data = try #require(realData)
    let folder = try TemporaryFolder()
    var root = "\(data)/\(recipe.set)"
    var overrides: [String] = ["data.limitTrain=4"]
    switch recipe.set {
    case "hrf": overrides += ["data.layout=hrf-av", "evaluate.imageSize=876x584"]
    case "chase-db1":
      root = "\(data)/chasedb1"
      overrides += ["data.train=fit", "data.val=hold"]
    case "coco-stuff-164k":
      root = "\(folder.path)/coco"
      for (kind, short) in [("images", "img"), ("annotations", "label")] {
        try FileManager.default.createDirectory(
          atPath: "\(root)/\(kind)", withIntermediateDirectories: true)
        for split in ["train", "val"] {
          try FileManager.default.createSymbolicLink(
            atPath: "\(root)/\(kind)/\(split)2017",
            withDestinationPath: "\(data)/cocostuff/\(split)_\(short)")
        }
      }
    default: break
    }
    _ = try recipe.train(root, in: folder.path, overrides)
  }
}
