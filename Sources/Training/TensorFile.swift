import Foundation
import Torch

/// Named tensors and texts in one safetensors file.
enum TensorFile {
  /// What is wrong with a file of tensors.
  struct FormatError: Error, CustomStringConvertible {
    let file: String
    let reason: String
    var description: String { "\(file): is not a whole safetensors file: \(reason)" }
  }

  private static let names: [DType: String] = [
    .float64: "F64", .float32: "F32", .float16: "F16", .bfloat16: "BF16", .int64: "I64",
    .int32: "I32", .int16: "I16", .int8: "I8", .uint8: "U8", .bool: "BOOL", .uint16: "U16",
    .uint32: "U32", .uint64: "U64",
  ]

  /// Writes the file, or leaves what stood there.
  ///
  /// - Throws: ``WriteError``.
  static func write(
    _ path: String, _ tensors: [(name: String, tensor: Tensor)], _ texts: [String: String]
  ) throws {
    var header: [String: Any] = ["__metadata__": texts]
    var offset = 0
    // The format wants no gaps; larger elements first keeps all of them aligned.
    let ordered = tensors.sorted {
      ($0.tensor.dtype.byteCount, $1.name) > ($1.tensor.dtype.byteCount, $0.name)
    }
    for (name, tensor) in ordered {
      let bytes = tensor.count * tensor.dtype.byteCount
      header[name] = [
        "dtype": names[tensor.dtype] ?? "F32", "shape": tensor.shape,
        "data_offsets": [offset, offset + bytes],
      ]
      offset += bytes
    }
    var json = try JSONSerialization.data(
      withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
    json.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - json.count % 8) % 8))
    try AtomicFile.write(path) { file in
      var length = UInt64(json.count).littleEndian
      try withUnsafeBytes(of: &length) { try file.append($0) }
      try json.withUnsafeBytes { try file.append($0) }
      for (_, tensor) in ordered {
        let count = tensor.count * tensor.dtype.byteCount
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 64)
        defer { buffer.deallocate() }
        if count > 0 { tensor.to(.cpu).read(into: buffer) }
        try file.append(UnsafeRawBufferPointer(buffer))
      }
    }
  }

  /// The texts of a file, without its tensors.
  static func texts(_ path: String) throws -> [String: String] { try header(path).texts }

  /// Reads a whole file.
  ///
  /// - Throws: ``FormatError``, or the system's reason why the file cannot be read.
  static func read(_ path: String) throws -> (
    tensors: [String: Tensor], texts: [String: String]
  ) {
    let (data, start, entries, texts) = try header(path)
    var tensors: [String: Tensor] = [:]
    for (name, entry) in entries {
      guard let entry = entry as? [String: Any], let type = entry["dtype"] as? String,
        let dtype = names.first(where: { $0.value == type })?.key,
        let shape = entry["shape"] as? [Int], let offsets = entry["data_offsets"] as? [Int],
        offsets.count == 2, offsets[0] >= 0, offsets[0] <= offsets[1],
        offsets[1] - offsets[0] == byteCount(shape, dtype)
      else { throw FormatError(file: path, reason: "the entry of '\(name)' makes no sense") }
      guard offsets[1] <= data.count - start else {
        throw FormatError(file: path, reason: "it ends before the data of '\(name)'")
      }
      tensors[name] = data.withUnsafeBytes { bytes in
        Tensor(
          bytes: UnsafeRawBufferPointer(
            rebasing: bytes[(start + offsets[0])..<(start + offsets[1])]), shape, dtype)
      }
    }
    return (tensors, texts)
  }

  /// The bytes that a tensor takes; nil for a shape that no tensor can have.
  private static func byteCount(_ shape: [Int], _ dtype: DType) -> Int? {
    var count = dtype.byteCount
    for length in shape {
      let product = count.multipliedReportingOverflow(by: length)
      guard length >= 0, !product.overflow else { return nil }
      count = product.partialValue
    }
    return count
  }

  private static func header(_ path: String) throws -> (
    data: Data, start: Int, entries: [String: Any], texts: [String: String]
  ) {
    let data = try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    guard data.count >= 8 else { throw FormatError(file: path, reason: "it has no header") }
    let length = data.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(data.count - 8) else {
      throw FormatError(file: path, reason: "its header is cut off")
    }
    let json = data.subdata(in: 8..<8 + Int(length))
    guard var entries = try? JSONSerialization.jsonObject(with: json) as? [String: Any] else {
      throw FormatError(file: path, reason: "its header is not JSON")
    }
    let texts = entries.removeValue(forKey: "__metadata__") as? [String: String] ?? [:]
    return (data, 8 + Int(length), entries, texts)
  }
}
