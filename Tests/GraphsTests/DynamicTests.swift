import Configuration
import Graphs
import Segmentation
import SwiftProtobuf
import TestSupport
import Testing
import Torch

@Suite("ONNX files for images of any size")
struct DynamicTests {
  private func graphs(_ network: SegmentationModel) throws -> SizedGraphs {
    let stride = max(network.backbone.strides.max() ?? 1, network.backbone.sideMultiple)
    return try SizedGraphs(recording: InputSize.telling(stride: stride)) { size in
      let channels = network.inputChannels
      return try Graph(
        recording: network, input: [size.batch, channels, size.height, size.width]
      ) { network($0) }
    }
  }

  @Test(
    "have names for free dimensions, and lists that depend on them",
    arguments: [
      "backbone: {name: resnet18, outputStride: 16}, head: {name: deeplabv3plus, channels: 16}",
      "backbone: {name: resnet18, outputStride: 8}, head: {name: pspnet, channels: 16}",
      "backbone: {name: unet, widths: [8, 8, 16, 16, 16]}, head: {name: linear}",
      "backbone: {name: unet, widths: [8, 8, 16], enlargement: projected}, head: {name: linear}",
      "alignCorners: true, backbone: {name: mit_b0}, head: {name: segformer, channels: 32}",
    ])
  func networks(_ text: String) throws {
    let file = try ONNXFile(try graphs(try model("{classes: 5, \(text)}")))
    #expect(problems(file) == [])
    let graph = file.structure.graph
    func dimensions(_ value: Onnx_ValueInfoProto) -> [String] {
      value.type.tensorType.shape.dim.map { $0.dimParam.isEmpty ? "\($0.dimValue)" : $0.dimParam }
    }
    #expect(graph.input.map(dimensions) == [["batch", "3", "height", "width"]])
    #expect(graph.output.map(dimensions) == [["batch", "5", "height", "width"]])
    #expect(graph.node.contains { $0.opType == "Shape" })
  }

  @Test("can be written for every head", arguments: Catalogue.heads.keys.sorted())
  func heads(_ name: String) throws {
    let entry = try #require(Catalogue.heads[name])
    let strides = try #require(Catalogue.backbones["resnet18"]).outputStrides.sorted(by: >)
    let networks = try strides.lazy.map { stride in
      let backbone = "{name: resnet18, outputStride: \(stride)}"
      let built = try Initialization.skipped {
        try ModelBuilder.backbone(Section(yaml: backbone, named: "test"))
      }
      return entry.fits(HeadInput(built, classes: 4))
        ? "{classes: 4, backbone: \(backbone), head: {name: \(name)}}" : nil
    }
    let text = try #require(networks.compactMap { $0 }.first)
    let file = try ONNXFile(try graphs(try model(text)))
    #expect(problems(file) == [])
  }

  /// Networks that are others for other sizes, and what the error says of them.
  @Test(
    "are refused for networks that depend on their size",
    arguments: [
      (
        "backbone: {name: vit, depth: 1, width: 32, heads: 2, outputStride: 16}, head: {name: fcn}",
        "pos_embedding.slice2.cat, which the operator add takes, is made for one size"
      ),
      ("backbone: {name: swin_t}, head: {name: fcn, channels: 8}", "backbone"),
    ])
  func refusals(_ text: String, _ reason: String) throws {
    // Drawn: position embeddings of zeros would be the same for every size.
    let network = try ModelBuilder.build(Section(yaml: "{classes: 5, \(text)}", named: "test"))
    let error = #expect(throws: SizeDependence.self) { try ONNXFile(try graphs(network)) }
    let message = error?.description ?? ""
    #expect(message.hasPrefix("the network depends on its images' size"), "\(message)")
    #expect(message.contains(reason), "\(message)")
  }

  private final class Odd: Layer {
    let conv = Conv2d(3, 4)
    private let after: (Tensor) -> Tensor
    init(_ after: @escaping (Tensor) -> Tensor) { self.after = after }
    override func forward(_ x: Tensor) -> Tensor { after(conv(x)) }
  }

  private func file(_ after: @escaping (Tensor) -> Tensor) throws -> ONNXFile {
    let network = Odd(after)
    return try ONNXFile(
      try SizedGraphs(recording: InputSize.telling(stride: 8)) { size in
        try Graph(recording: network, input: [size.batch, 3, size.height, size.width]) {
          network($0)
        }
      })
  }

  @Test("say which operator is another, and which number follows from no side")
  func reasons() throws {
    let branch = #expect(throws: SizeDependence.self) {
      try file { $0.height > 90 ? $0.relu() : $0.sigmoid() }
    }
    #expect(
      branch?.description.hasSuffix(
        ": sigmoid after conv for images 2 of 129x83 is relu after conv for 1 of 88x110") == true,
      "\(branch?.description ?? "")")
    let number = #expect(throws: SizeDependence.self) {
      try file { $0.sliced(2, 0, 3 + $0.height * $0.height % 29) }
    }
    #expect(number?.description.contains("the end of the operator slice after conv") == true)
    let constant = #expect(throws: SizeDependence.self) {
      try file { $0 + Tensor((0..<$0.width).map(Float.init), [$0.width]) }
    }
    #expect(constant?.description.contains("which the operator add after conv takes") == true)
  }

  @Test("have an operator that only some sizes need")
  func optional() throws {
    let file = try file { x in
      let rest = x.height % 2
      return rest == 0 ? x.relu() : x.padded([0, 0, 0, rest]).relu()
    }
    #expect(problems(file) == [])
    let types = file.structure.graph.node.map(\.opType)
    #expect(types.filter { $0 == "Pad" }.count == 1 && types.last == "Relu")
  }

  @Test("make as many copies of a constant as there are images")
  func copies() throws {
    let token = Tensor([1, 2, 3, 4], [1, 4, 1, 1])
    let file = try file { x in
      concatenate([x, token.expanded([x.size(0), 4, 1, x.width])], along: 2)
    }
    #expect(problems(file) == [])
    let graph = file.structure.graph
    #expect(graph.node.contains { $0.opType == "Expand" })
    #expect(graph.initializer.contains { $0.dims == [1, 4, 1, 1] })
    #expect(graph.output[0].type.tensorType.shape.dim[0].dimParam == "batch")
  }

  @Test("divide by the number of positions, and pool windows that the end cuts")
  func others() throws {
    let file = try file { x in
      let y = x.avgPool2d(2, stride: 2, ceil: true).flattened(from: 2)
      return y / Double(y.size(2))
    }
    #expect(problems(file) == [])
    let pool = try #require(file.structure.graph.node.first { $0.opType == "AveragePool" })
    #expect(pool.attribute.first { $0.name == "ceil_mode" }?.i == 1)
    #expect(file.structure.graph.node.suffix(2).map(\.opType) == ["Cast", "Div"])
  }
}
