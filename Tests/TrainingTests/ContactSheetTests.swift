import Datasets
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Training

@Suite("Looking at data")
struct ContactSheetTests {
  @Test("a sheet shows samples as the loader makes them, and the classes that they hold")
  func sheet() throws {
    let folder = try TemporaryFolder()
    try writeMiniature("camvid", in: folder.path, size: Size(width: 480, height: 400))
    let file = "\(folder.path)/camvid.yaml"
    try """
    data: {layout: camvid, root: \(folder.path)}
    train: {seed: 3, augmentation: [{randomCrop: 200x200}, {photometricDistortion: true}]}
    """.write(toFile: file, atomically: true, encoding: .utf8)
    let source = try DataSource(configuration: file)
    let parts = try source.datasets()
    #expect(parts.map(\.name) == ["train", "val"])
    let set = parts[0].dataset
    var settings = ContactSheet()
    settings.columns = 1
    let image = try settings.image(
      of: set, pipeline: source.augmentation, encoding: source.encoding,
      seed: source.seed)
    let expected = try Loader(set, pipeline: source.augmentation, seed: source.seed)
      .sample(1, epoch: 0)
    // Captions of 22, pictures of 200 and gaps of 8; the second sample is in the second row.
    let (left, top) = (8, 230 + 22)
    for y in 0..<200 {
      let from = ((top + y) * image.width + left) * 3
      #expect(
        Array(image.pixels[from..<from + 600])
          == Array(expected.image.pixels[y * 600..<(y + 1) * 600]))
    }
    #expect(throws: DatasetError.self) { try DataSource(folder.path, layout: "camvids") }
    let found = try DataSource(folder.path, layout: "camvid").datasets()
    #expect(found.map(\.name) == ["train", "val"])
    #expect(throws: DatasetError.self) {
      try DataSource(folder.path, layout: "camvid").datasets(["test"])
    }
  }

  @Test("statistics measured from the training images stand in the run's configuration")
  func measured() throws {
    let folder = try TemporaryFolder()
    try writeMiniature("camvid", in: folder.path, size: Size(width: 48, height: 40))
    let yaml = """
      data: {layout: camvid, root: \(folder.path), normalization: measured}
      model: {backbone: {name: resnet18, outputStride: 16}, head: {name: deeplabv3}}
      train: {iterations: 1, optimizer: {name: sgd, learningRate: 0.1}}
      """
    let configuration = try TrainingConfiguration(yaml: yaml, named: "camvid.yaml")
    let expected = try InputEncoding.measured(from: configuration.data.dataset("train"))
    let found = configuration.data.encoding
    for (a, b) in zip(found.mean + found.deviation, expected.mean + expected.deviation) {
      #expect(abs(a - b) < 1e-12)
    }
    // The text alone gives the same numbers where the images are gone.
    let again = try TrainingConfiguration(
      yaml: configuration.yaml.replacingOccurrences(of: folder.path, with: "/nowhere"),
      named: "camvid.yaml")
    #expect(again.data.encoding == found)
  }
}
