import Configuration
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

/// A picture, and the same as levels.
private func pair(_ width: Int, _ height: Int) -> (picture: Image, levels: Image, mask: ClassMask) {
  var random = SampleRandom(seed: 3, epoch: 0, index: 0)
  let pixels = (0..<width * height * 3).map { _ in UInt8(random.integer(below: 256)) }
  let picture = Image(width: width, height: height, pixels: pixels)
  let levels = Image(
    Levels(size: picture.size, bands: 3, values: pixels.map { Float($0) }))
  return (
    picture, levels,
    ClassMask(
      width: width, height: height,
      classes: (0..<width * height).map { UInt8($0 / 7 % 3) })
  )
}

@Suite("Transforms of levels")
struct LevelTransformTests {
  static let pipelines: [[Transform]] = [
    [.resize(Size(width: 31, height: 50))],
    [.resize(Size(width: 100, height: 71), antialias: false)],
    [
      .randomResize(ratio: 0.5...2), .randomCrop(Size(width: 24, height: 20)),
      .pad(to: Size(width: 32, height: 32)),
    ],
    [.horizontalFlip(probability: 1), .verticalFlip(probability: 1)],
    [.rotation(degrees: 17...17, probability: 1)],
    [
      .centerCrop(Size(width: 10, height: 60)), .pad(to: Size(width: 70, height: 70), fill: .black),
    ],
  ]

  /// Levels are not rounded between steps, pictures are.
  @Test("give what they give pictures, but for rounding", arguments: pipelines.indices)
  func alike(index: Int) throws {
    let (picture, levels, mask) = pair(53, 41)
    let pipeline = try Pipeline(Self.pipelines[index])
    var first = SampleRandom(seed: 1, epoch: 0, index: 0), second = first
    let mean = Color(124, 116, 104)
    let a = pipeline(picture, mask, random: &first, mean: mean)
    let b = pipeline(
      levels, mask, random: &second, mean: mean, meanLevels: [124, 116, 104])
    #expect(a.mask == b.mask)
    let found = try #require(b.image.levels)
    #expect(found.size == a.image.size)
    let furthest = zip(a.image.pixels, found.values).map { abs(Float($0) - $1) }.max() ?? 0
    #expect(furthest <= 0.51)
    #expect(b.image.size == a.image.size)
  }

  @Test(
    "of light give what they give pictures, but for rounding",
    arguments: [
      Transform.photometricDistortion(),
      .colorJitter(ColorJitter(brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2)),
    ])
  func light(transform: Transform) throws {
    let (picture, levels, mask) = pair(40, 30)
    let pipeline = try Pipeline([transform])
    for index in 0..<20 {
      var first = SampleRandom(seed: 9, epoch: 0, index: index), second = first
      let a = pipeline(picture, mask, random: &first).image
      let b = try #require(pipeline(levels, mask, random: &second).image.levels)
      #expect(first.next() == second.next())
      // Three steps are rounded one after the other, and hue and saturation enlarge what was lost.
      let differences = zip(a.pixels, b.values).map { abs(Float($0) - $1) }.sorted()
      #expect(differences[differences.count * 9 / 10] <= 2)
    }
  }

  @Test("of any number of bands treat each as they would alone", arguments: [1, 2, 4, 7])
  func bands(count: Int) throws {
    let (_, _, mask) = pair(30, 20)
    var random = SampleRandom(seed: 8, epoch: 0, index: 0)
    let planes = (0..<count).map { _ in (0..<600).map { _ in Float(random.unit() * 255) } }
    func image(_ planes: [[Float]]) -> Image {
      Image(
        Levels(
          size: Size(width: 30, height: 20), bands: planes.count,
          values: (0..<600).flatMap { i in planes.map { $0[i] } }))
    }
    let pipeline = try Pipeline([
      .randomResize(ratio: 0.7...1.4), .randomCrop(Size(width: 16, height: 16)),
      .pad(to: Size(width: 20, height: 20)), .rotation(degrees: -9...9, probability: 1),
      .horizontalFlip(), .photometricDistortion(),
    ])
    func run(_ image: Image, _ mean: [Float]) -> [Float] {
      var random = SampleRandom(seed: 2, epoch: 1, index: 5)
      let result = pipeline(image, mask, random: &random, meanLevels: mean).image.levels
      return result?.values ?? []
    }
    let means = (0..<count).map { Float(10 * $0 + 5) }
    let together = run(image(planes), means)
    #expect(together.count == 20 * 20 * count)
    for band in 0..<count {
      let alone = run(image([planes[band]]), [means[band]])
      #expect(alone == stride(from: band, to: together.count, by: count).map { together[$0] })
    }
  }

  @Test("leave missing what is mostly missing, and mix the rest of what is there")
  func missing() throws {
    var values = [Float](repeating: 100, count: 64)
    for y in 0..<8 { for x in 0..<4 { values[y * 8 + x] = .nan } }
    values[7] = .nan
    let image = Image(Levels(size: Size(width: 8, height: 8), bands: 1, values: values))
    let mask = ClassMask(size: image.size, filledWith: 1)
    var random = SampleRandom(seed: 0, epoch: 0, index: 0)
    let half = try Pipeline([.resize(Size(width: 4, height: 4))])(image, mask, random: &random)
    let found = try #require(half.image.levels).values
    for y in 0..<4 {
      #expect(found[4 * y].isNaN && found[4 * y + 1].isNaN)
      #expect(abs(found[4 * y + 2] - 100) < 1e-3 && abs(found[4 * y + 3] - 100) < 1e-3)
    }
    #expect(image.missing?.count { $0 } == 33)
    #expect(mask.ignoring(image.missing).classes.count { $0 == LabelMap.ignored } == 33)
  }
}

@Suite("Bands of a configuration")
struct BandTests {
  private func section(_ text: String) throws -> Section {
    try Section(yaml: text, named: "c.yaml")
  }

  @Test("name what a network sees")
  func plan() throws {
    let plan = try #require(
      try DataConfiguration.bandPlan(
        section("{bands: [4, 3, 2, 1], range: [0, 10000], shown: [2, 3, 4], page: 2, noData: -1}")))
    #expect(plan.bands == [3, 2, 1, 0])
    #expect(plan.ranges == [0...10_000, 0...10_000, 0...10_000, 0...10_000])
    #expect(plan.shown == [2, 1, 0])
    #expect(plan.page == 2 && plan.noData == -1)
    #expect(try DataConfiguration.bandPlan(section("{layout: folders}")) == nil)
    let own = try DataConfiguration.bandPlan(section("{bands: [1, 2], range: [[0, 1], [5, 9]]}"))
    #expect(own?.ranges == [0...1, 5...9])
  }

  @Test(
    "are refused with what was expected",
    arguments: [
      ("{bands: [1], range: [5, 5]}", "the lower first"), ("{range: [0, 1]}", "bands"),
      ("{bands: [0]}", "from 1"),
      ("{bands: [1, 2], range: [[0, 1]], shown: [3]}", "three of the bands"),
      ("{bands: [1, 2], range: [[0, 1], [0, 1], [0, 1]]}", "a list of 2"),
      ("{bands: [1], range: bright}", "measured"),
      ("{bands: [1, 2], shown: [1, 2]}", "one for grey"),
      ("{bands: [1], range: {percentiles: [98, 2]}}", "the lower first"),
      ("{bands: [1], range: [.nan, 1]}", "the lower first"),
      ("{bands: [1], page: 0}", "at least 1"),
    ])
  func refused(text: String, expected: String) throws {
    let error = #expect(throws: ConfigurationError.self) {
      _ = try DataConfiguration.bandPlan(section(text))
    }
    let message = "\(try #require(error))"
    #expect(message.contains(expected) || message.contains("from 1 to"), "\(message)")
  }

  @Test("other than three need a normalization of their own")
  func normalization() throws {
    #expect(throws: ConfigurationError.self) {
      try DataConfiguration.encoding(section("{bands: [1, 2, 3, 4]}"))
    }
    let unit = try DataConfiguration.encoding(section("{bands: [1, 2, 3, 4], normalization: unit}"))
    #expect(unit.mean == [0, 0, 0, 0] && unit.deviation == [1, 1, 1, 1])
    let own = try DataConfiguration.encoding(
      section("{bands: [1], normalization: {mean: [0.5], deviation: [0.1]}}"))
    #expect(own.bands == 1)
    #expect(throws: ConfigurationError.self) {
      try DataConfiguration.encoding(
        section("{bands: [1, 2], normalization: {mean: [0.5], deviation: [0.1]}}"))
    }
  }

  @Test("of levels are clipped to the range, and missing where nothing was measured")
  func levels() throws {
    let plan = BandPlan(bands: [0, 1], ranges: [100...300, 0...1], noData: 7)
    let raster = Raster(
      size: Size(width: 3, height: 1), bands: 2, .float([100, 0.5, 400, 7, .nan, -3]))
    let levels = try plan.levels(of: raster, noData: nil, file: "a")
    #expect(levels.values[0] == 0 && levels.values[1] == 127.5 && levels.values[2] == 255)
    #expect(levels.values[3].isNaN && levels.values[4].isNaN && levels.values[5] == 0)
    #expect(levels.missing == nil)
    let deep = Raster(size: Size(width: 2, height: 1), bands: 1, .uint16([65_535, 257]))
    let whole = try BandPlan(bands: [0]).levels(of: deep, noData: 257, file: "a")
    #expect(whole.values[0] == 255 && whole.missing == [false, true])
    #expect(throws: ImageError.self) {
      try BandPlan(bands: [0, 1]).levels(of: raster, noData: nil, file: "a")
    }
  }
}

@Suite("Windows of images")
struct WindowTests {
  /// Images of two bands of 16 bits as NumPy writes them, (H, W, 2), and labels.
  private func write(_ folder: String, _ count: Int, width: Int = 70, height: Int = 50) throws {
    for name in ["images", "labels"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    for index in 0..<count {
      var header =
        "{'descr': '<u2', 'fortran_order': False, 'shape': (\(height), \(width), 2), }"
      header += String(repeating: " ", count: 117 - header.utf8.count) + "\n"
      var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(header.utf8)
      for i in 0..<width * height {
        for value in [i + 1000 * index, 7 * i % 3000] {
          bytes += [UInt8(value & 255), UInt8(value >> 8)]
        }
      }
      try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/images/\(index).npy"))
      try LabelImage(
        width: width, height: height, values: (0..<width * height).map { UInt16($0 / 11 % 2) }
      ).writePNG(to: "\(folder)/labels/\(index).png")
    }
  }

  private func configuration(_ folder: String, _ more: String) throws -> Section {
    let part = "{images: \(folder)/images, labels: \(folder)/labels}"
    return try Section(
      yaml: """
        data: {layout: folders, train: \(part), val: \(part), classes: [a, b], bands: [2, 1],
          normalization: unit, \(more)}
        """, named: "c.yaml")
  }

  @Test("are samples of their own, whole in training and cut where they are scored")
  func windows() throws {
    let folder = try TemporaryFolder()
    try write(folder.path, 2)
    let data = try DataConfiguration(
      configuration(folder.path, "windows: 32x20, range: [0, 5000]").section("data"))
    let (train, val) = (try data.dataset("train"), try data.dataset("val"))
    #expect(train.count == 18 && val.count == 18)
    let whole = try #require(try data.listing("val").load(1).image.levels)
    var seen = 0
    for index in 0..<val.count {
      let sample = try val.load(index)
      seen += sample.mask.classes.count
      #expect(sample.mask == (try val.loadMask(index)))
      #expect(try train.load(index).image.size == Size(width: 32, height: 20))
      guard index == 9 + 5 else { continue }
      #expect(sample.name == "1_x64_y20")
      #expect(sample.image.size == Size(width: 6, height: 20))
      let levels = try #require(sample.image.levels)
      for y in 0..<20 {
        for x in 0..<6 {
          for band in 0..<2 {
            #expect(
              levels.values[(y * 6 + x) * 2 + band]
                == whole.values[((y + 20) * 70 + x + 64) * 2 + band])
          }
          #expect(sample.mask[x, y] == UInt8(((y + 20) * 70 + x + 64) / 11 % 2))
        }
      }
    }
    #expect(seen == 2 * 70 * 50)
    #expect(Set((0..<18).map { val.item($0).name }).count == 18)
  }

  /// The numbers are those of NumPy: percentile(method="inverted_cdf"), min, max, mean and std.
  @Test("measure ranges and statistics over all training images")
  func measured() throws {
    let folder = try TemporaryFolder()
    try write(folder.path, 2)
    func overrides(_ more: String) throws -> [String] {
      try DataConfiguration.measured { _ in try configuration(folder.path, more) }
    }
    #expect(try overrides("range: measured") == ["data.range=[[0.0, 2999.0], [0.0, 4499.0]]"])
    #expect(
      try overrides("range: {percentiles: [2, 98]}")
        == ["data.range=[[53.0, 2938.0], [139.0, 4359.0]]"])
    let data = try DataConfiguration(
      configuration(folder.path, "range: [[0, 3000], [0, 4500]]").section("data"))
    let found = try InputEncoding.measured(from: data.dataset("train"))
    for (a, b) in zip(found.mean, [0.491309523810, 0.499888888889]) { #expect(abs(a - b) < 1e-6) }
    for (a, b) in zip(found.deviation, [0.291834331789, 0.250513866943]) {
      #expect(abs(a - b) < 1e-6)
    }
    let inspection = try Inspection([("train", data.listing("train"))])
    for (a, b) in zip(inspection.parts[0].mean, found.mean) { #expect(abs(a - b) < 1e-9) }
    #expect(inspection.errors.isEmpty)
  }
}
