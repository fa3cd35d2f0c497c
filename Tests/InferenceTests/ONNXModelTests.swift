import Foundation
import Graphs
import Imaging
import Inference
import Segmentation
import SwiftProtobuf
import Testing

@Suite("How ONNX files take images")
struct ONNXModelTests {
  /// A network for images of any size: a pooling over 8×8 positions without a margin, what it takes from the sides put
  /// back, then poolings to `1 / stride` of the map.
  /// - Parameter queries: The lengths of another result; nil for none.
  /// - Parameter inside: The side of the only square that it takes, though its sides are declared free; nil for any.
  private func network(
    stride: Int64, queries: [Int64]? = nil, inside: Int64? = nil
  ) throws -> ONNXNetwork {
    var model = Onnx_ModelProto()
    var operators = Onnx_OperatorSetIdProto()
    operators.version = 17
    model.opsetImport = [operators]
    func port(_ name: String) -> Onnx_ValueInfoProto {
      var port = Onnx_ValueInfoProto()
      port.name = name
      port.type.tensorType.elemType = 1
      port.type.tensorType.shape.dim = (0..<4).map { axis in
        var dimension = Onnx_TensorShapeProto.Dimension()
        if axis < 2 { dimension.dimValue = axis == 0 ? 1 : 3 } else { dimension.dimParam = "n" }
        return dimension
      }
      return port
    }
    func node(_ type: String, _ inputs: [String], _ output: String, _ lists: [String: [Int64]]) {
      var node = Onnx_NodeProto()
      (node.opType, node.name, node.input, node.output) = (type, output, inputs, [output])
      node.attribute = lists.map { name, list in
        var attribute = Onnx_AttributeProto()
        (attribute.name, attribute.ints, attribute.type) = (name, list, .ints)
        return attribute
      }
      model.graph.node.append(node)
    }
    var margins = Onnx_TensorProto()
    (margins.name, margins.dims, margins.dataType) = ("margins", [8], 7)
    margins.int64Data = [0, 0, 0, 0, 0, 0, 7, 7]
    model.graph.initializer = [margins]
    var lengths = Onnx_TensorProto()
    (lengths.name, lengths.dims, lengths.dataType) = ("lengths", [4], 7)
    lengths.int64Data = [1, 3, (inside ?? 0) / 16, (inside ?? 0) / 16]
    model.graph.initializer.append(lengths)
    if inside != nil {
      // Patches leave out what is no whole one.
      node("MaxPool", ["image"], "patches", ["kernel_shape": [16, 16], "strides": [16, 16]])
      node("Reshape", ["patches", "lengths"], "square", [:])
    }
    node("MaxPool", [inside == nil ? "image" : "square"], "pooled", ["kernel_shape": [8, 8]])
    node("Pad", ["pooled", "margins"], "whole", [:])
    node(
      "MaxPool", ["whole"], "scores",
      ["kernel_shape": [stride, stride], "strides": [stride, stride]])
    (model.graph.input, model.graph.output) = ([port("image")], [port("scores")])
    if let queries {
      node("Flatten", ["pooled"], "class_queries_logits", [:])
      var result = port("class_queries_logits")
      result.type.tensorType.shape.dim = queries.map { length in
        var dimension = Onnx_TensorShapeProto.Dimension()
        if length > 0 { dimension.dimValue = length } else { dimension.dimParam = "n" }
        return dimension
      }
      model.graph.output.insert(result, at: 0)
    }
    return try ONNXNetwork(model.serializedData(), named: "test.onnx")
  }

  @Test(
    "images are made as large as the network's windows need, and no larger",
    arguments: [(1, 8, 1), (2, 8, 2), (16, 16, 16)])
  func least(stride: Int64, least: Int, multiple: Int) throws {
    let backbone = try ONNXModel(network(stride: stride)).backbone
    #expect(backbone.minimumSide == least && backbone.sideMultiple == multiple)
  }

  @Test("a size that is fixed inside a file of free sizes is found", arguments: [160, 640])
  func inside(side: Int) throws {
    let model = try ONNXModel(network(stride: 2, inside: Int64(side)))
    #expect(model.size == Size(width: side, height: side) && model.classes == 3)
    #expect(throws: ONNXError.self) { try ONNXModel(network(stride: 2, inside: 1040)) }
  }

  @Test(
    "masks of queries are no scores of classes",
    arguments: [[1, 3, 20], [1, 0, 20], [1, 7, 20], [1, 3]])
  func queries(shape: [Int64]) throws {
    let network = try network(stride: 2, queries: shape)
    guard shape.count == 3, shape[1] != 7 else {
      #expect(try ONNXModel(network).classes == 3)
      return
    }
    let error = try #require(throws: ONNXError.self) { try ONNXModel(network) }
    #expect("\(error)".contains("masks of 3 queries, whose classes 'class_queries_logits' has"))
  }
}
