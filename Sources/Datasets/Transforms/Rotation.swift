import Foundation
import Imaging

/// Image and mask turned clockwise about their centre; what comes from outside is filled or ignored.
///
/// Sample points are mapped by pixel centres. A point within one pixel of the border blends with the
/// fill colour.
func rotated(_ image: Image, _ mask: ClassMask, degrees: Double, fill: Color) -> (
  image: Image, mask: ClassMask
) {
  let width = image.width
  let height = image.height
  let radians = degrees * .pi / 180
  // Positions are 32.32 fixed-point numbers, stepped along each row.
  let one = 0x1p32
  let cosine = Int((cos(radians) * one).rounded())
  let sine = Int((sin(radians) * one).rounded())
  let centerX = (width - 1) << 31
  let centerY = (height - 1) << 31
  let fillColor = SIMD4(Float(fill.red), Float(fill.green), Float(fill.blue), 0)
  var classes = [UInt8](repeating: LabelMap.ignored, count: width * height)
  let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { out, count in
    count = width * height * 3
    image.pixels.withUnsafeBufferPointer { source in
      mask.classes.withUnsafeBufferPointer { labels in
        classes.withUnsafeMutableBufferPointer { classes in
          @inline(__always) func color(_ at: Int) -> SIMD4<Float> {
            SIMD4(Float(source[at]), Float(source[at + 1]), Float(source[at + 2]), 0)
          }
          func checked(_ x: Int, _ y: Int) -> SIMD4<Float> {
            guard x >= 0, y >= 0, x < width, y < height else { return fillColor }
            return color((y * width + x) * 3)
          }
          for row in 0..<height {
            // Twice the distances from the centre are whole numbers.
            let dx = 1 - width
            let dy = 2 * row - height + 1
            var sourceX = centerX + ((cosine * dx + sine * dy) >> 1)
            var sourceY = centerY + ((cosine * dy - sine * dx) >> 1)
            for at in row * width..<(row + 1) * width {
              let x = sourceX >> 32
              let y = sourceY >> 32
              let fx = Float(UInt32(truncatingIfNeeded: sourceX)) * 0x1p-32
              let fy = Float(UInt32(truncatingIfNeeded: sourceY)) * 0x1p-32
              let corners: (SIMD4<Float>, SIMD4<Float>, SIMD4<Float>, SIMD4<Float>)
              if x >= 0, y >= 0, x < width - 1, y < height - 1 {
                let first = (y * width + x) * 3
                let below = first + width * 3
                corners = (color(first), color(first + 3), color(below), color(below + 3))
              } else if x < -1 || y < -1 || x >= width || y >= height {
                corners = (fillColor, fillColor, fillColor, fillColor)
              } else {
                corners = (
                  checked(x, y), checked(x + 1, y), checked(x, y + 1), checked(x + 1, y + 1)
                )
              }
              let top = corners.0 + (corners.1 - corners.0) * fx
              let bottom = corners.2 + (corners.3 - corners.2) * fx
              let value = top + (bottom - top) * fy + roundingOffset
              out[at * 3] = UInt8(truncatingIfNeeded: value.x.bitPattern)
              out[at * 3 + 1] = UInt8(truncatingIfNeeded: value.y.bitPattern)
              out[at * 3 + 2] = UInt8(truncatingIfNeeded: value.z.bitPattern)
              let nearX = (sourceX + (1 << 31)) >> 32
              let nearY = (sourceY + (1 << 31)) >> 32
              if nearX >= 0, nearY >= 0, nearX < width, nearY < height {
                classes[at] = labels[nearY * width + nearX]
              }
              sourceX += cosine
              sourceY -= sine
            }
          }
        }
      }
    }
  }
  return (
    Image(width: width, height: height, channels: 3, pixels: pixels),
    ClassMask(width: width, height: height, classes: classes)
  )
}
