import Foundation
import Graphs
import Testing
import Torch

@Suite("Figures of ONNX's nodes")
struct ONNXPatternTests {
  private let image = fixedNoise([1, 3, 8, 10])

  /// The operators that a graph's network calls, and what it gives for the image.
  private func run(_ graph: TestGraph, _ output: String) throws -> (kinds: [String], result: Tensor)
  {
    let network = try graph.network(output)
    return (try kinds(network, [1, 3, 8, 10]), try network.run(image))
  }

  @Test("of GELU in four orders are the operator")
  func gelu() throws {
    for order in 0..<4 {
      var graph = TestGraph()
      let half = graph.floats([0.5], []), one = graph.floats([1], [])
      let inner =
        order % 2 == 0
        ? graph.add("Div", ["x", graph.floats([Float(2).squareRoot()], [])])
        : graph.add("Mul", ["x", graph.floats([Float(0.5).squareRoot()], [])])
      let sum = graph.add("Add", [graph.add("Erf", [inner]), one])
      let output =
        switch order {
        case 0: graph.add("Mul", [graph.add("Mul", ["x", sum]), half])
        case 1: graph.add("Mul", [graph.add("Mul", ["x", half]), sum])
        case 2: graph.add("Mul", ["x", graph.add("Mul", [half, sum])])
        default: graph.add("Div", [graph.add("Mul", ["x", sum]), graph.floats([2], [])])
        }
      let found = try run(graph, output)
      #expect(found.kinds == ["gelu"] && distance(found.result, image.gelu()) < 1e-6, "\(order)")
    }
    // Another number than a half is another function.
    var graph = TestGraph()
    let erf = graph.add("Erf", [graph.add("Mul", ["x", graph.floats([0.7], [])])])
    let output = graph.add(
      "Mul",
      [
        graph.add("Mul", ["x", graph.add("Add", [erf, graph.floats([1], [])])]),
        graph.floats([0.5], []),
      ])
    #expect(try run(graph, output).kinds.contains("erf"))
  }

  @Test("of SiLU, hardswish and hardsigmoid are the operators")
  func gates() throws {
    var graph = TestGraph()
    let silu = graph.add("Mul", [graph.add("Sigmoid", ["x"]), "x"])
    #expect(try run(graph, silu).kinds == ["silu"])
    let three = graph.floats([3], []), zero = graph.floats([0], []), six = graph.floats([6], [])
    let clipped = graph.add("Clip", [graph.add("Add", ["x", three]), zero, six])
    let first = graph.add("Div", [graph.add("Mul", ["x", clipped]), six])
    let second = graph.add("Mul", ["x", graph.add("Div", [clipped, six])])
    let third = graph.add(
      "Mul", ["x", graph.add("HardSigmoid", ["x"], ["alpha": .float(1.0 / 6)])])
    for output in [first, second, third] {
      let found = try run(graph, output)
      #expect(found.kinds == ["hardswish"] && distance(found.result, image.hardswish()) < 1e-6)
    }
    let gate = graph.add("Div", [clipped, six])
    #expect(try run(graph, gate).kinds == ["hardsigmoid"])
  }

  @Test(
    "of layer norm, along the last dimension or the channels, are the operator", arguments: [-1, 1])
  func layerNorm(axis: Int64) throws {
    var graph = TestGraph()
    let axes: [String: TestGraph.Value] = ["axes": .ints([axis])]
    let mean = graph.add("ReduceMean", ["x"], axes)
    let centred = graph.add("Sub", ["x", mean])
    let variance = graph.add(
      "ReduceMean", [graph.add("Pow", [centred, graph.floats([2], [])])], axes)
    let root = graph.add("Sqrt", [graph.add("Add", [variance, graph.floats([1e-6], [])])])
    let shape: [Int64] = axis == -1 ? [10] : [3, 1, 1]
    let scaled = graph.add(
      "Mul", [graph.add("Div", [centred, root]), graph.noise(shape, name: "w")])
    let output = graph.add("Add", [scaled, graph.noise(shape, name: "b")])
    let found = try run(graph, output)
    #expect(found.kinds.filter { $0 != "permute" } == ["layer_norm"])
    let own = try graph.network(output).state
    let w = try #require(own.first { $0.name == "w" }?.tensor)
    let b = try #require(own.first { $0.name == "b" }?.tensor)
    let middle = image - image.mean([Int(axis)], keep: true)
    let expected =
      middle / ((middle * middle).mean([Int(axis)], keep: true) + 1e-6).sqrt() * w + b
    #expect(distance(found.result, expected) < 1e-5)
  }

  @Test("of attention with its factor anywhere, and a mask, are the operator", arguments: 0..<4)
  func attention(form: Int) throws {
    var graph = TestGraph()
    let rows = graph.add("Reshape", ["x", graph.ints([1, 3, 8, 10])])
    let scale = graph.floats([0.25], []), root = graph.floats([0.5], [])
    let turned = graph.add("Transpose", [rows], ["perm": .ints([0, 1, 3, 2])])
    let scores: String
    switch form {
    case 0: scores = graph.add("Mul", [graph.add("MatMul", [rows, turned]), scale])
    case 1:
      scores = graph.add(
        "MatMul", [graph.add("Mul", [rows, root]), graph.add("Mul", [turned, root])])
    case 2:
      scores = graph.add("Div", [graph.add("MatMul", [rows, turned]), graph.floats([4], [])])
    default:
      let product = graph.add("Mul", [graph.add("MatMul", [rows, turned]), scale])
      scores = graph.add("Add", [product, graph.noise([1, 1, 8, 8], name: "mask")])
    }
    let output = graph.add(
      "MatMul", [graph.add("Softmax", [scores], ["axis": .int(-1)]), rows])
    let found = try run(graph, output)
    #expect(found.kinds == ["scaled_dot_product_attention"])
    let mask =
      form == 3 ? try graph.network(output).state.first { $0.name == "mask" }?.tensor : nil
    let product = image.matmul(image.transposed(2, 3)) * 0.25
    let expected = (mask.map { product + $0 } ?? product).softmax(3).matmul(image)
    #expect(distance(found.result, expected) < 1e-5)
  }

  @Test("of shifted windows with a bias and masks are attention", arguments: [false, true])
  func windows(hasBias: Bool) throws {
    // Two images of three windows with two heads, of five positions.
    var graph = TestGraph()
    let parts = graph.add("Reshape", ["x", graph.ints([6, 2, 5, 4])])
    let turned = graph.add("Transpose", [parts], ["perm": .ints([0, 1, 3, 2])])
    var scores = graph.add(
      "MatMul", [graph.add("Mul", [parts, graph.floats([0.25], [])]), turned])
    if hasBias { scores = graph.add("Add", [scores, graph.noise([1, 2, 5, 5])]) }
    let apart = graph.add("Reshape", [scores, graph.ints([2, 3, 2, 5, 5])])
    let sum = graph.add("Add", [apart, graph.noise([1, 3, 1, 5, 5])])
    let together = graph.add("Reshape", [sum, graph.ints([-1, 2, 5, 5])])
    let output = graph.add(
      "MatMul", [graph.add("Softmax", [together], ["axis": .int(-1)]), parts])
    let found = try run(graph, output)
    #expect(found.kinds == ["reshape", "scaled_dot_product_attention"])
    // The numbers of `noise`.
    func numbers(_ shape: [Int]) -> Tensor {
      let values = (0..<shape.reduce(1, *)).map { index -> Float in
        let step = (index * 7919 + 13) % 1000
        return Float(step) / 500 - 1
      }
      return Tensor(values, shape)
    }
    let bias = hasBias ? numbers([1, 2, 5, 5]) : nil, mask = numbers([1, 3, 1, 5, 5])
    let x = image.reshaped(6, 2, 5, 4)
    let plain = x.matmul(x.transposed(2, 3)) * 0.25
    let all = (bias.map { plain + $0 } ?? plain).reshaped(2, 3, 2, 5, 5) + mask
    #expect(distance(found.result, all.reshaped(6, 2, 5, 5).softmax(3).matmul(x)) < 1e-5)
  }

  @Test("of matrices with a vector are one operator")
  func linear() throws {
    var graph = TestGraph()
    let product = graph.add("MatMul", ["x", graph.noise([10, 4], name: "w")])
    let output = graph.add("Add", [graph.noise([4], name: "b"), product])
    let found = try run(graph, output)
    #expect(found.kinds == ["linear"] && found.result.shape == [1, 3, 8, 4])
    #expect(try run(graph, product).kinds == ["linear"])
    let bare = try graph.network(product)
    #expect(bare.state.map(\.name) == ["w_T"] && bare.state[0].tensor.shape == [4, 10])
  }

  @Test(
    "of dilated convolutions between dealing out and putting together are one",
    arguments: [false, true])
  func dilation(bandsLast: Bool) throws {
    var graph = TestGraph(input: bandsLast ? [1, 8, 10, 3] : [1, 3, 8, 10])
    // A rate of 2: the map with 2 around it, and what makes its sides even.
    let weight = graph.noise([4, 3, 3, 3], name: "w")
    let output: String
    if bandsLast {
      let padded = graph.add("Pad", ["x", graph.ints([0, 2, 2, 0, 0, 2, 2, 0])])
      let cut = graph.add("Reshape", [padded, graph.ints([-1, 6, 2, 7, 2, 3])])
      let dealt = graph.add("Transpose", [cut], ["perm": .ints([2, 4, 0, 1, 3, 5])])
      let small = graph.add("Reshape", [dealt, graph.ints([-1, 6, 7, 3])])
      let planar = graph.add("Transpose", [small], ["perm": .ints([0, 3, 1, 2])])
      let conv = graph.add("Conv", [planar, weight])
      let last = graph.add("Transpose", [conv], ["perm": .ints([0, 2, 3, 1])])
      let six = graph.add("Reshape", [last, graph.ints([2, 2, -1, 4, 5, 4])])
      let turned = graph.add("Transpose", [six], ["perm": .ints([2, 3, 0, 4, 1, 5])])
      let joined = graph.add("Reshape", [turned, graph.ints([-1, 8, 10, 4])])
      output = graph.add(
        "Slice", [joined, graph.ints([0, 0]), graph.ints([7, 10]), graph.ints([1, 2])])
    } else {
      let padded = graph.add("Pad", ["x", graph.ints([0, 0, 2, 2, 0, 0, 2, 2])])
      let cut = graph.add("Reshape", [padded, graph.ints([1, 3, 6, 2, 7, 2])])
      let dealt = graph.add("Transpose", [cut], ["perm": .ints([3, 5, 0, 1, 2, 4])])
      let small = graph.add("Reshape", [dealt, graph.ints([4, 3, 6, 7])])
      let conv = graph.add("Conv", [small, weight])
      let six = graph.add("Reshape", [conv, graph.ints([2, 2, 1, 4, 4, 5])])
      let turned = graph.add("Transpose", [six], ["perm": .ints([2, 3, 4, 0, 5, 1])])
      output = graph.add("Reshape", [turned, graph.ints([1, 4, 8, 10])])
    }
    let network = try graph.network(output)
    let input = bandsLast ? image.permuted(0, 2, 3, 1).contiguous() : image
    let recorded = try Graph(recording: network, input: input.shape) { network($0) }
    let conv = try #require(recorded.nodes.first { $0.kind == "conv2d" })
    guard case .ints(let rates)? = conv.attributes["dilation"] else {
      Issue.record("no rate")
      return
    }
    #expect(rates == [2, 2])
    #expect(recorded.nodes.allSatisfy { $0.kind != "reshape" })
    let w = try #require(network.state.first { $0.name == "w" }?.tensor)
    let whole = image.conv2d(w, padding: [2, 2], dilation: [2, 2])
    let expected = bandsLast ? whole.sliced(2, 0, 7).permuted(0, 2, 3, 1) : whole
    #expect(distance(try network.run(input), expected) < 1e-5)
  }

  @Test(
    "of dilated convolutions between SpaceToDepth and DepthToSpace are one",
    arguments: ["plain", "bands last", "exchanged", "activated", "cut too far"])
  func depthDilation(form: String) throws {
    let isLast = form == "bands last"
    var graph = TestGraph(input: isLast ? [1, 8, 10, 3] : [1, 3, 8, 10])
    let exchange: [String: TestGraph.Value] = ["perm": .ints([1, 0, 2, 3])]
    let block: [String: TestGraph.Value] = ["blocksize": .int(3)]
    // A rate of 3: the map with 3 around it, and what makes its sides multiples: 8 + 6 + 1, 10 + 6 + 2.
    let weight = graph.noise([4, 3, 3, 3], name: "w")
    let amounts: [Int64] = isLast ? [0, 3, 3, 0, 0, 4, 5, 0] : [0, 0, 3, 3, 0, 0, 4, 5]
    let swapped = form == "exchanged" ? graph.add("Transpose", ["x"], exchange) : "x"
    let padded = graph.add("Pad", [swapped, graph.ints(amounts)])
    let turned =
      form == "exchanged"
      ? padded
      : graph.add("Transpose", [padded], isLast ? ["perm": .ints([3, 0, 1, 2])] : exchange)
    let dealt = graph.add("SpaceToDepth", [turned], block)
    var map = graph.add("Conv", [graph.add("Transpose", [dealt], exchange), weight])
    if form == "activated" { map = graph.add("Relu", [map]) }
    let joined = graph.add("DepthToSpace", [graph.add("Transpose", [map], exchange)], block)
    let ends: [Int64] = form == "cut too far" ? [-6, -2] : [-1, -2]
    let cut = graph.add(
      "Slice", [joined, graph.ints([0, 0]), graph.ints(ends), graph.ints([2, 3])])
    let output = graph.add("Transpose", [cut], exchange)
    let network = try graph.network(output)
    let input = isLast ? image.permuted(0, 2, 3, 1).contiguous() : image
    let recorded = try Graph(recording: network, input: input.shape) { network($0) }
    let conv = try #require(recorded.nodes.first { $0.kind == "conv2d" })
    guard case .ints(let rates)? = conv.attributes["dilation"] else {
      Issue.record("no rate")
      return
    }
    #expect(rates == [3, 3])
    #expect(recorded.nodes.allSatisfy { $0.kind != "reshape" })
    let w = try #require(network.state.first { $0.name == "w" }?.tensor)
    let whole = image.conv2d(w, padding: [3, 3], dilation: [3, 3])
    let activated = form == "activated" ? whole.relu() : whole
    let expected = form == "cut too far" ? activated.sliced(2, 0, 3) : activated
    #expect(distance(try network.run(input), expected) < 1e-5)
  }

  @Test("of dilated convolutions with margins of their own count those for each part")
  func depthDilationWithMargins() throws {
    var graph = TestGraph(input: [1, 3, 8, 10])
    let exchange: [String: TestGraph.Value] = ["perm": .ints([1, 0, 2, 3])]
    let block: [String: TestGraph.Value] = ["blocksize": .int(2)]
    let dealt = graph.add("SpaceToDepth", [graph.add("Transpose", ["x"], exchange)], block)
    let conv = graph.add(
      "Conv", [graph.add("Transpose", [dealt], exchange), graph.noise([4, 3, 3, 3], name: "w")],
      ["pads": .ints([1, 1, 1, 1])])
    let joined = graph.add("DepthToSpace", [graph.add("Transpose", [conv], exchange)], block)
    let output = graph.add("Transpose", [joined], exchange)
    let network = try graph.network(output)
    #expect(
      try kinds(network, [1, 3, 8, 10]).filter { $0 == "conv2d" || $0 == "reshape" } == ["conv2d"])
    let w = try #require(network.state.first { $0.name == "w" }?.tensor)
    #expect(
      distance(try network.run(image), image.conv2d(w, padding: [2, 2], dilation: [2, 2])) < 1e-5)
  }

  @Test("of attention with one number for a mask are the operator", arguments: [0, 1, 2])
  func attentionWithNumber(form: Int) throws {
    var graph = TestGraph()
    let rows = graph.add("Reshape", ["x", graph.ints([1, 3, 8, 10])])
    let turned = graph.add("Transpose", [rows], ["perm": .ints([0, 1, 3, 2])])
    var scores = graph.add("Mul", [graph.add("MatMul", [rows, turned]), graph.floats([0.25], [])])
    // Paddle's scale adds 0; a number that is no constant reaches the operator.
    switch form {
    case 0: scores = graph.add("Add", [scores, graph.floats([0], [])])
    case 1: scores = graph.add("Add", [scores, graph.floats([0.5], [1])])
    default:
      let number = graph.add("ReduceMax", ["x"], ["keepdims": .int(0)])
      scores = graph.add("Add", [scores, number])
    }
    let output = graph.add(
      "MatMul", [graph.add("Softmax", [scores], ["axis": .int(-1)]), rows])
    let found = try run(graph, output)
    #expect(
      found.kinds.filter { $0 == "scaled_dot_product_attention" || $0 == "softmax" }.count == 1)
    #expect(found.kinds.last == "scaled_dot_product_attention")
    #expect(form == 2 || found.kinds.count == 1)
    let expected = (image.matmul(image.transposed(2, 3)) * 0.25).softmax(3).matmul(image)
    #expect(distance(found.result, expected) < 1e-5)
  }

  @Test("Sums with 0 and products with 1 are left out, where they keep the dimensions")
  func neutral() throws {
    var graph = TestGraph()
    let zero = graph.floats([0], []), one = graph.floats([1], [])
    var map = graph.add("Add", ["x", zero])
    map = graph.add("Add", [zero, map])
    map = graph.add("Sub", [map, zero])
    map = graph.add("Mul", [one, map])
    map = graph.add("Div", [map, one])
    let plain = graph.add("Relu", [map])
    #expect(try run(graph, plain).kinds == ["relu"])
    let turned = graph.add("Relu", [graph.add("Sub", [zero, "x"])])
    #expect(distance(try run(graph, turned).result, (image * -1).relu()) == 0)
    let deeper = graph.add("Relu", [graph.add("Add", ["x", graph.floats([0], [1, 1, 1, 1, 1])])])
    #expect(try graph.network(deeper).run(image).shape == [1, 1, 3, 8, 10])
  }
}
