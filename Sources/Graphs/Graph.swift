import Torch

/// A network as operators between values, as one forward pass called them.
package struct Graph {
  /// The place of a value in ``values``.
  package typealias ValueID = Int

  /// A tensor of the pass.
  package struct Value {
    /// The length of each dimension.
    package let shape: [Int]
    /// The type of the elements.
    package let dtype: DType
  }

  /// A tensor that is there before the pass.
  package struct Initializer {
    /// The name in the state dictionary; a derived one for what is computed from such a tensor, and a
    /// number for what the network makes itself.
    package let name: String
    /// The elements; without memory in a graph that was recorded on shapes alone.
    package let tensor: Tensor
  }

  /// A call of an operator.
  package struct Node {
    /// An argument that is a value.
    package struct Input {
      /// The argument's name in the operator's schema; those of a list share one.
      package let name: String
      /// The value.
      package let value: ValueID
    }

    /// The operator's name, of other namespaces than `aten` with it: `conv2d`, `atrous::linear`; `fused::…`
    /// for what passes made of several.
    package let kind: String
    /// The operator that was called, with the number of arguments that it was given; nil for what passes
    /// made.
    package var call: (operation: Operator, arguments: Int)?
    /// The values that it takes, in the order of the schema.
    package var inputs: [Input]
    /// For each argument that is a list of tensors, which of its elements there are.
    package var lists: [String: [Bool]] = [:]
    /// Its other arguments by their names, with the schema's defaults where the call left them out.
    package var attributes: [String: Torch.Value]
    /// The values that it gives.
    package var outputs: [ValueID]
    /// The module whose parameters it uses; for an operator without any the last one before it.
    package let layer: String
    /// Whether ``layer`` is that of an operator before it.
    package let isAfterLayer: Bool

    /// The value of this name; nil if the call had none.
    package func input(_ name: String) -> ValueID? { inputs.first { $0.name == name }?.value }
    /// The values of a list.
    package func inputs(_ name: String) -> [ValueID] {
      inputs.compactMap { $0.name == name ? $0.value : nil }
    }
  }

  /// Every value, those of initializers included.
  package internal(set) var values: [Value] = []
  /// The operators, each after those whose values it takes.
  package internal(set) var nodes: [Node] = []
  /// What the pass was given, and what it gave.
  package internal(set) var inputs: [ValueID] = [], outputs: [ValueID] = []
  /// Values whose numbers a file rounds to codes of eight bits before anyone reads them.
  var codes: [ValueID: Code] = [:]
  /// The values that are there before the pass.
  package internal(set) var initializers: [ValueID: Initializer] = [:]

  /// The graph without operators and initializers that no output needs.
  package var pruned: Graph {
    var needed = Set(outputs)
    var kept: [Node] = []
    for node in nodes.reversed() where !needed.isDisjoint(with: node.outputs) {
      kept.append(node)
      needed.formUnion(node.inputs.map(\.value))
    }
    var result = self
    result.nodes = kept.reversed()
    result.initializers = initializers.filter { needed.contains($0.key) }
    return result
  }
}

/// Why a network cannot be recorded or written.
package enum GraphError: Error, Sendable, Equatable, CustomStringConvertible {
  /// An operator reads memory that another one wrote over.
  case overwritten(kind: String, layer: String)
  /// A result of the network does not depend on its input.
  case constant
  /// There is no rule for an operator, or not for what it is given.
  case unsupported(kind: String, layer: String, reason: String)
  /// A map has other channels than the weights of an operator.
  case channels(kind: String, layer: String, found: Int, expected: Int)
  /// A graph without the numbers of its constants.
  case withoutNumbers(name: String)

  /// The message for a person.
  package var description: String {
    switch self {
    case .overwritten(let kind, let layer):
      "the operator \(kind) \(layer) reads memory that another operator wrote over"
    case .constant: "the network's result does not depend on its input"
    case .unsupported(let kind, let layer, let reason):
      "the operator \(kind) \(layer) has no form in ONNX: \(reason)"
    case .channels(let kind, let layer, let found, let expected):
      "the operator \(kind) of \(layer) takes \(expected) channels, not \(found)"
    case .withoutNumbers(let name): "\(name) was recorded without its numbers"
    }
  }
}
