import Foundation
import Imaging

// What a camera and its light do to a picture: exposure's curve, a lens out of focus, a sensor's noise. Each works
// on pictures of 8 bits, whose levels are rounded once at its end, and on images of levels.

/// A change of an image's levels that leaves its mask alone.
protocol ImageChange {
  /// Changes a picture of 8 bits.
  func apply(to image: inout Image, _ random: inout SampleRandom)
  /// Changes an image of levels, in which what is missing stays missing.
  func apply(to levels: inout Levels, _ random: inout SampleRandom)
}

extension PhotometricDistortion: ImageChange {}
extension ColorJitter: ImageChange {}

/// A gamma curve: a level v of 0 to 1 becomes v to the power of the exponent.
struct Gamma: ImageChange {
  let exponent: Double

  func apply(to image: inout Image, _ random: inout SampleRandom) {
    var table = LevelTable()
    table.map { pow($0 / 255, exponent) * 255 }
    table.apply(to: &image)
  }

  func apply(to levels: inout Levels, _ random: inout SampleRandom) {
    levels.map { level in
      guard !level.isNaN else { return level }
      return Float(pow(Double(min(max(level, 0), 255)) / 255, exponent) * 255)
    }
  }
}

/// A Gaussian filter of a standard deviation in pixels.
///
/// The kernel ends beyond three deviations and is normalized; beyond the borders the last pixels go on. Where
/// samples are missing (NaN) those that are there count alone, and what is missing stays so.
struct GaussianBlur: ImageChange {
  private let kernel: [Float]

  init(sigma: Double) {
    let radius = max(1, Int((3 * sigma).rounded(.up)))
    let weights = (-radius...radius).map { offset in
      exp(-Double(offset * offset) / (2 * sigma * sigma))
    }
    let sum = weights.reduce(0, +)
    kernel = weights.map { Float($0 / sum) }
  }

  func apply(to image: inout Image, _ random: inout SampleRandom) {
    var values = image.pixels.map(Float.init)
    blur(&values, image.size, channels: 3, missing: false)
    for at in values.indices { image.pixels[at] = UInt8(min(max(values[at], 0), 255).rounded()) }
  }

  func apply(to levels: inout Levels, _ random: inout SampleRandom) {
    var values = levels.values
    blur(&values, levels.size, channels: levels.bands, missing: values.contains(where: \.isNaN))
    levels.values = values
  }

  /// Filters samples, (H, W, C), along rows and then along columns.
  private func blur(_ values: inout [Float], _ size: Size, channels: Int, missing: Bool) {
    guard missing else {
      filter(&values, size, channels: channels)
      return
    }
    let isThere = values.map { $0.isNaN ? Float(0) : 1 }
    var sums = values.map { $0.isNaN ? Float(0) : $0 }
    var weights = isThere
    filter(&sums, size, channels: channels)
    filter(&weights, size, channels: channels)
    for at in values.indices where isThere[at] > 0 { values[at] = sums[at] / weights[at] }
  }

  private func filter(_ values: inout [Float], _ size: Size, channels: Int) {
    let (radius, row) = (kernel.count / 2, size.width * channels)
    var along = [Float](repeating: 0, count: values.count)
    values.withUnsafeBufferPointer { values in
      for y in 0..<size.height {
        for x in 0..<size.width {
          for channel in 0..<channels {
            var sum: Float = 0
            for (tap, weight) in kernel.enumerated() {
              let column = min(max(x + tap - radius, 0), size.width - 1)
              sum += weight * values[y * row + column * channels + channel]
            }
            along[y * row + x * channels + channel] = sum
          }
        }
      }
    }
    along.withUnsafeBufferPointer { along in
      for y in 0..<size.height {
        for at in 0..<row { values[y * row + at] = 0 }
        for (tap, weight) in kernel.enumerated() {
          let from = min(max(y + tap - radius, 0), size.height - 1) * row
          for at in 0..<row { values[y * row + at] += weight * along[from + at] }
        }
      }
    }
  }
}

/// Independent noise on every sample, of a standard deviation in levels of 255.
///
/// A number is the sum of four uniform ones (Irwin and Hall), which lies within 3.47 deviations and takes one draw.
struct GaussianNoise: ImageChange {
  let sigma: Double

  func apply(to image: inout Image, _ random: inout SampleRandom) {
    for at in image.pixels.indices {
      let level = Float(image.pixels[at]) + draw(&random)
      image.pixels[at] = UInt8(min(max(level, 0), 255).rounded())
    }
  }

  func apply(to levels: inout Levels, _ random: inout SampleRandom) {
    levels.map { $0 + draw(&random) }
  }

  private func draw(_ random: inout SampleRandom) -> Float {
    let bits = random.next()
    let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48)
    // Four numbers of mean 32767.5 and variance (2^32 − 1) / 12.
    return (Float(sum) - 131_070) * Float(sigma / 37_837.227)
  }
}
