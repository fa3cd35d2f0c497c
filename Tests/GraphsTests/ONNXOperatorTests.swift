import Foundation
import Graphs
import SwiftProtobuf
import Testing
import Torch

@Suite("ONNX's operators")
struct ONNXOperatorTests {
  private let image = fixedNoise([1, 3, 8, 10])

  /// What a graph with one node more gives for the image.
  private func result(
    opset: Int64 = 17, _ body: (inout TestGraph) throws -> String
  ) throws -> Tensor {
    var graph = TestGraph(opset: opset)
    let name = try body(&graph)
    return try graph.network(name).run(image)
  }

  /// What a node makes of whole numbers.
  private func numbers(
    _ type: String, _ inputs: [[Int64]], _ attributes: [String: TestGraph.Value] = [:],
    opset: Int64 = 17
  ) throws -> [Int64] {
    let tensor = try result(opset: opset) { graph in
      let names = inputs.map { graph.ints($0) }
      let known = graph.add(type, names, attributes)
      // A graph without a use of its input is refused.
      let zero = graph.add(
        "Mul",
        [
          graph.add("Size", [graph.add("Slice", ["x", graph.ints([0]), graph.ints([0])])]),
          graph.ints([1], []),
        ])
      return graph.add("Add", [known, zero])
    }
    return tensor.values(Int64.self)
  }

  @Test("take more padding on one side, and the padding of TensorFlow")
  func padding() throws {
    let kernels = fixedNoise([4, 3, 3, 3])
    func convolved(_ attributes: [String: TestGraph.Value]) throws -> Tensor {
      try result { graph in
        graph.add("Conv", ["x", graph.noise([4, 3, 3, 3], name: "w")], attributes)
      }
    }
    let weight = try #require(
      try {
        var graph = TestGraph()
        let name = graph.add("Conv", ["x", graph.noise([4, 3, 3, 3], name: "w")])
        return try graph.network(name).state.first { $0.name == "w" }?.tensor
      }())
    #expect(weight.shape == kernels.shape)
    let one = try convolved(["pads": .ints([0, 1, 2, 3]), "strides": .ints([2, 1])])
    #expect(distance(one, image.padded([1, 3, 0, 2]).conv2d(weight, stride: [2, 1])) < 1e-6)
    let upper = try convolved(["auto_pad": .string("SAME_UPPER"), "strides": .ints([2, 2])])
    #expect(distance(upper, image.padded([0, 1, 0, 1]).conv2d(weight, stride: [2, 2])) < 1e-6)
    let lower = try convolved(["auto_pad": .string("SAME_LOWER"), "strides": .ints([2, 2])])
    #expect(distance(lower, image.padded([1, 0, 1, 0]).conv2d(weight, stride: [2, 2])) < 1e-6)
  }

  @Test("leave margins out of means, or count them")
  func means() throws {
    func pooled(_ attributes: [String: TestGraph.Value]) throws -> Tensor {
      try result { graph in
        graph.add(
          "AveragePool", ["x"],
          attributes.merging(["kernel_shape": .ints([3, 3])]) { own, _ in own })
      }
    }
    let corner = image.sliced(2, 0, 2).sliced(3, 0, 2).sum([2, 3]).floats
    for (pads, counts) in [
      ([1, 1, 1, 1], 0), ([1, 1, 1, 1], 1), ([1, 1, 0, 0], 0), ([1, 1, 0, 0], 1),
    ] as [([Int64], Int64)] {
      let found = try pooled(["pads": .ints(pads), "count_include_pad": .int(counts)])
      let first = found.sliced(2, 0, 1).sliced(3, 0, 1).floats
      for (a, b) in zip(first, corner) { #expect(abs(a - b / (counts == 0 ? 4 : 9)) < 1e-6) }
    }
  }

  @Test("enlarge transposed convolutions' results with one side cut more than the other")
  func transposed() throws {
    let found = try result { graph in
      graph.add(
        "ConvTranspose", ["x", graph.noise([3, 4, 3, 3])],
        ["strides": .ints([2, 2]), "pads": .ints([0, 1, 1, 0])])
    }
    #expect(found.shape == [1, 4, 16, 20])
    let wanted = try result { graph in
      graph.add(
        "ConvTranspose", ["x", graph.noise([3, 4, 3, 3])],
        [
          "strides": .ints([2, 2]), "output_shape": .ints([16, 20]),
          "auto_pad": .string("SAME_UPPER"),
        ])
    }
    #expect(wanted.shape == [1, 4, 16, 20])
  }

  @Test(
    "resize by every rule: linear and cubic ones as our operator where it is the same, else by the formula"
  )
  func resizing() throws {
    func resized(
      _ mode: String, _ rule: String, _ sizes: [Int64], nearest: String = "round_prefer_floor"
    ) throws -> Tensor {
      try result { graph in
        graph.add(
          "Resize", ["x", "", "", graph.ints([1, 3] + sizes)],
          [
            "mode": .string(mode), "coordinate_transformation_mode": .string(rule),
            "nearest_mode": .string(nearest),
          ])
      }
    }
    let linear = try resized("linear", "half_pixel", [16, 25])
    #expect(distance(linear, image.resized(height: 16, width: 25)) == 0)
    let aligned = try resized("linear", "align_corners", [15, 19])
    #expect(distance(aligned, image.resized(height: 15, width: 19, alignCorners: true)) == 0)
    let cubic = try resized("cubic", "half_pixel", [16, 20])
    #expect(distance(cubic, image.resized(height: 16, width: 20, .bicubic)) == 0)
    let nearest = try resized("nearest", "asymmetric", [16, 20], nearest: "floor")
    #expect(distance(nearest, image.resized(height: 16, width: 20, .nearest)) == 0)
    // By places x / 2: every second one is the image's own, those between are means, the last is the edge.
    let start = try resized("linear", "asymmetric", [8, 20])
    #expect(distance(start.sliced(3, 0, 20, step: 2), image) < 1e-6)
    let between = start.sliced(3, 1, 19, step: 2)
    #expect(distance(between, (image.sliced(3, 0, 9) + image.sliced(3, 1, 10)) * 0.5) < 1e-6)
    #expect(distance(start.sliced(3, 19, 20), image.sliced(3, 9, 10)) < 1e-6)
    // A half rounds to the lower place.
    let half = try resized("nearest", "half_pixel", [8, 20])
    #expect(distance(half, image.resized(height: 8, width: 20, .nearest)) == 0)
    let fewer = try resized("nearest", "half_pixel", [8, 5])
    #expect(distance(fewer, image.sliced(3, 0, 10, step: 2)) == 0)
    // The standard's formula for linear by a matrix agrees with libtorch's operator.
    let symmetric = try resized("linear", "half_pixel_symmetric", [16, 25])
    #expect(distance(symmetric, linear) < 1e-5)
    let middle = try resized("linear", "pytorch_half_pixel", [1, 10])
    #expect(distance(middle, image.sliced(2, 0, 1)) < 1e-6)
  }

  @Test(
    "resize by factors to lengths that are products in single precision", arguments: [13, 7, 42])
  func resizingByFactors(length: Int) throws {
    // 1.3 of single precision is a little less, ten times which is 13 there, and less in double precision.
    let found = try result { graph in
      let scales = graph.floats([1, 1, 1, Float(length) / 10])
      return graph.add("Resize", ["x", "", scales], ["mode": .string("linear")])
    }
    #expect(found.shape == [1, 3, 8, length])
    #expect(distance(found, image.resized(height: 8, width: length)) < 1e-6)
  }

  @Test("resize whole numbers by rounding, and with antialiasing (values of onnx.reference 1.23.2)")
  func resizingLevels() throws {
    /// A row in a type of ONNX, resized to a length and read as numbers.
    func resized(
      _ values: [Float], _ type: Int64, _ length: Int64, _ mode: String, antialias: Int64 = 0,
      excludeOutside: Int64 = 0
    ) throws -> [Float] {
      try result(opset: 18) { graph in
        let row = graph.floats(values, [1, 1, 1, Int64(values.count)])
        let levels = graph.add("Cast", [row], ["to": .int(type)])
        let found = graph.add(
          "Resize", [levels, "", "", graph.ints([1, 1, 1, length])],
          [
            "mode": .string(mode), "antialias": .int(antialias),
            "exclude_outside": .int(excludeOutside),
          ])
        // A graph without a use of its input is refused.
        let none = graph.add("Size", [graph.add("Slice", ["x", graph.ints([0]), graph.ints([0])])])
        return graph.add(
          "Add",
          [
            graph.add("Cast", [found], ["to": .int(1)]), graph.add("Cast", [none], ["to": .int(1)]),
          ])
      }.values(Float.self)
    }
    let (float, uint8, int8): (Int64, Int64, Int64) = (1, 2, 3)
    #expect(try resized([0, 1, 4, 200], uint8, 8, "linear") == [0, 0, 1, 2, 3, 53, 151, 200])
    #expect(try resized([0, 0, 255, 255], uint8, 8, "cubic") == [0, 0, 0, 58, 197, 255, 255, 255])
    #expect(
      try resized([-128, -128, 127, 127], int8, 8, "cubic")
        == [-128, -128, -128, -70, 69, 127, 127, 127])
    let shrunk = try resized([0, 3, 7, 90, 200, 8], uint8, 4, "linear", antialias: 1)
    #expect(shrunk == [1, 15, 117, 72])
    let ramp = (0..<8).map { Float($0) }
    for (excluded, wanted) in [
      (Int64(0), [0.9767442, 3.5, 6.023256]), (1, [1.1052631, 3.5, 5.894737]),
    ] {
      let found = try resized(ramp, float, 3, "linear", antialias: 1, excludeOutside: excluded)
      #expect(zip(found, wanted).allSatisfy { abs(Double($0) - $1) < 1e-5 }, "\(found)")
    }
  }

  @Test("pad by mirroring, by the edge and around")
  func margins() throws {
    func padded(_ mode: String) throws -> Tensor {
      try result { graph in
        graph.add("Pad", ["x", graph.ints([0, 0, 0, 2, 0, 0, 0, 1])], ["mode": .string(mode)])
      }
    }
    func columns(_ list: [Int64]) -> Tensor { image.entries(3, Tensor(list)) }
    let all = Array(Int64(0)..<10)
    #expect(distance(try padded("reflect"), columns([2, 1] + all + [8])) == 0)
    #expect(distance(try padded("edge"), columns([0, 0] + all + [9])) == 0)
    #expect(distance(try padded("wrap"), columns([8, 9] + all + [0])) == 0)
    #expect(distance(try padded("constant"), image.padded([2, 1])) == 0)
    let cut = try result { graph in
      graph.add("Pad", ["x", graph.ints([0, 0, -1, 0, 0, 0, 0, -2])])
    }
    #expect(distance(cut, image.sliced(2, 1, 8).sliced(3, 0, 8)) == 0)
  }

  @Test("cut from behind, in steps and backwards")
  func slices() throws {
    func cut(_ start: Int64, _ end: Int64, _ step: Int64) throws -> Tensor {
      try result { graph in
        graph.add(
          "Slice",
          ["x", graph.ints([start]), graph.ints([end]), graph.ints([-1]), graph.ints([step])])
      }
    }
    func columns(_ list: [Int64]) -> Tensor { image.entries(3, Tensor(list)) }
    #expect(distance(try cut(-3, .max, 1), columns([7, 8, 9])) == 0)
    #expect(distance(try cut(1, -1, 3), columns([1, 4, 7])) == 0)
    #expect(distance(try cut(.max, .min, -1), image.flipped(3)) == 0)
    #expect(distance(try cut(-2, 1, -3), columns([8, 5, 2])) == 0)
    #expect(try cut(5, 2, 1).shape == [1, 3, 8, 0])
  }

  @Test("work out whole numbers as the standard says")
  func known() throws {
    #expect(try numbers("Div", [[7, -7, 9], [2, 2, -4]]) == [3, -3, -2])
    #expect(try numbers("Mod", [[7, -7, 7], [3, 3, -3]]) == [1, 2, -2])
    #expect(try numbers("Mod", [[7, -7, 7], [3, 3, -3]], ["fmod": .int(1)]) == [1, -1, 1])
    #expect(try numbers("Concat", [[1, 2], [3]], ["axis": .int(0)]) == [1, 2, 3])
    #expect(try numbers("Gather", [[5, 6, 7], [-1, 0]], ["axis": .int(0)]) == [7, 5])
    #expect(try numbers("Max", [[1, 5], [3, 2], [2, 2]]) == [3, 5])
    #expect(try numbers("Tile", [[1, 2], [3]]) == [1, 2, 1, 2, 1, 2])
    #expect(try numbers("ReduceProd", [[2, 3, 4]], ["keepdims": .int(1)]) == [24])
    #expect(try numbers("Pad", [[1, 2], [1, 2]]) == [0, 1, 2, 0, 0])
    #expect(try numbers("Expand", [[4], [3]]) == [4, 4, 4])
    #expect(try numbers("Slice", [[1, 2, 3, 4], [-1], [.min], [0], [-2]]) == [4, 2])
  }

  @Test("multiply, with what is added, in every order")
  func products() throws {
    let rows = image.reshaped(24, 10)
    let found = try result { graph in
      let matrix = graph.add("Reshape", ["x", graph.ints([24, 10])])
      return graph.add(
        "Gemm", [matrix, graph.noise([24, 4], name: "w"), graph.noise([4])],
        ["transA": .int(1), "alpha": .float(0.5), "beta": .float(2)])
    }
    #expect(found.shape == [10, 4])
    let plain = try result { graph in
      let matrix = graph.add("Reshape", ["x", graph.ints([24, 10])])
      return graph.add(
        "Einsum", [matrix, graph.noise([10, 4])], ["equation": .string("ij, jk -> ik")])
    }
    let same = try result { graph in
      let matrix = graph.add("Reshape", ["x", graph.ints([24, 10])])
      return graph.add("MatMul", [matrix, graph.noise([10, 4])])
    }
    #expect(rows.rank == 2 && distance(plain, same) < 1e-6)
  }

  @Test("choose the branch of a condition that shapes decide")
  func branches() throws {
    var graph = TestGraph(input: [1, 3, nil, nil])
    let rows = graph.add("Gather", [graph.add("Shape", ["x"]), graph.ints([2], [])])
    let isLarge = graph.add("Greater", [rows, graph.ints([8], [])])
    let chosen = graph.node("If", [isLarge])[0]
    func branch(_ type: String, _ name: String) -> Onnx_AttributeProto {
      var node = Onnx_NodeProto()
      (node.opType, node.input, node.output) = (type, ["x"], ["inner"])
      var port = Onnx_ValueInfoProto()
      port.name = "inner"
      var attribute = Onnx_AttributeProto()
      (attribute.name, attribute.type) = (name, .graph)
      attribute.g.node = [node]
      attribute.g.output = [port]
      return attribute
    }
    graph.change { model in
      model.graph.node[model.graph.node.count - 1].attribute = [
        branch("Relu", "then_branch"), branch("Neg", "else_branch"),
      ]
    }
    let network = try graph.network(chosen)
    #expect(try kinds(network, [1, 3, 9, 9]) == ["relu"])
    #expect(try kinds(network, [1, 3, 8, 9]) == ["neg"])
    #expect(distance(try network.run(image), -image) == 0)
  }
}
