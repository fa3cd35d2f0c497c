import Torch

/// TensorFlow Lite's networks: a flatbuffer whose tensors have their elements in its buffers.
///
/// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/compiler/mlir/lite/schema/schema.fbs
enum TensorFlowLite {
  /// The numbers of the types, without those of texts and resources.
  private static let types: [UInt8: ElementType] = [
    0: .read(.float32), 1: .read(.float16), 2: .read(.int32), 3: .read(.uint8), 4: .read(.int64),
    6: .read(.bool), 7: .read(.int16), 8: .refused(.complex, byteCount: 8), 9: .read(.int8),
    10: .read(.float64), 11: .refused(.complex, byteCount: 16), 12: .read(.uint64),
    15: .read(.uint32), 16: .read(.uint16), 17: .refused(.small, byteCount: 1),
    18: .read(.bfloat16),
  ]

  /// The most tensors that are read.
  private static let maximumTensors = 1 << 18

  /// Whether a file is one of the format.
  static func recognises(_ file: MappedFile) -> Bool {
    file.begins(with: Array("TFL3".utf8), at: 4)
  }

  /// Reads the tensors with elements that are no whole numbers, of all graphs.
  static func open(_ file: MappedFile) throws -> WeightFile {
    let model = try FlatTable(root: file)
    let buffers = try model.tables(4)
    let graphs = try model.tables(2)
    var table = BlockTable()
    let whole = ByteBlock(file)
    var entries: [WeightFile.Entry] = []
    var names: Set<String> = []
    var (total, seen, settings) = (0, 0, 0)
    for graph in graphs {
      for tensor in try graph.tables(0) {
        // Graphs may have their lists of tensors in common.
        seen += 1
        guard seen <= maximumTensors else {
          throw WeightFileError.malformed(
            file: file.path, reason: "it lists more than \(maximumTensors) tensors")
        }
        let number = Int(try tensor.number(2, UInt32.self) ?? 0)
        guard number < buffers.count else {
          throw WeightFileError.malformed(
            file: file.path, reason: "it has \(buffers.count) buffers and asks for number \(number)"
          )
        }
        guard let bytes = try data(buffers[number], file), !bytes.isEmpty else { continue }
        let name = try tensor.text(3) ?? "tensor \(entries.count)"
        guard names.insert(name).inserted else { continue }
        let shape = try tensor.numbers(0).map { Int($0) }
        let kind = try tensor.number(1, UInt8.self) ?? 0
        // Texts are no weights.
        guard let type = types[kind] else { continue }
        guard case .read(let dtype, let coding) = type else {
          if case .refused(let kind, _) = type {
            throw WeightFileError.unsupported(
              file: file.path, found: "\(kind.rawValue) in '\(name.printable)'")
          }
          continue
        }
        if let scales = try tensor.table(4), try scales.count(2) > 0, !dtype.isFloatingPoint {
          throw WeightFileError.unsupported(
            file: file.path,
            found: "\(RefusedKind.quantized.rawValue) (\(dtype) with scales) in '\(name.printable)'"
          )
        }
        // Sizes and paddings that operators take.
        guard dtype.isFloatingPoint else {
          settings += 1
          continue
        }
        let place = Place(block: whole, bytes: bytes)
        guard shape.count <= Pickle.maximumRank,
          let entry = WeightFile.Entry(name, dtype, coding, shape, in: place, &table),
          entry.bytes.count == bytes.count
        else {
          throw WeightFileError.malformed(
            file: file.path,
            reason: "the tensor '\(name.printable)' of shape \(shape) of \(dtype) has "
              + "\(bytes.count) bytes")
        }
        total += bytes.count
        guard total <= 4 * file.count else {
          throw WeightFileError.malformed(
            file: file.path, reason: "its tensors have far more bytes than its \(file.count)")
        }
        entries.append(entry)
      }
    }
    let notes =
      settings > 0 ? ["passed over \(settings) whole numbers that are settings of operators"] : []
    return WeightFile(file.path, table.blocks, .tensorFlowLite, entries, notes: notes)
  }

  /// The bytes of a buffer: inside of the flatbuffer, or behind it where that would be too large.
  private static func data(_ buffer: FlatTable, _ file: MappedFile) throws -> Range<Int>? {
    if let bytes = try buffer.bytes(0) { return bytes }
    guard let offset = try buffer.number(1, UInt64.self), offset > 1,
      let size = try buffer.number(2, UInt64.self)
    else { return nil }
    guard offset <= UInt64(file.count), size <= UInt64(file.count) - offset else {
      throw WeightFileError.truncated(
        file: file.path, expected: Int(clamping: offset &+ size), found: file.count)
    }
    return Int(offset)..<Int(offset + size)
  }
}
