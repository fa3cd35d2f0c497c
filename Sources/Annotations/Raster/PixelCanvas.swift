/// A corner or another place in an image: x to the right, y down, in pixels; (0, 0) is the outer corner of
/// the first pixel or its middle, as the tool has it.
public typealias Point = SIMD2<Double>

/// The pixels that shapes are drawn on: one value each, row by row.
struct PixelCanvas {
  /// The columns and rows.
  let width: Int, height: Int
  /// The values, row-major.
  var pixels: [UInt16]

  /// A canvas of one value.
  init(width: Int, height: Int, filledWith value: UInt16) {
    (self.width, self.height) = (width, height)
    pixels = [UInt16](repeating: value, count: width * height)
  }

  /// Fills the columns `first` to `last` of a row, both included; what lies outside is left out.
  mutating func fillRow(_ y: Int, _ first: Int, _ last: Int, _ value: UInt16) {
    guard y >= 0, y < height else { return }
    let (first, last) = (max(first, 0), min(last, width - 1))
    guard first <= last else { return }
    let start = y * width
    pixels.withUnsafeMutableBufferPointer {
      for i in start + first...start + last { $0[i] = value }
    }
  }

  /// Fills one pixel, if it is there.
  mutating func fill(_ x: Int, _ y: Int, _ value: UInt16) {
    guard x >= 0, x < width, y >= 0, y < height else { return }
    pixels[y * width + x] = value
  }

  /// Fills with `value` where another canvas of the same size has `mark`.
  mutating func fill(where other: PixelCanvas, has mark: UInt16, _ value: UInt16) {
    for i in pixels.indices where other.pixels[i] == mark { pixels[i] = value }
  }
}

extension Double {
  /// The number without its fraction, as C's conversion to `int` has it; numbers beyond 32 bits stay there.
  var truncated: Int { Int(Swift.min(Swift.max(self, -2_147_483_648), 2_147_483_647)) }
}
