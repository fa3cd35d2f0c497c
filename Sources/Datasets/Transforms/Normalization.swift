import Imaging

/// What turns 8-bit levels into a network's input: (level / 255 − mean) / deviation for each colour.
public struct Normalization: Sendable, Hashable {
  /// The means of red, green and blue, in 0 to 1.
  public let mean: [Double]
  /// The standard deviations of red, green and blue, in 0 to 1.
  public let deviation: [Double]

  /// A normalisation by these three means and three deviations, of colours in 0 to 1.
  ///
  /// - Throws: `DatasetError.invalidSetting` unless there are three of each and every deviation is
  ///   above 0.
  public init(mean: [Double], deviation: [Double]) throws {
    guard mean.count == 3, mean.allSatisfy(\.isFinite) else {
      throw DatasetError.invalidSetting(
        name: "the normalisation's mean", value: "\(mean)", expected: "three finite numbers")
    }
    guard deviation.count == 3, deviation.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw DatasetError.invalidSetting(
        name: "the normalisation's deviation", value: "\(deviation)",
        expected: "three finite numbers above 0")
    }
    self.mean = mean
    self.deviation = deviation
  }

  private init(_ mean: [Double], _ deviation: [Double]) {
    self.mean = mean
    self.deviation = deviation
  }

  /// The statistics of ImageNet, which torchvision's networks were trained with.
  public static let imageNet = Normalization([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

  /// The statistics of Cityscapes that the official DenseASPP code of 2018 uses.
  public static let denseASPP = Normalization(
    [0.290101, 0.328081, 0.286964], [0.182954, 0.186566, 0.184475])

  /// Levels in 0 to 1, nothing else.
  public static let unit = Normalization([0, 0, 0], [1, 1, 1])

  /// The 8-bit colour nearest to the mean: what fills the outside of a picture.
  public var meanColor: Color {
    let levels = mean.map { UInt8(min(max($0 * 255, 0), 255).rounded()) }
    return Color(levels[0], levels[1], levels[2])
  }

  /// The statistics of a data set's images: over all pixels, on all cores, summed exactly.
  ///
  /// - Parameter threads: The number of threads; 0 for one a core.
  /// - Throws: What reading a sample throws, and `DatasetError.invalidSetting` for a data set whose
  ///   images are all of one colour.
  public static func measured(from dataset: some Dataset, threads: Int = 0) throws -> Normalization
  {
    let sums = try reduceInParallel(
      count: dataset.count, threads: threads, initial: Sums(),
      step: { sums, index in sums.add(try dataset.load(index).image) },
      merge: { $0.merge($1) })
    return try sums.normalization()
  }

  /// Writes an RGB image (H, W, 3) as normalised numbers in the same order.
  func apply(to image: Image, into output: UnsafeMutablePointer<Float>) {
    let table = table
    image.pixels.withUnsafeBufferPointer { pixels in
      table.withUnsafeBufferPointer { table in
        var i = 0
        while i < pixels.count {
          output[i] = table[Int(pixels[i])]
          output[i + 1] = table[256 + Int(pixels[i + 1])]
          output[i + 2] = table[512 + Int(pixels[i + 2])]
          i += 3
        }
      }
    }
  }

  /// The 256 numbers of red, of green and of blue.
  private var table: [Float] {
    (0..<768).map { i in
      let level = Double(i & 255) / 255
      return Float((level - mean[i >> 8]) / deviation[i >> 8])
    }
  }

  /// Sums of levels and of their squares.
  private struct Sums: Sendable {
    var count: UInt64 = 0
    var first = SIMD3<UInt64>()
    var second = SIMD3<UInt64>()

    mutating func add(_ image: Image) {
      var first = SIMD3<UInt64>()
      var second = SIMD3<UInt64>()
      image.pixels.withUnsafeBufferPointer { pixels in
        for i in stride(from: 0, to: pixels.count, by: 3) {
          let level = SIMD3(UInt64(pixels[i]), UInt64(pixels[i + 1]), UInt64(pixels[i + 2]))
          first &+= level
          second &+= level &* level
        }
      }
      count += UInt64(image.pixels.count / 3)
      self.first &+= first
      self.second &+= second
    }

    mutating func merge(_ other: Sums) {
      count += other.count
      first &+= other.first
      second &+= other.second
    }

    func normalization() throws -> Normalization {
      let n = Double(max(count, 1))
      let mean = (0..<3).map { Double(first[$0]) / n / 255 }
      let deviation = (0..<3).map { channel -> Double in
        let square = Double(second[channel]) / n / 65_025
        return max(square - mean[channel] * mean[channel], 0).squareRoot()
      }
      return try Normalization(mean: mean, deviation: deviation)
    }
  }
}
