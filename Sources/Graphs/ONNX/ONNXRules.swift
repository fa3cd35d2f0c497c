import Torch

/// What operators are in ONNX.
///
/// A rule adds nodes and gives the names of the operator's results. Numbers that it asks for as they are have
/// to be the same for all recorded sizes; what may depend on the size it asks for as lengths.
enum ONNXRules {
  typealias Rule = @Sendable (ONNXCall) throws -> [String]

  /// The rules by the operators' names.
  static let all = [elementwise, arithmetic, shapes, maps, normalizations, products, units].reduce(
    into: [:]) {
      $0.merge($1) { _, _ in fatalError("an operator has two rules") }
    }

  /// A rule of one result.
  static func one(_ rule: @escaping @Sendable (ONNXCall) throws -> String) -> Rule {
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
        "Clip", [call.x] + ["min", "max"].map { call.has($0) ? call.scalar($0) : "" })
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
        let name = call.has("other") ? "other" : "exponent"
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
}
