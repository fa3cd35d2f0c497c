import Files
import Foundation
import SwiftProtobuf
import Torch

extension ONNXFile {
  /// The most bytes of weights in the file itself: a message holds 2 GB, and names and operators need some of
  /// them.
  package static let mostInside = Int(Int32.max) - 1 << 24

  /// Tensors of fewer bytes always stand in the file itself: programs need them to work out shapes.
  private static let leastOutside = 1024
  /// Weights begin at multiples of this in their own file, so that programs can map it into memory.
  private static let alignment = 4096

  /// The bytes of all weights.
  package var weightBytes: Int { weights.reduce(0) { $0 + Self.byteCount($1) } }

  /// Writes the file; weights of more than `mostInside` bytes go to `NAME.onnx.data` beside it.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - mostInside: The most bytes of weights in the file itself.
  ///   - check: Is called with the path of the file, whole and with its weights beside it, before it takes its
  ///     name. If it throws, nothing is written.
  /// - Throws: `WriteError`, and what `check` throws; the files that stood there before are whole then.
  package func write(
    to path: String, mostInside: Int = ONNXFile.mostInside,
    check: (String) throws -> Void = { _ in }
  ) throws {
    let name = path.fileName
    try FileSet.write(path) { folder in
      var names = [name]
      if weightBytes > mostInside {
        names = ["\(name).data", name]
        let model = try writeWeights("\(folder)/\(names[0])", named: names[0])
        try Self.write(model, to: "\(folder)/\(name)")
      } else {
        try Self.write(model, to: "\(folder)/\(name)")
      }
      try check("\(folder)/\(name)")
      return names
    }
  }

  /// Writes the weights to a file of their own and gives the message that tells where each of them is.
  private func writeWeights(_ path: String, named name: String) throws -> Onnx_ModelProto {
    var model = structure
    try AtomicFile.write(path) { file in
      for (index, tensor) in weights.enumerated() {
        let elements = ONNXBuilder.elements(tensor)
        guard elements.count >= Self.leastOutside else {
          model.graph.initializer[index].rawData = elements
          continue
        }
        let margin = (Self.alignment - file.count % Self.alignment) % Self.alignment
        try file.append([UInt8](repeating: 0, count: margin))
        let places = [
          ("location", name), ("offset", "\(file.count)"), ("length", "\(elements.count)"),
        ]
        model.graph.initializer[index].externalData = places.map { entry in
          var place = Onnx_StringStringEntryProto()
          (place.key, place.value) = entry
          return place
        }
        model.graph.initializer[index].dataLocation = .external
        try elements.withUnsafeBytes { try file.append($0) }
      }
    }
    return model
  }

  private static func byteCount(_ tensor: Torch.Tensor) -> Int {
    tensor.count * tensor.dtype.byteCount
  }

  /// Writes a tensor by itself, as the data sets beside ONNX models have them (`input_0.pb`).
  ///
  /// - Throws: `WriteError`.
  package static func write(_ tensor: Torch.Tensor, named name: String, to path: String) throws {
    var message = ONNXBuilder.description(tensor, name)
    message.rawData = ONNXBuilder.elements(tensor)
    try write(message, to: path)
  }

  private static func write(_ message: some SwiftProtobuf.Message, to path: String) throws {
    let bytes: Data
    do { bytes = try message.serializedData() } catch {
      throw WriteError(path, reason: "\(error)")
    }
    try AtomicFile.write(path, bytes)
  }
}
