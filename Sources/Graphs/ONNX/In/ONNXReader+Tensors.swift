import Files
import Foundation
import Torch

/// Tensors of a file, in the file or beside it.
extension ONNXReader {
  /// What a node of type Constant gives.
  mutating func constant(_ node: Onnx_NodeProto, _ name: String) throws -> ONNXConstant {
    guard let value = node.attribute.first else { throw damaged("the constant '\(name)' is empty") }
    switch value.name {
    case "value": return try constant(value.t, name)
    case "value_int": return ONNXConstant(name, ONNXArray([], [Double(value.i)], .int64))
    case "value_float": return ONNXConstant(name, ONNXArray([], [Double(value.f)], .float32))
    case "value_ints": return ONNXConstant(name, ONNXArray(value.ints.map(Int.init)))
    case "value_floats":
      return ONNXConstant(
        name, ONNXArray([value.floats.count], value.floats.map(Double.init), .float32))
    default:
      throw ONNXError.unsupported(
        file: file, found: "the constant '\(name)' with \(value.name)",
        expected: "value, value_int, value_float, value_ints or value_floats")
    }
  }

  mutating func constant(_ tensor: Onnx_TensorProto, _ name: String) throws -> ONNXConstant {
    let shape = tensor.dims.map(Int.init)
    guard let dtype = DType(onnx: tensor.dataType) else {
      throw ONNXError.unsupported(
        file: file, found: "the tensor '\(name)' of type \(tensor.dataType)",
        expected: "floating-point numbers, whole numbers or truth values")
    }
    guard shape.count <= 16, let count = elementCount(shape), count <= limits.elements else {
      throw damaged("the tensor '\(name)' has the shape \(shape)")
    }
    let size = count * dtype.byteCount
    if tensor.dataLocation == .external {
      let (path, offset) = try place(tensor, name, size)
      return ONNXConstant(name, shape, dtype, .file(path, offset: offset))
    }
    let data = tensor.rawData.isEmpty ? Self.bytes(tensor, dtype) : tensor.rawData
    guard data.count == size else {
      throw damaged("the tensor '\(name)' of \(dtype) \(shape) has \(data.count) bytes")
    }
    return ONNXConstant(name, shape, dtype, .bytes(data))
  }

  /// The elements that a field of their type has.
  private static func bytes(_ tensor: Onnx_TensorProto, _ dtype: DType) -> Data {
    func packed<T: BitwiseCopyable>(_ list: [T]) -> Data { list.withUnsafeBytes { Data($0) } }
    return switch dtype {
    case .float32: packed(tensor.floatData)
    case .float64: packed(tensor.doubleData)
    case .int64: packed(tensor.int64Data)
    case .uint64: packed(tensor.uint64Data)
    case .uint32: packed(tensor.uint64Data.map { UInt32(truncatingIfNeeded: $0) })
    case .int32: packed(tensor.int32Data)
    case .int16, .uint16, .float16, .bfloat16:
      packed(tensor.int32Data.map { UInt16(truncatingIfNeeded: $0) })
    case .int8, .uint8, .bool: packed(tensor.int32Data.map { UInt8(truncatingIfNeeded: $0) })
    }
  }

  /// Where a tensor's elements lie in another file of the same folder.
  private mutating func place(
    _ tensor: Onnx_TensorProto, _ name: String, _ size: Int
  ) throws -> (path: String, offset: Int) {
    let entries = tensor.externalData.map { ($0.key, $0.value) }
    let said = Dictionary(entries) { first, _ in first }
    guard let location = said["location"] else {
      throw damaged("the tensor '\(name)' is in another file, and which is not said")
    }
    // Neither a way up nor a way through a link leads out of the folder.
    let parts = location.split(separator: "/", omittingEmptySubsequences: false)
    guard !location.contains("\0"), !parts.isEmpty,
      parts.allSatisfy({ !["", "..", "."].contains($0) })
    else {
      throw damaged("the tensor '\(name)' is in '\(location)', expected a file beside it")
    }
    let parent = file.parentFolder
    var path = parent.isEmpty ? "." : parent
    for part in parts {
      path += "/\(part)"
      guard !FileSystem.isLink(path) else {
        throw damaged("the tensor '\(name)' is in '\(location)', which is a link")
      }
    }
    func number(_ key: String) throws -> Int? {
      guard let text = said[key] else { return nil }
      guard let value = Int(text), value >= 0 else {
        throw damaged("the tensor '\(name)' has the \(key) '\(text)'")
      }
      return value
    }
    let offset = try number("offset") ?? 0
    let length = try number("length") ?? size
    guard length == size else {
      throw damaged("the tensor '\(name)' has \(length) bytes, expected \(size)")
    }
    if sizes[path] == nil {
      guard let status = FileSystem.status(path) else {
        throw ONNXError.unreadable(file: path, reason: FileSystem.reason(errno))
      }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw ONNXError.unreadable(file: path, reason: "it is no regular file")
      }
      sizes[path] = Int(status.st_size)
    }
    let whole = sizes[path] ?? 0
    guard offset <= whole, size <= whole - offset else {
      throw damaged(
        "the tensor '\(name)' is in bytes \(offset) and on of '\(location)', which has \(whole)")
    }
    return (path, offset)
  }
}
