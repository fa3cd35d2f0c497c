import Files
import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite("Street scenes")
struct SceneTests {
  private let size = Size(width: 256, height: 128)

  @Test("seed and index give the scene, whatever was rendered before")
  func deterministic() throws {
    let renderer = try SceneRenderer(seed: 1, size: size)
    let first = renderer.render(3)
    _ = renderer.render(4)
    let again = try SceneRenderer(seed: 1, size: size).render(3)
    #expect(first.image == again.image)
    #expect(first.labels == again.labels)
    #expect(first.instances == again.instances)
    #expect(renderer.render(4).image != first.image)
    #expect(try SceneRenderer(seed: 2, size: size).render(3).image != first.image)
  }

  @Test("forty scenes hold all 19 classes, each in many scenes and in not too few pixels")
  func classes() throws {
    let renderer = try SceneRenderer(seed: 1, size: size)
    var pixels: [UInt16: Int] = [:], scenes: [UInt16: Int] = [:]
    let known = Set(SceneLabel.allCases.map(\.rawValue))
    for index in 0..<40 {
      let labels = renderer.render(index).labels
      for value in labels.values { pixels[value, default: 0] += 1 }
      for value in Set(labels.values) { scenes[value, default: 0] += 1 }
      #expect(Set(labels.values).isSubset(of: known))
    }
    for label in SceneLabel.evaluated {
      #expect(scenes[label.rawValue, default: 0] >= 10, "\(label)")
      #expect(pixels[label.rawValue, default: 0] >= 40 * 256 * 128 / 1000, "\(label)")
    }
    let road = pixels[SceneLabel.road.rawValue, default: 0]
    #expect(road < 40 * 256 * 128 / 2)
  }

  @Test("instances number the things of each class, and agree with the labels")
  func instances() throws {
    let scene = try SceneRenderer(seed: 1, size: size).render(0)
    for (label, instance) in zip(scene.labels.values, scene.instances.values) {
      #expect(instance < 1000 ? instance == label : instance / 1000 == label)
    }
    #expect(Set(scene.instances.values).count > Set(scene.labels.values).count)
  }

  @Test("colour alone does not tell the classes")
  func hard() throws {
    // The best a classifier of single pixels' colours can do from half of the scenes on the others.
    let renderer = try SceneRenderer(seed: 1, size: size)
    func bin(_ image: Image, _ i: Int) -> Int {
      (0..<3).reduce(0) { $0 << 4 + Int(image.pixels[i * 3 + $1]) >> 4 }
    }
    let classes = SceneLabel.evaluated.map(\.rawValue)
    var counts = [[Int]](repeating: [Int](repeating: 0, count: 19), count: 4096)
    for index in 0..<30 {
      let scene = renderer.render(index)
      for (i, value) in scene.labels.values.enumerated() {
        if let c = classes.firstIndex(of: value) { counts[bin(scene.image, i)][c] += 1 }
      }
    }
    let guess = counts.map { row in row.indices.max { row[$0] < row[$1] } ?? 0 }
    var both = [Int](repeating: 0, count: 19), either = [Int](repeating: 0, count: 19)
    for index in 30..<45 {
      let scene = renderer.render(index)
      for (i, value) in scene.labels.values.enumerated() {
        guard let c = classes.firstIndex(of: value) else { continue }
        let found = guess[bin(scene.image, i)]
        either[c] += 1
        if found == c { both[c] += 1 } else { either[found] += 1 }
      }
    }
    let meanIoU = zip(both, either).map { Double($0) / Double(max($1, 1)) }.reduce(0, +) / 19
    #expect(meanIoU < 0.2)
  }

  @Test("the writer's files are read as Cityscapes, and a second run gives the same bytes")
  func layout() throws {
    try withTemporaryFolder { folder in
      let root = folder + "/scenes"
      let writer = try SceneWriter(seed: 5, size: Size(width: 64, height: 32))
      try writer.write(to: root, train: 3, val: 2)
      let train = try FileDataset.cityscapes(root, split: "train", map: Cityscapes.classes19)
      let val = try FileDataset.cityscapes(root, split: "val", map: Cityscapes.classes19)
      #expect(train.count == 3)
      #expect(val.count == 2)
      let sample = try val.load(0)
      #expect(sample.image.size == Size(width: 64, height: 32))
      let file = root + "/leftImg8bit/train/scenes/scenes_000001_000000_leftImg8bit.png"
      let bytes = try Data(contentsOf: URL(fileURLWithPath: file))
      try writer.write(to: root, train: 3, val: 2, threads: 1)
      #expect(try Data(contentsOf: URL(fileURLWithPath: file)) == bytes)
    }
  }

  @Test("a folder with other files is left alone")
  func occupied() throws {
    try withTemporaryFolder { folder in
      try AtomicFile.write(folder + "/notes.txt", Array("mine".utf8))
      let writer = try SceneWriter(seed: 5, size: Size(width: 64, height: 32))
      #expect(throws: DatasetError.self) { try writer.write(to: folder, train: 1, val: 0) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["notes.txt"])
      let root = folder + "/scenes"
      try writer.write(to: root, train: 1, val: 0)
      let other = try SceneWriter(seed: 6, size: Size(width: 64, height: 32))
      #expect(throws: DatasetError.self) { try other.write(to: root, train: 1, val: 0) }
    }
  }

  @Test(
    "sizes and counts that cannot be are refused",
    arguments: [Size(width: 15, height: 128), Size(width: 128, height: 5000)])
  func sizes(_ size: Size) {
    #expect(throws: DatasetError.self) { try SceneRenderer(seed: 1, size: size) }
  }
}
