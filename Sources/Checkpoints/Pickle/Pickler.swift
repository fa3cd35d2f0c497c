import Torch

/// Writes the pickle of a state dictionary as `torch.save` does, in protocol 2.
struct Pickler {
  private(set) var bytes: [UInt8] = [0x80, 2]

  /// The pickle of an ordered dictionary whose tensors have storages named "0", "1", … in order.
  static func stateDictionary(_ tensors: [(name: String, tensor: Tensor)]) -> [UInt8] {
    var pickler = Pickler()
    pickler.orderedDictionary()
    pickler.code("(")
    for (index, (name, tensor)) in tensors.enumerated() {
      pickler.text(name)
      pickler.tensor(String(index), tensor.dtype, tensor.shape)
    }
    pickler.code("u")
    pickler.code(".")
    return pickler.bytes
  }

  private mutating func tensor(_ key: String, _ dtype: DType, _ shape: [Int]) {
    let storage = PickleGlobal.storageName(dtype)
    global("torch._utils", storage == nil ? "_rebuild_tensor_v3" : "_rebuild_tensor_v2")
    code("(")
    code("(")
    text("storage")
    global(storage == nil ? "torch.storage" : "torch", storage ?? "UntypedStorage")
    text(key)
    text("cpu")
    // Types without a storage of their own are counted in bytes.
    let count = shape.reduce(1, *)
    int(storage == nil ? count * dtype.byteCount : count)
    code("t")
    code("Q")
    int(0)
    tuple(shape)
    tuple(WeightFile.Entry.rowMajor(shape) ?? [])
    bytes.append(0x89)
    orderedDictionary()
    if storage == nil { global("torch", "\(dtype)") }
    code("t")
    code("R")
  }

  private mutating func code(_ character: Unicode.Scalar) { bytes.append(UInt8(ascii: character)) }

  private mutating func global(_ module: String, _ name: String) {
    bytes += "c\(module)\n\(name)\n".utf8
  }

  private mutating func orderedDictionary() {
    global("collections", "OrderedDict")
    code(")")
    code("R")
  }

  private mutating func text(_ text: String) {
    code("X")
    number(UInt32(truncatingIfNeeded: text.utf8.count))
    bytes += text.utf8
  }

  private mutating func tuple(_ numbers: [Int]) {
    code("(")
    for number in numbers { int(number) }
    code("t")
  }

  private mutating func int(_ value: Int) {
    if let short = Int32(exactly: value) {
      code("J")
      number(UInt32(bitPattern: short))
    } else {
      bytes += [0x8a, 8]
      number(UInt64(bitPattern: Int64(value)))
    }
  }

  private mutating func number<N: FixedWidthInteger>(_ number: N) { bytes.append(little: number) }
}

extension [UInt8] {
  /// Appends a number's bytes, the lowest first.
  mutating func append<N: FixedWidthInteger>(little number: N) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }
}
