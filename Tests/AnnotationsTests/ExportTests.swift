import Foundation
import Imaging
import Testing

@testable import Annotations

/// The exports with the masks that the tools make of them: every pixel.
@Suite("Exports of tools", .enabled(if: exports != nil, "shared/annotations is not there"))
struct ExportTests {
  static let folders = [
    "coco-polygons", "coco-rle-compressed", "coco-panoptic", "yolo-seg", "labelme-6.3.1",
    "cvat-xml",
    "cvat-segmentation-mask", "datumaro-voc", "datumaro-camvid/with-background",
    "datumaro-camvid/without-background", "label-studio-json/json", "label-studio-json/json-min",
    "label-studio-png", "pascal-voc-indexed", "roboflow-masks", "mapillary-vistas",
    "ade20k-full/2017",
    "ade20k-full/2021",
  ]

  private func classes(_ folder: String) throws -> [String] {
    let own = "\(folder)/classes.txt"
    return try ReadingOptions.classes(
      in: FileManager.default.fileExists(atPath: own) ? own : "\(folder)/../classes.txt")
  }

  /// The pixels of a set that differ from the expected masks, and the images that were compared.
  private func differences(
    _ set: AnnotationSet, _ names: [String], _ folder: String
  ) throws -> (pixels: Int, images: Int) {
    var (pixels, images) = (0, 0)
    for image in set.images {
      let mask = try set.mask(of: image)
      let wanted = try LabelImage(contentsOf: "\(folder)/expected/\(image.name).png")
      guard mask.size == wanted.size else { return (.max, images) }
      for (value, other) in zip(mask.values, wanted.values) {
        let name = value == AnnotationSet.ignoredValue ? nil : set.classes[Int(value)].name
        let otherName = other == 255 ? nil : names[Int(other)]
        if name != otherName { pixels += 1 }
      }
      images += 1
    }
    return (pixels, images)
  }

  @Test("Each gives exactly its masks, with its classes in their order", arguments: folders)
  func reading(_ name: String) throws {
    let folder = "\(try #require(exports))/\(name)"
    let set = try AnnotationSet(contentsOf: folder)
    let names = try classes(folder)
    #expect(set.classes.map(\.name) == names)
    let found = try differences(set, names, folder)
    #expect(found.pixels == 0)
    let wanted = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/expected")
    #expect(found.images == wanted.count)
    for image in set.images { #expect(FileManager.default.fileExists(atPath: image.path)) }
  }

  @Test("Each comes back the same from every form that it is written as", arguments: folders)
  func writing(_ name: String) throws {
    let folder = "\(try #require(exports))/\(name)"
    let set = try AnnotationSet(contentsOf: folder)
    let names = try classes(folder)
    let root = NSTemporaryDirectory() + "annotations-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    // Folders and GeoJSON are read by other parts of the package, and by maps.
    for target in ConversionTarget.allCases where target != .folders && target != .geojson {
      let place = "\(root)/\(target.rawValue)"
      _ = try set.write(as: target, to: place)
      let back = try AnnotationSet(contentsOf: place)
      let found = try differences(back, names, folder)
      #expect(found.pixels == 0, "\(target.rawValue)")
      #expect(found.images == set.images.count, "\(target.rawValue)")
      let kept = back.classes.map(\.name).filter { $0 != "background" || names.contains($0) }
      #expect(
        kept.sorted() == names.sorted() && (target == .cityscapes || kept == names),
        "\(target.rawValue)")
    }
  }

  @Test("A list of classes fixes their numbers") func classList() throws {
    let folder = "\(try #require(exports))/coco-polygons"
    let plain = try AnnotationSet(contentsOf: folder)
    let turned = try AnnotationSet(
      contentsOf: folder, options: ReadingOptions(classes: plain.classes.map(\.name).reversed()))
    for (one, other) in zip(plain.images, turned.images) {
      let (a, b) = (try plain.mask(of: one), try turned.mask(of: other))
      for (value, mirrored) in zip(a.values, b.values) {
        #expect(value == AnnotationSet.ignoredValue ? mirrored == value : mirrored == 5 - value)
      }
    }
    #expect(throws: AnnotationError.self) {
      try AnnotationSet(contentsOf: folder, options: ReadingOptions(classes: ["road", "car"]))
    }
  }

  @Test("Masks of the round trip come back from polygons", arguments: ["street", "corner", "yard"])
  func roundTrip(_ name: String) throws {
    let folder = "\(try #require(exports))/roundtrip"
    let file = try LabelImage(contentsOf: "\(folder)/\(name).png")
    let mask = LabelImage(
      width: file.width, height: file.height,
      values: file.values.map { $0 == 255 ? AnnotationSet.ignoredValue : $0 })
    // What counts.csv says of the regions that are joined by sides.
    let lines = try String(contentsOfFile: "\(folder)/counts.csv", encoding: .utf8)
      .split(separator: "\n").filter { $0.hasPrefix("\(name),") && !$0.contains("unlabelled") }
    let regions = Tracer.regions(of: PixelCanvas(mask), background: AnnotationSet.ignoredValue)
    for line in lines {
      let fields = line.split(separator: ",")
      let own = regions.filter { "\($0.value)" == fields[2] }
      #expect(own.count == Int(fields[4]), "\(line)")
      #expect(own.reduce(0) { $0 + $1.area } == Int(fields[3]), "\(line)")
    }
    var canvas = PixelCanvas(
      width: mask.width, height: mask.height, filledWith: AnnotationSet.ignoredValue)
    var steps: [UInt64] = []
    for region in regions {
      let ring = Rings.slit(region).map { Point(Double($0.x), Double($0.y)) }
      COCORaster.fill(ring, on: &canvas, region.value, steps: &steps)
    }
    #expect(canvas.pixels == mask.values)
  }
}
