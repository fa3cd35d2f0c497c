import Files
import Foundation
import Torch

/// A network that an ONNX file describes: its nodes are run by the operators that our own networks call, so
/// that recorders, counters and gradients see nothing new.
package final class ONNXNetwork: Layer {
  /// The file.
  package let file: String
  /// The version of the file's operators.
  package let opset: Int
  /// What the file says of itself.
  package let metadata: [String: String]
  /// The input's name, type, and the length of each dimension; nil for a free one.
  package let input: (name: String, dtype: DType, shape: [Int?])
  /// The name of the result that is given.
  package let output: String
  /// The names of all results of the file, and their lengths where it says them; nil for free ones.
  package let results: [(name: String, shape: [Int?]?)]
  /// What was left out at the end, where the file goes on from the scores: `Softmax`, `ArgMax`.
  package let omitted: [String]

  private let program: ONNXProgram
  private let interpreter: ONNXInterpreter
  private let parts: ONNXPart
  /// The constants by name.
  private let constants: [String: ONNXValue]
  /// For each node the names that nothing needs after it.
  private let lastUses: [[String]]

  /// What a file's network gives.
  package enum Result: Sendable {
    /// The scores of each class before softmax or the choice of the best.
    case scores
    /// The first result that the file names, whole.
    case whole
  }

  /// Reads a file.
  ///
  /// - Throws: ``ONNXError``.
  package convenience init(
    _ file: String, giving result: Result = .scores, limits: ONNXLimits = ONNXLimits()
  ) throws {
    try self.init(try ONNXReader(file, limits: limits), giving: result)
  }

  /// Reads a file's bytes, as a message of ONNX's has them; elements in other files are looked for beside
  /// `file`.
  ///
  /// - Throws: ``ONNXError``.
  package convenience init(
    _ data: Data, named file: String, giving result: Result = .scores,
    limits: ONNXLimits = ONNXLimits()
  ) throws {
    try self.init(try ONNXReader(data, file: file, limits: limits), giving: result)
  }

  private init(_ reader: ONNXReader, giving result: Result) throws {
    (file, opset, metadata) = (reader.file, reader.opset, reader.metadata)
    interpreter = ONNXInterpreter(file: reader.file, opset: reader.opset, limits: reader.limits)
    try Self.check(reader.program, reader.file)
    let end = ONNXEnd(reader.program, scores: result == .scores)
    omitted = end.omitted
    results = reader.program.outputs.map { ($0.name, $0.shape) }
    let replaced = ONNXPatterns.applied(to: end.program, opset: reader.opset)
    output = end.program.outputs[0].name
    input = try Self.input(replaced, reader.file)
    let folded = try ONNXFolding(replaced, interpreter)
    (program, parts, constants) = (folded.program, folded.parts, folded.constants)

    var lastUses = [[String]](repeating: [], count: program.nodes.count)
    var seen = Set(program.outputs.map(\.name))
    for index in program.nodes.indices.reversed() {
      for name in program.nodes[index].needed + program.nodes[index].outputs
      where seen.insert(name).inserted { lastUses[index].append(name) }
    }
    self.lastUses = lastUses
    super.init()
    train(false)
  }

  package override var children: [(name: String, module: Module)] { [("", parts)] }

  /// The parts of the network as the names of its weights group them.
  package var named: [(name: String, module: Module)] { parts.children }

  /// The operators of the file that are run, with how often.
  package var operators: [String: Int] {
    program.nodes.reduce(into: [:]) { $0[$1.type, default: 0] += 1 }
  }

  // MARK: Checks

  private static func check(_ program: ONNXProgram, _ file: String) throws {
    let known = ONNXPatterns.expanded.union(ONNXOperators.all.keys).union(["If"])
    for node in program.nodes where !known.contains(node.type) {
      throw ONNXError.unknownOperator(
        file: file, node: node.title, inputs: node.inputs.map { "'\($0)'" }.joined(separator: ", "))
    }
  }

  private static func input(
    _ program: ONNXProgram, _ file: String
  ) throws -> (name: String, dtype: DType, shape: [Int?]) {
    let needed = Set(program.nodes.flatMap(\.needed))
    let used = program.inputs.filter { needed.contains($0.name) }
    guard used.count == 1 else {
      let names = used.map { "'\($0.name)'" }.joined(separator: ", ")
      throw ONNXError.unsupported(
        file: file, found: used.isEmpty ? "no input" : "the inputs \(names)",
        expected: "a single image")
    }
    guard let dtype = used[0].dtype, let shape = used[0].shape else {
      throw ONNXError.damaged(
        file: file,
        reason: "the type and the dimensions of its input '\(used[0].name)' are not said")
    }
    return (used[0].name, dtype, shape)
  }

  // MARK: Running

  /// What the network gives for its input, of the type and shape that the file says.
  ///
  /// What fails is told as operators tell it; see `attempt`.
  package override func forward(_ x: Tensor) -> Tensor {
    do { return try run(x) } catch {
      if let error = error as? TorchError {
        Door.fail(error.operation, error.message)
      } else {
        Door.fail("an ONNX file", "\(error)")
      }
      return x
    }
  }

  /// What the network gives for its input.
  ///
  /// - Throws: ``ONNXError`` with the node that failed.
  package func run(_ x: Tensor) throws -> Tensor {
    try checkInput(x)
    var values = [input.name: ONNXValue(x)]
    try run(program, &values, device: x.device, lastUses)
    guard let result = values[program.outputs[0].name] ?? constants[program.outputs[0].name] else {
      throw ONNXError.damaged(file: file, reason: "nothing gives its output")
    }
    return result.tensor
  }

  private func checkInput(_ x: Tensor) throws {
    let isFitting =
      x.dtype == input.dtype && x.rank == input.shape.count
      && zip(x.shape, input.shape).allSatisfy { $1 == nil || $0 == $1 }
    guard isFitting else {
      throw ONNXError.input(
        file: file, found: "\(x.dtype) \(x.shape)", expected: "\(input.dtype) \(inputText)")
    }
  }

  /// The input's dimensions in words.
  package var inputText: String {
    "[" + input.shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", ") + "]"
  }

  private func run(
    _ program: ONNXProgram, _ values: inout [String: ONNXValue], device: Device,
    _ lastUses: [[String]]
  ) throws {
    for (index, node) in program.nodes.enumerated() {
      let inputs = try node.inputs.map { name -> ONNXValue? in
        if name.isEmpty { return nil }
        guard let value = values[name] ?? constants[name] else {
          throw ONNXError.damaged(
            file: file, reason: "\(node.title) takes '\(name)', which is not there")
        }
        return value
      }
      let results =
        node.type == "If"
        ? try branch(node, inputs, values, device: device)
        : try interpreter.call(node, inputs, device: device)
      for (name, value) in zip(node.outputs, results) where !name.isEmpty { values[name] = value }
      if index < lastUses.count { for name in lastUses[index] { values[name] = nil } }
    }
  }

  /// The branch that a condition chooses, which has to be known before the network runs.
  private func branch(
    _ node: ONNXNode, _ inputs: [ONNXValue?], _ values: [String: ONNXValue], device: Device
  ) throws -> [ONNXValue] {
    func failed(_ reason: String) -> ONNXError {
      interpreter.failed(node, inputs, reason)
    }
    guard let condition = inputs.first??.array?.single else {
      throw failed("its condition depends on the image's pixels")
    }
    guard case .graph(let body)? = node.attributes[condition != 0 ? "then_branch" : "else_branch"]
    else {
      throw failed("a branch is missing")
    }
    var own = values
    for (name, constant) in body.constants {
      own[name] =
        try constant.array().map { ONNXValue($0) } ?? ONNXValue(constant.tensor().to(device))
    }
    try run(body, &own, device: device, [])
    return try body.outputs.map { output in
      guard let value = own[output.name] ?? constants[output.name] else {
        throw failed("nothing gives '\(output.name)'")
      }
      return value
    }
  }
}

extension ONNXNetwork {
  /// Whether a file is in ONNX's notation, by its name or its first bytes.
  package static func isFile(_ path: String) -> Bool {
    guard !FileSystem.isFolder(path) else { return false }
    if path.fileSuffix == "onnx" { return true }
    // A message begins with the version of its form, which is small, and another field.
    let start = FileSystem.beginning(path, 9)
    let fields: Set<UInt8> = [0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72]
    return start.count == 9 && start[0] == 0x08 && (3...30).contains(start[1])
      && fields.contains(start[2])
      && start[8] != UInt8(ascii: "{")
  }
}
