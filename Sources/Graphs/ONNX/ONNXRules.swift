import Torch

/// What operators are in ONNX.
///
/// A rule adds nodes and gives the names of the operator's results. Sizes are those of the recorded pass.
enum ONNXRules {
  typealias Rule = @Sendable (ONNXCall) throws -> [String]

  /// The rules by the operators' names.
  static let all = [elementwise, arithmetic, shapes, maps, normalizations, products].reduce(
    into: [:]) {
      $0.merge($1) { _, _ in fatalError("an operator has two rules") }
    }

  /// A rule of one result.
  private static func one(_ rule: @escaping @Sendable (ONNXCall) throws -> String) -> Rule {
    { [try rule($0)] }
  }

  /// A function of each element that ONNX has under this name.
  private static func same(_ type: String) -> Rule { one { $0.emit(type, [$0.x]) } }

  // MARK: Element by element

  private static let elementwise: [String: Rule] = [
    "relu": same("Relu"), "relu_": same("Relu"), "sigmoid": same("Sigmoid"), "tanh": same("Tanh"),
    "exp": same("Exp"), "log": same("Log"), "abs": same("Abs"), "neg": same("Neg"),
    "sqrt": same("Sqrt"), "rsqrt": one { $0.emit("Reciprocal", [$0.emit("Sqrt", [$0.x])]) },
    "hardtanh": one { $0.emit("Clip", [$0.x, $0.scalar("min_val"), $0.scalar("max_val")]) },
    "clamp": one { call in
      call.emit(
        "Clip", [call.x] + ["min", "max"].map { call.number($0) == nil ? "" : call.scalar($0) })
    },
    "hardsigmoid": one { hardSigmoid($0) },
    "hardswish": one {
      $0.opset >= 14 ? $0.emit("HardSwish", [$0.x]) : $0.emit("Mul", [$0.x, hardSigmoid($0)])
    },
    "silu": one { $0.emit("Mul", [$0.x, $0.emit("Sigmoid", [$0.x])]) },
    "gelu": one { call in
      if case .string(let form)? = call.node.attributes["approximate"], form != "none" {
        throw call.unsupported("its approximation \(form)")
      }
      if call.opset >= 20 { return call.emit("Gelu", [call.x]) }
      func number(_ value: Double) -> String { call.builder.constant(value, call.first.dtype) }
      let erf = call.emit("Erf", [call.emit("Mul", [call.x, number(0.5.squareRoot())])])
      let weight = call.emit("Mul", [call.emit("Add", [erf, number(1)]), number(0.5)])
      return call.emit("Mul", [call.x, weight])
    },
    "contiguous": one { $0.x }, "clone": one { $0.x }, "detach": one { $0.x },
    "dropout": one { try withoutTraining($0) }, "feature_dropout": one { try withoutTraining($0) },
    "to": one { call in
      call.first.dtype == call.output.dtype
        ? call.x
        : call.emit("Cast", [call.x], ["to": .int(Int(ONNXBuilder.code(of: call.output.dtype)))])
    },
  ]

  private static func hardSigmoid(_ call: ONNXCall) -> String {
    call.emit("HardSigmoid", [call.x], ["alpha": .float(1.0 / 6), "beta": .float(0.5)])
  }

  private static func withoutTraining(_ call: ONNXCall) throws -> String {
    if call.bool("train") { throw call.unsupported("it belongs to training") }
    return call.x
  }

  // MARK: Arithmetic

  private static let arithmetic: [String: Rule] = [
    "add": binary("Add"), "add_": binary("Add"), "sub": binary("Sub"), "mul": binary("Mul"),
    "mul_": binary("Mul"), "div": binary("Div"), "pow": binary("Pow"), "maximum": binary("Max"),
    "eq": binary("Equal"), "lt": binary("Less"), "ge": binary("GreaterOrEqual"),
    "le": binary("LessOrEqual"), "gt": binary("Greater"),
    "ne": one { $0.emit("Not", [try binary("Equal")($0)[0]]) },
    "rsub": one { $0.emit("Sub", [$0.scalar("other"), $0.x]) },
    "where": one { $0.emit("Where", $0.names) },
    "masked_fill": one { call in
      call.emit("Where", [call.name("mask"), call.scalar("value"), call.x])
    },
    "sum": reduction("ReduceSum"), "mean": reduction("ReduceMean"), "amax": reduction("ReduceMax"),
    "argmax": one { call in
      guard call.number("dim") != nil else { throw call.unsupported("without a dimension") }
      return call.emit(
        "ArgMax", [call.x],
        ["axis": .int(call.int("dim")), "keepdims": .int(call.bool("keepdim") ? 1 : 0)])
    },
    "max": { call in
      guard call.node.outputs.count == 2 else { throw call.unsupported("over all elements") }
      let keep = call.bool("keepdim")
      return [
        call.reduce("ReduceMax", call.x, [call.int("dim")], keep: keep),
        call.emit(
          "ArgMax", [call.x], ["axis": .int(call.int("dim")), "keepdims": .int(keep ? 1 : 0)]),
      ]
    },
    "topk": { call in
      call.builder.emit(
        "TopK", [call.x, call.builder.constant([call.int("k")])],
        ["axis": .int(call.int("dim")), "largest": .int(call.bool("largest") ? 1 : 0)], count: 2)
    },
  ]

  /// An operator of two values, or of a value and a number.
  private static func binary(_ type: String) -> Rule {
    one { call in
      if call.node.inputs.count == 1 {
        let name = call.number("other") == nil ? "exponent" : "other"
        return call.emit(type, [call.x, call.scalar(name)])
      }
      let types = Set(call.node.inputs.map { call.builder.graph.values[$0.value].dtype })
      guard types.count == 1 else {
        throw call.unsupported("its sides are of \(types.map { "\($0)" }.sorted())")
      }
      var right = call.names[1]
      if let factor = call.number("alpha"), factor != 1 {
        right = call.emit("Mul", [right, call.scalar("alpha")])
      }
      return call.emit(type, [call.x, right])
    }
  }

  private static func reduction(_ type: String) -> Rule {
    one { call in
      // Without dimensions all of them are meant.
      let axes = call.ints("dim")
      return call.reduce(
        type, call.x, axes.isEmpty ? Array(call.first.shape.indices) : axes,
        keep: call.bool("keepdim"))
    }
  }

  // MARK: Shapes

  private static let reshaping = one { $0.reshape($0.x) }

  private static let shapes: [String: Rule] = [
    "reshape": reshaping, "flatten": reshaping, "unsqueeze": reshaping, "squeeze": reshaping,
    "permute": one { call in
      let rank = call.first.shape.count
      let order = call.ints("dims").map { $0 < 0 ? $0 + rank : $0 }
      return call.emit("Transpose", [call.x], ["perm": .ints(order)])
    },
    "transpose": one { call in
      var order = Array(call.first.shape.indices)
      order.swapAt(call.axis("dim0"), call.axis("dim1"))
      return call.emit("Transpose", [call.x], ["perm": .ints(order)])
    },
    "expand": one { call in
      call.output.shape == call.first.shape
        ? call.x : call.emit("Expand", [call.x, call.builder.constant(call.output.shape)])
    },
    "cat": one { $0.emit("Concat", $0.names, ["axis": .int($0.int("dim"))]) },
    "stack": one { call in
      let axis = call.axis("dim", rank: call.output.shape.count)
      let parts = call.names.map {
        call.emit("Unsqueeze", [$0, call.builder.constant([axis])])
      }
      return call.emit("Concat", parts, ["axis": .int(axis)])
    },
    "split": splitting, "chunk": splitting,
    "slice": one { call in
      let end = call.number("end").map { Int($0) } ?? Int.max
      return sliced(
        call, call.x, call.axis("dim"), call.int("start"), end, step: max(1, call.int("step")))
    },
    "select": one { call in
      call.emit(
        "Gather", [call.x, call.builder.constant(call.int("index"))],
        ["axis": .int(call.axis("dim"))])
    },
    "index_select": one { call in
      call.emit("Gather", [call.x, call.name("index")], ["axis": .int(call.axis("dim"))])
    },
    "gather": one { call in
      call.emit("GatherElements", [call.x, call.name("index")], ["axis": .int(call.axis("dim"))])
    },
    "constant_pad_nd": one { call in
      // Amounts begin with the last dimension.
      let rank = call.first.shape.count, amounts = call.ints("pad")
      var pads = [Int](repeating: 0, count: 2 * rank)
      for index in 0..<amounts.count / 2 {
        pads[rank - 1 - index] = amounts[2 * index]
        pads[2 * rank - 1 - index] = amounts[2 * index + 1]
      }
      guard pads.contains(where: { $0 != 0 }) else { return call.x }
      return call.emit("Pad", [call.x, call.builder.constant(pads), call.scalar("value")])
    },
    "flip": one { call in
      call.ints("dims").reduce(call.x) { sliced(call, $0, $1, -1, -Int.max, step: -1) }
    },
    "roll": one { call in
      zip(call.ints("shifts"), call.ints("dims")).reduce(call.x) { x, step in
        let length = call.first.shape[step.1], shift = ((step.0 % length) + length) % length
        guard shift != 0 else { return x }
        let parts = [
          sliced(call, x, step.1, length - shift, length),
          sliced(call, x, step.1, 0, length - shift),
        ]
        return call.emit("Concat", parts, ["axis": .int(step.1)])
      }
    },
    "zeros_like": filled(0), "ones_like": filled(1),
  ]

  private static let splitting: Rule = { call in
    let axis = call.axis("dim")
    let sizes = call.node.outputs.map { call.builder.graph.values[$0].shape[axis] }
    return call.builder.emit(
      "Split", [call.x, call.builder.constant(sizes)], ["axis": .int(axis)], count: sizes.count)
  }

  private static func filled(_ value: Double) -> Rule {
    one { call in
      call.emit(
        "Expand",
        [
          call.builder.constant(value, call.output.dtype),
          call.builder.constant(call.output.shape),
        ])
    }
  }

  private static func sliced(
    _ call: ONNXCall, _ x: String, _ axis: Int, _ start: Int, _ end: Int, step: Int = 1
  ) -> String {
    let b = call.builder
    return call.emit(
      "Slice", [x, b.constant([start]), b.constant([end]), b.constant([axis]), b.constant([step])])
  }
}
