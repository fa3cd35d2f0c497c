import Imaging

/// Sums of the levels of each band and of their squares, in levels of 0 to 255; those of pictures are exact.
struct LevelSums: Sendable {
  /// The levels that were added, the sums, and the sums of squares, of each band.
  private(set) var counts: [Double] = [], sums: [Double] = [], squares: [Double] = []
  /// The same of pictures.
  private var count: UInt64 = 0
  private var first = SIMD3<UInt64>(), second = SIMD3<UInt64>()

  mutating func add(_ image: Image) {
    if let levels = image.levels { return add(levels) }
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

  /// What is missing does not count.
  private mutating func add(_ levels: Levels) {
    var own = LevelSums(bands: levels.bands)
    levels.values.withUnsafeBufferPointer { values in
      var band = 0
      for i in 0..<values.count {
        let level = Double(values[i])
        if !level.isNaN {
          own.counts[band] += 1
          own.sums[band] += level
          own.squares[band] += level * level
        }
        band = band + 1 == levels.bands ? 0 : band + 1
      }
    }
    merge(own)
  }

  init() {}

  private init(bands: Int) {
    counts = [Double](repeating: 0, count: bands)
    (sums, squares) = (counts, counts)
  }

  /// Sums of bands that were added up elsewhere.
  init(counts: [Double], sums: [Double], squares: [Double]) {
    (self.counts, self.sums, self.squares) = (counts, sums, squares)
  }

  mutating func merge(_ other: LevelSums) {
    count += other.count
    first &+= other.first
    second &+= other.second
    guard !other.counts.isEmpty else { return }
    guard counts.count == other.counts.count else {
      if counts.isEmpty { (counts, sums, squares) = (other.counts, other.sums, other.squares) }
      return
    }
    for band in counts.indices {
      counts[band] += other.counts[band]
      sums[band] += other.sums[band]
      squares[band] += other.squares[band]
    }
  }

  /// The mean and the deviation of each band, in 0 to 1.
  var statistics: (mean: [Double], deviation: [Double]) {
    guard counts.isEmpty else {
      let mean = counts.indices.map { sums[$0] / max(counts[$0], 1) / 255 }
      let deviation = counts.indices.map {
        max(squares[$0] / max(counts[$0], 1) / 65_025 - mean[$0] * mean[$0], 0).squareRoot()
      }
      return (mean, deviation)
    }
    let n = Double(max(count, 1))
    let mean = (0..<3).map { Double(first[$0]) / n / 255 }
    let deviation = (0..<3).map { channel -> Double in
      let square = Double(second[channel]) / n / 65_025
      return max(square - mean[channel] * mean[channel], 0).squareRoot()
    }
    return (mean, deviation)
  }

  func encoding() throws -> InputEncoding {
    let (mean, deviation) = statistics
    return try InputEncoding(levelsWithMean: mean, deviation: deviation)
  }
}
