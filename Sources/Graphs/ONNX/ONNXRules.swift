import Torch

/// What operators are in ONNX.
///
/// A rule adds nodes and gives the names of the operator's results. Numbers that it asks for as they are have
/// to be the same for all recorded sizes; what may depend on the size it asks for as lengths.
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
      let sides = call.sides, results = call.results
      guard sides != results else { return call.x }
      // 1 keeps a side as it is.
      let added = results.count - sides.count
      let target = results.enumerated().map { axis, length in
        axis >= added && sides[axis - added] == length && length.fixed == nil
          ? Length(length.values.map { _ in 1 }) : length
      }
      return call.emit("Expand", [call.x, call.ints(target, "the shape")])
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
      let axis = call.axis("dim"), side = call.sides[axis]
      func place(_ name: String, _ usual: Length) -> Length {
        let given = call.lengths(name).first ?? usual
        return Length(
          zip(given.values, side.values).map { min($1, max(0, $0 < 0 ? $0 + $1 : $0)) })
      }
      let start = place("start", side * 0), end = place("end", side)
      return sliced(call, call.x, axis, start, end, step: max(1, call.int("step")))
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
    "constant_pad_nd": one { try padded($0) },
    "flip": one { call in
      let b = call.builder
      return call.ints("dims").reduce(call.x) { x, axis in
        let (first, end, step) = (b.constant([-1]), b.constant([-Int.max]), b.constant([-1]))
        return call.emit("Slice", [x, first, end, b.constant([axis]), step])
      }
    },
    "roll": one { call in
      zip(call.ints("shifts"), call.ints("dims")).reduce(call.x) { x, step in
        let side = call.sides[step.1]
        let shifts = Length(side.values.map { ((step.0 % $0) + $0) % $0 })
        guard shifts.fixed != 0 else { return x }
        let parts = [
          sliced(call, x, step.1, side - shifts, side),
          sliced(call, x, step.1, side * 0, side - shifts),
        ]
        return call.emit("Concat", parts, ["axis": .int(step.1)])
      }
    },
    "zeros_like": filled(0), "ones_like": filled(1),
  ]

  private static let splitting: Rule = { call in
    let axis = call.axis("dim")
    let sizes = call.node.outputs.map { call.builder.graphs.shape($0)[axis] }
    return call.builder.emit(
      "Split", [call.x, call.ints(sizes, "a part")], ["axis": .int(axis)], count: sizes.count)
  }

  private static func filled(_ value: Double) -> Rule {
    one { call in
      call.emit(
        "Expand",
        [
          call.builder.constant(value, call.output.dtype), call.ints(call.results, "the shape"),
        ])
    }
  }

  /// What lies between two places along an axis of a value that is as long there as the first one.
  private static func sliced(
    _ call: ONNXCall, _ x: String, _ axis: Int, _ start: Length, _ end: Length, step: Int = 1
  ) -> String {
    let side = call.sides[axis], b = call.builder
    /// A place, from the end where that is the same for all sizes.
    func place(_ length: Length, _ what: String) -> String {
      if length.fixed == nil, let rest = (length - side).fixed, rest < 0 {
        return b.constant([rest])
      }
      return call.ints([length], what)
    }
    let last = end == side ? b.constant([Int.max]) : place(end, "the end")
    return call.emit(
      "Slice", [x, place(start, "the start"), last, b.constant([axis]), b.constant([step])])
  }

  private static func padded(_ call: ONNXCall) throws -> String {
    // Amounts begin with the last dimension.
    let sides = call.sides, amounts = call.lengths("pad")
    var begins = sides.map { $0 * 0 }, ends = begins
    for index in 0..<amounts.count / 2 {
      begins[sides.count - 1 - index] = amounts[2 * index]
      ends[sides.count - 1 - index] = amounts[2 * index + 1]
    }
    guard (begins + ends).contains(where: { $0.fixed != 0 }) else { return call.x }
    let b = call.builder
    guard (begins + ends).contains(where: { $0.fixed == nil }) else {
      let pads = (begins + ends).map { $0.values[0] }
      return call.emit("Pad", [call.x, b.constant(pads), call.scalar("value")])
    }
    // Small amounts tell little of where they come from; the result's sides tell more.
    let before = call.ints(begins, "'pad'")
    let after = call.emit(
      "Sub",
      [
        call.emit("Sub", [call.ints(call.results, "'pad'"), call.ints(sides, "'pad'")]), before,
      ])
    let pads = call.emit("Concat", [before, after], ["axis": .int(0)])
    return call.emit("Pad", [call.x, pads, call.scalar("value")])
  }
}
