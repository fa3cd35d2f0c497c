import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Data that are looked at")
struct DataGuessTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  private func inspect(_ arguments: String...) throws -> Command.Outcome {
    try Command(["data", "inspect"] + arguments + ["--cache", "\(path)/cache.json"]).wait()
  }

  /// Grey pictures that differ, and masks of 0 and 255.
  private func write(_ count: Int, images: String, labels: String, from first: Int = 0) throws {
    let size = Size(width: 8, height: 6)
    for index in first..<first + count {
      try writePicture(
        "\(path)/\(images)/\(index).png", size,
        (0..<48).map { UInt16(($0 * (index + 3)) % 200) })
      try writePicture(
        "\(path)/\(labels)/\(index).png", size, (0..<48).map { $0 < 24 + index ? 0 : 255 })
    }
  }

  @Test("a folder of a known data set needs no layout, and says which it is taken for")
  func known() throws {
    try writeMiniature("camvid", in: "\(path)/set", size: Size(width: 20, height: 10))
    let found = try inspect("\(path)/set")
    #expect(found.status == 0, "\(found)")
    #expect(
      found.errors.contains("note: \(path)/set is taken for camvid by the names of its files"),
      "\(found)")
    #expect(found.errors.contains("--layout or --labels say otherwise"), "\(found)")
    #expect(found.output.contains("train: 2 images") && found.output.contains("val: 1 images"))
  }

  @Test("two folders need neither classes nor a configuration, with all parts that there are")
  func pairs() throws {
    try write(3, images: "set/train/images", labels: "set/train/masks")
    try write(2, images: "set/val/images", labels: "set/val/masks", from: 7)
    let found = try inspect("\(path)/set")
    #expect(found.status == 0, "\(found)")
    for part in [
      "train is train/images and train/masks; val is val/images and val/masks",
      "0 is background, 255 is foreground",
    ] { #expect(found.errors.contains(part), "\(found)") }
    for part in ["train: 3 images", "val: 2 images", "background", "foreground", "0 errors"] {
      #expect(found.output.contains(part), "\(found)")
    }
    let json = try inspect("\(path)/set", "--json")
    _ = try JSONSerialization.jsonObject(with: Data(json.output.utf8))
    try inspect("\(path)/set", "--part", "test").expectRefusal("'test'", "one of train, val")
    // An image without a mask is told of, as it is with a configuration.
    try writePicture("\(path)/set/val/images/lone.png", Size(width: 8, height: 6))
    let lone = try inspect("\(path)/set")
    #expect(lone.status == 1 && lone.output.contains("lone"), "\(lone)")
  }

  @Test("a folder in which nothing is known is refused with what there is and what would do")
  func unknown() throws {
    try write(1, images: "set/one", labels: "set/two")
    try inspect("\(path)/set").expectRefusal("not to be guessed from one, two", "--layout")
  }

  @Test("images that train and val share are told, by file or by pixels")
  func shared() throws {
    try write(4, images: "images", labels: "labels")
    let pairs = "{images: \(path)/images, labels: \(path)/labels}"
    func configuration(_ val: String) throws -> String {
      let yaml = """
        data:
          layout: folders
          train: \(pairs)
          val: \(val)
          classes: [a, b]
          values: {0: a, 255: b}
          ignored: []
        """
      try yaml.write(toFile: "\(path)/c.yaml", atomically: true, encoding: .utf8)
      return "\(path)/c.yaml"
    }
    let same = try inspect(configuration(pairs))
    #expect(
      same.output.contains("all 4 images of val are in train, too (4 the same files)"), "\(same)")
    // Other files, of which one has the pixels of a training image.
    try write(2, images: "others/images", labels: "others/labels", from: 3)
    let others = "{images: \(path)/others/images, labels: \(path)/others/labels}"
    let equal = try inspect(configuration(others))
    #expect(
      equal.output.contains(
        "1 of the 2 images of val are in train, too (1 other files of equal pixels)"), "\(equal)")
    try write(2, images: "new/images", labels: "new/labels", from: 10)
    let new = try inspect(configuration("{images: \(path)/new/images, labels: \(path)/new/labels}"))
    #expect(!new.output.contains("are in train"), "\(new)")
  }

  @Test("all parts of a configuration are shown, and keys that nothing reads are refused")
  func configuration() throws {
    for (index, part) in ["train", "val", "test"].enumerated() {
      try write(1 + index, images: "\(part)/i", labels: "\(part)/l", from: 4 * index)
    }
    let parts = ["train", "val", "test"].map {
      "  \($0): {images: \(path)/\($0)/i, labels: \(path)/\($0)/l}\n"
    }.joined()
    let data =
      "data:\n  layout: folders\n\(parts)  classes: [a, b]\n  values: {0: a, 255: b}\n  ignored: []\n"
    let model = """
      model: {backbone: {name: densenet, blocks: [1], growth: 4, stem: 8}, head: {name: linear}}
      train: {iterations: 1, batchSize: 1, optimizer: {name: sgd, learningRate: 0.01}}

      """
    func look(_ yaml: String) throws -> Command.Outcome {
      try yaml.write(toFile: "\(path)/c.yaml", atomically: true, encoding: .utf8)
      return try inspect("\(path)/c.yaml")
    }
    for yaml in [data, data + model] {
      let found = try look(yaml)
      #expect(found.status == 0, "\(found)")
      for line in ["train: 1 images", "val: 2 images", "test: 3 images"] {
        #expect(found.output.contains(line), "\(found)")
      }
    }
    try look(data + "  normalisation: unit\n")
      .expectRefusal("unknown key 'normalisation', did you mean 'normalization'?")
    try look(data + "modle: {}\n").expectRefusal("unknown key 'modle', did you mean 'model'?")
    try look(data + model.replacing("growth", with: "grwoth")).expectRefusal("grwoth")
    try look(data + model.replacing("batchSize", with: "batchsize"))
      .expectRefusal("unknown key 'batchsize', did you mean 'batchSize'?")
  }
}
