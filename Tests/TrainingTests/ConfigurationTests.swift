import Configuration
import Datasets
import Foundation
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Training configurations")
struct TrainingConfigurationTests {
  private func read(_ overrides: [String]) throws -> TrainingConfiguration {
    try TrainingConfiguration(yaml: tinyYAML("/nowhere"), named: "c.yaml", overrides: overrides)
  }

  @Test("everything that is written is read")
  func whole() throws {
    let settings = try read([]).train
    #expect(settings.length == .iterations(7))
    #expect(settings.optimizer.rule == .adamW())
    #expect(settings.schedule == Schedule(.poly(), warmUp: 2))
    #expect(settings.loss == Loss(.crossEntropyDice(weight: 1)))
    #expect(settings.classWeights == .medianFrequency)
    #expect(settings.augmentation.transforms.count == 5)
    #expect(settings.evaluateEvery == .iterations(4))
    #expect(settings.movingAverage == 0.9)
    #expect(try read([]).data.labelMap.classes.map(\.name) == ["ground", "thing"])
  }

  @Test("sampling and pasting are read, and crops need a crop")
  func sampling() throws {
    #expect(try read([]).train.sampling == .uniform)
    let settings = try read([
      "train.sampling={images: balanced, crops: 0.3, classes: uniform}",
      "train.augmentation=[{copyPaste: {classes: thing, regions: 3, area: [0, 0.1]}}, {randomCrop: 32x32}]",
    ]).train
    #expect(settings.sampling == Sampling(images: .balanced, crops: 0.3, classes: .uniform))
    #expect(
      settings.augmentation.transforms.first
        == .copyPaste(CopyPaste(classes: ["thing"], regions: 3, area: 0...0.1)))
    #expect(
      try read(["train.sampling={images: repeatFactor, threshold: 0.25}"]).train.sampling.images
        == .repeatFactor(threshold: 0.25))
    let error = #expect(throws: ConfigurationError.self) {
      try read(["train.sampling={crops: 0.5}", "train.augmentation=[{pad: 48x48}]"])
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("train.augmentation has no randomCrop"))
  }

  @Test(
    "what cannot be meant is refused by name",
    arguments: [
      ("train.batchsize=2", "unknown key 'batchsize', did you mean 'batchSize'?"),
      ("train.optimizer.name=adamm", "did you mean 'adam'"),
      ("train.schedule.warmUp=9223372036854775807", "'warmUp' is 9223372036854775807"),
      ("train.iterations=9223372036854775807", "from 1 to 1000000000"),
      ("train.augmentation=[{randomResize: [0.5, 1e300]}]", "up to 100"),
      ("train.augmentation=[{pad: 4611686018427387904x4}]", "at most 65535×65535"),
      ("train.augmentation=[{photometricDistortion: {contrast: [0.5, .inf]}}]", "finite"),
      ("train.optimizer.momentum=0.9", "unknown key 'momentum'"),
      ("train.zzzzzzzz=1", "unknown key 'zzzzzzzz'. Known here: "),
      ("train.batchSize=many", "'batchSize' is 'many', expected a whole number"),
      ("train.batchSize=0", "expected a whole number from 1"),
      ("train.epochs=3", "'epochs' is 3, expected nothing, as iterations are given too"),
      ("train.iterations=", "iterations or epochs"),
      ("train.evaluateEvery=sometimes", "a number of iterations, 0 or 'epoch'"),
      ("train.loss.classWeights=[1, -1]", "numbers of at least 0"),
      ("train.augmentation=[{randomKrop: 3x3}]", "unknown key 'randomKrop'"),
      ("train.augmentation=[{randomResize: [2, 1]}]", "a lower and an upper bound"),
      ("train.augmentation=[{horizontalFlip: 2}]", "0 to 1"),
      (
        "train.sampling={images: balance}",
        "one of uniform, repeatFactor, balanced (did you mean 'balanced'?)"
      ),
      (
        "train.sampling={threshold: 0.2}",
        "'threshold' is 0.2, expected nothing, as only images: repeatFactor"
      ),
      ("train.sampling={classes: uniform}", "expected nothing, as only images: balanced and crops"),
      ("train.sampling={crops: 1.5}", "from 0.0 to 1.0"),
      ("train.sampling={cropz: 0.5}", "did you mean 'crops'?"),
      (
        "train.augmentation=[{copyPaste: {classes: [think]}}]",
        "'classes' is 'think', expected classes: ground, thing (did you mean 'thing'?)"
      ),
      ("train.augmentation=[{copyPaste: {probability: 0.5}}]", "'classes' is missing"),
      (
        "train.augmentation=[{verticalFlip: 1}, {copyPaste: {classes: [thing]}}]",
        "before all other transforms"
      ),
      (
        "train.augmentation=[{copyPaste: {classes: [thing], scale: [0, 1]}}]",
        "factors of 0.1 to 10"
      ),
      ("model.classes=5", "expected 2, the classes of the label map"),
      ("model.head.dilation=[1]", "did you mean 'dilations'"),
      ("model.backbone.name=densnet", "did you mean"),
      ("data.layout=camvit", "did you mean 'camvid'"),
      ("data.values={300000: ground}", "a file's value from 0 to 65535"),
      ("data.values={0: rock}", "rock"),
      ("data.normalization=imagnet", "one of denseaspp, imagenet, measured, unit"),
      ("outptu=x", "did you mean 'output'"),
    ])
  func refused(override: String, message: String) {
    let error = #expect(throws: (any Error).self) { try read([override]) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains(message), "\(text)")
  }

  @Test("a crop that no image can fill is refused, unless it is padded")
  func crops() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 4)
    func trainer(_ augmentation: String) throws -> Trainer {
      try Trainer(
        TrainingConfiguration(
          yaml: tinyYAML(folder.path), named: "c.yaml",
          overrides: ["train.augmentation=\(augmentation)"]), existing: .overwrite)
    }
    let error = #expect(throws: RunError.self) { try trainer("[{randomCrop: 400x300}]") }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("randomCrop 400x300 is larger than"))
    #expect(text.contains("48x40"))
    #expect(throws: DatasetError.self) { try trainer("[{randomResize: [0.5, 2]}]") }
    _ = try trainer("[{randomCrop: 400x300}, {pad: 400x300}]")
    _ = try trainer("[{pad: 400x300}, {randomCrop: 400x300}]")
  }

  @Test("how many class weights there must be")
  func classWeights() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 4)
    let error = #expect(throws: ConfigurationError.self) {
      try Trainer(
        TrainingConfiguration(
          yaml: tinyYAML(folder.path), named: "c.yaml",
          overrides: ["train.loss.classWeights=[1, 2, 3]"]))
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("expected 2, one for each class"))
  }
}
