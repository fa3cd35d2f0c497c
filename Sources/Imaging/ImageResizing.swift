import Foundation

/// How images take another size: a library's rule, so that figures made with it can be repeated.
///
/// Those that name no other filter are all called *bilinear*, count from the centres of pixels and give other levels.
/// ``opencv`` gives exactly those of OpenCV 4.14 and 5.0, ``pillow`` those of Pillow 12.3; Pillow 13.0 goes down before across for some shapes, where a fifth of its levels
/// differ by 1. torch 2.11 computes in single precision in an order that depends on the processor, so that 2 levels of 10,000,
/// those next to a half, differ by 1 from ``torch``. torchvision 0.26 has its own levels on x86 with AVX2; elsewhere its bilinear
/// ones are those of ``torchAntialias``.
/// Levels of more than 8 bits are not rounded, whatever the rule.
public enum ImageResizing: String, Sendable, CaseIterable {
  /// Atrous's own way, which training, scores and predictions have without a rule.
  case own
  /// Pillow's `BILINEAR`: the filter widens as images shrink; across and then down, each rounded to 8 bits.
  case pillow
  /// OpenCV's `INTER_LINEAR` of 8 bits: two pixels each way, weights of 11 bits; halves of both sides are means of four.
  case opencv
  /// torch's `interpolate(mode="bilinear")` of numbers, two pixels each way, rounded to 8 bits.
  case torch
  /// The same with `antialias=True`: the filter widens as images shrink.
  case torchAntialias = "torch-antialias"
  /// torchvision's `resize` of 8 bits, bilinear with antialiasing: as ``pillow`` with weights of 15 bits.
  case torchvision
  /// torchvision's bicubic one: as ``pillowBicubic`` with weights of 15 bits.
  case torchvisionBicubic = "torchvision-bicubic"
  /// Pillow's `NEAREST`: each pixel takes the one in which its centre lies.
  case pillowNearest = "pillow-nearest"
  /// Pillow's `BOX`: means of the pixels that one covers.
  case pillowBox = "pillow-box"
  /// Pillow's `HAMMING`, a window of two pixels each way.
  case pillowHamming = "pillow-hamming"
  /// Pillow's `BICUBIC` (a = −0.5), two pixels each way or more as images shrink.
  case pillowBicubic = "pillow-bicubic"
  /// Pillow's `LANCZOS`, three pixels each way or more as images shrink.
  case pillowLanczos = "pillow-lanczos"

  /// Whether the filter widens as images shrink; nil where the place of use says so.
  package var antialias: Bool? {
    switch self {
    case .own: nil
    case .opencv, .torch: false
    default: true
    }
  }

  /// What pixels weigh; nil where one alone counts.
  package var filter: ResamplingFilter? {
    switch self {
    case .own, .pillow, .opencv, .torch, .torchAntialias, .torchvision: .triangle
    case .pillowNearest: nil
    case .pillowBox: .box
    case .pillowHamming: .hamming
    case .pillowBicubic, .torchvisionBicubic: .bicubic
    case .pillowLanczos: .lanczos
    }
  }
}

extension Image {
  /// The picture at another size, as a library makes it; `own` is ``resized(to:filter:antialias:)``.
  public func resized(to target: Size, by rule: ImageResizing) -> Image {
    guard let antialias = rule.antialias, target != size else { return resized(to: target) }
    return Image(
      width: target.width, height: target.height, channels: channels,
      pixels: pixels(
        at: target, columns: 0..<target.width, rows: 0..<target.height, by: rule),
      levels: levels.map { levels in
        guard let filter = rule.filter else {
          return levels.nearest(
            columns: NearestRule.pillow.positions(width, target.width),
            rows: NearestRule.pillow.positions(height, target.height))
        }
        return levels.blended(
          columns: Taps(width, target.width, antialias: antialias, filter: filter),
          rows: Taps(height, target.height, antialias: antialias, filter: filter), target)
      })
  }

  /// A window of the picture at another size, as a library makes it: samples of 8 bits, (rows, columns, C).
  ///
  /// - Parameters:
  ///   - target: The size of the whole picture.
  ///   - columns: The columns of the window, inside of it.
  ///   - rows: The rows of the window.
  ///   - rule: The library's rule; not ``ImageResizing/own``.
  package func pixels(
    at target: Size, columns: Range<Int>, rows: Range<Int>, by rule: ImageResizing
  ) -> [UInt8] {
    let (x, y) = (width, height)
    switch rule {
    case .pillowNearest:
      let (x, y) = (
        NearestRule.pillow.positions(x, target.width),
        NearestRule.pillow.positions(y, target.height)
      )
      return rows.flatMap { row in
        columns.flatMap { column in
          let first = (y[row] * width + x[column]) * channels
          return pixels[first..<first + channels]
        }
      }
    case .own, .pillow, .pillowBox, .pillowHamming, .pillowBicubic, .pillowLanczos:
      let filter = rule.filter ?? .triangle
      return blended(
        SampleTaps(Taps(x, target.width, antialias: true, filter: filter)),
        SampleTaps(Taps(y, target.height, antialias: true, filter: filter)), columns, rows,
        across: { Int32(Taps.level($0 &+ Taps.half)) }, down: { Taps.level($0 &+ Taps.half) })
    case .torchvision, .torchvisionBicubic:
      let filter = rule.filter ?? .triangle
      let (across, down) = (
        ByteTaps(x, target.width, filter), ByteTaps(y, target.height, filter)
      )
      return blended(
        across.taps, down.taps, columns, rows, across: { Int32(across.level($0)) },
        down: { down.level($0) })
    case .opencv:
      if x == 2 * target.width, y == 2 * target.height {
        return blended(
          .pairs(target.width), .pairs(target.height), columns, rows, across: { $0 },
          down: { UInt8(($0 + 2) >> 2) })
      }
      return openCV(target, columns, rows)
    case .torch, .torchAntialias:
      let antialias = rule == .torchAntialias
      return blended(
        SampleTaps(torch: x, target.width, antialias: antialias),
        SampleTaps(torch: y, target.height, antialias: antialias), columns, rows, across: { $0 },
        down: { UInt8(min(max($0.rounded(.toNearestOrEven), 0), 255)) })
    }
  }

  /// Two passes, across and then down, with what is done to each sum.
  @inline(__always)
  private func blended<Number: SampleNumber>(
    _ x: SampleTaps<Number>, _ y: SampleTaps<Number>, _ columns: Range<Int>, _ rows: Range<Int>,
    across: (Number) -> Number, down: (Number) -> UInt8
  ) -> [UInt8] {
    guard !columns.isEmpty, let source = y.source(rows) else { return [] }
    let line = columns.count * channels
    var middle = [Number](repeating: 0, count: source.count * line)
    pixels.withUnsafeBufferPointer { pixels in
      for row in source {
        for (k, column) in columns.enumerated() {
          let first = (row * width + x.first[column]) * channels
          for channel in 0..<channels {
            var sum: Number = 0
            for tap in 0..<x.counts[column] {
              sum +=
                x.weights[column * x.width + tap] * Number(pixels[first + tap * channels + channel])
            }
            middle[(row - source.lowerBound) * line + k * channels + channel] = across(sum)
          }
        }
      }
    }
    var out = [UInt8](repeating: 0, count: rows.count * line)
    var sums = [Number](repeating: 0, count: line)
    for (i, row) in rows.enumerated() {
      for k in 0..<line { sums[k] = 0 }
      for tap in 0..<y.counts[row] {
        let from = (y.first[row] + tap - source.lowerBound) * line
        let weight = y.weights[row * y.width + tap]
        for k in 0..<line { sums[k] += weight * middle[from + k] }
      }
      for k in 0..<line { out[i * line + k] = down(sums[k]) }
    }
    return out
  }

  /// OpenCV's `VResizeLinear` of 8 bits: sums across keep 11 more bits, of which the pass down drops 4 before and 16 after
  /// it multiplies, each of its two rows alone.
  private func openCV(_ target: Size, _ columns: Range<Int>, _ rows: Range<Int>) -> [UInt8] {
    let x = columns.map { OpenCVTap($0, width, target.width, isClamped: true) }
    let y = rows.map { OpenCVTap($0, height, target.height, isClamped: false) }
    guard !x.isEmpty, let last = y.last, let first = y.first else { return [] }
    func inside(_ row: Int) -> Int { min(max(row, 0), height - 1) }
    let source = inside(first.place)...inside(last.place + 1)
    let line = x.count * channels
    var middle = [Int32](repeating: 0, count: source.count * line)
    pixels.withUnsafeBufferPointer { pixels in
      for row in source {
        for (k, tap) in x.enumerated() {
          let low = (row * width + tap.place) * channels
          let high = (row * width + min(tap.place + 1, width - 1)) * channels
          for channel in 0..<channels {
            middle[(row - source.lowerBound) * line + k * channels + channel] =
              Int32(pixels[low + channel]) * tap.low + Int32(pixels[high + channel]) * tap.high
          }
        }
      }
    }
    var out = [UInt8](repeating: 0, count: rows.count * line)
    for (i, tap) in y.enumerated() {
      let upper = (inside(tap.place) - source.lowerBound) * line
      let lower = (inside(tap.place + 1) - source.lowerBound) * line
      for k in 0..<line {
        let sum =
          ((tap.low * (middle[upper + k] >> 4)) >> 16)
          + ((tap.high * (middle[lower + k] >> 4)) >> 16)
        out[i * line + k] = UInt8(min(max((sum + 2) >> 2, 0), 255))
      }
    }
    return out
  }
}

/// What samples are summed in.
private protocol SampleNumber: Numeric { init(_ level: UInt8) }
extension Int32: SampleNumber {}
extension Float: SampleNumber {}

/// For each output position the inputs that it mixes and their weights.
private struct SampleTaps<Number: SampleNumber> {
  let width: Int
  let first: [Int], counts: [Int]
  let weights: [Number]

  /// The inputs that a window needs; nil for an empty one.
  func source(_ window: Range<Int>) -> Range<Int>? {
    guard let low = window.map({ first[$0] }).min(),
      let high = window.map({ first[$0] + counts[$0] }).max()
    else { return nil }
    return low..<high
  }
}

extension SampleTaps<Int32> {
  init(_ taps: Taps) {
    (width, first, counts, weights) = (taps.width, taps.first, taps.counts, taps.weights)
  }

  /// Pairs of inputs, each counted once.
  static func pairs(_ count: Int) -> SampleTaps {
    SampleTaps(
      width: 2, first: (0..<count).map { 2 * $0 }, counts: [Int](repeating: 2, count: count),
      weights: [Int32](repeating: 1, count: 2 * count))
  }
}

extension SampleTaps<Float> {
  /// As ATen computes them, in single precision.
  init(torch source: Int, _ target: Int, antialias: Bool) {
    let scale = Float(source) / Float(target)
    let reach = antialias ? max(scale, 1) : 1
    let inverse = antialias && scale >= 1 ? 1 / scale : 1
    let width = Int(reach.rounded(.up)) * 2 + 1
    var (first, counts, weights) = ([Int](), [Int](), [Float](repeating: 0, count: target * width))
    for position in 0..<target {
      let centre = scale * (Float(position) + 0.5)
      var row: [Float]
      if antialias {
        let low = max(Int(centre - reach + 0.5), 0)
        let high = min(Int(centre + reach + 0.5), source)
        row = (low..<high).map { max(1 - abs((Float($0) - centre + 0.5) * inverse), 0) }
        let sum = row.reduce(0, +)
        row = row.map { $0 / sum }
        first.append(low)
      } else {
        let exact = max(centre - 0.5, 0)
        let low = min(Int(exact), source - 1)
        let share = min(max(exact - Float(low), 0), 1)
        row = low + 1 < source ? [1 - share, share] : [1]
        first.append(low)
      }
      counts.append(row.count)
      for (tap, weight) in row.enumerated() { weights[position * width + tap] = weight }
    }
    (self.width, self.first, self.counts, self.weights) = (width, first, counts, weights)
  }
}

/// Weights of 15 bits at most, as ATen's kernels for levels of 8 bits have them: with as many behind the point as the largest
/// has room for.
private struct ByteTaps {
  let taps: SampleTaps<Int32>
  private let bits: Int32

  init(_ source: Int, _ target: Int, _ filter: ResamplingFilter) {
    let scale = Double(source) / Double(target)
    let stretch = max(1, scale), reach = filter.reach * stretch
    let width = Int(reach.rounded(.up)) * 2 + 1
    var (first, counts, shares) = ([Int](), [Int](), [Double](repeating: 0, count: target * width))
    for position in 0..<target {
      let centre = scale * (Double(position) + 0.5)
      let low = max(0, Int(centre - reach + 0.5))
      let high = min(source, Int(centre + reach + 0.5))
      let raw = (low..<high).map { filter.weight((Double($0) - centre + 0.5) * (1 / stretch)) }
      let sum = raw.reduce(0, +)
      first.append(low)
      counts.append(raw.count)
      for (tap, weight) in raw.enumerated() { shares[position * width + tap] = weight / sum }
    }
    let largest = shares.max() ?? 1
    let bits = (0..<22).first { Int(0.5 + largest * Double(2 << $0)) >= 1 << 15 } ?? 22
    let weights = shares.map { Int32($0 * Double(1 << bits) + ($0 < 0 ? -0.5 : 0.5)) }
    taps = SampleTaps(width: width, first: first, counts: counts, weights: weights)
    self.bits = Int32(bits)
  }

  /// The level that a sum of weighted levels is.
  func level(_ sum: Int32) -> UInt8 {
    UInt8(max(0, min(255, (sum &+ 1 << (bits - 1)) >> bits)))
  }
}

/// The two inputs that OpenCV mixes for an output position, in 2048ths.
private struct OpenCVTap {
  /// The first input; outside of the picture where it is not clamped.
  let place: Int
  let low: Int32, high: Int32

  init(_ position: Int, _ source: Int, _ target: Int, isClamped: Bool) {
    // OpenCV divides twice.
    let scale = 1 / (Double(target) / Double(source))
    let exact = Float((Double(position) + 0.5) * scale - 0.5)
    var place = Int(exact.rounded(.down))
    var share = exact - Float(place)
    if isClamped, place < 0 { (place, share) = (0, 0) }
    if isClamped, place >= source - 1 { (place, share) = (source - 1, 0) }
    self.place = place
    low = Int32(((1 - share) * 2048).rounded(.toNearestOrEven))
    high = Int32((share * 2048).rounded(.toNearestOrEven))
  }
}
