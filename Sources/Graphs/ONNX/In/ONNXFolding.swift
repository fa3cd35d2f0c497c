import Torch

/// A program whose nodes that depend on constants alone were run once, and its constants as tensors.
struct ONNXFolding {
  private(set) var program: ONNXProgram
  /// The constants by name, those that were worked out included.
  private(set) var constants: [String: ONNXValue] = [:]
  /// The tensors among them under their names.
  let parts = ONNXPart()

  /// The most elements of a constant that is worked out and kept, beyond those that it is made of.
  private static let keptCount = 1 << 22

  /// - Throws: ``ONNXError``.
  init(_ whole: ONNXProgram, _ interpreter: ONNXInterpreter) throws {
    program = whole
    var values: [String: ONNXValue] = [:], rest: [ONNXNode] = []
    var weights: [(name: String, constant: ONNXConstant, array: ONNXArray?)] = []
    for (name, constant) in whole.constants {
      let array = try constant.array()
      // Whole numbers, and numbers without dimensions, are no weights.
      if let array, !constant.dtype.isFloatingPoint || constant.shape.isEmpty {
        values[name] = ONNXValue(array)
      } else {
        weights.append((name, constant, array))
      }
    }
    for (weight, tensor) in zip(weights, try ONNXConstant.tensors(weights.map(\.constant))) {
      values[weight.name] = ONNXValue(tensor, weight.array)
    }
    // Where there are shapes only, all tensors are on a device of their own.
    let device = Tensor(0).device
    try withoutGradients {
      for node in whole.nodes {
        let inputs = node.inputs.map { $0.isEmpty ? nil : values[$0] }
        guard node.type != "If", zip(node.inputs, inputs).allSatisfy({ $0.isEmpty || $1 != nil })
        else {
          rest.append(node)
          continue
        }
        let results = try interpreter.call(node, inputs, device: device)
        let given = inputs.reduce(0) { $0 + ($1.map { elementCount($0.shape) ?? 0 } ?? 0) }
        guard
          results.allSatisfy({ (elementCount($0.shape) ?? 0) <= max(2 * given, Self.keptCount) })
        else {
          rest.append(node)
          continue
        }
        for (name, value) in zip(node.outputs, results) where !name.isEmpty { values[name] = value }
      }
    }
    program.nodes = rest
    let needed = Set(rest.flatMap(\.needed) + whole.outputs.map(\.name))
    let statistics = Set(
      rest.filter { $0.type == "BatchNormalization" }.flatMap { $0.inputs.dropFirst(3) })
    for (name, value) in values.sorted(by: { $0.key < $1.key }) where needed.contains(name) {
      if let array = value.array, !array.dtype.isFloatingPoint || array.shape.isEmpty {
        constants[name] = ONNXValue(array)
        continue
      }
      // What was worked out is no parameter, nor are the statistics of a normalization.
      let isWeight =
        whole.constants[name] != nil && value.dtype.isFloatingPoint && !statistics.contains(name)
      let kept: Tensor = isWeight ? Parameter(value.tensor) : Buffer(value.tensor)
      parts.add(kept, name: name)
      constants[name] = ONNXValue(kept, value.array)
    }
  }
}
