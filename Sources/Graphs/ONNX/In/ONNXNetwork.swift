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
  /// What was left out at the end, where the file goes on from the scores: `Softmax`, `ArgMax`.
  package let omitted: [String]

  private let program: ONNXProgram
  private let limits: ONNXLimits
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
    _ data: Data, named file: String, giving result: Result = .scores, limits: ONNXLimits = ONNXLimits()
  ) throws {
    try self.init(try ONNXReader(data, file: file, limits: limits), giving: result)
  }

  private init(_ reader: ONNXReader, giving result: Result) throws {
    (file, opset, metadata, limits) = (reader.file, reader.opset, reader.metadata, reader.limits)
    try Self.check(reader.program, reader.file)
    let end = ONNXEnd(reader.program, scores: result == .scores)
    omitted = end.omitted
    program = ONNXPatterns.applied(to: end.program, opset: reader.opset)
    output = end.program.outputs[0].name
    input = try Self.input(program, reader.file)

    let parts = ONNXPart()
    var constants: [String: ONNXValue] = [:]
    for (name, constant) in program.constants.sorted(by: { $0.key < $1.key }) {
      let array = try constant.array()
      // Numbers that shapes are worked out from are no weights.
      if let array, !constant.dtype.isFloatingPoint || constant.shape.isEmpty {
        constants[name] = ONNXValue(array)
      } else {
        let tensor = try constant.tensor()
        let kept: Tensor =
          constant.dtype.isFloatingPoint ? Parameter(tensor) : Buffer(tensor)
        parts.add(kept, name: name)
        constants[name] = ONNXValue(kept, array)
      }
    }
    (self.parts, self.constants) = (parts, constants)

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
    for node in program.nodes where node.type != "If" && ONNXOperators.all[node.type] == nil {
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
        file: file, found: used.isEmpty ? "no input" : "the inputs \(names)", expected: "a single image")
    }
    guard let dtype = used[0].dtype, let shape = used[0].shape else {
      throw ONNXError.damaged(
        file: file, reason: "the type and the dimensions of its input '\(used[0].name)' are not said")
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
    _ program: ONNXProgram, _ values: inout [String: ONNXValue], device: Device, _ lastUses: [[String]]
  ) throws {
    for (index, node) in program.nodes.enumerated() {
      let inputs = try node.inputs.map { name -> ONNXValue? in
        if name.isEmpty { return nil }
        guard let value = values[name] ?? constants[name] else {
          throw ONNXError.damaged(file: file, reason: "\(node.title) takes '\(name)', which is not there")
        }
        return value
      }
      let results = try call(node, inputs, &values, device: device)
      for (name, value) in zip(node.outputs, results) where !name.isEmpty { values[name] = value }
      if index < lastUses.count { for name in lastUses[index] { values[name] = nil } }
    }
  }

  private func call(
    _ node: ONNXNode, _ inputs: [ONNXValue?], _ values: inout [String: ONNXValue], device: Device
  ) throws -> [ONNXValue] {
    func failed(_ reason: String) -> ONNXError {
      let list = inputs.map { $0?.description ?? "nothing" }.joined(separator: ", ")
      return .node(file: file, node: node.title, inputs: list, reason: reason)
    }
    do {
      if node.type == "If" { return try branch(node, inputs, values, device: device) }
      guard let rule = ONNXOperators.all[node.type] else {
        throw ONNXRefusal("it is not supported")
      }
      let step = ONNXStep(
        node: node, inputs: inputs, opset: opset, limits: limits, device: device)
      let results = try attempt { try rule(step) }
      for result in results { try step.admit(result.shape) }
      guard results.count >= node.outputs.count else {
        throw ONNXRefusal("it has \(node.outputs.count) results, expected \(results.count)")
      }
      return results
    } catch let refusal as ONNXRefusal {
      throw failed(refusal.reason)
    } catch let error as TorchError {
      throw failed(error.message)
    }
  }

  /// The branch that a condition chooses, which has to be known before the network runs.
  private func branch(
    _ node: ONNXNode, _ inputs: [ONNXValue?], _ values: [String: ONNXValue], device: Device
  ) throws -> [ONNXValue] {
    guard let condition = inputs.first??.array?.single else {
      throw ONNXRefusal("its condition depends on the image's pixels")
    }
    guard case .graph(let body)? = node.attributes[condition != 0 ? "then_branch" : "else_branch"] else {
      throw ONNXRefusal("a branch is missing")
    }
    var own = values
    for (name, constant) in body.constants {
      own[name] = try constant.array().map { ONNXValue($0) } ?? ONNXValue(constant.tensor().to(device))
    }
    try run(body, &own, device: device, [])
    return try body.outputs.map { output in
      guard let value = own[output.name] ?? constants[output.name] else {
        throw ONNXRefusal("nothing gives '\(output.name)'")
      }
      return value
    }
  }
}

/// The tensors whose names begin alike.
final class ONNXPart: Module {
  private var inner: [(name: String, module: Module)] = []

  override var children: [(name: String, module: Module)] { inner }

  /// Adds a tensor under the parts of its name.
  func add(_ tensor: Tensor, name: String) {
    // A name of many dots would make parts that lie too deep in one another.
    var parts = name.split(separator: ".", maxSplits: 15, omittingEmptySubsequences: false)
      .map(String.init)
    let last = parts.removeLast()
    var place = self
    for part in parts {
      if let known = place.inner.first(where: { $0.name == part })?.module as? ONNXPart {
        place = known
      } else {
        let new = ONNXPart()
        place.inner.append((part, new))
        place = new
      }
    }
    place.inner.append(("", ONNXTensor(tensor, last)))
  }
}

/// A tensor under a name that no property could have.
private final class ONNXTensor: Module {
  private let value: Tensor
  private let name: String

  init(_ value: Tensor, _ name: String) { (self.value, self.name) = (value, name) }

  override var keys: [String: String] { ["value": name] }
}

extension ONNXNetwork {
  /// Whether a file is in ONNX's notation, by its name or its first bytes.
  package static func isFile(_ path: String) -> Bool {
    guard !FileSystem.isFolder(path) else { return false }
    if path.fileSuffix == "onnx" { return true }
    // A message begins with the version of its form, which is small, and another field.
    let start = FileSystem.beginning(path, 9)
    let fields: Set<UInt8> = [0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42, 0x72]
    return start.count == 9 && start[0] == 0x08 && (3...30).contains(start[1]) && fields.contains(start[2])
      && start[8] != UInt8(ascii: "{")
  }
}
