/// How a picture is resized.
public enum ResizeFilter: Sendable {
  /// The pixel whose centre is nearest.
  case nearest
  /// Linear between the centres of pixels.
  case bilinear
}

extension Image {
  /// The picture as red, green and blue.
  public var rgb: Image {
    guard channels != 3 else { return self }
    var out = [UInt8](repeating: 0, count: width * height * 3)
    for index in 0..<width * height {
      for channel in 0..<3 {
        out[3 * index + channel] = pixels[channels * index + (channels == 4 ? channel : 0)]
      }
    }
    return Image(width: width, height: height, channels: 3, pixels: out, levels: levels)
  }

  /// The picture at another size.
  ///
  /// Positions are those of pixel centres. With `antialias` the bilinear filter grows with the
  /// reduction, as Pillow's and torchvision's does, and gives Pillow's levels; without it each pixel mixes
  /// four neighbours.
  public func resized(
    to target: Size, filter: ResizeFilter = .bilinear, antialias: Bool = true
  ) -> Image {
    guard target != size else { return self }
    switch filter {
    case .nearest:
      let columns = NearestRule.centre.positions(width, target.width)
      let rows = NearestRule.centre.positions(height, target.height)
      var out = [UInt8](repeating: 0, count: target.width * target.height * channels)
      for (y, row) in rows.enumerated() {
        for (x, column) in columns.enumerated() {
          let (to, from) = ((y * target.width + x) * channels, (row * width + column) * channels)
          for channel in 0..<channels { out[to + channel] = pixels[from + channel] }
        }
      }
      return Image(
        width: target.width, height: target.height, channels: channels, pixels: out,
        levels: levels?.nearest(columns: columns, rows: rows))
    case .bilinear:
      return bilinear(target, antialias)
    }
  }

  /// Two passes, across and then down, each rounded to levels: with antialiasing the levels that Pillow gives,
  /// whose weights are whole numbers, too.
  private func bilinear(_ target: Size, _ antialias: Bool) -> Image {
    let columns = Taps(width, target.width, antialias: antialias)
    let rows = Taps(height, target.height, antialias: antialias)
    let (channels, width) = (self.channels, self.width)
    let line = target.width * channels
    // Rows of the source that the window needs, resized across, are made once each.
    var lines: [Int: [UInt8]] = [:]
    var out = [UInt8](repeating: 0, count: target.height * line)
    var sum = [Int32](repeating: 0, count: line)
    pixels.withUnsafeBufferPointer { source in
      func across(_ y: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: line) { buffer, count in
          for x in 0..<target.width {
            let first = columns.first[x]
            for channel in 0..<channels {
              var value = Taps.half
              for tap in 0..<columns.counts[x] {
                value &+=
                  columns.weights[x * columns.width + tap]
                  &* Int32(source[(y * width + first + tap) * channels + channel])
              }
              buffer[x * channels + channel] = Taps.level(value)
            }
          }
          count = line
        }
      }
      for y in 0..<target.height {
        let first = rows.first[y]
        for row in lines.keys where row < first { lines[row] = nil }
        for index in 0..<line { sum[index] = Taps.half }
        for tap in 0..<rows.counts[y] {
          let row = lines[first + tap] ?? across(first + tap)
          lines[first + tap] = row
          let weight = rows.weights[y * rows.width + tap]
          row.withUnsafeBufferPointer { row in
            sum.withUnsafeMutableBufferPointer { sum in
              for index in 0..<line { sum[index] &+= weight &* Int32(row[index]) }
            }
          }
        }
        out.withUnsafeMutableBufferPointer { out in
          for index in 0..<line { out[y * line + index] = Taps.level(sum[index]) }
        }
      }
    }
    return Image(
      width: target.width, height: target.height, channels: channels, pixels: out,
      levels: levels?.blended(columns: columns, rows: rows, target))
  }

  /// The part of the picture that begins at column `x` and row `y`; it must lie inside.
  public func cropped(x: Int, y: Int, size target: Size) -> Image {
    precondition(x >= 0 && y >= 0 && x + target.width <= width && y + target.height <= height)
    var out = [UInt8]()
    out.reserveCapacity(target.width * target.height * channels)
    for row in y..<y + target.height {
      let start = (row * width + x) * channels
      out += pixels[start..<start + target.width * channels]
    }
    return Image(
      width: target.width, height: target.height, channels: channels, pixels: out,
      levels: levels?.nearest(
        columns: Array(x..<x + target.width), rows: Array(y..<y + target.height)))
  }

  /// The picture with left and right exchanged.
  public var mirrored: Image {
    var out = pixels
    for y in 0..<height {
      for x in 0..<width {
        for channel in 0..<channels {
          out[(y * width + x) * channels + channel] =
            pixels[(y * width + width - 1 - x) * channels + channel]
        }
      }
    }
    return Image(
      width: width, height: height, channels: channels, pixels: out,
      levels: levels?.nearest(columns: (0..<width).reversed(), rows: Array(0..<height)))
  }
}

extension LabelImage {
  /// The labels of a window, which must lie inside.
  public func cropped(_ window: PixelWindow) -> LabelImage {
    precondition(window.isInside(size))
    var out: [UInt16] = []
    out.reserveCapacity(window.size.width * window.size.height)
    for row in window.y..<window.y + window.size.height {
      out += values[row * width + window.x..<row * width + window.x + window.size.width]
    }
    return LabelImage(width: window.size.width, height: window.size.height, values: out)
  }

  /// The labels at another size: each pixel takes the value that the rule says.
  public func resized(to target: Size, by rule: NearestRule = .centre) -> LabelImage {
    LabelImage(
      width: target.width, height: target.height,
      values: nearest(values, size, to: target, by: rule))
  }
}

/// The values of pixels at another size: each takes that which the rule says.
package func nearest<Value>(
  _ values: [Value], _ size: Size, to target: Size, by rule: NearestRule = .centre
) -> [Value] {
  guard target != size else { return values }
  let columns = rule.positions(size.width, target.width)
  let rows = rule.positions(size.height, target.height)
  var out = [Value]()
  out.reserveCapacity(target.width * target.height)
  for row in rows { for column in columns { out.append(values[row * size.width + column]) } }
  return out
}

/// For each output position the inputs that it mixes and their weights.
struct Taps {
  /// The bits of a weight behind the point: as many as leave room for a level and a sign.
  private static let bits: Int32 = 22
  /// What a sum begins with, so that it is rounded.
  static let half: Int32 = 1 << (bits - 1)

  let width: Int
  var first: [Int] = [], counts: [Int] = []
  /// The weights of levels of 8 bits, and those of other numbers.
  var weights: [Int32], shares: [Float]

  /// The level that a sum of weighted levels is.
  static func level(_ sum: Int32) -> UInt8 { UInt8(max(0, min(255, sum >> bits))) }

  private static func weight(_ share: Double) -> Int32 {
    Int32(share * Double(1 << bits) + (share < 0 ? -0.5 : 0.5))
  }

  /// `filter` is that of `antialias`; without it two inputs are mixed.
  init(_ source: Int, _ target: Int, antialias: Bool, filter: ResamplingFilter = .triangle) {
    let scale = Double(source) / Double(target)
    let stretch = antialias ? max(1, scale) : 1
    let reach = antialias ? filter.reach * stretch : 1
    width = Int(reach.rounded(.up)) * 2 + 1
    weights = [Int32](repeating: 0, count: target * width)
    shares = [Float](repeating: 0, count: target * width)
    func note(_ share: Double, _ place: Int) {
      (weights[place], shares[place]) = (Self.weight(share), Float(share))
    }
    for position in 0..<target {
      let centre = (Double(position) + 0.5) * scale
      if antialias {
        let low = max(0, Int(centre - reach + 0.5))
        let high = min(source, Int(centre + reach + 0.5))
        let raw = (low..<high).map { filter.weight((Double($0) + 0.5 - centre) / stretch) }
        let sum = raw.reduce(0, +)
        first.append(low)
        counts.append(raw.count)
        for (tap, weight) in raw.enumerated() {
          note(weight / sum, position * width + tap)
        }
      } else {
        let exact = max(0, centre - 0.5)
        let low = min(source - 1, Int(exact))
        let fraction = exact - Double(low)
        first.append(low)
        counts.append(low + 1 < source ? 2 : 1)
        note(low + 1 < source ? 1 - fraction : 1, position * width)
        if low + 1 < source { note(fraction, position * width + 1) }
      }
    }
  }
}
