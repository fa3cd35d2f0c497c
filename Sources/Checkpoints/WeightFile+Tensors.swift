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
      let file = try blocks[entry.block].bytes()
      // Memory that was unpacked is lent again, so that nobody may write to it.
      guard !file.isMemory else {
        return try view(file, entry.bytes, entry, file.pointer(at:)).strided(as: entry).cloned()
      }
      return try view(file, entry.bytes, entry) { try file.writablePointer(at: $0) }
        .strided(as: entry)
    }
  }

  /// Copies an entry into `target`, which has its shape, giving back the file's pages on the way.
  func copy(_ entry: Entry, into target: Tensor) throws {
    try forEachPortion(of: entry) { rows, part in
      guard let rows else { return target.assign(part) }
      withoutGradients { target.sliced(0, rows.lowerBound, rows.upperBound) }.assign(part)
    }
  }

  /// The sum of an entry's elements in float64, without more than a part of them in memory.
  ///
  /// - Throws: ``WeightFileError`` for packed bytes that are damaged; `TorchError` if memory is short.
  public func sum(_ entry: Entry) throws -> Double {
    var sum = 0.0
    try forEachPortion(of: entry) { _, part in
      sum += try attempt { part.to(.float64).sum().values(Double.self) }[0]
    }
    return sum
  }

  /// Lends an entry's elements in parts: with the rows that they are, or all at once where rows do
  /// not lie one after another.
  private func forEachPortion(
    of entry: Entry, _ body: (Range<Int>?, Tensor) throws -> Void
  ) throws {
    guard entry.count > 0 else { return }
    let file = try blocks[entry.block].bytes()
    guard entry.isContiguous, let rows = entry.shape.first else {
      defer { file.release(entry.bytes) }
      return try body(
        nil, try view(file, entry.bytes, entry, file.pointer(at:)).strided(as: entry))
    }
    let rowBytes = entry.bytes.count / rows
    let step = max(1, Self.portion / rowBytes)
    for row in stride(from: 0, to: rows, by: step) {
      let end = min(row + step, rows)
      let start = entry.bytes.lowerBound
      let bytes = start + row * rowBytes..<start + end * rowBytes
      let shape = [end - row] + entry.shape.dropFirst()
      try body(row..<end, try view(file, bytes, entry, shape: shape, file.pointer(at:)))
      file.release(bytes)
    }
  }

  /// The elements in `bytes`: of a shape, of the entry's if they lie in its order, or in a row.
  private func view(
    _ file: MappedFile, _ bytes: Range<Int>, _ entry: Entry, shape: [Int]? = nil,
    _ pointer: (Int) throws -> UnsafeMutableRawPointer
  ) throws -> Tensor {
    let dtype = entry.dtype
    let shape =
      shape ?? (entry.isContiguous ? entry.shape : [bytes.count / entry.elementByteCount])
    guard entry.coding == .plain else {
      return entry.coding.decoded(file.bytes(bytes), dtype).withUnsafeBytes {
        Tensor(bytes: $0, shape, dtype)
      }
    }
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
