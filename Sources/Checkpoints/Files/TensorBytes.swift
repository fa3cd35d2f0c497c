import Torch

extension Tensor {
  /// Lends the elements in row-major order, copied only if they lie otherwise.
  func withRowMajorBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    let size = count * dtype.byteCount
    guard size > 0 else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
    let plain = try attempt { withoutGradients { detached().to(.cpu).contiguous() } }
    _ = try plain.withMemory { try body(UnsafeRawBufferPointer(start: $0, count: size)) }
  }
}
