import Foundation
import Imaging

/// The window of the scaled levels that two axes describe, as `resampled` makes it of pictures, without rounding.
///
/// A level is missing where more than half of what it is mixed of is.
func resampled(
  _ levels: Levels, x: Axis, y: Axis, antialias: Bool, fill: [Float], rule: ImageResizing = .own
) -> Levels {
  let (bands, width) = (levels.bands, x.count)
  var values = [Float](unsafeUninitializedCapacity: width * y.count * bands) { out, count in
    count = width * y.count * bands
    for i in 0..<count { out.initializeElement(at: i, to: fill[i % bands]) }
  }
  let (columns, rows) = (x.shown, y.shown)
  guard !columns.isEmpty, !rows.isEmpty else {
    return Levels(
      size: Size(width: width, height: y.count), bands: bands, values: values, shown: levels.shown)
  }
  let across = x.taps(antialias: antialias, rule: rule)
  let down = y.taps(antialias: antialias, rule: rule)
  let left = across.starts.min() ?? 0
  let length = ((across.starts.max() ?? 0) + across.size - left) * bands
  let stride = levels.size.width * bands
  var (sums, shares) = ([Float](repeating: 0, count: length), [Float](repeating: 0, count: length))
  values.withUnsafeMutableBufferPointer { out in
    levels.values.withUnsafeBufferPointer { source in
      for (i, start) in down.starts.enumerated() {
        for k in 0..<length { (sums[k], shares[k]) = (0, 0) }
        for tap in 0..<down.size {
          let weight = down.weights[i * down.size + tap]
          guard weight != 0 else { continue }
          let from = (start + tap) * stride + left * bands
          for k in 0..<length {
            let value = source[from + k]
            guard !value.isNaN else { continue }
            sums[k] += weight * value
            shares[k] += weight
          }
        }
        let to = ((rows.lowerBound + i) * width + columns.lowerBound) * bands
        for column in 0..<across.starts.count {
          let from = (across.starts[column] - left) * bands
          for band in 0..<bands {
            var (sum, share) = (Float(0), Float(0))
            for tap in 0..<across.size {
              let weight = across.weights[column * across.size + tap]
              sum += weight * sums[from + tap * bands + band]
              share += weight * shares[from + tap * bands + band]
            }
            // A share next to 1 is 1: what is not missing stays as it is.
            out[to + column * bands + band] =
              share > 0.999_99 ? sum : share >= 0.5 ? sum / share : .nan
          }
        }
      }
    }
  }
  return Levels(
    size: Size(width: width, height: y.count), bands: bands, values: values, shown: levels.shown)
}

/// Levels and mask turned clockwise about their centre, as `rotated` turns pictures, without rounding.
func rotated(_ levels: Levels, _ mask: ClassMask, degrees: Double, fill: [Float]) -> (
  levels: Levels, mask: ClassMask
) {
  let (width, height, bands) = (levels.size.width, levels.size.height, levels.bands)
  let radians = degrees * .pi / 180
  let (cosine, sine) = (cos(radians), sin(radians))
  let (centerX, centerY) = (Double(width - 1) / 2, Double(height - 1) / 2)
  var classes = [UInt8](repeating: LabelMap.ignored, count: width * height)
  var values = [Float](repeating: 0, count: width * height * bands)
  values.withUnsafeMutableBufferPointer { values in
    levels.values.withUnsafeBufferPointer { source in
      for row in 0..<height {
        for column in 0..<width {
          let (dx, dy) = (Double(column) - centerX, Double(row) - centerY)
          let x = centerX + cosine * dx + sine * dy
          let y = centerY + cosine * dy - sine * dx
          let (x0, y0) = (Int(x.rounded(.down)), Int(y.rounded(.down)))
          let (fx, fy) = (Float(x - Double(x0)), Float(y - Double(y0)))
          let at = row * width + column
          let corners = [
            (x0, y0, (1 - fx) * (1 - fy)), (x0 + 1, y0, fx * (1 - fy)),
            (x0, y0 + 1, (1 - fx) * fy), (x0 + 1, y0 + 1, fx * fy),
          ]
          for band in 0..<bands {
            var (sum, share) = (Float(0), Float(0))
            for (cx, cy, weight) in corners where weight != 0 {
              let isInside = cx >= 0 && cy >= 0 && cx < width && cy < height
              let value = isInside ? source[(cy * width + cx) * bands + band] : fill[band]
              guard !value.isNaN else { continue }
              sum += weight * value
              share += weight
            }
            values[at * bands + band] = share >= 0.5 ? sum / share : .nan
          }
          let (nearX, nearY) = (Int((x + 0.5).rounded(.down)), Int((y + 0.5).rounded(.down)))
          if nearX >= 0, nearY >= 0, nearX < width, nearY < height {
            classes[at] = mask.classes[nearY * width + nearX]
          }
        }
      }
    }
  }
  return (
    Levels(size: levels.size, bands: bands, values: values, shown: levels.shown),
    ClassMask(width: width, height: height, classes: classes)
  )
}
