import Imaging
import Testing

@testable import Datasets

/// What torchvision 0.26 gives for a small fixed image, computed in floats and rounded.
@Suite("Agreement with torchvision")
struct ReferenceTests {
  private let image = Image(
    width: 9, height: 7,
    pixels: (0..<189).map { (i: Int) -> UInt8 in UInt8((i * i * 7 + i * 13) & 255) })
  private let mask = ClassMask(width: 9, height: 7, classes: (0..<63).map { UInt8($0) })

  private func resized(_ width: Int, _ height: Int, antialias: Bool) throws -> (
    image: Image, mask: ClassMask
  ) {
    var random = SampleRandom(seed: 0, epoch: 0, index: 0)
    let pipeline = try Pipeline([.resize(Size(width: width, height: height), antialias: antialias)])
    return pipeline(image, mask, random: &random)
  }

  /// The largest difference to the reference, and how many levels differ at all.
  private func compare(_ found: [UInt8], _ expected: [UInt8]) -> (largest: Int, count: Int) {
    #expect(found.count == expected.count)
    let differences = zip(found, expected).map { abs(Int($0) - Int($1)) }
    return (differences.max() ?? 0, differences.filter { $0 > 0 }.count)
  }

  private func red(_ image: Image) -> [UInt8] {
    stride(from: 0, to: image.pixels.count, by: 3).map { image.pixels[$0] }
  }

  @Test("resizes with and without antialiasing")
  func resizes() throws {
    let cases: [(width: Int, height: Int, antialias: Bool, red: [UInt8])] = [
      (
        5, 4, true,
        [
          59, 102, 145, 157, 150, 117, 116, 124, 127, 140, 111, 84, 144, 155, 116, 163, 121,
          136, 124, 77,
        ]
      ),
      (
        5, 4, false,
        [
          48, 98, 142, 186, 159, 142, 130, 110, 110, 122, 118, 48, 196, 139, 95, 172, 110,
          144, 113, 76,
        ]
      ),
      (
        4, 7, true,
        [
          59, 135, 187, 145, 67, 96, 126, 149, 151, 154, 143, 119, 91, 54, 120, 150, 107,
          100, 193, 103, 140, 125, 177, 117, 183, 103, 114, 46,
        ]
      ),
      (
        4, 7, false,
        [
          64, 160, 230, 113, 50, 74, 103, 138, 163, 178, 167, 130, 82, 24, 197, 183, 127,
          61, 224, 106, 138, 95, 218, 91, 210, 63, 146, 42,
        ]
      ),
      (
        12, 10, true,
        [
          0, 64, 92, 86, 160, 152, 175, 230, 202, 94, 113, 248, 43, 56, 77, 99, 113, 133,
          148, 160, 178, 116, 127, 212, 89, 79, 90, 115, 100, 123, 130, 119, 147, 134, 136,
          157, 120, 158, 159, 131, 173, 142, 139, 164, 115, 138, 130, 87, 128, 110, 102,
          103, 78, 76, 126, 186, 61, 119, 164, 161, 124, 98, 80, 71, 37, 82, 156, 206, 72,
          120, 156, 145, 105, 127, 105, 48, 62, 155, 220, 224, 147, 141, 105, 39, 64, 135,
          170, 149, 86, 103, 158, 220, 201, 140, 95, 76, 124, 170, 177, 134, 81, 107, 152,
          186, 138, 81, 69, 99, 214, 210, 157, 71, 63, 134, 173, 146, 38, 9, 42, 110,
        ]
      ),
    ]
    for entry in cases {
      let found = try resized(entry.width, entry.height, antialias: entry.antialias)
      let difference = compare(red(found.image), entry.red)
      #expect(difference.largest <= 1 && difference.count <= 2)
    }
  }

  @Test("masks take the nearest pixel by centres")
  func nearest() throws {
    #expect(
      try resized(5, 4, antialias: true).mask.classes
        == [
          0, 2, 4, 6, 8, 18, 20, 22, 24, 26, 36, 38, 40, 42, 44, 54, 56, 58, 60, 62,
        ])
    #expect(
      try resized(12, 10, antialias: true).mask.classes
        == [
          0, 1, 1, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 10, 11, 12, 13, 13, 14, 15, 16, 16, 17,
          9, 10, 10, 11, 12, 13, 13, 14, 15, 16, 16, 17, 18, 19, 19, 20, 21, 22, 22, 23, 24,
          25, 25, 26, 27, 28, 28, 29, 30, 31, 31, 32, 33, 34, 34, 35, 27, 28, 28, 29, 30,
          31, 31, 32, 33, 34, 34, 35, 36, 37, 37, 38, 39, 40, 40, 41, 42, 43, 43, 44, 45,
          46, 46, 47, 48, 49, 49, 50, 51, 52, 52, 53, 45, 46, 46, 47, 48, 49, 49, 50, 51,
          52, 52, 53, 54, 55, 55, 56, 57, 58, 58, 59, 60, 61, 61, 62,
        ])
  }

  @Test("saturation, hue and contrast")
  func colors() {
    var saturated = image
    blendWithGray(&saturated, factor: 0.4)
    let first = compare(
      Array(saturated.pixels[0..<54]),
      [
        11, 19, 32, 133, 158, 188, 108, 150, 95, 137, 93, 157, 108, 80, 59, 222, 212, 207,
        207, 213, 225, 61, 85, 113, 190, 128, 173, 131, 188, 148, 107, 181, 158, 102, 90,
        84, 75, 80, 90, 156, 177, 102, 124, 163, 104, 129, 82, 142, 93, 63, 140, 166, 153,
        145,
      ])
    #expect(first.largest <= 1)
    var turned = image
    changeColor(
      of: &turned, before: LevelTable(), after: LevelTable(), saturation: 1, sextants: 0.2 * 6)
    let second = compare(
      Array(turned.pixels[0..<54]),
      [
        45, 0, 54, 206, 102, 240, 40, 178, 172, 222, 62, 80, 62, 140, 18, 214, 234, 196,
        237, 198, 244, 130, 32, 162, 248, 165, 92, 78, 150, 220, 34, 55, 218, 91, 116, 70,
        102, 68, 106, 12, 200, 104, 44, 190, 169, 202, 50, 54, 230, 36, 115, 151, 182, 128,
      ])
    #expect(second.largest <= 1)
    var contrasted = image
    let mean = meanGray(of: image)
    var levels = LevelTable()
    levels.map { $0 * 1.6 + mean * (1 - 1.6) }
    levels.apply(to: &contrasted)
    let third = compare(
      Array(contrasted.pixels[0..<54]),
      [
        0, 0, 11, 88, 187, 255, 43, 210, 0, 200, 24, 255, 149, 40, 0, 255, 255, 239, 242,
        255, 255, 0, 69, 184, 255, 72, 255, 50, 255, 117, 0, 255, 181, 111, 63, 37, 34,
        53, 95, 159, 245, 0, 75, 229, 0, 194, 5, 248, 104, 0, 255, 216, 162, 130,
      ])
    #expect(third.largest <= 1)
  }

  /// The means and the deviations of 60,000 draws of MMSegmentation 1.2.2's `PhotoMetricDistortion`
  /// with its own settings.
  @Test("the photometric distortion has MMSegmentation's means and deviations")
  func distortion() throws {
    let colors: [[Int]] = [
      [200, 40, 40], [40, 160, 90], [60, 80, 220], [230, 210, 60], [128, 128, 128], [90, 40, 140],
    ]
    let means = [
      196.86, 53.57, 54.99, 41.88, 159.52, 91.32, 67.28, 89.41, 213.15, 213.90, 195.04, 61.05,
      127.57, 127.57, 127.57, 89.22, 40.67, 139.44,
    ]
    let deviations = [
      37.41, 39.01, 40.27, 27.38, 34.80, 38.46, 38.49, 44.52, 36.16, 38.78, 46.27, 36.59, 29.10,
      29.10, 29.10, 34.48, 24.77, 31.27,
    ]
    let image = Image(width: 6, height: 1, pixels: colors.flatMap { $0.map { UInt8($0) } })
    let mask = ClassMask(width: 6, height: 1, classes: [0, 1, 2, 3, 4, 0])
    let pipeline = try Pipeline([.photometricDistortion()])
    let draws = 4000
    var sums = [Double](repeating: 0, count: 18)
    var squares = sums
    for index in 0..<draws {
      var random = SampleRandom(seed: 5, epoch: 0, index: index)
      let pixels = pipeline(image, mask, random: &random).image.pixels
      for (i, level) in pixels.enumerated() {
        sums[i] += Double(level)
        squares[i] += Double(level) * Double(level)
      }
    }
    for i in 0..<18 {
      let mean = sums[i] / Double(draws)
      let deviation = (squares[i] / Double(draws) - mean * mean).squareRoot()
      // Four deviations of a mean of so many draws, and half a level that the original cuts off.
      #expect(abs(mean - means[i]) < 3.5, "mean of level \(i)")
      #expect(abs(deviation - deviations[i]) < 3.5, "deviation of level \(i)")
    }
  }
}
