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
  let cosine = Float(cos(radians))
  let sine = Float(sin(radians))
  let centerX = Float(width - 1) / 2
  let centerY = Float(height - 1) / 2
  let fill = SIMD4(Float(fill.red), Float(fill.green), Float(fill.blue), 0)
  var classes = [UInt8](repeating: LabelMap.ignored, count: width * height)
  let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { out, count in
    count = width * height * 3
    image.pixels.withUnsafeBufferPointer { source in
      mask.classes.withUnsafeBufferPointer { labels in
        classes.withUnsafeMutableBufferPointer { classes in
          @inline(__always) func pixel(_ x: Int, _ y: Int) -> SIMD4<Float> {
            guard x >= 0, y >= 0, x < width, y < height else { return fill }
            let at = (y * width + x) * 3
            return SIMD4(Float(source[at]), Float(source[at + 1]), Float(source[at + 2]), 0)
          }
          for row in 0..<height {
            let dy = Float(row) - centerY
            for column in 0..<width {
              let dx = Float(column) - centerX
              let sourceX = cosine * dx + sine * dy + centerX
              let sourceY = cosine * dy - sine * dx + centerY
              let low = (x: sourceX.rounded(.down), y: sourceY.rounded(.down))
              let x = Int(low.x)
              let y = Int(low.y)
              let fx = sourceX - low.x
              let fy = sourceY - low.y
              let top = pixel(x, y) * (1 - fx) + pixel(x + 1, y) * fx
              let bottom = pixel(x, y + 1) * (1 - fx) + pixel(x + 1, y + 1) * fx
              let value = top * (1 - fy) + bottom * fy + roundingOffset
              let at = row * width + column
              out[at * 3] = UInt8(truncatingIfNeeded: value.x.bitPattern)
              out[at * 3 + 1] = UInt8(truncatingIfNeeded: value.y.bitPattern)
              out[at * 3 + 2] = UInt8(truncatingIfNeeded: value.z.bitPattern)
              let nearX = fx < 0.5 ? x : x + 1
              let nearY = fy < 0.5 ? y : y + 1
              if nearX >= 0, nearY >= 0, nearX < width, nearY < height {
                classes[at] = labels[nearY * width + nearX]
              }
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
