import Torch

extension Operator {
  fileprivate static let asStrided = Operator("as_strided")
}

extension WeightFile {
  /// The bytes that are copied before their pages are given back.
  private static let portion = 16 << 20

  /// A tensor over the file's bytes, or a copy where they lie so that none can be.
  func tensor(_ entry: Entry) throws -> Tensor {
    try attempt {
      guard entry.count > 0 else { return Tensor(uninitialized: entry.shape, entry.dtype) }
      return try view(entry.bytes, entry.dtype, entry.isContiguous ? entry.shape : nil) {
        try file.writablePointer(at: $0)
      }.strided(as: entry)
    }
  }

  /// Copies an entry into `target`, which has its shape, giving back the file's pages on the way.
  func copy(_ entry: Entry, into target: Tensor) throws {
    guard entry.count > 0 else { return }
    guard entry.isContiguous, let rows = entry.shape.first else {
      defer { file.release(entry.bytes) }
      let shape = entry.isContiguous ? entry.shape : nil
      return target.assign(
        try view(entry.bytes, entry.dtype, shape, file.pointer(at:)).strided(as: entry))
    }
    let rowBytes = entry.bytes.count / rows
    let step = max(1, Self.portion / rowBytes)
    for row in stride(from: 0, to: rows, by: step) {
      let end = min(row + step, rows)
      let start = entry.bytes.lowerBound
      let bytes = start + row * rowBytes..<start + end * rowBytes
      let shape = [end - row] + entry.shape.dropFirst()
      let part = withoutGradients { target.sliced(0, row, end) }
      part.assign(try view(bytes, entry.dtype, shape, file.pointer(at:)))
      file.release(bytes)
    }
  }

  /// The elements in `bytes`, in a row unless a shape is given.
  private func view(
    _ bytes: Range<Int>, _ dtype: DType, _ shape: [Int]?,
    _ pointer: (Int) throws -> UnsafeMutableRawPointer
  ) throws -> Tensor {
    let shape = shape ?? [bytes.count / dtype.byteCount]
    if dtype == .bool, file.bytes(bytes).contains(where: { $0 > 1 }) {
      // libtorch and Swift both expect 0 and 1.
      let clean = file.bytes(bytes).map { $0 == 0 ? UInt8(0) : 1 }
      return clean.withUnsafeBytes { Tensor(bytes: $0, shape, dtype) }
    }
    let memory = try pointer(bytes.lowerBound)
    guard UInt(bitPattern: memory).isMultiple(of: UInt(dtype.byteCount)) else {
      return Tensor(bytes: file.bytes(bytes), shape, dtype)
    }
    return Tensor(sharing: memory, shape, dtype, owner: file)
  }
}

extension Tensor {
  /// The elements of an entry, of which this tensor holds those from the first to the last.
  fileprivate func strided(as entry: WeightFile.Entry) -> Tensor {
    entry.isContiguous ? self : Operator.asStrided(self, entry.shape, entry.strides)
  }
}
