import Foundation
import Graphs
import SwiftProtobuf
import Torch

/// A small ONNX model that is put together in a test.
struct TestGraph {
  private(set) var model = Onnx_ModelProto()
  private var count = 0

  /// A graph with an input (1, 3, 8, 10) unless told otherwise; nil stands for a free length.
  init(opset: Int64 = 17, input shape: [Int64?] = [1, 3, 8, 10], type: Int32 = 1) {
    model.irVersion = 8
    var operators = Onnx_OperatorSetIdProto()
    operators.version = opset
    model.opsetImport = [operators]
    model.graph.name = "test"
    model.graph.input = [Self.port("x", shape, type)]
  }

  private static func port(_ name: String, _ shape: [Int64?], _ type: Int32) -> Onnx_ValueInfoProto
  {
    var port = Onnx_ValueInfoProto()
    port.name = name
    port.type.tensorType.elemType = type
    port.type.tensorType.shape.dim = shape.map { length in
      var dimension = Onnx_TensorShapeProto.Dimension()
      if let length { dimension.dimValue = length } else { dimension.dimParam = "n" }
      return dimension
    }
    return port
  }

  /// Adds floating-point numbers as an initializer.
  mutating func floats(_ values: [Float], _ shape: [Int64]? = nil, name: String? = nil) -> String {
    add(name, shape ?? [Int64(values.count)], 1, values.withUnsafeBytes { Data($0) })
  }

  /// Adds numbers that follow a fixed rule, between -1 and 1.
  mutating func noise(_ shape: [Int64], name: String? = nil) -> String {
    let count = Int(shape.reduce(1, *))
    let values = (0..<count).map { index -> Float in
      let step = (index * 7919 + 13) % 1000
      return Float(step) / 500 - 1
    }
    return floats(values, shape, name: name)
  }

  /// Adds whole numbers as an initializer.
  mutating func ints(_ values: [Int64], _ shape: [Int64]? = nil) -> String {
    add(nil, shape ?? [Int64(values.count)], 7, values.withUnsafeBytes { Data($0) })
  }

  /// Adds whole numbers of eight bits as an initializer, of the standard's type 2 (uint8) or 3 (int8).
  mutating func bytes(_ values: [UInt8], _ shape: [Int64]? = nil, type: Int32 = 2) -> String {
    add(nil, shape ?? [Int64(values.count)], type, Data(values))
  }

  private mutating func add(_ name: String?, _ shape: [Int64], _ type: Int32, _ data: Data)
    -> String
  {
    count += 1
    var tensor = Onnx_TensorProto()
    tensor.name = name ?? "c\(count)"
    (tensor.dims, tensor.dataType, tensor.rawData) = (shape, type, data)
    model.graph.initializer.append(tensor)
    return tensor.name
  }

  /// An attribute's value.
  enum Value {
    case int(Int64)
    case ints([Int64])
    case float(Float)
    case floats([Float])
    case string(String)
  }

  /// Adds a node and gives the names of its results.
  @discardableResult
  mutating func node(
    _ type: String, _ inputs: [String], _ attributes: [String: Value] = [:], results: Int = 1
  ) -> [String] {
    var node = Onnx_NodeProto()
    node.opType = type
    node.input = inputs
    node.output = (0..<results).map { _ in
      count += 1
      return "v\(count)"
    }
    node.name = "n\(count)"
    node.attribute = attributes.sorted { $0.key < $1.key }.map { name, value in
      var attribute = Onnx_AttributeProto()
      attribute.name = name
      switch value {
      case .int(let value): (attribute.i, attribute.type) = (value, .int)
      case .ints(let list): (attribute.ints, attribute.type) = (list, .ints)
      case .float(let value): (attribute.f, attribute.type) = (value, .float)
      case .floats(let list): (attribute.floats, attribute.type) = (list, .floats)
      case .string(let text): (attribute.s, attribute.type) = (Data(text.utf8), .string)
      }
      return attribute
    }
    model.graph.node.append(node)
    return node.output
  }

  /// Adds a node with one result.
  mutating func add(_ type: String, _ inputs: [String], _ attributes: [String: Value] = [:])
    -> String
  {
    node(type, inputs, attributes)[0]
  }

  /// The model's bytes with this result.
  func data(_ output: String) throws -> Data {
    var model = model
    var port = Onnx_ValueInfoProto()
    port.name = output
    model.graph.output = [port]
    return try model.serializedData()
  }

  /// The network with this result.
  func network(
    _ output: String, giving result: ONNXNetwork.Result = .whole, limits: ONNXLimits = ONNXLimits()
  ) throws -> ONNXNetwork {
    try ONNXNetwork(data(output), named: "test.onnx", giving: result, limits: limits)
  }

  /// Changes the message itself.
  mutating func change(_ body: (inout Onnx_ModelProto) -> Void) { body(&model) }
}

/// Numbers between -1 and 1 that depend on the shape alone.
func fixedNoise(_ shape: [Int]) -> Tensor {
  let count = shape.reduce(1, *)
  let values = (0..<count).map { index -> Float in
    let step = (index * 104_729 + 7) % 2000
    return Float(step) / 1000 - 1
  }
  return Tensor(values, shape)
}

/// The operators that a network calls for an input of this shape.
func kinds(_ network: ONNXNetwork, _ shape: [Int]) throws -> [String] {
  try Graph(recording: network, input: shape) { network($0) }.nodes.map(\.kind)
}

/// How far two tensors are from each other, infinitely where their shapes differ.
func distance(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  return a.count == 0 ? 0 : (a - b).abs().reshaped(-1).maximum(along: [0]).item
}
