import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite("Transforms")
struct TransformTests {
  private func run(
    _ transforms: [Transform], on picture: (Image, ClassMask), seed: UInt64 = 3
  ) throws -> (image: Image, mask: ClassMask) {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    return try Pipeline(transforms)(picture.0, picture.1, random: &random, mean: Color(1, 2, 3))
  }

  /// An image whose three channels are the mask, so that what happens to one can be seen in the other.
  private func twin(_ width: Int, _ height: Int) -> (Image, ClassMask) {
    let mask = ClassMask(
      width: width, height: height, classes: (0..<width * height).map { UInt8(($0 * 7) % 251) })
    let pixels = mask.classes.flatMap { [$0, $0, $0] }
    return (Image(width: width, height: height, pixels: pixels), mask)
  }

  private func gray(_ image: Image) -> [UInt8] {
    stride(from: 0, to: image.pixels.count, by: 3).map { image.pixels[$0] }
  }

  @Test("flips treat image and mask alike and undo themselves")
  func flips() throws {
    let source = twin(7, 5)
    let across = try run([.horizontalFlip(probability: 1)], on: source)
    #expect(gray(across.image) == across.mask.classes)
    #expect(across.mask[0, 0] == source.1[6, 0] && across.mask[6, 4] == source.1[0, 4])
    let down = try run([.verticalFlip(probability: 1)], on: source)
    #expect(gray(down.image) == down.mask.classes)
    #expect(down.mask[0, 0] == source.1[0, 4])
    let twice = try run(
      [.horizontalFlip(probability: 1), .horizontalFlip(probability: 1)], on: source)
    #expect(twice.image == source.0 && twice.mask == source.1)
  }

  @Test(
    "a flip before a resize, crop or pad is the mirror of one after",
    arguments: [
      Size(width: 23, height: 31), Size(width: 9, height: 8), Size(width: 16, height: 12),
    ])
  func flipsCommute(_ size: Size) throws {
    let source = picture(16, 12)
    let before = try run([.horizontalFlip(probability: 1), .resize(size)], on: source)
    let after = try run([.resize(size), .horizontalFlip(probability: 1)], on: source)
    #expect(differences(before.image, after.image).largest <= 1)
    // A centre that falls between two pixels takes the right or lower one, whichever way round.
    #expect(
      zip(before.mask.classes, after.mask.classes).filter { $0 != $1 }.count
        <= before.mask.classes.count / 4)
    // Cut and flipped at once or one after the other.
    let fused = try run(
      [.centerCrop(Size(width: 6, height: 6)), .horizontalFlip(probability: 1)], on: source)
    let cut = try run([.centerCrop(Size(width: 6, height: 6))], on: source)
    let flipped = try run([.horizontalFlip(probability: 1)], on: cut)
    #expect(fused == flipped)
  }

  @Test("crops and pads in any order show what one at a time would")
  func fusion() throws {
    let source = picture(29, 17)
    let steps: [Transform] = [
      .resize(Size(width: 40, height: 26)), .centerCrop(Size(width: 21, height: 25)),
      .horizontalFlip(probability: 1), .pad(to: Size(width: 30, height: 28)),
      .centerCrop(Size(width: 27, height: 11)), .verticalFlip(probability: 1),
      .pad(to: Size(width: 32, height: 32)), .centerCrop(Size(width: 20, height: 20)),
    ]
    let fused = try run(steps, on: source)
    var single = (image: source.0, mask: source.1)
    for step in steps { single = try run([step], on: single) }
    #expect(fused == single)
  }

  @Test("the part that is cut away does not come back by padding")
  func cropThenPad() throws {
    let source = picture(10, 10)
    let result = try run(
      [.centerCrop(Size(width: 4, height: 4)), .pad(to: Size(width: 6, height: 5), fill: .mean)],
      on: source)
    #expect(result.mask.size == Size(width: 6, height: 5))
    for y in 0..<5 {
      for x in 0..<6 where x >= 4 || y >= 4 {
        #expect(result.mask[x, y] == LabelMap.ignored)
        let at = (y * 6 + x) * 3
        #expect(Array(result.image.pixels[at..<at + 3]) == [1, 2, 3])
      }
    }
    #expect(result.mask[0, 0] == source.1[3, 3])
  }

  @Test("a window of a resize is the resize's window", arguments: [0.4, 0.75, 1.0, 1.7, 2.3])
  func windowOfResize(_ factor: Double) throws {
    let source = picture(37, 29)
    let size = Size(width: Int(37 * factor), height: Int(29 * factor))
    for antialias in [true, false] {
      let whole = try run([.resize(size, antialias: antialias)], on: source)
      let window = Size(width: size.width / 2, height: size.height / 2)
      let part = try run(
        [.resize(size, antialias: antialias), .centerCrop(window)], on: source)
      let cut = try run([.centerCrop(window)], on: whole)
      #expect(part == cut)
    }
  }

  @Test("a bilinear resize is the mean of the triangle's weights")
  func bilinear() throws {
    let pixels: [UInt8] = [0, 100, 200, 40].flatMap { [$0, $0, $0] }
    let source = (
      Image(width: 4, height: 1, pixels: pixels),
      ClassMask(width: 4, height: 1, classes: [0, 1, 2, 3])
    )
    let double = try run([.resize(Size(width: 8, height: 1))], on: source)
    #expect(gray(double.image) == [0, 25, 75, 125, 175, 160, 80, 40])
    #expect(double.mask.classes == [0, 0, 1, 1, 2, 2, 3, 3])
    let plain = try run([.resize(Size(width: 2, height: 1), antialias: false)], on: source)
    #expect(gray(plain.image) == [50, 120])
    // Antialiased halves weigh 3 3 1 and 1 3 3 within the border, of 7.
    let half = try run([.resize(Size(width: 2, height: 1))], on: source)
    #expect(gray(half.image) == [71, 117])
    #expect(half.mask.classes == [1, 3])
  }

  @Test("one pixel may be enlarged and anything may shrink to one pixel")
  func extremes() throws {
    let dot = (
      Image(width: 1, height: 1, pixels: [9, 8, 7]), ClassMask(width: 1, height: 1, classes: [4])
    )
    let large = try run([.resize(Size(width: 5, height: 3))], on: dot)
    #expect(large.image.pixels == Array(repeating: [9, 8, 7] as [UInt8], count: 15).flatMap { $0 })
    #expect(large.mask.classes == Array(repeating: 4, count: 15))
    let small = try run([.resize(Size(width: 1, height: 1))], on: picture(50, 3))
    #expect(small.image.pixels.count == 3)
  }

  @Test("a random crop keeps one class's share below the limit where it can")
  func cropShare() throws {
    // The left half is one class, the right half alternates between two.
    let mask = ClassMask(
      width: 80, height: 20,
      classes: (0..<1600).map { $0 % 80 < 40 ? 0 : UInt8(1 + $0 % 2) })
    let image = Image(width: 80, height: 20, pixels: [UInt8](repeating: 0, count: 4800))
    let window = Size(width: 16, height: 16)
    var free = 0
    var limited = 0
    for seed in 0..<300 as Range<UInt64> {
      for share in [1.0, 0.75] {
        let (_, cut) = try run(
          [.randomCrop(window, maxClassShare: share)], on: (image, mask), seed: seed)
        #expect(cut.size == window)
        var histogram = ClassHistogram(classes: 3)
        histogram.add(cut)
        if (histogram.shares.max() ?? 0) >= 0.75 {
          if share == 1 { free += 1 } else { limited += 1 }
        }
      }
    }
    #expect(free > 90, "windows with one class at 75 % or more are common without a limit")
    #expect(limited == 0, "ten tries find another window")
  }

  @Test("a crop of a single class is taken as it is after ten tries")
  func cropOfOneClass() throws {
    let mask = ClassMask(size: Size(width: 9, height: 9), filledWith: 2)
    let image = Image(width: 9, height: 9, pixels: [UInt8](repeating: 5, count: 243))
    let cut = try run(
      [.randomCrop(Size(width: 4, height: 20), maxClassShare: 0.5)], on: (image, mask))
    #expect(cut.mask.size == Size(width: 4, height: 9))
  }

  @Test("random resizes stay in their range and keep proportions")
  func randomResize() throws {
    let source = picture(40, 20)
    var widths: Set<Int> = []
    for seed in 0..<60 as Range<UInt64> {
      let size = try run([.randomResize(ratio: 0.5...2)], on: source, seed: seed).mask.size
      #expect((20...80).contains(size.width))
      #expect(abs(size.width - 2 * size.height) <= 2)
      widths.insert(size.width)
    }
    #expect(widths.count > 20)
    let boxed = try run(
      [.randomResize(ratio: 1...1, box: Size(width: 100, height: 30))], on: source)
    #expect(boxed.mask.size == Size(width: 60, height: 30))
    let shorter = try run([.resizeShorterSide(13)], on: source)
    #expect(shorter.mask.size == Size(width: 26, height: 13))
    let padded = try run([.padToMultiple(of: 32)], on: source)
    #expect(padded.mask.size == Size(width: 64, height: 32))
  }

  @Test("a turn by 90° moves every pixel of a square, clockwise")
  func quarterTurn() throws {
    let source = twin(9, 9)
    let turned = try run([.rotation(degrees: 90...90, probability: 1)], on: source)
    for y in 0..<9 {
      for x in 0..<9 { #expect(turned.mask[8 - y, x] == source.1[x, y]) }
    }
    #expect(gray(turned.image) == turned.mask.classes)
    let none = try run([.rotation(degrees: 0...0, probability: 1)], on: source)
    #expect(none == source)
  }

  @Test("what a turn brings in from outside is filled and ignored")
  func turnFill() throws {
    let source = twin(21, 11)
    let turned = try run([.rotation(degrees: 45...45, probability: 1, fill: .black)], on: source)
    #expect(turned.mask[20, 0] == LabelMap.ignored)
    #expect(Array(turned.image.pixels[60..<63]) == [0, 0, 0])
    #expect(turned.mask[10, 5] == source.1[10, 5])
  }

  @Test("saturation and hue agree with a conversion to HSV and back")
  func photometricReference() throws {
    let source = picture(64, 64)
    for (saturation, hue) in [(0.5, 0.0), (1.5, 0.0), (1, 18.0), (1, -18.0), (1.3, 7.5), (0, 0)] {
      var found = source.0
      // All four changes happen with probability one half; look for a seed where these do.
      let settings = PhotometricDistortion(
        brightness: 0, contrast: 1...1, saturation: saturation...saturation, hue: abs(hue))
      var done = false
      for seed in 0..<400 as Range<UInt64> where !done {
        var random = SampleRandom(seed: seed, epoch: 0, index: 0)
        var probe = random
        _ = probe.chance(0.5) ? probe.uniform(0...0) : 0
        _ = probe.chance(0.5)
        _ = probe.chance(0.5) ? probe.uniform(1...1) : 0
        let saturates = probe.chance(0.5)
        if saturates { _ = probe.uniform(0...1) }
        guard saturates, probe.chance(0.5) else { continue }
        let shift = probe.uniform(-abs(hue)...abs(hue))
        found = source.0
        settings.apply(to: &found, &random)
        let expected = referenceHSV(source.0, saturation: saturation, degrees: shift * 2)
        let difference = differences(found, expected)
        #expect(difference.largest <= 1)
        done = true
      }
      #expect(done)
    }
  }

  @Test("brightness and contrast are clipped and rounded levels")
  func levels() {
    var levels = LevelTable()
    levels.map { $0 + 20.4 }
    levels.map { $0 * 1.5 }
    #expect(levels.table[0] == 30 && levels.table[100] == 180 && levels.table[255] == 255)
    #expect(levels.table[10] == 45)
  }

  @Test("a jitter of strength 0 changes nothing, and one of saturation 1 reaches grey")
  func jitter() throws {
    let source = picture(20, 20)
    #expect(try run([.colorJitter(ColorJitter())], on: source).image == source.0)
    var distances: [Int] = []
    for seed in 0..<50 as Range<UInt64> {
      let image = try run([.colorJitter(ColorJitter(saturation: 1))], on: source, seed: seed).image
      distances.append(differences(image, source.0).sum)
    }
    #expect(Set(distances).count > 40)
    let hue = try run([.colorJitter(ColorJitter(hue: 0.5))], on: source).image
    for i in stride(from: 0, to: hue.pixels.count, by: 3) {
      // A turn of the hue keeps the largest and the smallest component.
      #expect(
        abs(Int(hue.pixels[i..<i + 3].max() ?? 0) - Int(source.0.pixels[i..<i + 3].max() ?? 0)) <= 1
      )
    }
  }

  @Test(
    "a rule for images holds for windows, mirrored ones and padding too",
    arguments: ImageResizing.allCases)
  func imageRules(_ rule: ImageResizing) throws {
    let source = picture(31, 23)
    let target = Size(width: 17, height: 40)
    func run(_ transforms: [Transform]) throws -> Image {
      var random = SampleRandom(seed: 3, epoch: 0, index: 0)
      return try Pipeline(transforms).resizingImages(by: rule)(
        source.0, source.1, random: &random, mean: Color(1, 2, 3)
      ).image
    }
    let whole = try run([.resize(target, antialias: false)])
    if rule != .own { #expect(whole == source.0.resized(to: target, by: rule)) }
    #expect(whole == source.0.resampled(to: target, by: rule) || rule == .own)
    let window = Size(width: 9, height: 12)
    let cut = try run([.resize(target, antialias: false), .centerCrop(window)])
    #expect(cut == whole.cropped(x: 4, y: 14, size: window))
    let mirrored = try run([
      .resize(target, antialias: false), .horizontalFlip(probability: 1), .centerCrop(window),
    ])
    #expect(mirrored == cut.mirrored)
    let padded = try run([
      .resize(target, antialias: false), .pad(to: Size(width: 20, height: 40), fill: .black),
    ])
    #expect(padded.cropped(x: 0, y: 0, size: target) == whole)
    #expect(padded.pixels.suffix(9).allSatisfy { $0 == 0 })
  }

  @Test("impossible settings are refused by name")
  func refused() {
    let bad: [Transform] = [
      .resize(Size(width: 0, height: 3)), .randomResize(ratio: 0...1),
      .randomCrop(Size(width: 4, height: 4), maxClassShare: 0), .horizontalFlip(probability: 1.5),
      .padToMultiple(of: 0), .colorJitter(ColorJitter(hue: 0.7)), .resizeShorterSide(0),
      .photometricDistortion(PhotometricDistortion(brightness: -1)),
    ]
    for transform in bad {
      #expect(throws: DatasetError.self, "\(transform)") { try Pipeline([transform]) }
    }
  }

  @Test("normalisation subtracts the mean and divides by the deviation")
  func encoding() throws {
    let image = Image(width: 2, height: 1, pixels: [0, 128, 255, 10, 20, 30])
    var output = [Float](repeating: 0, count: 6)
    let imageNet = InputEncoding.imageNet
    output.withUnsafeMutableBufferPointer { buffer in
      if let base = buffer.baseAddress { imageNet.encode(image.raster, into: base) }
    }
    for i in 0..<6 {
      let expected =
        (Double(image.pixels[i]) / 255 - imageNet.mean[i % 3]) / imageNet.deviation[i % 3]
      #expect(abs(Double(output[i]) - expected) < 1e-6)
    }
    #expect(imageNet.meanColor == Color(124, 116, 104))
    #expect(throws: DatasetError.self) {
      try InputEncoding(mean: [0, 0, 0], deviation: [1, 0, 1])
    }
    #expect(throws: DatasetError.self) { try InputEncoding(mean: [0, 0], deviation: [1, 1]) }
  }

  @Test("samples of any type and number of bands are encoded alike; missing ones become 0")
  func bands() throws {
    let encoding = try InputEncoding(
      mean: [0.5, 0.25], deviation: [0.5, 2], scale: [100, 200], missing: [nil, 7])
    let (levels, expected): ([UInt8], [Float]) = ([100, 200, 0, 7], [1, 0.375, -1, 0])
    let kinds: [Raster.Samples] = [
      .uint8(levels), .uint16(levels.map(UInt16.init)), .float(levels.map(Float.init)),
    ]
    for samples in kinds {
      let raster = Raster(size: Size(width: 2, height: 1), bands: 2, samples)
      var output = [Float](repeating: .nan, count: 12)
      // The second row shows the first, and each is continued by its first column.
      output.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress {
          encoding.encode(raster, into: base, rows: [0, 0], columns: [0])
        }
      }
      let row = expected + expected.prefix(2)
      #expect(output == row + row, "\(samples)")
    }
  }

  @Test("measured statistics are those of all pixels")
  func measured() throws {
    let set = try scenery(count: 3, width: 8, height: 6)
    let found = try InputEncoding.measured(from: set, threads: 3)
    let all = try (0..<3).flatMap { try set.load($0).image.pixels }
    for channel in 0..<3 {
      let values = stride(from: channel, to: all.count, by: 3).map { Double(all[$0]) / 255 }
      let mean = values.reduce(0, +) / Double(values.count)
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count)
      #expect(abs(found.mean[channel] - mean) < 1e-9)
      #expect(abs(found.deviation[channel] - variance.squareRoot()) < 1e-9)
    }
  }
}

/// The largest and the summed difference of two images' levels.
private func differences(_ a: Image, _ b: Image) -> (largest: Int, sum: Int) {
  let all = zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }
  return (all.max() ?? 0, all.reduce(0, +))
}

/// Saturation and hue changed by the textbook's conversion to HSV and back.
private func referenceHSV(_ image: Image, saturation: Double, degrees: Double) -> Image {
  var pixels = image.pixels
  for i in stride(from: 0, to: pixels.count, by: 3) {
    let (r, g, b) = (Double(pixels[i]), Double(pixels[i + 1]), Double(pixels[i + 2]))
    let v = max(r, g, b)
    let c = v - min(r, g, b)
    var h = 0.0
    if c > 0 {
      if v == r {
        h = (g - b) / c
      } else if v == g {
        h = (b - r) / c + 2
      } else {
        h = (r - g) / c + 4
      }
    }
    h = (h * 60 + degrees + 720).truncatingRemainder(dividingBy: 360)
    let s = min((v > 0 ? c / v : 0) * saturation, 1)
    let chroma = v * s
    let x = chroma * (1 - abs((h / 60).truncatingRemainder(dividingBy: 2) - 1))
    let (red, green, blue): (Double, Double, Double) =
      switch Int(h / 60) {
      case 0: (chroma, x, 0)
      case 1: (x, chroma, 0)
      case 2: (0, chroma, x)
      case 3: (0, x, chroma)
      case 4: (x, 0, chroma)
      default: (chroma, 0, x)
      }
    for (k, value) in [red, green, blue].enumerated() {
      pixels[i + k] = UInt8(min(max((value + v - chroma).rounded(), 0), 255))
    }
  }
  return Image(width: image.width, height: image.height, pixels: pixels)
}
