import Datasets
import Imaging
import Torch

extension Tensor {
  /// An RGB image as networks take it: (1, 3, H, W) in channels-last memory of the processor, normalised,
  /// and extended at the right and at the bottom to `size`.
  static func input(
    _ image: Image, _ normalization: Normalization, extendedTo size: Size, by padding: Padding
  ) -> Tensor {
    let memory = InputMemory(count: size.width * size.height * 3)
    let table = (0..<768).map { entry in
      let mean = normalization.mean[entry >> 8]
      return Float((Double(entry & 255) / 255 - mean) / normalization.deviation[entry >> 8])
    }
    let rows = padding.sources(image.height, extended: size.height)
    // What lies beyond the image's last column.
    let columns = padding.sources(image.width, extended: size.width).dropFirst(image.width)
    image.pixels.withUnsafeBufferPointer { pixels in
      table.withUnsafeBufferPointer { table in
        for (y, source) in rows.enumerated() {
          guard let source else { break }
          let row = memory.start + y * size.width * 3
          let start = source * image.width * 3
          var i = 0
          func put(_ from: Int) {
            row[i] = table[Int(pixels[from])]
            row[i + 1] = table[256 + Int(pixels[from + 1])]
            row[i + 2] = table[512 + Int(pixels[from + 2])]
            i += 3
          }
          for x in 0..<image.width { put(start + 3 * x) }
          for case let x? in columns { put(start + 3 * x) }
        }
      }
    }
    return Tensor(
      sharing: memory.start, [1, size.height, size.width, 3], .float32, owner: memory
    ).permuted(0, 3, 1, 2)
  }
}

/// Zeroed memory for the network's input.
private final class InputMemory {
  let start: UnsafeMutablePointer<Float>

  init(count: Int) {
    let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
    start = raw.bindMemory(to: Float.self, capacity: count)
    start.initialize(repeating: 0, count: count)
  }

  deinit { start.deallocate() }
}
