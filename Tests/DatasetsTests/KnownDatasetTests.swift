import Configuration
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("Known data sets")
struct KnownDatasetTests {
  private let size = 12

  private func write(_ path: String, _ values: [UInt16]? = nil, palette: [Color]? = nil) throws {
    guard path.hasSuffix(".gif") else {
      return try writePicture(path, Size(width: size, height: size), values, palette: palette)
    }
    try FileManager.default.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try Data(gif).write(to: URL(fileURLWithPath: path))
  }

  /// A picture of 24 bits a pixel as BMP, last row first.
  private func bitmap(_ colors: [Color]) -> [UInt8] {
    func little(_ value: Int, _ count: Int) -> [UInt8] {
      (0..<count).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
    let rows = (0..<size).reversed().flatMap { y in
      (0..<size).flatMap { x -> [UInt8] in
        let color = colors[y * size + x]
        return [color.blue, color.green, color.red]
      }
    }
    return Array("BM".utf8) + little(54 + rows.count, 4) + little(0, 4) + little(54, 4)
      + little(40, 4) + little(size, 4) + little(size, 4) + little(1, 2) + little(24, 2)
      + little(0, 24) + rows
  }

  /// From Python: `Image.new("L", (12, 12))` with a square of 255 from (3, 4) to (8, 9), as GIF.
  private let gif: [UInt8] = [
    71, 73, 70, 56, 55, 97, 12, 0, 12, 0, 129, 0, 0, 0, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 44,
    0, 0, 0, 0, 12, 0, 12, 0, 0, 8, 34, 0, 1, 8, 28, 72, 176, 160, 193, 131, 8, 19, 26, 12, 192,
    176, 225, 194, 134, 12, 31, 66, 148, 232, 176, 32, 196, 136, 22, 47, 42, 220, 104, 48, 32, 0,
    59,
  ]

  private let vessels = (0..<144).map { UInt16($0 % 5 == 0 ? 255 : 0) }

  /// The data set's split holds the names, and a mask with these classes and no others.
  private func check(
    _ name: String, _ root: String, _ split: String, names: [String], classes: Set<UInt8>
  ) throws {
    let description = try #require(DatasetDescription.named(name))
    let set = try description.dataset(root, split: split)
    #expect(set.items.map(\.name) == names)
    for index in 0..<set.count {
      let sample = try set.load(index)
      #expect(sample.image.size == Size(width: size, height: size))
      #expect(Set(sample.mask.classes) == classes)
    }
    #expect(throws: DatasetError.self) { try description.dataset(root, split: "nowhere") }
    #expect(!description.licence.isEmpty && !description.source.isEmpty)
  }

  @Test("COCO-Stuff: 182 values, of which 171 are classes")
  func cocoStuff() throws {
    #expect(COCOStuff.classes171.count == 171 && COCOStuff.classes182.count == 182)
    #expect(COCOStuff.classes171.classes.last?.name == "wood")
    #expect(COCOStuff.classes171.index(of: 181) == 170 && COCOStuff.classes171.index(of: 11) == nil)
    #expect(COCOStuff.classes171.index(of: 12) == 11 && COCOStuff.classes182.index(of: 12) == 12)
    #expect(COCOStuff.classes171From1.index(of: 182) == 170)
    try withTemporaryFolder { root in
      let values = (0..<144).map { [UInt16(0), 12, 181, 255][$0 % 4] }
      try write("\(root)/images/val2017/000000000139.jpg")
      try write("\(root)/annotations/val2017/000000000139.png", values)
      try check(
        "coco-stuff-164k", root, "val", names: ["000000000139"], classes: [0, 11, 170, 255])
      try check(
        "coco-stuff-164k-182", root, "val", names: ["000000000139"], classes: [0, 12, 181, 255])
    }
    try withTemporaryFolder { root in
      for name in ["COCO_train2014_000000000077", "COCO_train2014_000000000138"] {
        try write("\(root)/images/\(name).jpg")
        try write("\(root)/annotations/\(name).png", (0..<144).map { [UInt16(0), 1, 182][$0 % 3] })
      }
      try FileManager.default.createDirectory(
        atPath: "\(root)/imageLists", withIntermediateDirectories: true)
      try "COCO_train2014_000000000138\n".write(
        toFile: "\(root)/imageLists/test.txt", atomically: true, encoding: .utf8)
      try check(
        "coco-stuff-10k", root, "test", names: ["COCO_train2014_000000000138"],
        classes: [255, 0, 170])
    }
  }

  @Test("ADE20K and PASCAL VOC, which ignore 0 and 255")
  func scenes() throws {
    try withTemporaryFolder { root in
      try write("\(root)/images/training/ADE_train_00000001.jpg")
      try write(
        "\(root)/annotations/training/ADE_train_00000001.png",
        (0..<144).map { [UInt16(0), 1, 150][$0 % 3] })
      try check("ade20k", root, "train", names: ["ADE_train_00000001"], classes: [255, 0, 149])
    }
    try withTemporaryFolder { root in
      for name in ["2007_000032", "2008_000008"] { try write("\(root)/JPEGImages/\(name).jpg") }
      let values = (0..<144).map { [UInt16(0), 20, 255][$0 % 3] }
      try write(
        "\(root)/SegmentationClass/2007_000032.png", values,
        palette: LabelMap.palette(count: 256))
      try write("\(root)/SegmentationClassAug/2008_000008.png", values)
      let lists = "\(root)/ImageSets/Segmentation"
      try FileManager.default.createDirectory(atPath: lists, withIntermediateDirectories: true)
      try "2007_000032\n".write(toFile: "\(lists)/val.txt", atomically: true, encoding: .utf8)
      try "2008_000008\n2007_000032\n".write(
        toFile: "\(lists)/trainaug.txt", atomically: true, encoding: .utf8)
      try check("voc2012", root, "val", names: ["2007_000032"], classes: [0, 20, 255])
      try check(
        "voc2012", root, "trainaug", names: ["2007_000032", "2008_000008"], classes: [0, 20, 255])
      #expect(throws: DatasetError.self) {
        try DatasetDescription.pascalVOC.dataset(root, split: "train")
      }
    }
  }

  @Test("two splits are trained on together; a split that is not there is named")
  func splitsTogether() throws {
    try withTemporaryFolder { root in
      for (split, name) in [("train", "b"), ("val", "a")] {
        try write("\(root)/\(split)/\(name).png")
        try write("\(root)/\(split)annot/\(name).png", [UInt16](repeating: 3, count: 144))
      }
      func data(_ train: String) throws -> DataConfiguration {
        try DataConfiguration(
          Section(yaml: "{layout: camvid, root: \(root), train: \(train)}", named: "c.yaml"))
      }
      #expect(try data("train+val").listing("train").items.map(\.name) == ["a", "b"])
      #expect(try data("train+val").listing("val").items.map(\.name) == ["a"])
      for (wrong, expected) in [
        ("train+test", "splits with images are train, val"), ("train+", "train, val"),
        ("train+train", "b"),
      ] {
        let error = #expect(throws: DatasetError.self) { try data(wrong).listing("train") }
        let text = "\(try #require(error))"
        #expect(text.contains(expected), "\(wrong): \(text)")
      }
    }
  }

  @Test("vessels in PPM, TIFF, GIF and PNG")
  func vesselSets() throws {
    try withTemporaryFolder { root in
      for name in ["im0001", "im0324"] {
        try write("\(root)/stare-images/\(name).ppm")
        try write("\(root)/labels-ah/\(name).ah.ppm", vessels)
      }
      try check("stare", root, "train", names: ["im0001"], classes: [0, 1])
      try check("stare", root, "val", names: ["im0324"], classes: [0, 1])
    }
    try withTemporaryFolder { root in
      for name in ["Image_01L", "Image_09R", "Image_14R"] {
        try write("\(root)/\(name).jpg")
        try write("\(root)/\(name)_1stHO.png", vessels)
        try write("\(root)/\(name)_2ndHO.png", vessels)
      }
      try check("chase-db1", root, "train", names: ["Image_01L", "Image_09R"], classes: [0, 1])
      try check("chase-db1", root, "hold", names: ["Image_09R"], classes: [0, 1])
      try check("chase-db1", root, "test", names: ["Image_14R"], classes: [0, 1])
    }
    try withTemporaryFolder { root in
      for name in ["01_h", "15_dr"] {
        try write("\(root)/images/\(name).jpg")
        try write("\(root)/manual1/\(name).tif", vessels)
      }
      try check("hrf", root, "train", names: ["01_h"], classes: [0, 1])
      try check("hrf", root, "val", names: ["15_dr"], classes: [0, 1])
    }
    try withTemporaryFolder { root in
      try write("\(root)/training/images/21_training.tif")
      try write("\(root)/training/1st_manual/21_manual1.gif")
      try check("drive", root, "train", names: ["21"], classes: [0, 1])
    }
  }

  @Test(
    "the layouts that MMSegmentation's converters write, other files among them",
    arguments: [
      ("stare", "im0001", ".ah", ".vk", "train", "training"),
      ("stare", "im0324", ".ah", ".vk", "val", "validation"),
      ("chase-db1", "Image_01L", "_1stHO", "_2ndHO", "fit", "training"),
      ("chase-db1", "Image_14R", "_1stHO", "_2ndHO", "test", "validation"),
      ("hrf", "01_h", "", nil, "train", "training"),
      ("drive", "01", "_manual1", "_manual2", "test", "validation"),
    ] as [(String, String, String, String?, String, String)])
  func converted(
    set: String, name: String, suffix: String, other: String?, split: String, folder: String
  ) throws {
    try withTemporaryFolder { root in
      try write("\(root)/images/\(folder)/\(name).png")
      let values = vessels.map { min($0, 1) }
      try write("\(root)/annotations/\(folder)/\(name)\(suffix).png", values)
      if let other { try write("\(root)/annotations/\(folder)/\(name)\(other).png", values) }
      try check(set, root, split, names: [name], classes: [0, 1])
    }
  }

  @Test("COCO-Stuff as MMSegmentation's converters leave it")
  func convertedCOCO() throws {
    try withTemporaryFolder { root in
      let values = (0..<144).map { [UInt16(0), 12, 181, 255][$0 % 4] }
      try write("\(root)/images/val2017/000000000139.jpg")
      for suffix in ["", "_labelTrainIds"] {
        try write("\(root)/annotations/val2017/000000000139\(suffix).png", values)
      }
      try check(
        "coco-stuff-164k", root, "val", names: ["000000000139"], classes: [0, 11, 170, 255])
    }
    try withTemporaryFolder { root in
      let name = "COCO_train2014_000000000077"
      try write("\(root)/images/\(name).jpg")
      try write("\(root)/images/train2014/\(name).jpg")
      try write(
        "\(root)/annotations/train2014/\(name)_labelTrainIds.png",
        (0..<144).map { [UInt16(0), 1, 12, 171][$0 % 4] })
      try check("coco-stuff-10k", root, "train", names: [name], classes: [255, 0, 11, 170])
    }
  }

  // From Python: gzip.compress(b"P5 12 12 255\n" + bytes(0 if i % 5 else 255 for i in range(144)), 9, mtime=0)
  private let packed: [UInt8] = [
    31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 11, 48, 85, 48, 52, 2, 33, 35, 83, 83,
    174, 255, 12, 64, 48, 136, 8, 0, 173, 179, 197, 192, 157, 0, 0, 0,
  ]

  @Test("STARE as it unpacks, its files still packed by gzip; a broken one is refused by name")
  func packedFiles() throws {
    try withTemporaryFolder { root in
      for folder in ["stare-images", "labels-ah"] {
        try FileManager.default.createDirectory(
          atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
      }
      let label = URL(fileURLWithPath: "\(root)/labels-ah/im0001.ah.ppm.gz")
      try Data(packed).write(to: URL(fileURLWithPath: "\(root)/stare-images/im0001.ppm.gz"))
      try Data(packed).write(to: label)
      try check("stare", root, "train", names: ["im0001"], classes: [0, 1])
      for count in [2, 12, packed.count - 9, packed.count - 1] {
        try Data(packed.prefix(count)).write(to: label)
        #expect(throws: ImageError.self) { try LabelImage(contentsOf: label.path) }
      }
      var huge = packed
      huge[huge.count - 2] = 0xFF
      try Data(huge).write(to: label)
      #expect(throws: ImageError.self) { try LabelImage(contentsOf: label.path) }
    }
  }

  @Test("iSAID's patches, as values and as colours")
  func isaid() throws {
    try withTemporaryFolder { root in
      let name = "P0001_0_896_0_896"
      try write("\(root)/img_dir/val/\(name).png")
      try write(
        "\(root)/ann_dir/val/\(name)_instance_color_RGB.png",
        (0..<144).map { [UInt16(0), 15, 255][$0 % 3] })
      try check("isaid", root, "val", names: [name], classes: [0, 15, 255])
      let colors = [ISAID.classes[0].color, ISAID.classes[9].color]
      try Image(
        width: size, height: size,
        pixels: (0..<144).flatMap {
          [colors[$0 % 2].red, colors[$0 % 2].green, colors[$0 % 2].blue]
        }
      ).write(to: "\(root)/ann_dir/val/\(name)_instance_color_RGB.png")
      try check("isaid", root, "val", names: [name], classes: [0, 9])
      // The official kit's names; MMSegmentation's image patches are BMP whatever their name says.
      let folder = "\(root)/train/images"
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      let bmp = bitmap((0..<144).map { colors[$0 % 2] })
      try Data(bmp).write(to: URL(fileURLWithPath: "\(folder)/\(name).png"))
      for kind in ["color", "id"] {
        try Data(bmp).write(to: URL(fileURLWithPath: "\(folder)/\(name)_instance_\(kind)_RGB.png"))
      }
      try check("isaid", root, "train", names: [name], classes: [0, 9])
      let image = try Image(decoding: bmp, named: "a.png")
      #expect(Array(image.pixels.prefix(6)) == [0, 0, 0, 0, 0, 127])
      for count in 0..<bmp.count {
        #expect(throws: ImageError.self) {
          try Image(decoding: Array(bmp.prefix(count)), named: "a.png")
        }
      }
    }
  }

  @Test("a GIF's pixels are those that Pillow wrote, and half a file is refused by name")
  func gifs() throws {
    let labels = try LabelImage(
      decoding: gif, named: "a.gif", colors: DatasetDescription.drive.labelColors)
    for y in 0..<size {
      for x in 0..<size {
        let isInside = (3...8).contains(x) && (4...9).contains(y)
        #expect(labels.values[y * size + x] == (isInside ? 255 : 0))
      }
    }
    for count in 6..<gif.count - 3 {
      #expect(throws: ImageError.self) {
        try LabelImage(decoding: Array(gif.prefix(count)), named: "a.gif")
      }
    }
  }

  @Test("the real files of HRF, CHASE_DB1 and CamVid", .enabled(if: camVidFolder != nil))
  func real() throws {
    for (name, folder, split, count) in [
      ("hrf-av", "hrf", "train", 15), ("chase-db1", "chasedb1", "fit", 16),
      ("chase-db1", "chasedb1", "hold", 4), ("camvid", "camvid", "val", 101),
    ] {
      let set = try #require(DatasetDescription.named(name))
        .dataset("\(shared)/data/\(folder)", split: split)
      #expect(set.count == count)
      let mask = try #require(try set.loadMask(0))
      #expect(Set(mask.classes).count > 1)
    }
    let coco = try FileDataset.pairs(
      images: "\(shared)/data/cocostuff/val_img", labels: "\(shared)/data/cocostuff/val_label",
      map: COCOStuff.classes171)
    #expect(coco.count == 8)
    for index in 0..<8 { _ = try coco.load(index) }
  }
}
