import Testing

@testable import Graphs
@testable import Torch

/// Networks are recorded, and their images' form is found, without memory for maps; files are looked at
/// without memory at all.
@Suite("ONNX's operators on shapes")
struct ONNXShapeTests {
  /// Adds a node of a type that takes `x` (1, 3, 8, 10).
  private typealias Example = @Sendable (_ graph: inout TestGraph, _ x: String) -> String

  private static func plain(_ attributes: [String: TestGraph.Value] = [:], _ type: String)
    -> Example
  {
    { $0.add(type, [$1], attributes) }
  }

  private static func examples(
    _ types: String, _ body: @escaping @Sendable (String) -> Example
  ) -> [String: [Example]] {
    Dictionary(uniqueKeysWithValues: types.split(separator: " ").map { ("\($0)", [body("\($0)")]) })
  }

  /// Ways to call each operator.
  private static let all: [String: [Example]] = {
    var all = examples(
      """
      Abs ArgMax ArgMin Ceil Cos Dropout Elu Erf Exp Flatten Floor Gelu GlobalAveragePool \
      GlobalMaxPool HardSigmoid HardSwish Identity IsNaN LeakyRelu LogSoftmax LpNormalization \
      Mish Neg Reciprocal ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean \
      ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Round Selu Shape Sigmoid Sign Sin Size \
      Softmax Softplus Softsign Tanh Transpose com.microsoft.Gelu
      """
    ) { type in plain([:], type) }
    all.merge(
      examples("Add Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Sub Sum")
      {
        type in
        { graph, x in
          graph.add(
            type, [x, graph.noise([3, 1, 10])], type == "Mod" ? ["fmod": .int(1)] : [:])
        }
      }
    ) { $1 }
    all.merge(
      examples("And Or Xor") { type in
        { graph, x in
          let mask = graph.add("Greater", [x, graph.floats([0], [])])
          return graph.add(type, [mask, mask])
        }
      }
    ) { $1 }
    // Those of numbers above 0.
    all.merge(
      examples("Log Pow ReduceLogSum Sqrt") { type in
        { graph, x in
          let above = graph.add("Exp", [x])
          return graph.add(type, type == "Pow" ? [above, graph.noise([3, 1, 10])] : [above])
        }
      }
    ) { $1 }
    all.merge(others) { $1 }
    all.merge(ofWholeNumbers) { $1 }
    all.merge(fused) { $1 }
    return all
  }()

  private static let others: [String: [Example]] = [
    "Attention": [
      { graph, x in
        graph.add("Attention", [x, x, x], ["scale": .float(0.5)])
      }
    ],
    "AveragePool": [
      plain(["kernel_shape": .ints([3, 3]), "pads": .ints([0, 1, 1, 1])], "AveragePool")
    ],
    "BatchNormalization": [
      { graph, x in
        let vectors = (0..<4).map { _ in graph.floats([1, 2, 3]) }
        return graph.add("BatchNormalization", [x] + vectors)
      }
    ],
    "Cast": [plain(["to": .int(7)], "Cast"), plain(["to": .int(9)], "Cast")],
    "CastLike": [{ graph, x in graph.add("CastLike", [x, graph.ints([1])]) }],
    "Clip": [
      { graph, x in graph.add("Clip", [x, graph.floats([-1], []), graph.floats([1], [])]) },
      { graph, x in
        let most = graph.add("ReduceMax", [x], ["keepdims": .int(0)])
        return graph.add("Clip", [x, "", most])
      },
    ],
    "Concat": [
      { graph, x in graph.add("Concat", [x, graph.noise([1, 2, 8, 10])], ["axis": .int(1)]) }
    ],
    "Constant": [{ graph, x in graph.add("Add", [x, graph.floats([1])]) }],
    "ConstantOfShape": [
      { graph, x in
        graph.add("Add", [x, graph.add("ConstantOfShape", [graph.add("Shape", [x])])])
      }
    ],
    "Conv": [
      { graph, x in
        graph.add("Conv", [x, graph.noise([4, 3, 3, 3])], ["pads": .ints([0, 1, 2, 1])])
      }
    ],
    "ConvTranspose": [
      { graph, x in
        graph.add(
          "ConvTranspose", [x, graph.noise([3, 4, 3, 3])],
          ["strides": .ints([2, 2]), "pads": .ints([0, 1, 1, 0])])
      }
    ],
    "CumSum": [
      { graph, x in graph.add("CumSum", [x, graph.ints([-1], [])], ["reverse": .int(1)]) }
    ],
    "DepthToSpace": [
      { graph, x in
        let wide = graph.add("Tile", [x, graph.ints([1, 4, 1, 1])])
        return graph.add("DepthToSpace", [wide], ["blocksize": .int(2)])
      }
    ],
    "Einsum": [
      { graph, x in
        graph.add(
          "Einsum", [x, graph.noise([10, 4])], ["equation": .string("nchw,wk->nchk")])
      }
    ],
    "Expand": [{ graph, x in graph.add("Expand", [x, graph.ints([2, 3, 8, 10])]) }],
    "Gather": [
      // A list in no order, another number of dimensions, one place, and places that pixels say.
      { graph, x in graph.add("Gather", [x, graph.ints([2, 0, -1])], ["axis": .int(1)]) },
      { graph, x in graph.add("Gather", [x, graph.ints([7, 1, 1, 0], [2, 2])], ["axis": .int(2)]) },
      { graph, x in graph.add("Gather", [x, graph.ints([1], [])], ["axis": .int(3)]) },
      { graph, x in
        let flat = graph.add("Reshape", [x, graph.ints([-1])])
        let places = graph.ints((0..<240).map(Int64.init), [1, 240, 1, 1])
        return graph.add("Gather", [flat, places])
      },
      { graph, x in
        let places = graph.add("ArgMax", [x], ["axis": .int(3), "keepdims": .int(0)])
        return graph.add("Gather", [x, places], ["axis": .int(3)])
      },
    ],
    "GatherElements": [
      { graph, x in
        let places = graph.ints([0, 1, 2, 3], [1, 1, 2, 2])
        return graph.add("GatherElements", [x, places], ["axis": .int(3)])
      }
    ],
    "GatherND": [{ graph, x in graph.add("GatherND", [x, graph.ints([0, 2, 0, 1], [2, 2])]) }],
    "DequantizeLinear": [
      { graph, x in
        let whole = graph.add("Cast", [x], ["to": .int(3)])
        return graph.add(
          "DequantizeLinear", [whole, graph.floats([0.5, 1, 2])], ["axis": .int(1)])
      }
    ],
    "QuantizeLinear": [
      { graph, x in graph.add("QuantizeLinear", [x, graph.floats([0.5], [])]) },
      { graph, x in
        graph.add("QuantizeLinear", [x, graph.floats([0.5, 1, 2])], ["axis": .int(1)])
      },
    ],
    "Gemm": [
      { graph, x in
        let rows = graph.add("Reshape", [x, graph.ints([-1, 10])])
        return graph.add(
          "Gemm", [rows, graph.noise([4, 10]), graph.noise([4])],
          ["transB": .int(1), "alpha": .float(0.5)])
      }
    ],
    "GroupNormalization": [
      { graph, x in
        graph.add(
          "GroupNormalization", [x, graph.floats([1, 2, 3]), graph.floats([1, 2, 3])],
          ["num_groups": .int(3)])
      }
    ],
    "InstanceNormalization": [
      { graph, x in
        graph.add("InstanceNormalization", [x, graph.floats([1, 2, 3]), graph.floats([1, 2, 3])])
      }
    ],
    "LayerNormalization": [
      { graph, x in
        graph.add("LayerNormalization", [x, graph.noise([10]), graph.noise([10])])
      },
      { graph, x in
        graph.add(
          "LayerNormalization", [x, graph.noise([3, 8, 10]), graph.noise([10])], ["axis": .int(1)])
      },
    ],
    "MatMul": [
      { graph, x in graph.add("MatMul", [x, graph.noise([10, 4])]) },
      { graph, x in
        graph.add("MatMul", [x, graph.add("Transpose", [x], ["perm": .ints([0, 1, 3, 2])])])
      },
    ],
    "MaxPool": [plain(["kernel_shape": .ints([3, 3]), "pads": .ints([0, 1, 1, 1])], "MaxPool")],
    "NonZero": [
      { graph, x in
        let places = graph.add("NonZero", [graph.floats([1, 0, 1])])
        let list = graph.add("Reshape", [places, graph.ints([-1])])
        return graph.add("Gather", [x, list], ["axis": .int(1)])
      }
    ],
    "Not": [{ graph, x in graph.add("Not", [graph.add("Greater", [x, graph.floats([0], [])])]) }],
    "OneHot": [
      { graph, x in
        let best = graph.add("ArgMax", [x], ["axis": .int(1), "keepdims": .int(0)])
        return graph.add("OneHot", [best, graph.ints([3], []), graph.floats([0, 1])])
      }
    ],
    "PRelu": [{ graph, x in graph.add("PRelu", [x, graph.noise([3, 1, 1])]) }],
    "Pad": [
      { graph, x in graph.add("Pad", [x, graph.ints([0, 0, 1, 0, 0, 0, 1, 2])]) },
      { graph, x in
        graph.add("Pad", [x, graph.ints([0, 0, 1, 0, 0, 0, 1, 2])], ["mode": .string("reflect")])
      },
    ],
    "RMSNormalization": [{ graph, x in graph.add("RMSNormalization", [x, graph.noise([10])]) }],
    "Range": [
      { graph, x in
        let range = graph.add(
          "Range", [graph.floats([0], []), graph.floats([10], []), graph.floats([1], [])])
        return graph.add("Add", [x, range])
      }
    ],
    "Reshape": [{ graph, x in graph.add("Reshape", [x, graph.ints([0, -1, 4])]) }],
    "Resize": ["nearest", "linear", "cubic"].flatMap { mode in
      ["half_pixel", "asymmetric", "align_corners"].map { resizing(mode, $0) }
    },
    "ScatterElements": [
      { graph, x in
        let places = graph.ints([0, 1, 2, 3], [1, 1, 2, 2])
        return graph.add(
          "ScatterElements", [x, places, graph.noise([1, 1, 2, 2])], ["axis": .int(3)])
      }
    ],
    "ScatterND": [
      { graph, x in
        graph.add("ScatterND", [x, graph.ints([0, 2, 0, 1], [2, 2]), graph.noise([2, 8, 10])])
      }
    ],
    "Slice": [
      { graph, x in
        graph.add(
          "Slice",
          [x, graph.ints([1, 9]), graph.ints([7, 0]), graph.ints([2, 3]), graph.ints([2, -2])])
      }
    ],
    "SpaceToDepth": [plain(["blocksize": .int(2)], "SpaceToDepth")],
    "Split": [
      { graph, x in
        graph.node("Split", [x, graph.ints([3, 7])], ["axis": .int(3)], results: 2)[1]
      },
      { graph, x in
        graph.node("Split", [x, graph.ints([5, 5])], ["axis": .int(3)], results: 2)[1]
      },
    ],
    "Squeeze": [{ graph, x in graph.add("Squeeze", [x, graph.ints([0])]) }],
    "Tile": [{ graph, x in graph.add("Tile", [x, graph.ints([1, 2, 1, 3])]) }],
    "TopK": [
      { graph, x in
        graph.node("TopK", [x, graph.ints([2])], ["axis": .int(1)], results: 2)[0]
      }
    ],
    "Trilu": [{ graph, x in graph.add("Trilu", [x]) }],
    "Unsqueeze": [{ graph, x in graph.add("Unsqueeze", [x, graph.ints([1])]) }],
    "Where": [
      { graph, x in
        graph.add(
          "Where", [graph.add("Greater", [x, graph.floats([0], [])]), x, graph.noise([10])])
      }
    ],
    "If": [],
  ]

  /// A value in eight bits with its scale and zero, as operators of whole numbers take it.
  private static func coded(_ graph: inout TestGraph, _ value: String) -> [String] {
    let operands = [graph.floats([0.02], []), graph.bytes([100], [])]
    return [graph.add("QuantizeLinear", [value] + operands)] + operands
  }

  /// A node of whole numbers that takes `x` alone.
  private static func ofCodes(
    _ type: String, _ attributes: [String: TestGraph.Value] = [:]
  ) -> Example {
    { graph, x in
      let x = coded(&graph, x)
      return graph.add(type, x + [graph.floats([0.01], []), graph.bytes([50], [])], attributes)
    }
  }

  /// A node of whole numbers that takes `x` and another value, or that value's codes.
  private static func ofTwo(
    _ type: String, _ other: [Int64], _ attributes: [String: TestGraph.Value] = [:]
  ) -> Example {
    { graph, x in
      let x = coded(&graph, x), other = coded(&graph, graph.noise(other))
      return graph.add(
        type, x + other + [graph.floats([0.05], []), graph.bytes([120], [])], attributes)
    }
  }

  private static let ofWholeNumbers: [String: [Example]] = [
    "QLinearConv": [ofTwo("QLinearConv", [4, 3, 3, 3], ["pads": .ints([0, 1, 2, 1])])],
    "QLinearMatMul": [ofTwo("QLinearMatMul", [10, 4])],
    "com.microsoft.QLinearAdd": [ofTwo("com.microsoft.QLinearAdd", [3, 1, 10])],
    "com.microsoft.QLinearMul": [ofTwo("com.microsoft.QLinearMul", [3, 1, 10])],
    "com.microsoft.QLinearSigmoid": [ofCodes("com.microsoft.QLinearSigmoid")],
    "com.microsoft.QLinearLeakyRelu": [
      ofCodes("com.microsoft.QLinearLeakyRelu", ["alpha": .float(0.2)])
    ],
    "com.microsoft.QLinearSoftmax": [
      ofCodes("com.microsoft.QLinearSoftmax", ["axis": .int(1), "opset": .int(13)])
    ],
    "com.microsoft.QLinearAveragePool": [
      ofCodes("com.microsoft.QLinearAveragePool", ["kernel_shape": .ints([2, 2])])
    ],
    "com.microsoft.QLinearGlobalAveragePool": [ofCodes("com.microsoft.QLinearGlobalAveragePool")],
    "com.microsoft.QLinearConcat": [
      { graph, x in
        let result = [graph.floats([0.03], []), graph.bytes([90], [])]
        let parts = coded(&graph, x) + coded(&graph, graph.noise([1, 2, 8, 10]))
        return graph.add("com.microsoft.QLinearConcat", result + parts, ["axis": .int(1)])
      }
    ],
    "com.microsoft.QGemm": [
      { graph, x in
        let rows = coded(&graph, graph.add("Reshape", [x, graph.ints([-1, 10])]))
        let matrix = coded(&graph, graph.noise([4, 10]))
        let bias = graph.add("Cast", [graph.floats([100, -50, 0, 7])], ["to": .int(6)])
        return graph.add("com.microsoft.QGemm", rows + matrix + [bias], ["transB": .int(1)])
      }
    ],
    "com.microsoft.QuantizeLinear": [
      { graph, x in graph.add("com.microsoft.QuantizeLinear", [x, graph.floats([0.5], [])]) }
    ],
    "com.microsoft.DequantizeLinear": [
      { graph, x in graph.add("com.microsoft.DequantizeLinear", coded(&graph, x)) }
    ],
    "DynamicQuantizeLinear": [
      { graph, x in graph.node("DynamicQuantizeLinear", [x], results: 3)[0] }
    ],
    "ConvInteger": [
      { graph, x in
        let x = coded(&graph, x), kernels = coded(&graph, graph.noise([4, 3, 3, 3]))
        return graph.add("ConvInteger", [x[0], kernels[0], x[2], kernels[2]])
      }
    ],
    "MatMulInteger": [
      { graph, x in
        let x = coded(&graph, x), matrix = coded(&graph, graph.noise([10, 4]))
        return graph.add("MatMulInteger", [x[0], matrix[0], x[2], matrix[2]])
      }
    ],
  ]

  private static let fused: [String: [Example]] = [
    "com.microsoft.FusedConv": [
      { graph, x in
        graph.add(
          "com.microsoft.FusedConv", [x, graph.noise([3, 3, 3, 3]), graph.noise([3]), x],
          ["pads": .ints([1, 1, 1, 1]), "activation": .string("Relu")])
      }
    ],
    "com.microsoft.FusedGemm": [
      { graph, x in
        let rows = graph.add("Reshape", [x, graph.ints([-1, 10])])
        return graph.add(
          "com.microsoft.FusedGemm", [rows, graph.noise([10, 4]), graph.noise([4])],
          ["activation": .string("LeakyRelu"), "activation_alpha": .float(0.1)])
      }
    ],
    "com.microsoft.FusedMatMul": [
      { graph, x in
        graph.add(
          "com.microsoft.FusedMatMul", [x, x], ["transB": .int(1), "alpha": .float(0.5)])
      }
    ],
    "com.microsoft.BiasGelu": [
      { graph, x in graph.add("com.microsoft.BiasGelu", [x, graph.noise([10])]) }
    ],
    "com.microsoft.FastGelu": [plain([:], "com.microsoft.FastGelu")],
    "com.microsoft.QuickGelu": [plain(["alpha": .float(1)], "com.microsoft.QuickGelu")],
    "com.microsoft.SkipLayerNormalization": [
      { graph, x in
        let rows = graph.add("Reshape", [x, graph.ints([1, -1, 10])])
        return graph.node(
          "com.microsoft.SkipLayerNormalization",
          [rows, rows, graph.noise([10]), graph.noise([10])])[0]
      }
    ],
  ]

  private static func resizing(_ mode: String, _ rule: String) -> Example {
    { graph, x in
      graph.add(
        "Resize", [x, "", "", graph.ints([1, 3, 9, 25])],
        ["mode": .string(mode), "coordinate_transformation_mode": .string(rule)])
    }
  }

  /// The graph of an example with its result as a floating-point number of the image, so that it needs it.
  private func network(_ type: String, _ example: Example, ofConstants: Bool) throws -> ONNXNetwork
  {
    var graph = TestGraph(opset: 23)
    let x = ofConstants ? graph.noise([1, 3, 8, 10]) : "x"
    let result = graph.add("Cast", [example(&graph, x)], ["to": .int(1)])
    let mean = graph.add("ReduceMean", ["x"], ["keepdims": .int(0)])
    let sum = graph.add("Add", [result, mean])
    return try graph.network(sum)
  }

  @Test(
    "give what they give for numbers, of images and of constants", arguments: ONNXOperators.names)
  func shapes(_ type: String) throws {
    let image = fixedNoise([1, 3, 8, 10])
    for (index, example) in try #require(Self.all[type]).enumerated() {
      for ofConstants in [false, true] {
        let expected = try network(type, example, ofConstants: ofConstants).run(image)
        let note = Comment(rawValue: "example \(index)\(ofConstants ? " of constants" : "")")
        let ofMaps = try shapesOfMaps {
          try network(type, example, ofConstants: ofConstants)
            .run(Tensor(withoutMemory: image.shape))
        }
        #expect(ofMaps.shape == expected.shape && ofMaps.dtype == expected.dtype, note)
        #expect(ofMaps.isWithoutMemory, note)
        try shapesOnly {
          let found = try network(type, example, ofConstants: ofConstants)
            .run(Tensor(uninitialized: image.shape))
          #expect(found.shape == expected.shape && found.dtype == expected.dtype, note)
        }
        let own = try network(type, example, ofConstants: ofConstants)
        let ran = inferenceMode { Runner(own) { own($0) }(image) }
        #expect(distance(ran, expected) <= 1e-5, note)
      }
    }
  }
}
