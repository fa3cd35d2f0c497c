import Files
import Foundation
import Imaging

/// A task whose answer lies at a known distance: blobs of light and dark, and for each pixel whether the four
/// points that lie `distance` pixels to its left, right, above and below are light or dark on the whole.
///
/// A network can only answer where kernels reach that far, and where the crop holds the points, so that the best
/// atrous rate of a task is known: a tap of rate r at output stride s lies r · s pixels away. Blobs are about
/// ``blob`` pixels wide, which is as exactly as a tap has to lie. Pictures depend on seed, index, size and distance
/// alone.
public struct DistanceTask: Sendable {
  /// A picture and its labels.
  public struct Sample: Sendable {
    /// The blobs, grey with noise of its own on every pixel.
    public let image: Image
    /// 0 for dark, 1 for light.
    public let labels: LabelImage
  }

  /// What all pictures follow from.
  public let seed: UInt64
  /// The size of a picture in pixels.
  public let size: Size
  /// How far the points lie, in pixels.
  public let distance: Int

  /// The distances that can be asked for.
  public static let distances = 1...2048
  /// The width of a blob in pixels, as the standard deviation of a Gaussian filter that would make it.
  public static let blob = 4.5

  /// Three box filters of this width stand for the Gaussian one.
  private static let box = 9

  /// - Throws: `DatasetError.invalidSetting` for a size or a distance that cannot be meant.
  public init(seed: UInt64, size: Size, distance: Int) throws {
    guard SceneRenderer.sizes.contains(size.width), SceneRenderer.sizes.contains(size.height) else {
      throw DatasetError.invalidSetting(
        name: "the pictures' size", value: size.text,
        expected:
          "\(SceneRenderer.sizes.lowerBound) to \(SceneRenderer.sizes.upperBound) pixels each way")
    }
    guard Self.distances.contains(distance) else {
      throw DatasetError.invalidSetting(
        name: "the distance", value: "\(distance)",
        expected: "\(Self.distances.lowerBound) to \(Self.distances.upperBound) pixels")
    }
    (self.seed, self.size, self.distance) = (seed, size, distance)
  }

  /// The picture of this index.
  public func sample(_ index: Int) -> Sample {
    var random = SampleRandom(seed: seed, epoch: distance, index: index)
    let (width, height) = (size.width + 2 * distance, size.height + 2 * distance)
    var field = (0..<width * height).map { _ in random.unit() - 0.5 }
    for _ in 0..<3 { field = Self.boxed(field, width, height) }
    // The variance of uniform numbers is 1/12; the filter's weights give that of the sums.
    let deviation = Self.energy / 12.0.squareRoot()
    var pixels: [UInt8] = []
    var labels: [UInt16] = []
    pixels.reserveCapacity(size.width * size.height * 3)
    labels.reserveCapacity(size.width * size.height)
    for y in 0..<size.height {
      for x in 0..<size.width {
        let at = (y + distance) * width + x + distance
        let around =
          field[at - distance] + field[at + distance] + field[at - distance * width]
          + field[at + distance * width]
        let level = 128 + 45 * field[at] / deviation + 20 * (random.unit() - 0.5)
        let byte = UInt8(min(max(level, 0), 255).rounded())
        pixels += [byte, byte, byte]
        labels.append(around > 0 ? 1 : 0)
      }
    }
    return Sample(
      image: Image(width: size.width, height: size.height, pixels: pixels),
      labels: LabelImage(width: size.width, height: size.height, values: labels))
  }

  /// Writes pictures into `images/train` and `images/val`, and labels of the same names beside them.
  ///
  /// - Throws: ``DatasetError`` if the folder holds something else or the counts are impossible, `ImageError` if
  ///   a file cannot be written.
  public func write(to folder: String, train: Int, val: Int, threads: Int = 0) throws {
    let splits = try SceneFolder.splits(train: train, val: val)
    let record = "Atrous distance task, seed \(seed), \(size.text), distance \(distance)\n"
    try SceneFolder(folder).claim(
      record: record, called: "pictures of the same seed, size and distance")
    for (split, first, count) in splits {
      for part in ["images", "labels"] { try SceneFolder.make("\(folder)/\(part)/\(split)") }
      try reduceInParallel(
        count: count, threads: threads, initial: (),
        step: { _, i in
          let sample = sample(first + i)
          let name = "\(split)/" + String(format: "%06d.png", i)
          try sample.image.write(to: "\(folder)/images/\(name)")
          try sample.labels.writePNG(to: "\(folder)/labels/\(name)")
        }, merge: { _, _ in })
    }
  }

  /// The root of the sum of the squares of the filter's weights, along both axes.
  private static let energy: Double = {
    var weights = [1.0]
    for _ in 0..<3 {
      var next = [Double](repeating: 0, count: weights.count + box - 1)
      for (at, weight) in weights.enumerated() {
        for tap in 0..<box { next[at + tap] += weight / Double(box) }
      }
      weights = next
    }
    // The square root of the product of two equal sums is one of them.
    return weights.reduce(0) { $0 + $1 * $1 }
  }()

  /// The means over boxes; what lies beyond the borders is left out of sums but not of counts.
  private static func boxed(_ field: [Double], _ width: Int, _ height: Int) -> [Double] {
    let half = box / 2
    func along(_ from: [Double], _ lines: Int, _ count: Int, _ step: Int, _ skip: Int) -> [Double] {
      var result = [Double](repeating: 0, count: from.count)
      for line in 0..<lines {
        for place in 0..<count {
          var sum = 0.0
          for other in max(0, place - half)...min(count - 1, place + half) {
            sum += from[line * skip + other * step]
          }
          result[line * skip + place * step] = sum / Double(box)
        }
      }
      return result
    }
    let rows = along(field, height, width, 1, width)
    return along(rows, width, height, width, 1)
  }
}
