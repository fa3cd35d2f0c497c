import Imaging

/// One direction of a resampling: scale, then take a window, which may reach beyond the picture, then
/// perhaps reverse.
struct Axis: Equatable {
  /// The samples of the source.
  let source: Int
  /// The samples that the whole source has once it is scaled.
  let scaled: Int
  /// The window's first sample, counted in scaled samples.
  private(set) var origin = 0
  /// The samples of the window: the result's length.
  private(set) var count: Int
  /// The scaled samples that show the picture; the rest of the window is filled.
  private(set) var valid: Range<Int>
  /// Whether the window is read backwards.
  var reversed = false
  /// Which source samples labels take.
  let rule: NearestRule

  init(_ source: Int, scaledTo scaled: Int? = nil, rule: NearestRule = .centre) {
    self.rule = rule
    self.source = source
    self.scaled = scaled ?? source
    count = self.scaled
    valid = 0..<self.scaled
  }

  var isIdentity: Bool { self == Axis(source, rule: rule) }
  var isPadded: Bool { valid.count < count }

  /// The result's samples that show the picture.
  var shown: Range<Int> {
    let low = valid.lowerBound - origin
    let high = valid.upperBound - origin
    return reversed ? count - high..<count - low : low..<high
  }

  /// The scaled sample at a place of the result.
  func position(_ i: Int) -> Int { reversed ? origin + count - 1 - i : origin + i }

  mutating func crop(at start: Int, count newCount: Int) {
    origin += reversed ? count - start - newCount : start
    count = newCount
    let low = min(max(valid.lowerBound, origin), origin + count)
    let high = min(max(valid.upperBound, low), origin + count)
    valid = low..<high
  }

  mutating func pad(after extra: Int) {
    if reversed { origin -= extra }
    count += extra
  }

  /// For each shown sample of the result, the source sample that labels take.
  func nearest() -> [Int] {
    let positions = rule.positions(source, scaled)
    return shown.map { positions[position($0)] }
  }

  /// For each shown sample of the result, where its source samples start and what they weigh.
  ///
  /// The filter is that of `rule`, a triangle of half-width 1 source sample mostly, widened by the scale when shrinking
  /// with antialiasing; weights add up to 1, so that at the border the outermost sample is repeated.
  func taps(antialias: Bool, rule: ImageResizing = .own) -> Taps {
    guard let filter = rule.filter else {
      let positions = NearestRule.pillow.positions(source, scaled)
      let starts = shown.map { positions[position($0)] }
      return Taps(
        starts: starts, weights: starts.map { _ in 1 }, size: 1, used: 1, limit: source)
    }
    let scale = Double(source) / Double(scaled)
    let stretch = antialias ? max(scale, 1) : 1
    let width = antialias ? filter.reach * stretch : 1
    let size = scaled == source ? 1 : Int(width.rounded(.up)) * 2 + 1
    var starts: [Int] = []
    var weights: [Float] = []
    starts.reserveCapacity(count)
    weights.reserveCapacity(count * size)
    var longest = 1
    for place in shown {
      let position = position(place)
      if scaled == source {
        starts.append(position)
        weights.append(1)
        continue
      }
      let center = (Double(position) + 0.5) * scale
      let low = max(Int(center - width + 0.5), 0)
      let high = min(Int(center + width + 0.5), source)
      var row = (low..<high).map { filter.weight((Double($0) + 0.5 - center) / stretch) }
      let sum = row.reduce(0, +)
      for i in row.indices { row[i] /= sum }
      starts.append(low)
      weights += row.map { Float($0) }
      longest = max(longest, row.count)
      weights += repeatElement(0, count: size - row.count)
    }
    // Taps of weight 0 may reach beyond the last sample; move those windows back inside.
    return Taps(starts: starts, weights: weights, size: size, used: longest, limit: source)
  }
}

/// The source samples of each sample of a result and their weights.
struct Taps {
  private(set) var starts: [Int]
  private(set) var weights: [Float]
  let size: Int

  /// Cuts rows of `size` weights to the `used` first, and moves windows that would end beyond `limit`.
  init(starts: [Int], weights: [Float], size: Int, used: Int, limit: Int) {
    let length = min(used, limit)
    var packed = [Float](repeating: 0, count: starts.count * length)
    var moved = starts
    for i in starts.indices {
      let shift = max(starts[i] + length - limit, 0)
      moved[i] = starts[i] - shift
      for k in shift..<length { packed[i * length + k] = weights[i * size + k - shift] }
    }
    self.starts = moved
    self.weights = packed
    self.size = length
  }
}

/// Adding this to a number in 0 to 255 leaves it, rounded to nearest, in the lowest bits.
let roundingOffset: Float = 0x1p23

/// The window of the scaled image that two axes describe.
///
/// - Parameters:
///   - image: An image of 8 bits in three channels.
///   - x: The columns.
///   - y: The rows.
///   - antialias: Whether the filter widens as the image shrinks, where `rule` is `ImageResizing.own`.
///   - fill: What is where there is no picture.
///   - rule: Whose levels.
func resampled(
  _ image: Image, x: Axis, y: Axis, antialias: Bool, fill: Color, rule: ImageResizing = .own
) -> Image {
  let width = x.count
  let pixels = [UInt8](unsafeUninitializedCapacity: width * y.count * 3) { output, count in
    count = width * y.count * 3
    guard let out = output.baseAddress else { return }
    let columns = x.shown
    let rows = y.shown
    for row in 0..<y.count {
      let line = out + row * width * 3
      if rows.contains(row) && !columns.isEmpty {
        paint(line, 0..<columns.lowerBound, fill)
        paint(line, columns.upperBound..<width, fill)
      } else {
        paint(line, 0..<width, fill)
      }
    }
    guard !columns.isEmpty, !rows.isEmpty else { return }
    let first = out + (rows.lowerBound * width + columns.lowerBound) * 3
    image.pixels.withUnsafeBufferPointer { source in
      guard let source = source.baseAddress else { return }
      if x.scaled == x.source && y.scaled == y.source {
        copy(source, image.width, x, y, into: first, width)
      } else if rule != .own {
        place(image, x, y, rule, into: first, width)
      } else {
        blend(source, image.width, x, y, antialias, into: first, width)
      }
    }
  }
  return Image(width: width, height: y.count, channels: 3, pixels: pixels)
}

private func paint(_ line: UnsafeMutablePointer<UInt8>, _ columns: Range<Int>, _ color: Color) {
  for column in columns {
    line[column * 3] = color.red
    line[column * 3 + 1] = color.green
    line[column * 3 + 2] = color.blue
  }
}

/// Copies a window of an image that keeps its scale.
private func copy(
  _ source: UnsafePointer<UInt8>, _ sourceWidth: Int, _ x: Axis, _ y: Axis,
  into first: UnsafeMutablePointer<UInt8>, _ width: Int
) {
  let columns = x.shown
  let left = x.position(columns.lowerBound)
  for (i, row) in y.shown.enumerated() {
    let from = source + (y.position(row) * sourceWidth + left) * 3
    let line = first + i * width * 3
    guard x.reversed else {
      line.update(from: from, count: columns.count * 3)
      continue
    }
    for k in 0..<columns.count {
      line[k * 3] = from[-k * 3]
      line[k * 3 + 1] = from[-k * 3 + 1]
      line[k * 3 + 2] = from[-k * 3 + 2]
    }
  }
}

/// Puts a window of an image that a library's rule scales.
private func place(
  _ image: Image, _ x: Axis, _ y: Axis, _ rule: ImageResizing,
  into first: UnsafeMutablePointer<UInt8>, _ width: Int
) {
  let part = image.pixels(
    at: Size(width: x.scaled, height: y.scaled), columns: x.valid, rows: y.valid, by: rule)
  let columns = x.shown.map { x.position($0) - x.valid.lowerBound }
  part.withUnsafeBufferPointer { part in
    for (i, row) in y.shown.enumerated() {
      let line = (y.position(row) - y.valid.lowerBound) * columns.count
      let target = first + i * width * 3
      for (k, column) in columns.enumerated() {
        for channel in 0..<3 { target[k * 3 + channel] = part[(line + column) * 3 + channel] }
      }
    }
  }
}

/// Blends source rows into one line of the columns needed, then blends along that line.
private func blend(
  _ source: UnsafePointer<UInt8>, _ sourceWidth: Int, _ x: Axis, _ y: Axis, _ antialias: Bool,
  into first: UnsafeMutablePointer<UInt8>, _ width: Int
) {
  let across = x.taps(antialias: antialias)
  let down = y.taps(antialias: antialias)
  let left = across.starts.min() ?? 0
  let right = (across.starts.max() ?? 0) + across.size
  let length = (right - left) * 3
  withUnsafeTemporaryAllocation(of: Float.self, capacity: length + 4) { scratch in
    guard let line = scratch.baseAddress else { return }
    (line + length).initialize(repeating: 0, count: 4)
    across.starts.withUnsafeBufferPointer { starts in
      across.weights.withUnsafeBufferPointer { weights in
        for (i, start) in down.starts.enumerated() {
          blendRows(source + left * 3, sourceWidth * 3, start, down, i, into: line, length)
          let row = first + i * width * 3
          switch across.size {
          case 1: blendColumns(line, left, starts, weights, 1, row)
          case 2: blendColumns(line, left, starts, weights, 2, row)
          case 3: blendColumns(line, left, starts, weights, 3, row)
          default: blendColumns(line, left, starts, weights, across.size, row)
          }
        }
      }
    }
  }
}

private func blendRows(
  _ source: UnsafePointer<UInt8>, _ stride: Int, _ start: Int, _ taps: Taps, _ i: Int,
  into line: UnsafeMutablePointer<Float>, _ length: Int
) {
  let weights = taps.weights[i * taps.size..<(i + 1) * taps.size]
  let at = weights.startIndex
  let first = source + start * stride
  switch taps.size {
  case 1:
    for k in 0..<length { line[k] = Float(first[k]) }
  case 2:
    let (a, b) = (weights[at], weights[at + 1])
    let second = first + stride
    for k in 0..<length { line[k] = a * Float(first[k]) + b * Float(second[k]) }
  default:
    let (a, b, c) = (weights[at], weights[at + 1], weights[at + 2])
    let second = first + stride
    let third = second + stride
    for k in 0..<length {
      line[k] = a * Float(first[k]) + b * Float(second[k]) + c * Float(third[k])
    }
    for tap in 3..<taps.size {
      let weight = weights[at + tap]
      guard weight != 0 else { continue }
      let row = first + tap * stride
      for k in 0..<length { line[k] += weight * Float(row[k]) }
    }
  }
}

@inline(__always)
private func blendColumns(
  _ line: UnsafePointer<Float>, _ left: Int, _ starts: UnsafeBufferPointer<Int>,
  _ weights: UnsafeBufferPointer<Float>, _ size: Int, _ row: UnsafeMutablePointer<UInt8>
) {
  for column in 0..<starts.count {
    let from = UnsafeRawPointer(line + (starts[column] - left) * 3)
    var sum = SIMD4<Float>(repeating: roundingOffset)
    var part = SIMD4<Float>()
    for tap in 0..<size {
      // Three colours and whatever follows them: the fourth lane is not used.
      part +=
        weights[column * size + tap]
        * from.loadUnaligned(fromByteOffset: tap * 12, as: SIMD4<Float>.self)
    }
    sum += part
    row[column * 3] = UInt8(truncatingIfNeeded: sum.x.bitPattern)
    row[column * 3 + 1] = UInt8(truncatingIfNeeded: sum.y.bitPattern)
    row[column * 3 + 2] = UInt8(truncatingIfNeeded: sum.z.bitPattern)
  }
}

/// The window of the scaled mask that two axes describe, ignored where there is no picture.
func resampled(_ mask: ClassMask, x: Axis, y: Axis) -> ClassMask {
  let width = x.count
  let classes = [UInt8](unsafeUninitializedCapacity: width * y.count) { output, count in
    count = width * y.count
    guard let out = output.baseAddress else { return }
    if x.isPadded || y.isPadded { output.initialize(repeating: LabelMap.ignored) }
    let offset = x.shown.lowerBound
    gather(mask, x: x, y: y) { row, line in
      let target = out + row * width + offset
      for k in 0..<line.count { target[k] = line[k] }
    }
  }
  return ClassMask(width: width, height: y.count, classes: classes)
}

/// How many pixels of the window hold each of the 256 values; where there is no picture none do.
func countClasses(_ mask: ClassMask, x: Axis, y: Axis) -> [Int] {
  // Neighbours mostly share a class; four tables keep their increments from waiting on each other.
  var counts = [Int32](repeating: 0, count: 1024)
  counts.withUnsafeMutableBufferPointer { counts in
    gather(mask, x: x, y: y) { _, line in
      for k in 0..<line.count { counts[(k & 3) << 8 | Int(line[k])] &+= 1 }
    }
  }
  return (0..<256).map { i in (0..<4).reduce(0) { $0 + Int(counts[$1 << 8 | i]) } }
}

/// The column and row of the window's pixel of a class that has `number` others before it, row by row.
func place(of label: UInt8, number: Int, in mask: ClassMask, x: Axis, y: Axis) -> (x: Int, y: Int)?
{
  var left = number
  var found: (x: Int, y: Int)?
  let first = x.shown.lowerBound
  gather(mask, x: x, y: y) { row, line in
    guard found == nil else { return }
    var count = 0
    for k in 0..<line.count { count += line[k] == label ? 1 : 0 }
    guard left < count else {
      left -= count
      return
    }
    for k in 0..<line.count where line[k] == label {
      if left == 0 {
        found = (first + k, row)
        return
      }
      left -= 1
    }
  }
  return found
}

/// Calls `body` with each shown row of the result and the classes in its shown columns.
private func gather(
  _ mask: ClassMask, x: Axis, y: Axis, _ body: (Int, UnsafeBufferPointer<UInt8>) -> Void
) {
  let columns = x.nearest().map { Int32($0) }
  let rows = y.nearest()
  guard !columns.isEmpty, !rows.isEmpty else { return }
  let plain = x.scaled == x.source && !x.reversed
  let firstRow = y.shown.lowerBound
  mask.classes.withUnsafeBufferPointer { source in
    guard let source = source.baseAddress else { return }
    columns.withUnsafeBufferPointer { columns in
      withUnsafeTemporaryAllocation(of: UInt8.self, capacity: columns.count) { line in
        var previous = -1
        for (i, row) in rows.enumerated() {
          let from = source + row * mask.width
          if plain {
            body(
              firstRow + i,
              UnsafeBufferPointer(start: from + Int(columns[0]), count: columns.count))
            continue
          }
          // Enlarged masks repeat rows.
          if row != previous { for k in 0..<columns.count { line[k] = from[Int(columns[k])] } }
          previous = row
          body(firstRow + i, UnsafeBufferPointer(line))
        }
      }
    }
  }
}

extension Image {
  /// The picture at another size, as the transform `resize` makes it.
  package func resampled(to target: Size, by rule: ImageResizing = .own) -> Image {
    guard target != size else { return self }
    guard rule == .own else { return resized(to: target, by: rule) }
    if let levels {
      return Image(
        Datasets.resampled(
          levels, x: Axis(width, scaledTo: target.width), y: Axis(height, scaledTo: target.height),
          antialias: true, fill: [Float](repeating: 0, count: levels.bands)))
    }
    return Datasets.resampled(
      self, x: Axis(width, scaledTo: target.width), y: Axis(height, scaledTo: target.height),
      antialias: true, fill: Color(0, 0, 0))
  }
}
