import Imaging

// Changes of light on any number of bands. Brightness and contrast change all bands alike; saturation and hue,
// which only colours have, change images of three bands.

extension PhotometricDistortion {
  /// As ``apply(to:_:)`` for pictures, with the same draws, without rounding.
  func apply(to levels: inout Levels, _ random: inout SampleRandom) {
    let offset = random.chance(0.5) ? random.uniform(-brightness...brightness) : nil
    let contrastFirst = random.chance(0.5)
    let contrast = random.chance(0.5) ? random.uniform(contrast) : nil
    let saturation = random.chance(0.5) ? random.uniform(saturation) : nil
    let hue = random.chance(0.5) ? random.uniform(-hue...hue) : nil
    if let offset { levels.map { $0 + Float(offset) } }
    if let contrast, contrastFirst { levels.map { $0 * Float(contrast) } }
    levels.changeColor(
      saturation: Float(saturation ?? 1), sextants: hue.map { Float($0 / 30) } ?? 0)
    if let contrast, !contrastFirst { levels.map { $0 * Float(contrast) } }
  }
}

extension ColorJitter {
  /// As ``apply(to:_:)`` for pictures, with the same draws, without rounding.
  func apply(to levels: inout Levels, _ random: inout SampleRandom) {
    for (step, factor) in drawn(&random) {
      switch step {
      case 0 where brightness > 0: levels.map { $0 * Float(factor) }
      case 1 where contrast > 0:
        let mean = levels.meanGray
        levels.map { $0 * Float(factor) + mean * Float(1 - factor) }
      case 2 where saturation > 0: levels.blendWithGray(factor: Float(factor))
      case 3 where hue > 0: levels.changeColor(saturation: 1, sextants: Float(factor * 6))
      default: break
      }
    }
  }
}

extension Levels {
  /// Changes every level, which stays within 0 to 255; what is missing stays missing.
  mutating func map(_ change: (Float) -> Float) {
    values.withUnsafeMutableBufferPointer { values in
      for i in 0..<values.count {
        let level = change(values[i])
        values[i] = level < 0 ? 0 : level > 255 ? 255 : level
      }
    }
  }

  /// The weights of bands in grey: those of red, green and blue, or equal ones.
  private var grayWeights: [Float] {
    bands == 3 ? [0.2989, 0.587, 0.114] : [Float](repeating: 1 / Float(bands), count: bands)
  }

  /// The mean of the grey image where all of a pixel is there.
  fileprivate var meanGray: Float {
    let weights = grayWeights
    var (sum, count) = (0.0, 0)
    for at in stride(from: 0, to: values.count, by: bands) {
      var gray: Float = 0
      for band in 0..<bands { gray += weights[band] * values[at + band] }
      guard !gray.isNaN else { continue }
      sum += Double(gray)
      count += 1
    }
    return Float(sum / Double(max(count, 1)))
  }

  fileprivate mutating func blendWithGray(factor: Float) {
    guard bands == 3 else { return }
    let (weights, rest) = (grayWeights, 1 - factor)
    for at in stride(from: 0, to: values.count, by: 3) {
      let (r, g, b) = (values[at], values[at + 1], values[at + 2])
      let gray = (weights[0] * r + weights[1] * g + weights[2] * b) * rest
      guard !gray.isNaN else { continue }
      for band in at..<at + 3 { values[band] = min(max(values[band] * factor + gray, 0), 255) }
    }
  }

  /// Multiplies S and shifts H, in HSV, as `changeColor` does for pictures.
  fileprivate mutating func changeColor(saturation: Float, sextants: Float) {
    let shift = sextants < 0 ? sextants + 6 : sextants
    guard bands == 3, saturation != 1 || shift != 0 else { return }
    for at in stride(from: 0, to: values.count, by: 3) {
      var (r, g, b) = (values[at], values[at + 1], values[at + 2])
      guard !(r + g + b).isNaN else { continue }
      if saturation != 1 { saturate(&r, &g, &b, saturation) }
      if shift != 0 { turnHue(&r, &g, &b, shift) }
      (values[at], values[at + 1], values[at + 2]) = (r, g, b)
    }
  }
}
