import Foundation
import Graphs
import Testing
import Torch

/// Operators of whole numbers, as ONNX Runtime's quantization writes them, and those that its optimization does.
///
/// Expected numbers are those of the examples in ONNX's own documentation where it is said.
@Suite("Operators of ONNX Runtime's files")
struct ONNXWholeNumberTests {
  private let image = fixedNoise([1, 3, 8, 10])

  /// What a graph gives for whole numbers (1, 1, rows, columns) of eight bits, as whole numbers.
  private func result(
    _ values: [UInt8], rows: Int, opset: Int64 = 17,
    _ body: (inout TestGraph, _ codes: String) -> String
  ) throws -> [Int] {
    let columns = values.count / rows
    var graph = TestGraph(opset: opset, input: [1, 1, Int64(rows), Int64(columns)], type: 2)
    let name = body(&graph, "x")
    let x = Tensor(values.map { Int64($0) }, [1, 1, rows, columns]).to(.uint8)
    return try graph.network(name).run(x).to(.int64).values(Int64.self).map(Int.init)
  }

  /// A value without its first two dimensions.
  private func matrix(_ graph: inout TestGraph, _ name: String, rows: Int64) -> String {
    graph.add("Reshape", [name, graph.ints([rows, -1])])
  }

  @Test("round an image to codes whose step is its own (ONNX's example)")
  func dynamic() throws {
    let values: [Float] = [0, 2, -3, -2.5, 1.34, 0.5]
    for (place, expected) in [
      (0, [153, 255, 0, 26, 221, 179]), (1, [0.0196078438]), (2, [153]),
    ] as [(Int, [Float])] {
      var graph = TestGraph(input: [1, 1, 1, 6])
      let results = graph.node("DynamicQuantizeLinear", ["x"], results: 3)
      let output = graph.add("Cast", [results[place]], ["to": .int(1)])
      let found = try graph.network(output).run(Tensor(values, [1, 1, 1, 6])).floats
      #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-8 }, "\(place): \(found)")
    }
    // Nothing but zeros has the step 1.
    var graph = TestGraph(input: [1, 1, 1, 2])
    let step = graph.node("DynamicQuantizeLinear", ["x"], results: 3)[1]
    #expect(try graph.network(step).run(Tensor([0, 0] as [Float], [1, 1, 1, 2])).floats == [1])
  }

  @Test("multiply whole numbers (ONNX's examples)")
  func products() throws {
    let convolved = try result([2, 3, 4, 5, 6, 7, 8, 9, 10], rows: 3) { graph, x in
      graph.add(
        "ConvInteger", [x, graph.bytes([1, 1, 1, 1], [1, 1, 2, 2]), graph.bytes([1], [])])
    }
    #expect(convolved == [12, 16, 24, 28])
    let product = try result([11, 7, 3, 10, 6, 2, 9, 5, 1, 8, 4, 0], rows: 4) { graph, x in
      let rows = matrix(&graph, x, rows: 4)
      return graph.add(
        "MatMulInteger",
        [rows, graph.bytes([1, 4, 2, 5, 3, 6], [3, 2]), graph.bytes([12]), graph.bytes([0])])
    }
    #expect(product == [-38, -83, -44, -98, -50, -113, -56, -128])
    let coded = try result([208, 236, 0, 238, 3, 214, 255, 29], rows: 2) { graph, x in
      let rows = matrix(&graph, x, rows: 2)
      let other = graph.bytes([152, 51, 244, 60, 26, 255, 0, 127, 246, 127, 254, 247], [4, 3])
      return graph.add(
        "QLinearMatMul",
        [
          rows, graph.floats([0.0066]), graph.bytes([113]), other, graph.floats([0.00705]),
          graph.bytes([114]), graph.floats([0.0107]), graph.bytes([118]),
        ])
    }
    #expect(coded == [168, 115, 255, 1, 66, 151])
  }

  @Test("convolve codes (ONNX's example), with a step for each output and a bias")
  func convolution() throws {
    let values: [UInt8] = [
      255, 174, 162, 25, 203, 168, 58, 15, 59, 237, 95, 129, 0, 64, 56, 242, 153, 221, 168, 12, 166,
      232, 178, 186, 195, 237, 162, 237, 188, 39, 124, 77, 80, 102, 43, 127, 230, 21, 83, 41, 40,
      134,
      255, 154, 92, 141, 42, 148, 247,
    ]
    let inverted = try result(values, rows: 7) { graph, x in
      graph.add(
        "QLinearConv",
        [
          x, graph.floats([0.00369204697], []), graph.bytes([132], []),
          graph.bytes([0], [1, 1, 1, 1]), graph.floats([0.00172794575]), graph.bytes([255]),
          graph.floats([0.00162681262], []), graph.bytes([123], []),
        ])
    }
    #expect(inverted == values.map { 255 - Int($0) })
    // (x − 10) · 0.5 · 2 · (0.25, 0.5) + (8, 4) · 0.5 · (0.25, 0.5) is (x − 10) · (0.25, 0.5) + (1, 1).
    let two = try result([10, 14, 50, 90], rows: 2) { graph, x in
      let kernels = graph.bytes([2, 2], [2, 1, 1, 1], type: 3)
      let bias = graph.add("Cast", [graph.floats([8, 4])], ["to": .int(6)])
      return graph.add(
        "QLinearConv",
        [
          x, graph.floats([0.5], []), graph.bytes([10], []), kernels, graph.floats([0.25, 0.5]),
          graph.bytes([0, 0], type: 3), graph.floats([0.25], []), graph.bytes([3], []), bias,
        ])
    }
    #expect(two == [7, 11, 47, 87, 7, 15, 87, 167])
  }

  @Test("add, join and pool codes")
  func maps() throws {
    let sum = try result([10, 20, 30, 40], rows: 2) { graph, x in
      graph.add(
        "com.microsoft.QLinearAdd",
        [
          x, graph.floats([0.5], []), graph.bytes([10], []), graph.bytes([4], [1]),
          graph.floats([2], []), graph.bytes([3], []), graph.floats([1], []), graph.bytes([1], []),
        ])
    }
    // (x − 10) / 2 + 2 + 1, a half to the even number.
    #expect(sum == [3, 8, 13, 18])
    let joined = try result([10, 20, 30, 40], rows: 2) { graph, x in
      graph.add(
        "com.microsoft.QLinearConcat",
        [
          graph.floats([0.5], []), graph.bytes([1], []), x, graph.floats([0.25], []),
          graph.bytes([0], []), graph.bytes([7, 9], [1, 1, 2, 1]), graph.floats([1], []),
          graph.bytes([8], []),
        ], ["axis": .int(3)])
    }
    #expect(joined == [6, 11, 0, 16, 21, 3])
    let largest = try result([10, 20, 250, 40], rows: 2) { graph, x in
      graph.add("MaxPool", [x], ["kernel_shape": .ints([2, 2])])
    }
    #expect(largest == [250])
  }

  @Test("round to the type that is said without a zero")
  func type() throws {
    var graph = TestGraph(opset: 21, input: [1, 1, 1, 4])
    let output = graph.add(
      "QuantizeLinear", ["x", graph.floats([0.5], [])], ["output_dtype": .int(3)])
    let found = try graph.network(output).run(Tensor([-80, -1, 1, 80] as [Float], [1, 1, 1, 4]))
    #expect(found.dtype == .int8 && found.to(.float32).floats == [-128, -2, 2, 127])
  }

  @Test("compute numbers of 16 bits in float32", arguments: [Int32(10), 16])
  func halves(type: Int32) throws {
    var graph = TestGraph(input: [1, 1, 1, 2], type: type)
    // 1 + 2⁻⁷ has a form in both types, its square in neither.
    let number: UInt16 = type == 10 ? 0x3C08 : 0x3F81
    graph.change {
      var tensor = $0.graph.initializer.first ?? .init()
      (tensor.name, tensor.dims, tensor.dataType) = ("w", [1], type)
      tensor.rawData = withUnsafeBytes(of: number.littleEndian) { Data($0) }
      $0.graph.initializer.append(tensor)
    }
    let product = graph.add("Mul", ["x", "w"])
    let output = graph.add("Cast", [product], ["to": .int(Int64(type))])
    let network = try graph.network(output)
    #expect(network.input.dtype == .float32)
    let x = Tensor([1.0078125, 2] as [Float], [1, 1, 1, 2])
    #expect(try network.run(x).floats == [1.01568603515625, 2.015625])
  }

  @Test("fuse a convolution with a sum and an activation")
  func fusedConvolution() throws {
    for (name, body) in [
      ("Relu", { $0.relu() }), ("Sigmoid", { $0.sigmoid() }), ("HardSigmoid", { $0.hardsigmoid() }),
      ("Clip", { $0.clamped(-0.5, 0.5) }),
    ] as [(String, (Tensor) -> Tensor)] {
      var graph = TestGraph()
      let kernels = graph.noise([3, 3, 1, 1], name: "w"), bias = graph.noise([3], name: "b")
      let output = graph.add(
        "com.microsoft.FusedConv", ["x", kernels, bias, "x"],
        [
          "activation": .string(name),
          "activation_params": .floats(name == "Clip" ? [-0.5, 0.5] : [1 / 6, 0.5]),
        ])
      let network = try graph.network(output)
      let w = try #require(network.state.first { $0.name == "w" }?.tensor)
      let b = try #require(network.state.first { $0.name == "b" }?.tensor)
      let expected = body(image.conv2d(w, bias: b) + image)
      #expect(distance(try network.run(image), expected) < 1e-6, "\(name)")
    }
    var graph = TestGraph()
    let output = graph.add(
      "com.microsoft.FusedConv", ["x", graph.noise([3, 3, 1, 1])], ["activation": .string("Swish")])
    let error = #expect(throws: ONNXError.self) { try graph.network(output).run(image) }
    #expect("\(try #require(error))".contains("its activation is 'Swish', expected Relu"))
  }

  @Test("fuse what transformers have")
  func fusedTransformers() throws {
    var graph = TestGraph()
    let product = graph.add(
      "com.microsoft.FusedMatMul", ["x", "x"], ["transB": .int(1), "alpha": .float(0.25)])
    #expect(
      distance(try graph.network(product).run(image), image.matmul(image.transposed(2, 3)) * 0.25)
        < 1e-6)
    let weights = graph.add("Softmax", [product], ["axis": .int(-1)])
    let values = graph.add("MatMul", [weights, "x"])
    let attended = try graph.network(values)
    #expect(try kinds(attended, [1, 3, 8, 10]).contains("scaled_dot_product_attention"))
    let expected = (image.matmul(image.transposed(2, 3)) * 0.25).softmax(3).matmul(image)
    #expect(distance(try attended.run(image), expected) < 1e-5)
    let quick = graph.add("com.microsoft.QuickGelu", ["x"])
    #expect(distance(try graph.network(quick).run(image), image * (image * 1.702).sigmoid()) < 1e-6)
    let biased = graph.add(
      "com.microsoft.BiasGelu", ["x", graph.floats([Float](repeating: 1, count: 10))])
    #expect(distance(try graph.network(biased).run(image), (image + 1).gelu()) < 1e-6)

    let rows = graph.add("Reshape", ["x", graph.ints([1, 24, 10])])
    let ones = graph.floats([Float](repeating: 1, count: 10))
    let zeros = graph.floats([Float](repeating: 0, count: 10))
    let results = graph.node(
      "com.microsoft.SkipLayerNormalization", [rows, rows, ones, zeros, ones], results: 4)
    graph.change {
      let last = $0.graph.node.count - 1
      ($0.graph.node[last].output[1], $0.graph.node[last].output[2]) = ("", "")
    }
    let twice = image.reshaped(1, 24, 10) * 2 + 1
    #expect(
      distance(
        try graph.network(results[0]).run(image),
        twice.layerNorm([10], weight: nil, bias: nil, eps: 1e-5)) < 1e-5)
    #expect(distance(try graph.network(results[3]).run(image), twice) < 1e-6)
  }

  @Test("tell what to do about a file for one kind of processor")
  func blocked() throws {
    var graph = TestGraph()
    let output = graph.add("com.microsoft.nchwc.Conv", ["x", graph.noise([16, 3, 3, 3])])
    let error = #expect(throws: ONNXError.self) { try graph.network(output) }
    let text = "\(try #require(error))"
    #expect(
      text.contains("the operator com.microsoft.nchwc.Conv 'n2' of 'x', 'c1' is not supported"))
    #expect(text.hasSuffix("expected the file from before, or one of its level \"basic\""))
  }
}
