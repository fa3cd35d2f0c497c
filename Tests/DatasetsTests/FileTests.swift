import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("Files")
struct FileTests {
  /// Writes `count` pairs below `images` and `labels`, label values 0 to 11.
  private func write(
    _ root: String, count: Int, image: Size = Size(width: 12, height: 8), label: Size? = nil,
    _ change: (inout LabelImage, Int) -> Void = { _, _ in }
  ) throws -> FileDataset {
    for folder in ["images", "labels"] {
      try FileManager.default.createDirectory(
        atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
    }
    for i in 0..<count {
      let (pixels, _) = picture(image.width, image.height, seed: UInt64(i))
      try pixels.write(to: "\(root)/images/\(i).png")
      let size = label ?? image
      var values = LabelImage(
        width: size.width, height: size.height,
        values: (0..<size.width * size.height).map { UInt16(($0 + i) % 12) })
      change(&values, i)
      try values.writePNG(to: "\(root)/labels/\(i).png")
    }
    return try FileDataset.pairs(
      images: "\(root)/images", labels: "\(root)/labels", map: .camVid)
  }

  @Test("a sample is its files' pixels and classes")
  func sample() throws {
    try withTemporaryFolder { root in
      let set = try write(root, count: 2)
      let sample = try set.load(1)
      #expect(sample.image == picture(12, 8, seed: 1).0)
      #expect(sample.name == "1" && sample.labelPath == "\(root)/labels/1.png")
      let expected = (1...96).map { (i: Int) -> UInt8 in i % 12 == 11 ? 255 : UInt8(i % 12) }
      #expect(sample.mask.classes == expected)
      #expect(try set.loadMask(1) == sample.mask)
      #expect(try ClassHistogram(of: set).total == 2 * 96)
      #expect(try ValueHistogram(of: set).values == Array(0...11))
    }
  }

  @Test("a value outside the map is named with its file and pixel, by the loader too")
  func valueOutside() throws {
    try withTemporaryFolder { root in
      let set = try write(root, count: 6) { label, i in if i == 4 { label.values[29] = 77 } }
      let error = DatasetError.valueOutsideMap(
        file: "\(root)/labels/4.png", x: 5, y: 2, value: 77, map: "CamVid, 11 classes",
        allowed: Array(0...11))
      #expect(throws: error) { try set.load(4) }
      #expect(throws: error) { try ClassHistogram(of: set, threads: 3) }
      let batches = try Loader(set, batchSize: 3, threads: 4).batches(epoch: 0)
      #expect(try batches.next()?.count == 3)
      #expect(throws: error) { try batches.next() }
      #expect(set.labelMap.warnings(for: try ValueHistogram(of: set)).count == 1)
    }
  }

  @Test("a label of another size than its image is named with both sizes")
  func sizeMismatch() throws {
    try withTemporaryFolder { root in
      let set = try write(root, count: 1, label: Size(width: 11, height: 8))
      let error = #expect(throws: DatasetError.self) { try set.load(0) }
      #expect(
        error?.description
          == "\(root)/images/0.png is 12×8 but its label \(root)/labels/0.png is 11×8;"
          + " expected equal sizes")
    }
  }

  @Test("a truncated file surfaces as the decoder's error at the batch")
  func truncated() throws {
    try withTemporaryFolder { root in
      let set = try write(root, count: 3)
      let path = "\(root)/images/2.png"
      let whole = try Data(contentsOf: URL(fileURLWithPath: path))
      try whole.prefix(whole.count / 2).write(to: URL(fileURLWithPath: path))
      let batches = try Loader(set, batchSize: 3, threads: 2).batches(epoch: 0)
      let error = #expect(throws: ImageError.self) { try batches.next() }
      #expect(error?.description.contains(path) == true)
    }
  }

  @Test("images without labels are ignored everywhere")
  func unlabelled() throws {
    try withTemporaryFolder { root in
      _ = try write(root, count: 2)
      let set = try FileDataset.pairs(
        images: FileSelection("\(root)/images"), labels: nil, map: .camVid)
      #expect(try set.load(0).mask == ClassMask(size: Size(width: 12, height: 8)))
      #expect(try set.loadMask(0) == nil)
    }
  }

  @Test("coloured labels are read by their table")
  func colors() throws {
    try withTemporaryFolder { root in
      _ = try write(root, count: 1, image: Size(width: 2, height: 1))
      try Image(width: 2, height: 1, pixels: [0, 0, 9, 5, 5, 5]).write(to: "\(root)/labels/0.png")
      let set = try FileDataset.pairs(
        images: FileSelection("\(root)/images"), labels: FileSelection("\(root)/labels"),
        map: .camVid, labelColors: [Color(0, 0, 9): 3, Color(5, 5, 5): 11])
      #expect(try set.load(0).mask.classes == [3, 255])
    }
  }

  @Test("Cityscapes' label ids are read directly")
  func cityscapes() throws {
    try withTemporaryFolder { root in
      let image = "\(root)/leftImg8bit/train/aachen"
      let label = "\(root)/gtFine/train/aachen"
      for folder in [image, label] {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      }
      try picture(34, 1).0.write(to: "\(image)/aachen_000000_000019_leftImg8bit.png")
      try LabelImage(width: 34, height: 1, values: (0..<34).map { UInt16($0) })
        .writePNG(to: "\(label)/aachen_000000_000019_gtFine_labelIds.png")
      let sample = try FileDataset.cityscapes(root, split: "train").load(0)
      #expect(
        sample.mask.classes
          == Cityscapes.labels.dropLast().map { $0.trainId == 255 ? 255 : UInt8($0.trainId) })
      let background = try FileDataset.cityscapes(
        root, split: "train", map: Cityscapes.classes20
      ).load(0)
      #expect(background.mask.classes.filter { $0 == 19 }.count == 15)
    }
  }
}

@Suite("CamVid", .enabled(if: camVidFolder != nil, "shared/data/camvid is not there"))
struct CamVidTests {
  private func set(_ split: String) throws -> FileDataset {
    try .camVid(try #require(camVidFolder), split: split)
  }

  @Test("both splits have their number of 480×360 samples")
  func splits() throws {
    #expect(try set("train").count == 367)
    let val = try set("val")
    #expect(val.count == 101)
    let sample = try val.load(100)
    #expect(sample.image.size == Size(width: 480, height: 360))
    #expect(sample.mask.size == sample.image.size)
  }

  @Test("the histogram's pixels are all pixels, and every class occurs")
  func histogram() throws {
    let val = try set("val")
    let histogram = try ClassHistogram(of: val)
    #expect(histogram.total == 101 * 480 * 360)
    #expect(histogram.absent.isEmpty && histogram.imageCount == 101)
    #expect(histogram.shares[3] > 0.2, "road")
    #expect(val.labelMap.warnings(for: try ValueHistogram(of: val.spread(to: 10))).isEmpty)
  }

  @Test("one thread and eight give the same augmented batches")
  func threads() throws {
    let some = try set("train").spread(to: 12)
    let crop = Size(width: 96, height: 96)
    let pipeline = try Pipeline([
      .randomResize(ratio: 0.5...2), .randomCrop(crop, maxClassShare: 0.75), .horizontalFlip(),
      .photometricDistortion(), .pad(to: crop),
    ])
    func masks(_ threads: Int, _ cache: Int) throws -> ([[Float]], [[UInt8]]) {
      let loader = try Loader(
        some, pipeline: pipeline, batchSize: 4, shuffle: true, seed: 3, threads: threads,
        cacheBytes: cache)
      let batches = loader.batches(epoch: 1)
      var images: [[Float]] = []
      var masks: [[UInt8]] = []
      while let batch = try batches.next() {
        images.append(batch.images)
        masks.append(batch.masks)
      }
      return (images, masks)
    }
    let one = try masks(1, 0)
    let eight = try masks(8, 1 << 30)
    #expect(one.0 == eight.0 && one.1 == eight.1 && one.0.count == 3)
  }
}
