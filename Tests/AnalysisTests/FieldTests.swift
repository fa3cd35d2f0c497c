import Configuration
import Datasets
import Evaluation
import Foundation
import Imaging
import Segmentation
import Testing
import Torch

@testable import Analysis

@Suite("Effective receptive fields")
struct FieldTests {
  @Test("the field is what is positive of the gradient, added up over images")
  func definition() {
    let kernel = Tensor([Float](arrayLiteral: 1, -2, 3, 4, 5, -6, 7, 8, 9), [1, 1, 3, 3])
    var field = EffectiveReceptiveField(height: 5, width: 5)
    for _ in 0..<2 {
      field.add(Tensor(filledWith: 0, [1, 1, 5, 5])) {
        $0.conv2d(
          kernel, bias: nil, stride: [1, 1], padding: [1, 1], dilation: [1, 1], groups: 1)
      }
    }
    let expected: [Float] = [
      0, 0, 0, 0, 0, 0, 2, 0, 6, 0, 0, 8, 10, 0, 0, 0, 14, 16, 18, 0, 0, 0, 0, 0, 0,
    ]
    #expect(field.values == expected)
    #expect(field.images == 2)
  }

  @Test("a cut lies around a pixel as far as the picture reaches, or in the middle")
  func cuts() {
    let picture = Size(width: 565, height: 584)
    let (small, large) = (Size(width: 257, height: 257), Size(width: 1130, height: 1168))
    func target(_ size: Size, _ x: Int, _ y: Int) -> [Int] {
      let target = PictureCut(picture, to: size, around: (x, y)).target
      return [target.x, target.y]
    }
    #expect(target(small, 540, 370) == [540 - 308, 128])
    #expect(target(small, 3, 2) == [3, 2])
    #expect(target(large, 100, 200) == [200, 400], "enlarged")
    var pixels: [UInt8] = []
    for y in 0..<584 { for x in 0..<565 { pixels += [UInt8(x % 256), UInt8(y % 256), 0] } }
    let image = Image(width: 565, height: 584, pixels: pixels)
    let cut = PictureCut(picture, to: small, around: (540, 370))
    let at: Int = 3 * (cut.target.y * 257 + cut.target.x)
    let there: [UInt8] = Array(cut(image).pixels[at..<at + 2])
    #expect(there == [28, 114])
    let first: UInt8 = PictureCut(picture, to: small)(image).pixels[0]
    #expect(first == 154)
  }

  @Test("a pyramid depends on exactly 25 positions, 6 r wide", arguments: [1, 2, 5])
  func star(rate: Int) {
    var configuration = ASPP.Configuration()
    configuration.rates = [1, rate + 1, 2 * rate + 2, 3 * rate + 3]
    configuration.channels = 16
    Engine.seed(3)
    let star = FeatureStar(ASPP(4, configuration))
    #expect((star.points, star.width) == (25, 6 * (rate + 1)))
  }

  @Test("two kernels in a row depend on 25 positions, 4 r wide, with an even grid between them")
  func row() {
    var configuration = FCN.Configuration.mmsegmentation
    (configuration.channels, configuration.dilation) = (16, 6)
    Engine.seed(3)
    let pattern = FeatureStar(FCN(4, classes: 2, configuration))
    #expect((pattern.points, pattern.width) == (25, 24))
    #expect(pattern.rates == [6, 6])
  }

  /// The positions of the cascade: sums of -d, 0 or d of each dilation.
  @Test("a cascade depends on the sums of its kernels' taps")
  func cascade() {
    var configuration = DenseASPP.Configuration()
    (configuration.dilations, configuration.growth, configuration.bottleneck) = (
      [3, 6, 12], 32, 64
    )
    Engine.seed(3)
    let pattern = FeatureStar(DenseASPP(32, classes: 2, configuration))
    let sums = Set(
      [-3, 0, 3].flatMap { a in [-6, 0, 6].flatMap { b in [-12, 0, 12].map { a + b + $0 } } })
    #expect((pattern.points, pattern.width) == (sums.count * sums.count, 42))
  }

  /// Draws kernels anew, those of the backbone as large as He's rule for outputs makes them and those of the
  /// head as PyTorch does, from numbers of their own: others draw from the engine's at the same time, and the
  /// arms of one network are longer than those of another by a twentieth.
  func drawEvenly(_ model: SegmentationModel) {
    withoutGradients {
      for (index, (name, parameter)) in model.parameters.enumerated()
      where parameter.shape.count > 1 {
        let ones = Tensor(filledWith: 1, [parameter.count]).to(.float64)
        let places = Operator("cumsum")(ones, 0)
        let hash = Operator("sin")(places * 12.9898 + Double(index + 2)) * 43758.5453
        let uniform = hash - Operator("floor")(hash) - 0.5
        let (fanIn, fanOut) = (
          parameter.count / parameter.shape[0], parameter.count / parameter.shape[1]
        )
        let variance = name.hasPrefix("backbone.") ? 2 / Double(fanOut) : 1 / Double(3 * fanIn)
        let scale = (12 * variance).squareRoot()
        parameter.assign(uniform.to(.float32).reshaped(parameter.shape) * scale)
      }
    }
  }

  /// Observation 1 of Kim et al., 2023, on real sizes: the arms are within a tenth of 6 r s, and grow with r.
  @Test("an untrained DeepLabV3-ResNet-50 at 769 pixels leaves a star of the expected length")
  func untrained() throws {
    let lengths = try [5, 6, 7].map { rate in
      let section = try Section(
        yaml: """
          backbone: {name: resnet50, outputStride: 16}
          head: {name: deeplabv3, rate: \(rate)}
          classes: 19
          """, named: "test")
      let model = try ModelBuilder.build(section)
      drawEvenly(model)
      let report = try FieldReport(
        model, ImageSource(noise: 1), size: Size(width: 769, height: 769))
      let arms = try #require(report.arms)
      #expect(arms.isStar)
      #expect(report.expectedLength == 96 * rate)
      #expect(abs(Double(arms.length) / Double(96 * rate) - 1) <= 0.1, "rate \(rate)")
      return arms.length
    }
    #expect(lengths == lengths.sorted() && Set(lengths).count == 3)
  }

  /// Eight arms with a bump at their ends, on a hill in the middle.
  @Test("the arms' length is found in a drawn star", arguments: [60, 72])
  func arms(end: Int) throws {
    let side = 193, middle = 96
    let map = (0..<side * side).map { index -> Float in
      let (y, x) = (Double(index / side - middle), Double(index % side - middle))
      let hill = exp(-(x * x + y * y) / 800)
      var bumps = 0.0
      for (dy, dx) in [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (1, -1), (-1, 1), (-1, -1)] {
        let (v, u) = (y - Double(dy * end), x - Double(dx * end))
        bumps += exp(-(u * u + v * v) / 100)
      }
      return Float(hill + 0.3 * bumps)
    }
    let arms = try #require(StarArms(map, height: side, width: side, reach: 2))
    #expect(abs(arms.length - 2 * end) <= 4)
    #expect(arms.profile.count == 97 && arms.isStar)
    #expect(StarArms([1, 2], height: 1, width: 2) == nil)
  }

  @Test("a field without arms has no star, one with a plateau a square", arguments: [0, 96])
  func square(half: Int) throws {
    let side = 385, middle = 192
    // Five bumps along each axis, as two dilated kernels leave them, under a core.
    func bumps(_ at: Double) -> Double {
      (-2...2).reduce(0) { sum, step in
        let u = at - Double(step * half) / 2
        return sum + exp(-u * u / 1152)
      }
    }
    let map = (0..<side * side).map { index -> Float in
      let (y, x) = (Double(index / side - middle), Double(index % side - middle))
      let core = exp(-(x * x + y * y) / 1152)
      return Float(20 * core + (half > 0 ? bumps(x) * bumps(y) : 0))
    }
    let arms = try #require(StarArms(map, height: side, width: side, reach: 4))
    #expect(!arms.isStar)
    let found = FieldReport.square(map, side, side)
    if half == 0 {
      #expect(found == nil)
    } else {
      #expect(abs(try #require(found) - 2 * half) <= 24)
    }
  }

  @Test("a Gaussian is found with its uncertainty", arguments: [0.0, 0.5, -0.6])
  func gaussian(angle: Double) throws {
    let (rows, columns) = (50, 64)
    var state: UInt32 = 5
    let map = (0..<rows * columns).map { index -> Float in
      state = state &* 1_664_525 &+ 1_013_904_223
      let noise = (Double(state >> 8) / Double(1 << 24) - 0.5) * 0.2
      let (dx, dy) = (Double(index % columns) - 30.25, Double(index / columns) - 27.5)
      let (u, v) = (cos(angle) * dx + sin(angle) * dy, cos(angle) * dy - sin(angle) * dx)
      return Float(4 * exp(-0.5 * (u * u / 81 + v * v / 25)) + 1 + noise)
    }
    let fit = try #require(GaussianFit(map, height: rows, width: columns))
    let found = [fit.x, fit.y, fit.sigmaX, fit.sigmaY, fit.angle, fit.height, fit.floor]
    let expected = [30.25, 27.5, 9, 5, angle * 180 / .pi, 4, 1]
    for (number, value) in zip(found, expected) {
      #expect(number.deviation > 0 && number.deviation < 0.3)
      #expect(abs(number.value - value) < 5 * number.deviation)
    }
    #expect(fit.explained > 0.98)
    #expect(GaussianFit([Float](repeating: 2, count: 100), height: 10, width: 10) == nil)
  }

  @Test("a report of a network has pattern, expectation and pictures")
  func report() throws {
    let model = try tinyModel(tinyPyramid)
    Engine.seed(2)
    let report = try FieldReport(
      model, ImageSource(noise: 2), size: Size(width: 96, height: 65))
    #expect((report.width, report.height, report.images) == (96, 65, 2))
    #expect(report.values.count == 96 * 65 && report.sum > 0)
    #expect(report.values.allSatisfy { $0 >= 0 })
    // The outermost rate is 4, at stride 8.
    #expect(report.expectedLength == 64)
    #expect(report.featureStar?.points == 17)
    #expect(report.text.contains("17 positions, 8 features wide"))
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "erf-\(UInt32.random(in: 0 ... .max))"
    ).path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    for file in try report.write(to: folder) {
      #expect(FileManager.default.fileExists(atPath: file))
    }
    let json = try JSONSerialization.jsonObject(with: report.json()) as? [String: Any]
    #expect(json?["width"] as? Int == 96)
  }

  @Test("one class's field is its score's gradient alone")
  func label() {
    let image = Tensor([Float](repeating: 1, count: 9), [1, 1, 3, 3])
    // The first score sees the left neighbour, the second three times the right one.
    func scores(_ x: Tensor) -> Tensor {
      let left: [Float] = [0, 0, 0, 1, 0, 0, 0, 0, 0], right: [Float] = [0, 0, 0, 0, 0, 3, 0, 0, 0]
      return x.conv2d(
        Tensor(left + right, [2, 1, 3, 3]), bias: nil, stride: [1, 1], padding: [1, 1],
        dilation: [1, 1], groups: 1)
    }
    var fields = [nil, 0, 1].map { EffectiveReceptiveField(height: 3, width: 3, label: $0) }
    for index in fields.indices { fields[index].add(image, scores: scores) }
    #expect(
      fields.map(\.values) == [
        [0, 0, 0, 1, 0, 3, 0, 0, 0], [0, 0, 0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 3, 0, 0, 0],
      ])
  }

  @Test("the extent leaves out a twentieth at each end of both axes")
  func extent() {
    // Twenty-one columns of equal weight, and all of it in rows 4 to 6 of nine.
    let map = (0..<9 * 21).map { Float((4...6).contains($0 / 21) ? 1 : 0) }
    let extent = FieldReport.extent(map, 9, 21)
    #expect((extent.width, extent.height) == (19, 3))
    #expect(FieldReport.extent([0, 0], 1, 2) == (0, 0))
  }

  @Test("the picture has the photograph below, the pixel, and the taps that the rates give")
  func marked() throws {
    Engine.seed(2)
    let report = try FieldReport(
      tinyModel(tinyPyramid),
      ImageSource(tinyData(1), encoding: .imageNet), size: Size(width: 48, height: 32),
      target: .position(row: 8, column: 20), label: 1, names: ["a", "b", "c"])
    #expect((report.x, report.y, report.label) == (20, 8, "b"))
    let map = report.heatMap
    #expect(map.photograph?.size == Size(width: 48, height: 32))
    #expect(map.marks.map { [$0.x, $0.y] } == [[20, 8]])
    // Rates 2 and 4 at stride 8: of ±16 and ±32 pixels those inside of the image.
    let points = Set(map.points.map { [$0.x, $0.y] })
    #expect(points == [[20, 8], [4, 8], [36, 8], [20, 24], [4, 24], [36, 24]])
    #expect(map.title.contains("pixel 20,8") && map.title.contains("'b'"))
    #expect(report.text.hasSuffix(report.reading) && report.reading.hasSuffix("."))
    let bare = try FieldReport(
      tinyModel(tinyPyramid), ImageSource(noise: 1), size: Size(width: 48, height: 32),
      target: .mean)
    #expect(bare.heatMap.photograph == nil && bare.heatMap.points.isEmpty && bare.x == nil)
    #expect(bare.reading.hasPrefix("On average a pixel looks at"))
  }

  @Test("what a network sees of a photograph lies where it lay, and numbers are dealt out by area")
  func seenCuts() {
    let photograph = Size(width: 480, height: 360)
    let scale = SeenScale(.shortSide(540))
    let whole = SeenCut(photograph, scale, to: Size(width: 720, height: 540), around: (100, 359))
    #expect(whole.part == PixelWindow(photograph))
    #expect(whole.target == (150, 538) && whole.pitch == (480.0 / 720, 360.0 / 540))
    // Three pixels of the input are as wide as two of the photograph.
    var values = [Float](repeating: 0, count: 720 * 540)
    (values[0], values[1], values[720 * 4 + 3]) = (9, 6, 4)
    let mapped = whole.mapped(values)
    #expect(mapped.count == 480 * 360)
    for (x, y, value) in [(0, 0, 12), (1, 0, 3), (2, 2, 2), (2, 3, 2), (3, 2, 0)]
      as [(Int, Int, Float)]
    { #expect(abs(mapped[480 * y + x] - value) < 1e-5, "\(x), \(y): \(mapped[480 * y + x])") }
    #expect(abs(mapped.reduce(0, +) - 19) < 1e-4)
    // A cut of a photograph that is made smaller.
    let large = Size(width: 2000, height: 1080)
    let cut = SeenCut(large, scale, to: Size(width: 257, height: 257), around: (1000, 600))
    #expect(cut.target == (128, 128))
    #expect(cut.part == PixelWindow(x: 744, y: 344, size: Size(width: 514, height: 514)))
    let even = cut.mapped([Float](repeating: 1, count: 257 * 257))
    #expect(even.allSatisfy { abs($0 - 0.25) < 1e-5 })
  }

  @Test(
    "the field of a photograph that is resized for the network is of what it sees, in the photograph's pixels"
  )
  func seen() throws {
    let photograph = noisePicture(width: 48, height: 32)
    let model = try tinyModel(tinyPyramid)
    let scale = SeenScale(.shortSide(64))
    func report(_ source: ImageSource, _ x: Int, _ y: Int, pixel: (x: Int, y: Int)?) throws
      -> FieldReport
    {
      Engine.seed(2)
      return try FieldReport(
        model, source, size: Size(width: 96, height: 64), target: .position(row: y, column: x),
        pixel: pixel)
    }
    let own = try report(
      ImageSource(photograph, named: "noise", around: (20, 8), seen: scale, encoding: .imageNet),
      40, 16, pixel: (20, 8))
    let enlarged = try report(
      ImageSource(scale(photograph), named: "noise", encoding: .imageNet), 40, 16, pixel: nil)
    #expect((own.width, own.height, own.x, own.y) == (48, 32, 20, 8))
    #expect((own.seenWidth, own.seenHeight, own.photographX) == (96, 64, nil))
    let cut = SeenCut(photograph.size, scale, to: Size(width: 96, height: 64), around: (20, 8))
    #expect(own.values == cut.mapped(enlarged.values))
    #expect(abs(own.sum / enlarged.sum - 1) < 1e-5 && own.sum > 0)
    // Rates 2 and 4 at stride 8, at twice the size.
    #expect((own.stride, own.expectedLength, enlarged.expectedLength) == (8, 32, 64))
    let points = Set(own.heatMap.points.map { [$0.x, $0.y] })
    #expect(points.contains([28, 16]) && points.contains([4, 24]) && points.count == 14)
    #expect(own.heatMap.photograph == photograph)
    #expect(own.text.contains("48x32, seen at 96x64") && own.reading.contains("seen at 96×64"))
    #expect(abs(own.extentWidth - enlarged.extentWidth / 2) <= 1)
  }

  @Test("images are cut in the middle, and enlarged only if they are too small")
  func middle() {
    let image = noisePicture(width: 30, height: 20)
    let part = image.middle(Size(width: 10, height: 10))
    #expect(part == image.cropped(x: 10, y: 5, size: Size(width: 10, height: 10)))
    #expect(image.middle(Size(width: 33, height: 31)).size == Size(width: 33, height: 31))
  }
}
