import Torch

/// Figures of nodes that stand for one operator of ours: each pattern looks at the last node of its figure
/// and leaves alone what it does not fully recognise.
enum ONNXPatterns {
  /// A pattern: what takes a node's place, in order; nil where it is not the end of the figure.
  typealias Pattern = @Sendable (inout ONNXMatcher, ONNXNode) -> [ONNXNode]?

  /// The patterns in the order in which they are tried.
  static let all: [Pattern] = [
    quantizedPattern, fusedPattern, dilationPattern, depthDilationPattern, geluPattern, siluPattern,
    hardSwishPattern,
    layerNormPattern,
    attentionPattern,
    linearPattern,
  ]

  /// The program with the figures replaced, and without what nothing needs.
  static func applied(to program: ONNXProgram, opset: Int) -> ONNXProgram {
    var result = program.withoutAliases.pruned
    for pattern in all {
      var matcher = ONNXMatcher(result, opset: opset)
      var nodes: [ONNXNode] = []
      for node in result.nodes { nodes += pattern(&matcher, node) ?? [node] }
      result.nodes = nodes
      result.constants = matcher.program.constants
      result = result.pruned
    }
    return result
  }
}

extension ONNXProgram {
  /// The program without nodes that give what they take.
  fileprivate var withoutAliases: ONNXProgram {
    var names: [String: String] = [:], kept: [ONNXNode] = []
    let results = Set(outputs.map(\.name))
    let inBranches = Set(
      nodes.flatMap { node in
        node.attributes.isEmpty ? [] : node.needed.filter { !node.inputs.contains($0) }
      })
    for var node in nodes {
      node.inputs = node.inputs.map { names[$0] ?? $0 }
      let output = node.outputs.first ?? ""
      if let source = unchanged(by: node), !results.contains(output), !inBranches.contains(output) {
        names[output] = source
      } else {
        kept.append(node)
      }
    }
    var result = self
    result.nodes = kept
    return result
  }

  /// Of a node that changes nothing what it takes: 0 is added or 1 multiplied with, as Paddle's `scale` leaves them.
  private func unchanged(by node: ONNXNode) -> String? {
    if node.type == "Identity" { return node.inputs.first }
    let neutral = ["Add": 0.0, "Sub": 0, "Mul": 1, "Div": 1]
    guard node.inputs.count == 2, let number = neutral[node.type] else { return nil }
    // A number without dimensions leaves the other's as they are.
    func isNeutral(_ name: String) -> Bool {
      guard let constant = constants[name], constant.shape.isEmpty else { return false }
      return (try? constant.array())??.single == number
    }
    if isNeutral(node.inputs[1]) { return node.inputs[0] }
    let isCommutative = node.type == "Add" || node.type == "Mul"
    return isCommutative && isNeutral(node.inputs[0]) ? node.inputs[1] : nil
  }
}

/// What patterns ask of a program.
struct ONNXMatcher {
  private(set) var program: ONNXProgram
  let opset: Int
  private let producers: [String: Int]
  /// The places of the nodes that take a name.
  private let takers: [String: [Int]]

  init(_ program: ONNXProgram, opset: Int) {
    (self.program, self.opset) = (program, opset)
    producers = program.producers
    takers = program.nodes.enumerated().reduce(into: [:]) { all, node in
      for name in Set(node.element.inputs) { all[name, default: []].append(node.offset) }
    }
  }

  /// The nodes that take a value.
  func takers(_ name: String) -> [ONNXNode] { (takers[name] ?? []).map { program.nodes[$0] } }

  /// The node that gives a name, of one of these types.
  func producer(_ name: String, _ types: String...) -> ONNXNode? {
    guard let node = producers[name].map({ program.nodes[$0] }) else { return nil }
    return types.isEmpty || types.contains(node.type) ? node : nil
  }

  /// A constant of the file.
  func constant(_ name: String) -> ONNXConstant? { program.constants[name] }

  /// The number that a constant is; nil for others.
  func number(_ name: String) -> Double? {
    guard let constant = program.constants[name], constant.count == 1 else { return nil }
    return (try? constant.array())?.flatMap(\.single)
  }

  /// Whether a constant is this number, as far as single precision tells.
  func isNumber(_ name: String, _ value: Double) -> Bool {
    number(name).map { abs($0 - value) <= 1e-6 * Swift.max(1, abs(value)) } ?? false
  }

  /// Of a node with two inputs the value beside a number, and the number.
  func scaled(_ node: ONNXNode) -> (value: String, number: Double)? {
    guard node.inputs.count == 2 else { return nil }
    if let number = number(node.inputs[1]) { return (node.inputs[0], number) }
    if let number = number(node.inputs[0]) { return (node.inputs[1], number) }
    return nil
  }

  /// The factors of a product of products, at most so many levels deep.
  func factors(_ name: String, depth: Int = 2) -> [String] {
    guard depth > 0, let node = producer(name, "Mul"), node.inputs.count == 2 else { return [name] }
    return node.inputs.flatMap { factors($0, depth: depth - 1) }
  }

  /// A number as a constant of the program.
  mutating func constant(_ number: Double, named name: String) -> String {
    program.constants[name] = ONNXConstant(name, ONNXArray([], [number], .float32))
    return name
  }

  /// The matrix with its dimensions in the other order, as a constant.
  mutating func transposed(_ name: String) -> String? {
    guard var constant = program.constants[name], constant.shape.count == 2, !constant.isTransposed,
      constant.dtype.isFloatingPoint
    else { return nil }
    if case .array = constant.place { return nil }
    let new = "\(name)_T"
    if let known = program.constants[new] { return known.isTransposed ? new : nil }
    guard producers[new] == nil, !program.inputs.contains(where: { $0.name == new }) else {
      return nil
    }
    constant.isTransposed = true
    constant.name = new
    program.constants[new] = constant
    return new
  }
}

/// The nodes that stand for others, one after another.
struct ONNXReplacement {
  /// The name of the node that errors tell of, and what the names of results begin with.
  let name: String, stem: String
  private var nodes: [ONNXNode] = []

  init(name: String, stem: String) { (self.name, self.stem) = (name, stem) }

  /// Adds a node, and gives its result's name.
  mutating func add(
    _ type: String, _ inputs: [String], _ attributes: [String: ONNXNode.Attribute] = [:]
  ) -> String {
    let result = "\(stem)/atrous.\(nodes.count)"
    nodes.append(
      ONNXNode(name: name, type: type, inputs: inputs, outputs: [result], attributes: attributes))
    return result
  }

  /// The nodes, at least one, the last of which gives these results.
  func nodes(giving outputs: [String]) -> [ONNXNode] {
    var nodes = nodes
    nodes[nodes.count - 1].outputs = outputs
    return nodes
  }
}
