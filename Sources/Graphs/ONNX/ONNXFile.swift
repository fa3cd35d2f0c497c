import Files
import Foundation
import SwiftProtobuf
import Torch

/// A network in the Open Neural Network Exchange's notation (https://onnx.ai), in its standard operators only.
package struct ONNXFile {
  /// The versions of the standard's operators that are written.
  package static let opsets = 13...23
  /// The version of the operators where none is asked for.
  package static let usualOpset = 20

  /// The message that the file holds.
  package let model: Onnx_ModelProto

  /// Turns a graph into the notation.
  ///
  /// - Parameters:
  ///   - graph: One that was recorded with its constants' numbers.
  ///   - opset: The version of the operators, one of ``opsets``.
  ///   - input: What the file calls the input.
  ///   - output: What it calls the result.
  ///   - metadata: What else is known of the network.
  /// - Throws: ``GraphError`` for an operator that has no form in the notation, and for more weights than
  ///   one file may hold.
  package init(
    _ graph: Graph, opset: Int = usualOpset, input: String = "image", output: String = "logits",
    metadata: [(key: String, value: String)] = []
  ) throws {
    let bytes = graph.initializers.values.reduce(0) {
      $0 + $1.tensor.count * $1.tensor.dtype.byteCount
    }
    // Names, shapes and nodes need some room beside the weights.
    guard bytes < Int(Int32.max) - 1 << 24 else { throw GraphError.tooLarge(bytes: bytes) }
    let builder = ONNXBuilder(graph, opset: opset)
    builder.take([input, output])
    for value in graph.inputs { builder.bind(value, to: input) }
    for node in graph.nodes { try builder.add(node) }
    guard let result = graph.outputs.first else { throw GraphError.constant }
    try builder.finish(result, as: output)

    var body = Onnx_GraphProto()
    body.name = "network"
    body.node = builder.nodes
    body.initializer = builder.initializers
    body.input = graph.inputs.map { Self.description(graph.values[$0], input) }
    body.output = [Self.description(graph.values[result], output)]
    var model = Onnx_ModelProto()
    // The version of the file's form that came with the operators: 7 with 13 and 14, then every two to four.
    model.irVersion = opset < 15 ? 7 : opset < 19 ? 8 : opset < 21 ? 9 : opset < 23 ? 10 : 11
    model.producerName = "atrous"
    var operators = Onnx_OperatorSetIdProto()
    operators.version = Int64(opset)
    model.opsetImport = [operators]
    model.graph = body
    model.metadataProps = metadata.map { entry in
      var property = Onnx_StringStringEntryProto()
      (property.key, property.value) = (entry.key, entry.value)
      return property
    }
    self.model = model
  }

  /// Writes the file.
  ///
  /// - Throws: `WriteError`.
  package func write(to path: String) throws { try Self.write(model, to: path) }

  /// Writes a tensor by itself, as the data sets beside ONNX models have them (`input_0.pb`).
  ///
  /// - Throws: `WriteError`.
  package static func write(_ tensor: Torch.Tensor, named name: String, to path: String) throws {
    try write(ONNXBuilder.message(tensor, name), to: path)
  }

  /// Reads a tensor that stands by itself.
  ///
  /// - Throws: ``ONNXError``.
  package static func tensor(_ path: String) throws -> Torch.Tensor {
    try ONNXReader.tensor(path, limits: ONNXLimits())
  }

  private static func write(_ message: some SwiftProtobuf.Message, to path: String) throws {
    let bytes: Data
    do { bytes = try message.serializedData() } catch {
      throw WriteError(path, reason: "\(error)")
    }
    try AtomicFile.write(path, bytes)
  }

  private static func description(_ value: Graph.Value, _ name: String) -> Onnx_ValueInfoProto {
    var result = Onnx_ValueInfoProto()
    result.name = name
    result.type.tensorType.elemType = ONNXBuilder.code(of: value.dtype)
    result.type.tensorType.shape.dim = value.shape.map { length in
      var dimension = Onnx_TensorShapeProto.Dimension()
      dimension.dimValue = Int64(length)
      return dimension
    }
    return result
  }
}
