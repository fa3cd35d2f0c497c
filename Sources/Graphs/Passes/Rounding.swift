import Torch

extension Pass {
  /// A map that a file rounds to codes of eight bits and back lies in that code, and convolutions multiply the codes,
  /// where their weights are codes, too.
  static let codes = Pass(
    name: "codes", summary: "rounding to eight bits and back as the code in which a map lies"
  ) { graph, settings in
    guard settings.precision == .float32, !settings.isWatched,
      InferencePrecision.int8.isSupported
    else { return }
    graph.takeCodes()
  }

  /// The operators that may read numbers of a code: what is no product among them takes them unrounded where nothing keeps
  /// the map in eight bits, which is nearer to the network than the file.
  fileprivate static let readersOfCodes: Set<String> = [
    "add", "mul", "cat", "relu", "hardtanh", "hardswish", "hardsigmoid", "sigmoid", "silu",
    "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "mean", "upsample_bilinear2d",
    "upsample_nearest2d", "constant_pad_nd", "batch_norm",
  ]
}

extension Graph.Node {
  /// The code in which a file has a convolution take its map.
  var fileCode: Code? {
    double("code_step").map { Code(step: $0, zero: int("code_zero")) }
  }
}

extension Graph {
  fileprivate mutating func takeCodes() {
    let search = RoundingSearch(self)
    var originals: [ValueID: ValueID] = [:]
    for value in values.indices {
      guard let found = search.rounding(of: value) else { continue }
      codes[value] = found.code
      for result in found.results { originals[result] = value }
    }
    guard !codes.isEmpty else { return }
    for place in nodes.indices {
      for index in nodes[place].inputs.indices {
        let input = nodes[place].inputs[index]
        guard let original = originals[input.value] else { continue }
        nodes[place].inputs[index] = .init(name: input.name, value: original)
        if let code = codes[original], input.name == "input", search.multiplies(nodes[place]) {
          nodes[place].attributes["code_step"] = .double(code.step)
          nodes[place].attributes["code_zero"] = .int(code.zero)
        }
      }
    }
    self = pruned
  }
}

/// Finds rounding to codes and back in a graph: x / step, the nearest whole number, plus the code of zero, cut off where
/// eight bits end; as a number again, less the code of zero, times the step.
private struct RoundingSearch {
  private let graph: Graph
  private var readers: [Graph.ValueID: [Graph.Node]] = [:]

  init(_ graph: Graph) {
    self.graph = graph
    for node in graph.nodes {
      for input in node.inputs { readers[input.value, default: []].append(node) }
    }
  }

  /// A code, and the values that hold what it leaves of a map's numbers.
  struct Rounding {
    let code: Code
    var results: [Graph.ValueID]
  }

  /// How the numbers of a map are rounded by all who read it alike; nil where they are not, or where someone reads the
  /// result who needs it rounded.
  func rounding(of value: Graph.ValueID) -> Rounding? {
    guard graph.initializers[value] == nil, graph.values[value].shape.count == 4,
      graph.values[value].dtype == .float32, !graph.outputs.contains(value),
      let own = readers[value]
    else { return nil }
    var whole: Rounding?
    for reader in own {
      guard let found = rounding(of: value, by: reader),
        whole.map({ $0.code == found.code }) ?? true
      else { return nil }
      whole = Rounding(code: found.code, results: (whole?.results ?? []) + found.results)
    }
    guard let whole, whole.code.zero > 0 || isPositive(value),
      whole.results.allSatisfy({ mayStayUnrounded($0) })
    else { return nil }
    return whole
  }

  /// Whether a convolution has codes for weights.
  func multiplies(_ node: Graph.Node) -> Bool {
    guard ["conv2d", "conv_transpose2d"].contains(node.kind), let weight = node.input("weight"),
      let tensor = graph.initializers[weight]?.tensor, tensor.dtype == .float32,
      tensor.rank == 4, !tensor.isWithoutMemory
    else { return false }
    // The outputs of a transposed convolution are its weights' second dimension.
    let byOutputs = node.kind == "conv2d" ? tensor : tensor.transposed(0, 1)
    return Operator.inCodes.number(byOutputs.detached()) == 1
  }

  /// Whether a map has no negative numbers.
  ///
  /// Rounding that begins at zero may stand for a ReLU or ReLU6, which files of other programs leave out then. They do
  /// so behind products and sums; of joined, pooled and enlarged maps it is taken for granted that a code without
  /// negative numbers was found for maps without them.
  private func isPositive(_ value: Graph.ValueID) -> Bool {
    guard let maker = graph.nodes.first(where: { $0.outputs.contains(value) }) else { return false }
    return ["relu", "hardtanh", "sigmoid", "hardsigmoid"].contains(maker.kind)
      && (maker.kind != "hardtanh" || maker.double("min_val") == 0)
      || ["max_pool2d", "cat", "upsample_bilinear2d", "upsample_nearest2d", "mean"].contains(
        maker.kind)
  }

  private func mayStayUnrounded(_ result: Graph.ValueID) -> Bool {
    guard !graph.outputs.contains(result), let all = readers[result] else { return false }
    return all.allSatisfy { node in
      Pass.readersOfCodes.contains(node.kind) || multiplies(node)
    }
  }

  /// The way from `value` through `first` to codes and back.
  private func rounding(of value: Graph.ValueID, by first: Graph.Node) -> Rounding? {
    guard first.kind == "div", first.inputs.first?.value == value,
      let step = number(beside: value, of: first), step > 0, step.isFinite,
      let rounded = next(first), rounded.kind == "round", var node = next(rounded)
    else { return nil }
    var zero = 0.0
    if node.kind == "add" {
      guard let added = number(beside: rounded.outputs[0], of: node), let after = next(node) else {
        return nil
      }
      (zero, node) = (added, after)
    }
    guard node.kind == "clamp", let low = node.double("min"), let high = node.double("max"),
      let whole = next(node), whole.kind == "to", let codes = whole.outputs.first,
      !graph.outputs.contains(codes)
    else { return nil }
    let shift: Double
    switch graph.values[codes].dtype {
    case .uint8 where low == 0 && high == 255: shift = 0
    case .int8 where low == -128 && high == 127: shift = 128
    default: return nil
    }
    guard zero == zero.rounded(), (0...255).contains(zero + shift) else { return nil }
    var results: [Graph.ValueID] = []
    for back in readers[codes] ?? [] {
      guard let result = restored(back, step: step, zero: zero) else { return nil }
      results.append(result)
    }
    return results.isEmpty
      ? nil : Rounding(code: Code(step: step, zero: Int(zero + shift)), results: results)
  }

  /// The value of the numbers that codes stand for; nil for other operators.
  private func restored(_ back: Graph.Node, step: Double, zero: Double) -> Graph.ValueID? {
    guard back.kind == "to", graph.values[back.outputs[0]].dtype == .float32,
      var node = next(back)
    else { return nil }
    var last = back.outputs[0]
    if node.kind == "sub" {
      guard node.inputs.first?.value == last, number(beside: last, of: node) == zero,
        let after = next(node)
      else { return nil }
      (last, node) = (node.outputs[0], after)
    } else if zero != 0 {
      return nil
    }
    guard node.kind == "mul", number(beside: last, of: node) == step else { return nil }
    return node.outputs[0]
  }

  /// Who alone reads what a node gives.
  private func next(_ node: Graph.Node) -> Graph.Node? {
    guard let all = readers[node.outputs[0]], all.count == 1,
      !graph.outputs.contains(node.outputs[0])
    else { return nil }
    return all[0]
  }

  /// The constant number that an operator takes beside a value.
  private func number(beside value: Graph.ValueID, of node: Graph.Node) -> Double? {
    guard node.inputs.count == 2, node.double("alpha") ?? 1 == 1,
      let other = node.inputs.first(where: { $0.value != value })?.value,
      let tensor = graph.initializers[other]?.tensor, tensor.count == 1, !tensor.isWithoutMemory
    else { return nil }
    return tensor.item
  }
}

extension Operator {
  fileprivate static let inCodes = Operator("in_codes", namespace: "atrous")
}
