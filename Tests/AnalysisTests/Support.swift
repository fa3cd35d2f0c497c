import Configuration
import Datasets
import Imaging
import Segmentation
import Torch

/// A network small enough for a debug build: a dilated DenseNet of two layers under `head`.
func tinyModel(_ head: String, classes: Int = 3, seed: UInt64 = 1) throws -> SegmentationModel {
  Engine.seed(seed)
  let section = try Section(
    yaml: """
      backbone: {name: densenet, blocks: [1, 1], growth: 8, stem: 8, outputStride: 8}
      head: \(head)
      classes: \(classes)
      """, named: "test")
  let model = try ModelBuilder.build(section)
  model.train(false)
  return model
}

/// A head of two levels, and one of three branches.
let tinyCascade = "{name: denseaspp, dilations: [2, 3], growth: 4, bottleneck: 8}"
let tinyPyramid = "{name: deeplabv3, rates: [1, 2, 4], channels: 8}"

/// A picture of noise that is the same every time.
func noisePicture(width: Int, height: Int) -> Image {
  var state: UInt32 = 7
  let pixels = (0..<width * height * 3).map { _ -> UInt8 in
    state = state &* 1_664_525 &+ 1_013_904_223
    return UInt8(state >> 24)
  }
  return Image(width: width, height: height, pixels: pixels)
}

/// Pictures of noise with three classes in stripes.
func tinyData(_ count: Int = 2) throws -> MemoryDataset {
  let map = try LabelMap(
    name: "tiny",
    classes: [
      .init("a", Color(255, 0, 0)), .init("b", Color(0, 255, 0)), .init("c", Color(0, 0, 255)),
    ],
    rows: (0..<3).map { .init(value: UInt16($0), index: $0, label: ["a", "b", "c"][$0]) })
  let mask = ClassMask(width: 48, height: 32, classes: (0..<48 * 32).map { UInt8($0 % 48 / 16) })
  return MemoryDataset(
    name: "tiny", labelMap: map,
    samples: (0..<count).map { ("\($0)", noisePicture(width: 48, height: 32), mask) })
}
