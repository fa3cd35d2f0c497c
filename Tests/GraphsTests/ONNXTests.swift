import Configuration
import Files
import Foundation
import Graphs
import Segmentation
import SwiftProtobuf
import TestSupport
import Testing
import Torch

@Suite("ONNX files")
struct ONNXTests {
  @Test(
    "can be written for every network of the catalogue",
    arguments: Catalogue.backbones.filter(\.value.isComplete).keys.sorted())
  func catalogue(name: String) throws {
    let entry = try #require(Catalogue.backbones[name])
    // What the largest networks have more of their kind is but weights.
    let isLarge =
      [
        "152", "101", "201", "161", "_b", "_l", "_h", "large", "b3", "b4", "b5", "d_105", "gf",
        "600mf",
      ]
      .contains(where: name.contains)
    let stride = try #require(entry.outputStrides.max())
    let backbone = try Initialization.skipped {
      try ModelBuilder.backbone(
        Section(yaml: "{name: \(name), outputStride: \(stride)}", named: "test"))
    }.train(false)
    let input = HeadInput(backbone, classes: 5)
    let fitting = Catalogue.heads.filter { $0.value.fits(input) }.keys.sorted()
    #expect(!fitting.isEmpty)
    for head in isLarge ? Array(fitting.prefix(1)) : fitting {
      let section = try Section(yaml: "{name: \(head)}", named: head)
      let built = try Initialization.skipped {
        try ModelBuilder.head(section, on: backbone, classes: 5).head
      }.train(false)
      let network = Pair(backbone, built)
      let graph = try Graph(recording: network, input: [1, 3, 96, 128]) { image in
        built.scores(backbone.features(image), image: image).softmax(1)
      }
      let file = try ONNXFile(graph)
      #expect(problems(file) == [], "\(name), \(head)")
      #expect(file.model.graph.output.map(\.name) == ["logits"])
    }
  }

  private final class Pair: Module {
    private let backbone: any Backbone, classifier: any SegmentationHead
    init(_ backbone: any Backbone, _ classifier: any SegmentationHead) {
      (self.backbone, self.classifier) = (backbone, classifier)
    }
    override var children: [(name: String, module: Module)] {
      [("backbone", backbone), ("classifier", classifier)]
    }
  }

  @Test("are of the version that is asked for", arguments: ONNXFile.opsets)
  func opsets(_ opset: Int) throws {
    let network = try model(
      "{classes: 3, backbone: {name: mit_b0}, head: {name: segformer, channels: 32}}")
    let graph = try Graph(recording: network, input: [1, 3, 64, 64]) { network($0) }
    let file = try ONNXFile(graph, opset: opset)
    #expect(problems(file) == [])
    #expect(file.model.opsetImport.map(\.version) == [Int64(opset)])
    let operators = Set(file.model.graph.node.map(\.opType))
    #expect(operators.contains("Gelu") == (opset >= 20))
    #expect(operators.contains("LayerNormalization") == (opset >= 17))
  }

  @Test("hold weights under their names, attributes that are 0, and what belongs to the network")
  func contents() throws {
    let network = try model(
      "{classes: 3, backbone: {name: resnet18}, head: {name: fcn, channels: 8}}")
    let graph = try Graph(recording: network, input: [1, 3, 50, 70]) { network($0) }
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/model.onnx"
    try ONNXFile(graph, input: "in", output: "out", metadata: [("classes", "[]")]).write(to: path)
    let data = try #require(FileManager.default.contents(atPath: path))
    let file = try Onnx_ModelProto(serializedBytes: data)
    #expect(file.irVersion == 9 && file.metadataProps.map(\.key) == ["classes"])
    func shape(_ value: Onnx_ValueInfoProto) -> [Int64] {
      value.type.tensorType.shape.dim.map(\.dimValue)
    }
    #expect(file.graph.input.map(\.name) == ["in"] && shape(file.graph.input[0]) == [1, 3, 50, 70])
    #expect(file.graph.output.map(\.name) == ["out"])
    #expect(shape(file.graph.output[0]) == [1, 3, 50, 70])
    let first = try #require(file.graph.initializer.first { $0.name == "backbone.conv1.weight" })
    #expect(first.dims == [64, 3, 7, 7] && first.rawData.count == 64 * 147 * 4)
    let conv = try #require(file.graph.node.first { $0.opType == "Conv" })
    #expect(conv.name == "backbone.conv1/Conv")
    let numbers = Dictionary(
      uniqueKeysWithValues: conv.attribute.map { ($0.name, $0.hasI ? [$0.i] : $0.ints) })
    #expect(
      numbers == ["strides": [2, 2], "pads": [3, 3, 3, 3], "dilations": [1, 1], "group": [1]])
  }

  private final class Odd: Layer {
    let conv = Conv2d(3, 4)
    private let after: (Tensor) -> Tensor
    init(_ after: @escaping (Tensor) -> Tensor) { self.after = after }
    override func forward(_ x: Tensor) -> Tensor { after(conv(x)) }
  }

  private func file(_ after: @escaping (Tensor) -> Tensor) throws -> ONNXFile {
    let network = Odd(after)
    return try ONNXFile(try Graph(recording: network, input: [1, 3, 9, 9]) { network($0) })
  }

  @Test("say which operator of which layer has no form, and why")
  func refusals() throws {
    let unknown = #expect(throws: GraphError.self) { try file { Operator("erfinv")($0) } }
    #expect(
      unknown?.description
        == "the operator erfinv after conv has no form in ONNX: it has no rule")
    let cut = #expect(throws: GraphError.self) {
      try file { $0.avgPool2d(3, stride: 3, padding: 1, ceil: true) }
    }
    #expect(cut?.description.contains("avg_pool2d after conv") == true)
  }

  @Test("refuse graphs without numbers and folders that are not there")
  func missing() throws {
    let bare = try shapesOnly {
      let network = Odd { $0 }
      return try Graph(recording: network, input: [1, 3, 9, 9]) { network($0) }
    }
    #expect(throws: GraphError.withoutNumbers(name: "conv.weight")) { try ONNXFile(bare) }
    let folder = try TemporaryFolder()
    #expect(throws: WriteError.self) {
      try file { $0 }.write(to: "\(folder.path)/none/model.onnx")
    }
  }

  @Test("write windows of poolings with the margin that they need instead of a rounding rule")
  func poolings() throws {
    let file = try file {
      $0.maxPool2d(2, stride: 2, ceil: true).adaptiveAvgPool2d(height: 2, width: 3)
    }
    let pool = try #require(file.model.graph.node.first { $0.opType == "MaxPool" })
    #expect(pool.attribute.first { $0.name == "pads" }?.ints == [0, 0, 1, 1])
    #expect(file.model.graph.node.filter { $0.opType == "MatMul" }.count == 2)
    #expect(problems(file) == [])
  }
}
