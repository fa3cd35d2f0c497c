import Foundation
import Segmentation
import SwiftProtobuf
import Testing

@testable import Graphs
@testable import Torch

@Suite("ONNX files of eight bits")
struct QuantizationTests {
  // MARK: Read

  /// What a node of 8 bits and back makes of numbers, with the zero point's type and bytes.
  private func restored(
    _ values: [Float], step: [Float], zero: (type: Int32, bytes: [UInt8])?, axis: Int64? = nil
  ) throws -> [Float] {
    var graph = TestGraph(input: [1, 2, 1, Int64(values.count / 2)])
    var operands = [graph.floats(step, step.count == 1 ? [] : nil)]
    if let zero {
      graph.change {
        var tensor = Onnx_TensorProto()
        tensor.name = "zero"
        tensor.dims = step.count == 1 ? [] : [Int64(step.count)]
        (tensor.dataType, tensor.rawData) = (zero.type, Data(zero.bytes))
        $0.graph.initializer.append(tensor)
      }
      operands.append("zero")
    }
    let attributes = axis.map { ["axis": TestGraph.Value.int($0)] } ?? [:]
    let whole = graph.add("QuantizeLinear", ["x"] + operands, attributes)
    let result = graph.add("DequantizeLinear", [whole] + operands, attributes)
    let x = Tensor(values, [1, 2, 1, values.count / 2])
    return try graph.network(result).run(x).floats
  }

  @Test("are rounded to the even of two, and end where their type does")
  func rounding() throws {
    let values: [Float] = [0.25, 0.75, -0.25, 1.25, 300, -300]
    #expect(try restored(values, step: [0.5], zero: nil) == [0, 1, 0, 1, 127.5, 0])
    #expect(try restored(values, step: [0.5], zero: (2, [10])) == [0, 1, 0, 1, 122.5, -5])
    #expect(try restored(values, step: [0.5], zero: (3, [0])) == [0, 1, 0, 1, 63.5, -64])
    #expect(
      try restored(values, step: [0.5, 2], zero: (3, [0, 1]), axis: 1) == [0, 1, 0, 2, 252, -258])
  }

  @Test("are refused where scales do not fit, or come in blocks")
  func refusals() throws {
    func failure(_ body: (inout TestGraph) -> String) throws -> String {
      var graph = TestGraph()
      let name = body(&graph)
      let error = #expect(throws: ONNXError.self) {
        try graph.network(name).run(fixedNoise([1, 3, 8, 10]))
      }
      return error.map { "\($0)" } ?? ""
    }
    let scales = try failure {
      $0.add("QuantizeLinear", ["x", $0.floats([1, 2])], ["axis": .int(1)])
    }
    #expect(scales.contains("its scales have the shape [2], expected [3] or a single number"))
    let blocks = try failure {
      $0.add("QuantizeLinear", ["x", $0.floats([1], [])], ["block_size": .int(4)])
    }
    #expect(blocks.contains("blocks with a scale each are not supported"))
    let plain = try failure { $0.add("DequantizeLinear", ["x", $0.floats([1], [])]) }
    #expect(plain.contains("its input is of float32, expected whole numbers of 8, 16 or 32 bits"))
    let zero = try failure { graph in
      graph.add("QuantizeLinear", ["x", graph.floats([1], []), graph.ints([0], [])])
    }
    #expect(zero.contains("its zero point is of int64, expected uint8, int8, uint16 or int16"))
  }

  /// The bytes of whole numbers of eight bits as an initializer.
  private func bytes(
    _ graph: inout TestGraph, _ values: [Int8], _ shape: [Int64], type: Int32 = 3
  ) -> String {
    let name = "bytes\(graph.model.graph.initializer.count)"
    graph.change {
      var tensor = Onnx_TensorProto()
      (tensor.name, tensor.dims, tensor.dataType) = (name, shape, type)
      tensor.rawData = Data(values.map { UInt8(bitPattern: $0) })
      $0.graph.initializer.append(tensor)
    }
    return name
  }

  /// An image in uint8, a convolution with a ReLU to int8, and another one; `roundsImage` says whether the image is rounded.
  private func quantized(roundsImage: Bool = true) -> (graph: TestGraph, output: String) {
    var graph = TestGraph()
    func rounded(_ name: String, _ step: Float, _ zero: Int8, _ type: Int32) -> String {
      let operands = [graph.floats([step], []), bytes(&graph, [zero], [], type: type)]
      let whole = graph.add("QuantizeLinear", [name] + operands)
      return graph.add("DequantizeLinear", [whole] + operands)
    }
    /// Weights of 16 outputs, one of which has no code beyond 40.
    func weights(_ inputs: Int64, _ side: Int64) -> String {
      let count = Int(inputs * side * side)
      let codes = (0..<16 * count).map { index -> Int8 in
        let most = index / count == 5 ? 40 : 127
        return Int8(index * 7919 % (2 * most + 1) - most)
      }
      let steps = graph.floats((0..<16).map { 0.003 + Float($0) / 2000 })
      let whole = bytes(&graph, codes, [16, inputs, side, side])
      return graph.add("DequantizeLinear", [whole, steps], ["axis": .int(0)])
    }
    // 128 as a byte, in a signed one.
    let image = roundsImage ? rounded("x", 1 / 73, -128, 2) : "x"
    let first = graph.add(
      "Conv", [image, weights(3, 3), graph.noise([16])], ["pads": .ints([1, 1, 1, 1])])
    let middle = rounded(graph.add("Relu", [first]), 0.03, -128, 3)
    let output = graph.add("Conv", [middle, weights(16, 1)])
    return (graph, output)
  }

  @Test(
    "multiply whole numbers where the processor does",
    .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"))
  func products() throws {
    let (graph, output) = quantized()
    let network = try graph.network(output)
    let image = fixedNoise([1, 3, 8, 10])
    let runner = Runner(network, .init(keepsWeights: true)) { network($0) }
    // In float32 after the same rounding: sums of whole numbers are exact in both.
    let plain = Runner(network, .init(keepsWeights: true, without: ["codes"])) { network($0) }
    let expected = plain(image)
    #expect(error(runner(image), expected) < 1e-5)
    #expect(error(withoutGradients { network(image) }, expected) < 1e-5)
    #expect(
      runner.profile(image).map(\.way) == ["3×3, int8, rounds its input", "1×1, int8"])
    // What is not rounded is not multiplied as whole numbers.
    let (half, end) = quantized(roundsImage: false)
    let unrounded = try half.network(end)
    let ways = Runner(unrounded) { unrounded($0) }.profile(image).map(\.way)
    #expect(ways.count == 2 && !ways[0].contains("int8") && ways[1].contains("int8"))
  }

  @Test(
    "multiply whole numbers through sums, joins and poolings, near to what the file says",
    .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"),
    arguments: QuantizationTests.written)
  func networks(_ yaml: String) throws {
    let (file, expected, image) = try file(yaml)
    let read = try ONNXNetwork(file.model.serializedData(), named: "test.onnx", giving: .whole)
    try attempt {
      inferenceMode {
        let runner = Runner(read, .init(keepsWeights: true)) { read($0) }, found = runner(image)
        let rounding = Runner(read, .init(keepsWeights: true, without: ["codes"])) { read($0) }
        // Not further from the network than the file itself, but for the rounding of single numbers.
        #expect(error(found, expected) < 1.5 * error(rounding(image), expected) + 0.01)
        #expect(runner.profile(image).count { $0.way.contains("int8") } > 3)
      }
    }
  }

  // MARK: Written

  static let written = [
    "backbone: {name: resnet18, outputStride: 8}, head: {name: deeplabv3, channels: 32}",
    "backbone: {name: densenet, blocks: [2, 3], growth: 16, stem: 32, outputStride: 4}, head: {name: denseaspp, growth: 16, bottleneck: 32, dilations: [3, 6]}",
    "backbone: {name: unet, widths: [8, 16, 16]}, head: {name: linear}",
    "backbone: {name: mobilenet_v3_small}, head: {name: lraspp, channels: 32}",
    "backbone: {name: convnext_tiny}, head: {name: fcn, channels: 16}",
  ]

  /// A file of a drawn network, and what the network gives for an image.
  private func file(_ yaml: String) throws -> (file: ONNXFile, expected: Tensor, image: Tensor) {
    let network = try RunnerTests.drawn(yaml)
    let image = noise([1, 3, 64, 96])
    return try inferenceMode {
      let ranges = Runner.calibratedResults(network, { network.output($0).logits }) { runner in
        // Another size, as the images of a calibration have mostly.
        for x in [image, noise([1, 3, 96, 128])] { _ = runner(x) }
      }
      let graph = try Graph(recording: network, input: image.shape) { network.output($0).logits }
      let file = try ONNXFile(SizedGraphs(graph), ranges: ranges)
      return (file, network.output(image).logits, image)
    }
  }

  @Test("give nearly the network's scores", arguments: QuantizationTests.written)
  func scores(_ yaml: String) throws {
    let (file, expected, image) = try file(yaml)
    #expect(problems(file) == [])
    let read = try ONNXNetwork(
      file.model.serializedData(), named: "test.onnx", giving: .whole)
    try attempt {
      inferenceMode {
        let error = GraphsTests.error(Runner(read) { read($0) }(image), expected)
        #expect(error > 1e-4 && error < 0.2)
      }
    }
  }

  @Test(
    "round what convolutions take and give, and no classifier", arguments: QuantizationTests.written
  )
  func structure(_ yaml: String) throws {
    let graph = try file(yaml).file.model.graph
    let makers = graph.node.reduce(into: [String: Onnx_NodeProto]()) { makers, node in
      for output in node.output { makers[output] = node }
    }
    func isRestored(_ name: String) -> Bool { makers[name]?.opType == "DequantizeLinear" }
    let convolutions = graph.node.filter { $0.opType == "Conv" }
    let whole = convolutions.filter { isRestored($0.input[1]) }
    #expect(whole.count > convolutions.count / 2)
    // The last one gives the scores.
    #expect(convolutions.last.map { !isRestored($0.input[1]) } ?? false)
    for node in whole {
      #expect(node.input.allSatisfy(isRestored), "\(node.name)")
      let readers = graph.node.filter { !$0.input.allSatisfy { !node.output.contains($0) } }
      for reader in readers {
        let after = reader.opType == "Relu" || reader.opType == "Clip" ? reader.output : node.output
        let last = graph.node.filter { !$0.input.allSatisfy { !after.contains($0) } }
        #expect(last.allSatisfy { $0.opType == "QuantizeLinear" }, "\(node.name)")
      }
    }
  }

  @Test("are written for any size, too")
  func anySize() throws {
    let network = try RunnerTests.drawn(Self.written[0])
    let image = noise([2, 3, 72, 104])
    let read = try inferenceMode {
      let ranges = Runner.calibratedResults(network, { network.output($0).logits }) {
        _ = $0(image)
      }
      let graphs = try SizedGraphs(recording: InputSize.telling(stride: 32)) { size in
        try Graph(recording: network, input: [size.batch, 3, size.height, size.width]) {
          network.output($0).logits
        }
      }
      let file = try ONNXFile(graphs, ranges: ranges)
      return try ONNXNetwork(file.model.serializedData(), named: "test.onnx", giving: .whole)
    }
    try attempt {
      inferenceMode {
        let error = GraphsTests.error(
          Runner(read) { read($0) }(image), network.output(image).logits)
        #expect(error > 1e-4 && error < 0.2)
      }
    }
  }
}
