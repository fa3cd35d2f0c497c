import Files
import Torch

/// Writes the pickle of a state dictionary as `torch.save` does, in protocol 2.
struct Pickler {
  private(set) var bytes: [UInt8] = [0x80, 2]

  /// The pickle of an ordered dictionary whose tensors have storages named "0", "1", … in order.
  ///
  /// With `meta` it is what a dictionary has under `state_dict`, and those data what it has under `meta`.
  static func stateDictionary(
    _ tensors: [(name: String, tensor: Tensor)], meta: JSON? = nil
  ) -> [UInt8] {
    var pickler = Pickler()
    if let meta {
      pickler.code("}")
      pickler.code("(")
      pickler.text("meta")
      pickler.plain(meta)
      pickler.text("state_dict")
    }
    pickler.orderedDictionary()
    pickler.code("(")
    for (index, (name, tensor)) in tensors.enumerated() {
      pickler.text(name)
      pickler.tensor(String(index), tensor.dtype, tensor.shape)
    }
    pickler.code("u")
    if meta != nil { pickler.code("u") }
    pickler.code(".")
    return pickler.bytes
  }

  private mutating func plain(_ value: JSON) {
    switch value {
    case .null: code("N")
    case .bool(let value): bytes.append(value ? 0x88 : 0x89)
    case .number(let value):
      if let whole = Int(exactly: value) {
        int(whole)
      } else {
        code("G")
        bytes += withUnsafeBytes(of: value.bitPattern.bigEndian) { Array($0) }
      }
    case .string(let value): text(value)
    case .list(let values):
      code("]")
      code("(")
      for value in values { plain(value) }
      code("e")
    case .object(let entries):
      code("}")
      code("(")
      for (key, value) in entries.sorted(by: { $0.key < $1.key }) {
        text(key)
        plain(value)
      }
      code("u")
    }
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
