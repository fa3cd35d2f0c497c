import Datasets
import Imaging
import Torch

extension Tensor {
  /// An image as networks take it: (1, bands, H, W) in channels-last memory of the processor, encoded, and
  /// extended at the right and at the bottom to `size`.
  package static func input(
    _ image: Raster, _ encoding: InputEncoding, extendedTo size: Size? = nil,
    by padding: Padding = .unchanged
  ) -> Tensor {
    let size = size ?? image.size
    let memory = InputMemory(count: size.width * size.height * image.bands)
    encoding.encode(
      image, into: memory.start, rows: padding.sources(image.size.height, extended: size.height),
      columns: padding.sources(image.size.width, extended: size.width).dropFirst(image.size.width))
    return Tensor(
      sharing: memory.start, [1, size.height, size.width, image.bands], .float32, owner: memory
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
