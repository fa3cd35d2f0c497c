import Torch

/// A graph of ONNX's as it is run: nodes in an order in which each takes what is there before it.
struct ONNXProgram {
  /// A tensor that the file's network takes or gives.
  struct Port {
    var name: String
    /// The type of its elements; nil where the file does not say.
    var dtype: DType?
    /// The length of each dimension, nil for a free one; nil if nothing is said.
    var shape: [Int?]?
  }

  var nodes: [ONNXNode] = []
  var constants: [String: ONNXConstant] = [:]
  var inputs: [Port] = []
  var outputs: [Port] = []
}

/// A call of one of ONNX's operators.
struct ONNXNode {
  /// An attribute's value.
  enum Attribute {
    case int(Int)
    case float(Double)
    case string(String)
    case ints([Int])
    case floats([Double])
    case strings([String])
    case array(ONNXArray)
    case graph(ONNXProgram)
  }

  /// The node's own name, or that of its first result.
  var name: String
  /// The operator; others than ONNX's own with their domain, `com.microsoft.FusedConv`.
  var type: String
  /// The names of what it takes; empty for what is left out.
  var inputs: [String]
  var outputs: [String]
  var attributes: [String: Attribute] = [:]

  /// The operator and the name for messages.
  var title: String { "\(type) '\(name)'" }

  /// The names that it needs, those that its branches take from around them included.
  var needed: [String] {
    inputs.filter { !$0.isEmpty }
      + attributes.values.flatMap { attribute -> [String] in
        guard case .graph(let body) = attribute else { return [] }
        return body.needed
      }
  }

  func int(_ name: String) -> Int? {
    if case .int(let value)? = attributes[name] { value } else { nil }
  }
  func float(_ name: String) -> Double? {
    switch attributes[name] {
    case .float(let value): value
    case .int(let value): Double(value)
    default: nil
    }
  }
  func string(_ name: String) -> String? {
    if case .string(let value)? = attributes[name] { value } else { nil }
  }
  func ints(_ name: String) -> [Int]? {
    if case .ints(let list)? = attributes[name] { list } else { nil }
  }
}

extension ONNXProgram {
  /// What it takes from around it.
  var needed: [String] {
    var own = Set(constants.keys).union(inputs.map(\.name))
    var result: [String] = []
    for node in nodes {
      result += node.needed.filter { !own.contains($0) }
      own.formUnion(node.outputs)
    }
    return result + outputs.map(\.name).filter { !own.contains($0) }
  }

  /// How often each name is taken, by nodes, their branches and as a result.
  var uses: [String: Int] {
    var uses: [String: Int] = [:]
    for node in nodes { for name in node.needed { uses[name, default: 0] += 1 } }
    for output in outputs { uses[output.name, default: 0] += 1 }
    return uses
  }

  /// The program without nodes and constants that no result needs.
  var pruned: ONNXProgram {
    var needed = Set(outputs.map(\.name)), kept: [ONNXNode] = []
    for node in nodes.reversed() where node.outputs.contains(where: needed.contains) {
      kept.append(node)
      needed.formUnion(node.needed)
    }
    var result = self
    result.nodes = kept.reversed()
    result.constants = constants.filter { needed.contains($0.key) }
    return result
  }
}
