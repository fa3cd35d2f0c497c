import Imaging
import Testing

@testable import Datasets

@Suite("What a camera does to a picture")
struct CameraTests {
  private func changed(_ image: Image, _ transform: Transform, index: Int = 0) throws -> Image {
    var random = SampleRandom(seed: 3, epoch: 1, index: index)
    let mask = ClassMask(
      width: image.width, height: image.height,
      classes: [UInt8](repeating: 0, count: image.width * image.height))
    let pipeline = try Pipeline([transform])
    #expect(pipeline.isRandom)
    let (after, labels) = pipeline(image, mask, random: &random)
    #expect(labels == mask)
    return after
  }

  private func gray(_ width: Int, _ height: Int, _ level: (Int) -> UInt8) -> Image {
    Image(width: width, height: height, pixels: (0..<width * height * 3).map { level($0 / 3) })
  }

  @Test("blur is torchvision 0.26's, gaussian_blur with a kernel of 7 and a deviation of 1")
  func blur() throws {
    let impulse = gray(9, 9) { $0 == 40 ? 255 : 0 }
    let after = try changed(impulse, .gaussianBlur(1...1, probability: 1))
    let row = (0..<9).map { after.pixels[(4 * 9 + $0) * 3] }
    #expect(row == [0, 0, 5, 25, 41, 25, 5, 0, 0])
    let level = gray(5, 4) { _ in 77 }
    #expect(try changed(level, .gaussianBlur(0.3...4, probability: 1)) == level)
  }

  @Test("gamma brightens and darkens, and leaves black and white")
  func gamma() throws {
    let ramp = gray(3, 1) { [0, 64, 255][$0] }
    let darker = try changed(ramp, .gamma(2...2, probability: 1))
    #expect(stride(from: 0, to: 9, by: 3).map { darker.pixels[$0] } == [0, 16, 255])
    let brighter = try changed(ramp, .gamma(0.5...0.5, probability: 1))
    #expect(stride(from: 0, to: 9, by: 3).map { brighter.pixels[$0] } == [0, 128, 255])
  }

  @Test("noise has the deviation that is asked for, and channels and samples have their own")
  func noise() throws {
    let level = gray(100, 100) { _ in 128 }
    let after = try changed(level, .gaussianNoise(10...10, probability: 1))
    let differences = after.pixels.map { Double($0) - 128 }
    let mean = differences.reduce(0, +) / Double(differences.count)
    let variance = differences.map { $0 * $0 }.reduce(0, +) / Double(differences.count)
    // 30,000 samples: three standard errors are 0.17 of the mean and 0.12 of the deviation.
    #expect(abs(mean) < 0.2 && abs(variance.squareRoot() - 10) < 0.15)
    #expect(after.pixels[0] != after.pixels[1] || after.pixels[1] != after.pixels[2])
    #expect(try changed(level, .gaussianNoise(10...10, probability: 1), index: 1) != after)
    #expect(try changed(level, .gaussianNoise(10...10, probability: 0)) == level)
  }

  @Test("missing samples of many bands stay missing, and do not darken what is around them")
  func missing() throws {
    let values: [Float] = (0..<25).flatMap { $0 == 12 ? [Float.nan, 100] : [100, 100] }
    let image = Image(Levels(size: Size(width: 5, height: 5), bands: 2, values: values))
    for transform: Transform in [
      .gaussianBlur(1...1, probability: 1), .gaussianNoise(0...0, probability: 1),
      .gamma(1...1, probability: 1),
    ] {
      let after = try #require(changed(image, transform).levels).values
      #expect(after[24].isNaN && after.count { $0.isNaN } == 1)
      #expect(after.allSatisfy { $0.isNaN || abs($0 - 100) < 1e-3 }, "\(transform)")
    }
  }

  @Test("settings that cannot be meant are refused")
  func settings() {
    for transform: Transform in [
      .gaussianBlur(0...1), .gaussianBlur(1...200), .gaussianNoise(-1...2), .gamma(0...1),
      .gamma(0.5...2, probability: 2),
    ] {
      #expect(throws: DatasetError.self) { try Pipeline([transform]) }
    }
  }
}
