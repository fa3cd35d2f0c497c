import Torch

extension Torch.Value {
  /// Whether two arguments differ in numbers at most.
  func isLike(_ other: Torch.Value) -> Bool {
    switch (self, other) {
    case (.none, .none), (.int, .int), (.double, .double), (.device, .device): true
    case (.bool(let own), .bool(let its)): own == its
    case (.string(let own), .string(let its)): own == its
    case (.ints(let own), .ints(let its)): own.count == its.count
    case (.doubles(let own), .doubles(let its)): own == its
    case (.bools(let own), .bools(let its)): own == its
    case (.tensors(let own), .tensors(let its)): own.count == its.count
    default: false
    }
  }
}

extension Tensor {
  /// Whether a constant has the same elements as another.
  func isSame(_ other: Tensor) -> Bool {
    if self === other { return true }
    guard shape == other.shape, dtype == other.dtype else { return false }
    if isWithoutMemory || other.isWithoutMemory { return false }
    return bytes == other.bytes
  }

  /// The first row along these dimensions if all others are the same; nil if not.
  func withoutCopies(along axes: [Int]) -> Tensor? {
    guard !axes.isEmpty, !isWithoutMemory else { return nil }
    var row = self
    for axis in axes { row = row.sliced(axis, 0, 1) }
    row = row.contiguous()
    return row.expanded(shape).contiguous().isSame(self) ? row : nil
  }

  private var bytes: [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count * dtype.byteCount) { buffer, length in
      self.read(into: UnsafeMutableRawBufferPointer(buffer))
      length = buffer.count
    }
  }
}
