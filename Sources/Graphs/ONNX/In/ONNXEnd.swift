/// What a network does with its scores at the end, which is left out where the scores themselves are wanted:
/// softmax, the choice of the best class, and changes of type and order beside them.
struct ONNXEnd {
  /// The program, which gives one result.
  private(set) var program: ONNXProgram
  /// The operators that were left out, the last one first.
  private(set) var omitted: [String] = []

  /// Chooses the result: the first, or for scores `out`, `logits` or `output`, or else the first with four
  /// dimensions.
  init(_ program: ONNXProgram, scores: Bool) {
    self.program = program
    let outputs = program.outputs
    guard scores else {
      self.program.outputs = Array(outputs.prefix(1))
      return
    }
    let chosen =
      ["out", "logits", "output"].lazy.compactMap { name in outputs.first { $0.name == name } }
      .first
      ?? outputs.first { $0.shape?.count == 4 } ?? outputs.first
    self.program.outputs = chosen.map { [$0] } ?? []
    cut()
  }

  /// Leaves out what follows the scores.
  private mutating func cut() {
    guard let output = program.outputs.first else { return }
    let producers = program.producers
    /// The node that gives a name, and what it takes first.
    func producer(_ name: String) -> ONNXNode? { producers[name].map { program.nodes[$0] } }
    let uses = program.uses
    var name = output.name, last = name
    var skipped: [String] = []
    // Classes are chosen where an ArgMax is found behind changes of type, order and size.
    while let node = producer(name), let first = node.inputs.first {
      switch node.type {
      case "Softmax", "LogSoftmax", "Sigmoid":
        // A sigmoid that others need is part of the network.
        guard node.type != "Sigmoid" || uses[name] == 1 else { break }
        omitted += skipped + [node.type]
        skipped = []
        (name, last) = (first, first)
        continue
      case "ArgMax":
        omitted += skipped + [node.type]
        skipped = []
        (name, last) = (first, first)
        continue
      case "Identity", "Cast", "Squeeze", "Unsqueeze", "Reshape", "Transpose":
        skipped.append(node.type)
        name = first
        continue
      default: break
      }
      break
    }
    guard last != output.name else { return }
    program.outputs = [ONNXProgram.Port(name: last, dtype: nil, shape: nil)]
  }
}

extension ONNXProgram {
  /// The node that gives each name.
  var producers: [String: Int] {
    var result: [String: Int] = [:]
    for (index, node) in nodes.enumerated() { for name in node.outputs { result[name] = index } }
    return result
  }
}
