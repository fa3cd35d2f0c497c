import Annotations
import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Annotations by the command")
struct AnnotationCommandTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  /// Images and COCO's polygons: a road with a hole, a car in it.
  private func writeExport() throws {
    try FileManager.default.createDirectory(
      atPath: "\(path)/export/images", withIntermediateDirectories: true)
    for index in 0..<4 {
      try Image(
        width: 40, height: 32, pixels: (0..<40 * 32 * 3).map { UInt8(($0 * (7 + index)) % 251) }
      ).write(to: "\(path)/export/images/\(index).png")
    }
    let images = (0..<4).map {
      "{\"id\": \($0), \"file_name\": \"\($0).png\", \"width\": 40, \"height\": 32}"
    }
    let annotations = (0..<4).map { index in
      "{\"id\": \(index), \"image_id\": \(index), \"category_id\": 7, \"segmentation\": [[0, 0, 30, 0, 30, 20, 0, 20, 0, 0, 5, 5, 5, 10, 10, 10, 10, 5, 5, 5]]}"
        + ", {\"id\": \(index + 10), \"image_id\": \(index), \"category_id\": 2, \"segmentation\": [[5, 5, 10, 5, 10, 10, 5, 10], [12, 1, 14, 1, 14, 3, 12, 3]]}"
    }
    try
      "{\"images\": [\(images.joined(separator: ","))], \"categories\": [{\"id\": 7, \"name\": \"road\"}, {\"id\": 2, \"name\": \"car\"}], \"annotations\": [\(annotations.joined(separator: ","))]}"
      .write(toFile: "\(path)/export/instances.json", atomically: true, encoding: .utf8)
  }

  @Test("converts, inspects, trains, predicts polygons and reads them back") func wholeWay() throws
  {
    try writeExport()
    // 600 pixels of road without 25 and 4, those of a car.
    let inspected = try Command([
      "data", "inspect", "\(path)/export", "--cache", "\(path)/cache.json",
    ]).wait()
    #expect(inspected.status == 0, "\(inspected)")
    #expect(inspected.errors.contains("is taken for coco"), "\(inspected)")
    #expect(inspected.output.contains("2284") && inspected.output.contains("116"), "\(inspected)")

    for form in ["labelme", "yolo", "folders"] {
      let converted = try Command([
        "data", "convert", "\(path)/export", "--to", form, "--output", "\(path)/\(form)",
      ]).wait()
      #expect(converted.status == 0, "\(converted)")
    }
    let labels = try LabelImage(contentsOf: "\(path)/folders/labels/0.png")
    #expect(
      labels.values.filter { $0 == 0 }.count == 571 && labels.values.filter { $0 == 1 }.count == 29)
    #expect(labels.values.filter { $0 == 255 }.count == 680)
    let set = try AnnotationSet(contentsOf: "\(path)/yolo")
    #expect(
      try set.mask(of: set.images[0]).values.map { $0 == AnnotationSet.ignoredValue ? 255 : $0 }
        == labels.values)

    try """
    output: \(path)/run
    data: {layout: labelme, root: \(path)/labelme, holdOut: 0.25}
    model: {backbone: {name: unet, widths: [4, 8]}, head: {name: linear}}
    train:
      iterations: 2
      batchSize: 2
      optimizer: {name: adamW, learningRate: 0.002}
      loss: {name: crossEntropy}
      augmentation: [{randomCrop: 32x32}, {pad: 32x32}]
    """.write(toFile: "\(path)/street.yaml", atomically: true, encoding: .utf8)
    let trained = try Command(["train", "\(path)/street.yaml"]).wait()
    #expect(trained.status == 0, "\(trained)")
    // The run knows its classes when the annotations are gone.
    try FileManager.default.removeItem(atPath: "\(path)/labelme")
    let predicted = try Command([
      "predict", "\(path)/run", "\(path)/export/images", "--output", "\(path)/out", "--polygons",
      "labelme",
      "--polygons", "coco", "--polygons", "geojson", "--polygons", "label-studio",
    ]).wait()
    #expect(predicted.status == 0, "\(predicted)")
    let options = ReadingOptions(classes: ["road", "car"])
    let sets = [
      try AnnotationSet(contentsOf: "\(path)/out", format: .labelme, options: options),
      try AnnotationSet(contentsOf: "\(path)/out/coco.json", options: options),
      try AnnotationSet(contentsOf: "\(path)/out/label-studio.json", options: options),
    ]
    let wanted = try (0..<4).map { try LabelImage(contentsOf: "\(path)/out/\($0)_labels.png") }
    for set in sets.prefix(2) {
      for image in set.images {
        let mask = try set.mask(of: image)
        let index = try #require(Int(image.name))
        #expect(mask.values == wanted[index].values, "\(set.format.rawValue) \(image.name)")
      }
    }
    // Predictions are proposals, which are no annotations yet.
    #expect(sets[2].images.count == 4)
    #expect(FileManager.default.fileExists(atPath: "\(path)/out/0.geojson"))
  }

  @Test("What is wrong ends with status 1 and names file and entry") func refusals() throws {
    try writeExport()
    let file = "\(path)/export/instances.json"
    let text = try String(contentsOfFile: file, encoding: .utf8)
    try text.replacing("\"category_id\": 2", with: "\"category_id\": 3")
      .write(toFile: file, atomically: true, encoding: .utf8)
    let inspected = try Command(["data", "inspect", "\(path)/export"]).wait()
    #expect(inspected.status == 1, "\(inspected)")
    #expect(
      inspected.errors.contains("\(file): annotations[1].category_id: is 3; expected"),
      "\(inspected)")
    let without = try Command(["predict", "\(path)/export/images/0.png", "--simplify", "2"]).wait()
    #expect(without.status == 64 && without.errors.contains("--polygons"), "\(without)")
  }
}
