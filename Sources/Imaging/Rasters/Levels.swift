/// An image of any number of bands as levels: 0 is the lowest of a band's range, 255 the highest.
///
/// What lies outside of the range is clipped, as a camera does. A sample that is missing is NaN; a pixel is
/// where all of its samples are.
public struct Levels: Sendable, Equatable {
  /// The columns and rows.
  public let size: Size
  /// The samples of a pixel.
  public let bands: Int
  /// The samples, interleaved and row-major: (H, W, bands).
  public var values: [Float]
  /// The bands that a picture shows as red, green and blue.
  public let shown: [Int]

  /// Levels of these values, whose count must be `size.width * size.height * bands`.
  public init(size: Size, bands: Int, values: [Float], shown: [Int]? = nil) {
    precondition(values.count == size.width * size.height * bands, "values do not fill the image")
    (self.size, self.bands, self.values) = (size, bands, values)
    let shown = shown ?? Self.shown(of: bands)
    precondition(shown.count == 3 && shown.allSatisfy { (0..<bands).contains($0) })
    self.shown = shown
  }

  /// The bands that are shown if nobody says otherwise: the first three, or the first alone.
  public static func shown(of bands: Int) -> [Int] { bands >= 3 ? [0, 1, 2] : [0, 0, 0] }

  /// The levels as samples, of which no copy is made.
  public var raster: Raster { Raster(size: size, bands: bands, .float(values)) }

  /// Whether a sample is missing.
  var hasMissing: Bool { values.contains { $0.isNaN } }

  /// For each pixel whether all of its samples are missing; nil where none is.
  public var missing: [Bool]? {
    guard hasMissing else { return nil }
    var isAny = false
    let found = (0..<size.width * size.height).map { index in
      let at = index * bands
      for band in at..<at + bands where !values[band].isNaN { return false }
      isAny = true
      return true
    }
    return isAny ? found : nil
  }

  /// The picture that people are shown: the shown bands, black where they are missing.
  var pixels: [UInt8] {
    let (first, second, third) = (shown[0], shown[1], shown[2])
    return Destination.array(of: size.width * size.height * 3, isWrittenWhole: true) { out in
      values.withUnsafeBufferPointer { values in
        func level(_ value: Float) -> UInt8 { value > 0 ? UInt8(min(value, 255) + 0.5) : 0 }
        for index in 0..<size.width * size.height {
          let at = index * bands
          out[3 * index] = level(values[at + first])
          out[3 * index + 1] = level(values[at + second])
          out[3 * index + 2] = level(values[at + third])
        }
      }
    }
  }
}

extension Image {
  /// An image of levels, with the picture of its shown bands.
  public init(_ levels: Levels) {
    self.init(
      width: levels.size.width, height: levels.size.height, channels: 3, pixels: levels.pixels,
      levels: levels)
  }

  /// For each pixel whether nothing was measured there; nil where all is there.
  public var missing: [Bool]? { levels?.missing }
}

extension Levels {
  /// The levels whose every pixel is that of a column and a row.
  func nearest(columns: [Int], rows: [Int]) -> Levels {
    var out: [Float] = []
    out.reserveCapacity(columns.count * rows.count * bands)
    values.withUnsafeBufferPointer { values in
      for row in rows {
        for column in columns {
          let at = (row * size.width + column) * bands
          for band in at..<at + bands { out.append(values[band]) }
        }
      }
    }
    return Levels(
      size: Size(width: columns.count, height: rows.count), bands: bands, values: out, shown: shown)
  }

  /// The levels of pixels mixed of others; those of which more than half is missing are missing.
  func blended(columns: Taps, rows: Taps, _ target: Size) -> Levels {
    let line = target.width * bands
    var out = [Float](repeating: 0, count: target.height * line)
    // Sums of what is there, and of its weights.
    struct Line { var sums: [Float], shares: [Float] }
    var lines: [Int: Line] = [:]
    func across(_ y: Int) -> Line {
      var result = Line(
        sums: [Float](repeating: 0, count: line), shares: [Float](repeating: 0, count: line))
      for x in 0..<target.width {
        for tap in 0..<columns.counts[x] {
          let weight = columns.shares[x * columns.width + tap]
          guard weight != 0 else { continue }
          let at = (y * size.width + columns.first[x] + tap) * bands
          for band in 0..<bands where !values[at + band].isNaN {
            result.sums[x * bands + band] += weight * values[at + band]
            result.shares[x * bands + band] += weight
          }
        }
      }
      return result
    }
    var (sums, shares) = ([Float](repeating: 0, count: line), [Float](repeating: 0, count: line))
    for y in 0..<target.height {
      let first = rows.first[y]
      for row in lines.keys where row < first { lines[row] = nil }
      for i in 0..<line { (sums[i], shares[i]) = (0, 0) }
      for tap in 0..<rows.counts[y] {
        let weight = rows.shares[y * rows.width + tap]
        guard weight != 0 else { continue }
        let row = lines[first + tap] ?? across(first + tap)
        lines[first + tap] = row
        for i in 0..<line {
          sums[i] += weight * row.sums[i]
          shares[i] += weight * row.shares[i]
        }
      }
      for i in 0..<line { out[y * line + i] = shares[i] >= 0.5 ? sums[i] / shares[i] : .nan }
    }
    return Levels(size: target, bands: bands, values: out, shown: shown)
  }
}
