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

  /// The message that the file holds, without the elements of its weights.
  package let structure: Onnx_ModelProto
  /// The weights in the message's order.
  let weights: [Torch.Tensor]

  /// Turns a graph into the notation.
  ///
  /// - Parameters:
  ///   - graph: One that was recorded with its constants' numbers.
  ///   - opset: The version of the operators, one of ``opsets``.
  ///   - input: What the file calls the input.
  ///   - output: What it calls the result.
  ///   - metadata: What else is known of the network.
  /// - Throws: ``GraphError`` for an operator that has no form in the notation.
  package init(
    _ graph: Graph, opset: Int = usualOpset, input: String = "image", output: String = "logits",
    metadata: [(key: String, value: String)] = []
  ) throws {
    try self.init(
      SizedGraphs(graph), opset: opset, input: input, output: output, metadata: metadata)
  }

  /// Turns a network's graphs into the notation: for one size, or for images of any size if they are of several.
  ///
  /// The free dimensions are called `batch`, `height` and `width`.
  /// - Parameter ranges: What a calibration found, for products of whole numbers of eight bits; nil for float32.
  /// - Throws: ``GraphError`` as for one graph, and ``SizeDependence`` for a number of an operator that follows
  ///   from no side of a map.
  package init(
    _ graphs: SizedGraphs, opset: Int = usualOpset, input: String = "image",
    output: String = "logits", metadata: [(key: String, value: String)] = [],
    ranges: ResultRanges? = nil
  ) throws {
    let graphs = ranges == nil ? graphs : graphs.folded
    let builder = ONNXBuilder(graphs, opset: opset, ranges), graph = builder.graph
    builder.take([input, output])
    for value in graph.inputs { builder.give(value, input) }
    for place in graph.nodes.indices { try builder.add(place) }
    guard let result = graph.outputs.first else { throw GraphError.constant }
    try builder.finish(result, as: output)

    var body = Onnx_GraphProto()
    body.name = "network"
    body.node = builder.nodes
    body.initializer = builder.initializers.map(\.message)
    body.input = graph.inputs.map { Self.description($0, input, graphs) }
    body.output = [Self.description(result, output, graphs)]
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
    structure = model
    weights = builder.initializers.map(\.tensor)
  }

  /// Reads a tensor that stands by itself, as the data sets beside ONNX models have them.
  ///
  /// - Throws: ``ONNXError``.
  package static func tensor(_ path: String) throws -> Torch.Tensor {
    try ONNXReader.tensor(path, limits: ONNXLimits())
  }

  /// The whole message, weights within.
  package var model: Onnx_ModelProto {
    var model = structure
    for (index, tensor) in weights.enumerated() {
      model.graph.initializer[index].rawData = ONNXBuilder.elements(tensor)
    }
    return model
  }

  private static func description(
    _ value: Graph.ValueID, _ name: String, _ graphs: SizedGraphs
  ) -> Onnx_ValueInfoProto {
    var result = Onnx_ValueInfoProto()
    result.name = name
    let dtype = graphs.graphs[0].values[value].dtype
    result.type.tensorType.elemType = ONNXBuilder.code(of: dtype)
    result.type.tensorType.shape.dim = graphs.shape(value).map { length in
      var dimension = Onnx_TensorShapeProto.Dimension()
      if let number = length.fixed {
        dimension.dimValue = Int64(number)
      } else if let name = graphs.dimensionName(length) {
        dimension.dimParam = name
      }
      return dimension
    }
    return result
  }
}
