import Testing

@testable import Imaging

/// Expected levels are those of opencv-python-headless 5.0.0 (and 4.14.0), Pillow 12.3.0 and 13.0.0, which give the same at
/// these sizes, torch 2.11.0, and torchvision 0.26.0 with AVX2.
@Suite("Resizing of images by rules")
struct ImageResizingTests {
  private func picture(_ width: Int, _ height: Int) -> Image {
    var pixels: [UInt8] = []
    for y in 0..<height {
      for x in 0..<width {
        for c in 0..<3 { pixels.append(UInt8((x * 37 + y * 91 + c * 53 + x * y * 17) % 256)) }
      }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  private func resized(_ image: Image, _ width: Int, _ height: Int, _ rule: ImageResizing)
    -> [UInt8]
  {
    image.resized(to: Size(width: width, height: height), by: rule).pixels
  }

  private static let linear: [UInt8] = [197, 140, 140, 166, 133, 66, 83, 133, 175]
  private static let repeated: [UInt8] = [235, 50, 50, 121, 192, 7, 78, 78, 149]
  private static let examples:
    [(rule: ImageResizing, row: [UInt8], shrunk: [UInt8], grown: [UInt8])] = [
      (.opencv, [25, 105, 185], [46, 121, 121, 185, 209, 77, 201, 69, 115, 107, 57, 156], linear),
      (
        .pillow, [33, 105, 177], [62, 131, 133, 172, 155, 143, 135, 93, 113, 125, 91, 144], linear
      ),
      (.torch, [25, 105, 185], [46, 121, 121, 185, 209, 77, 201, 69, 115, 107, 57, 156], linear),
      (
        .torchAntialias, [33, 105, 177], [62, 131, 134, 172, 156, 143, 135, 93, 113, 124, 91, 144],
        linear
      ),
      (
        .pillowNearest, [30, 120, 180], [0, 74, 148, 222, 182, 68, 210, 96, 108, 62, 16, 226],
        repeated
      ),
      (
        .pillowBox, [30, 105, 180], [69, 160, 100, 168, 218, 104, 210, 61, 111, 112, 65, 146],
        repeated
      ),
      (
        .pillowHamming, [28, 105, 182], [53, 127, 128, 180, 175, 124, 154, 82, 114, 118, 77, 152],
        [206, 115, 120, 161, 148, 43, 79, 114, 169]
      ),
      (
        .pillowBicubic, [27, 105, 183], [57, 136, 134, 175, 161, 149, 137, 83, 114, 124, 85, 148],
        [220, 137, 128, 171, 138, 43, 53, 128, 193]
      ),
      (
        .pillowLanczos, [24, 105, 186], [56, 142, 133, 174, 161, 156, 136, 78, 112, 121, 82, 151],
        [243, 141, 113, 180, 141, 30, 16, 131, 209]
      ),
    ]

  @Test("the levels of a row, of a picture that shrinks and of one that grows", arguments: examples)
  func small(_ rule: ImageResizing, _ row: [UInt8], _ shrunk: [UInt8], _ larger: [UInt8]) {
    let steps = Image(
      width: 8, height: 1, pixels: (0..<24).map { UInt8($0 / 3 * 30) })
    #expect(resized(steps, 3, 1, rule) == row.flatMap { [$0, $0, $0] })
    let red = resized(picture(7, 5), 4, 3, rule).enumerated().filter { $0.offset % 3 == 0 }
    #expect(red.map(\.element) == shrunk)
    let grown = resized(picture(7, 5), 9, 6, rule)
    let green: [UInt8] = (0..<9).map { grown[(18 + $0) * 3 + 1] }
    #expect(green == larger)
  }

  /// Sums of levels, each times its place modulo 97 and 1.
  private static let totals: [(rule: ImageResizing, sums: [Int])] = [
    (.opencv, [30_705_273, 194_374_534, 26_783_381, 364_045_857]),
    (.pillow, [30_813_601, 194_579_381, 26_965_795, 364_350_577]),
    (.torch, [30_737_593, 194_574_250, 26_783_381, 364_414_310]),
    (.torchAntialias, [30_812_672, 194_574_250, 26_772_423, 364_348_450]),
    (.torchvision, [30_813_877, 194_579_400, 26_965_795, 364_348_315]),
    (.torchvisionBicubic, [30_798_528, 194_736_324, 26_872_009, 364_345_782]),
    (.pillowNearest, [30_664_288, 195_376_720, 26_869_338, 364_226_616]),
    (.pillowBox, [30_914_211, 195_376_720, 26_993_891, 364_990_112]),
    (.pillowHamming, [30_766_190, 194_976_863, 26_884_073, 364_322_033]),
    (.pillowBicubic, [30_797_943, 194_735_281, 26_871_991, 364_350_156]),
    (.pillowLanczos, [30_792_426, 194_738_671, 26_805_754, 364_354_884]),
  ]

  @Test("the levels of larger pictures, summed up", arguments: totals)
  func large(_ rule: ImageResizing, _ sums: [Int]) {
    let sizes: [(Int, Int, Int, Int)] = [
      (97, 61, 50, 33), (97, 61, 130, 80), (96, 60, 48, 30), (640, 333, 97, 200),
    ]
    for (size, sum) in zip(sizes, sums) {
      let found = resized(picture(size.0, size.1), size.2, size.3, rule)
      var own = 0
      for (at, level) in found.enumerated() { own += Int(level) * (at % 97 + 1) }
      // Single precision leaves torch's order of sums open: a level of a thousand may differ by 1.
      let isExact = rule != .torch && rule != .torchAntialias
      #expect(abs(own - sum) <= (isExact ? 0 : 49 * found.count / 1000), "\(rule) \(size)")
    }
  }

  @Test("a window is that part of the whole", arguments: ImageResizing.allCases)
  func windows(_ rule: ImageResizing) {
    let image = picture(23, 17)
    for target in [
      Size(width: 9, height: 30), Size(width: 40, height: 5), Size(width: 23, height: 8),
    ] {
      let whole = image.pixels(
        at: target, columns: 0..<target.width, rows: 0..<target.height, by: rule)
      let part = image.pixels(at: target, columns: 3..<8, rows: 2..<4, by: rule)
      let line = target.width * 3
      let rows: [ArraySlice<UInt8>] = [2, 3].map { (row: Int) in
        whole[row * line + 9..<row * line + 24]
      }
      let expected = Array(rows.joined())
      #expect(part == expected, "\(rule)")
      #expect(image.pixels(at: target, columns: 4..<4, rows: 2..<4, by: rule).isEmpty)
    }
  }

  @Test(
    "the own way and the own size change nothing, and levels of more bits follow without rounding")
  func others() {
    let image = picture(10, 8)
    let target = Size(width: 4, height: 4)
    #expect(image.resized(to: target, by: .own) == image.resized(to: target))
    for rule in ImageResizing.allCases { #expect(image.resized(to: image.size, by: rule) == image) }
    // 0 to 7 become these of mode F in Pillow, and of OpenCV's floating point.
    let levels = Image(
      Levels(size: Size(width: 8, height: 1), bands: 1, values: (0..<8).map(Float.init)))
    let cases: [(ImageResizing, [Double])] = [
      (.pillow, [1.1053, 3.5, 5.8947]), (.torchAntialias, [1.1053, 3.5, 5.8947]),
      (.opencv, [0.8333, 3.5, 6.1667]), (.torch, [0.8333, 3.5, 6.1667]),
      (.torchvision, [1.1053, 3.5, 5.8947]), (.torchvisionBicubic, [0.8965, 3.5, 6.1035]),
      (.pillowNearest, [1, 4, 6]), (.pillowBox, [1, 3.5, 6]),
      (.pillowHamming, [0.9273, 3.5, 6.0727]), (.pillowBicubic, [0.8965, 3.5, 6.1035]),
      (.pillowLanczos, [0.8111, 3.5, 6.1889]),
    ]
    for (rule, expected) in cases {
      let found = levels.resized(to: Size(width: 3, height: 1), by: rule).levels?.values ?? []
      #expect(zip(found, expected).allSatisfy { abs(Double($0) - $1) < 1e-4 }, "\(rule)")
      #expect(found.count == 3)
    }
  }
}
