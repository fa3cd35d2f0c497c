import Torch

/// What ONNX's operators are here: each becomes the operators that the networks of the catalogue call.
enum ONNXOperators {
  typealias Rule = @Sendable (ONNXStep) throws -> [ONNXValue]

  /// The rules by the operators' names.
  static let all: [String: Rule] = [
    elementwise, comparisons, activations, maps, resizing, normalizations, products, reductions,
    shapes, cutting,
    indexing, quantization, fused, patterns,
  ].reduce(into: [:]) { $0.merge($1) { _, last in last } }

  /// The names of ONNX's operators that are supported, in order.
  static let names: [String] =
    (all.keys.filter { !$0.hasPrefix("atrous.") } + ONNXPatterns.expanded + ["Constant", "If"])
    .sorted()

  /// A rule of one input and one result that are tensors.
  static func one(_ body: @escaping @Sendable (Tensor) -> Tensor) -> Rule {
    { step in [ONNXValue(body(try step.x))] }
  }

  /// A rule with one result that is a tensor.
  static func tensor(_ body: @escaping @Sendable (ONNXStep) throws -> Tensor) -> Rule {
    { step in [ONNXValue(try body(step))] }
  }

  /// Refuses a node with results that are not worked out.
  static func expectResults(_ step: ONNXStep, _ count: Int) throws {
    if step.node.outputs.dropFirst(count).contains(where: { !$0.isEmpty }) {
      throw ONNXRefusal("more than \(count) of its results are wanted, which only training has")
    }
  }
}

extension Operator {
  /// An operator of libtorch that has no typed form, looked up at its first use.
  static func named(_ name: String, _ overload: String = "") -> Operator {
    Operator(name, overload)
  }
}
