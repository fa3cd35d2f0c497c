import Files
import Foundation
import SwiftProtobuf
import Torch

/// Reads an ONNX file and checks that it is sound: what is read can be run without further surprises but
/// those that an operator finds.
struct ONNXReader {
  let file: String
  let limits: ONNXLimits
  /// The version of ONNX's own operators.
  private(set) var opset = 0
  /// What the file says of itself.
  private(set) var metadata: [String: String] = [:]
  private(set) var program = ONNXProgram()
  private var nodes = 0
  /// The names that the graph that is read has given so far, after those of the graphs around it.
  private var scopes: [Set<String>] = []
  /// The sizes of files with elements, by path.
  var sizes: [String: Int] = [:]

  /// The versions of the operators that are read.
  static let opsets = 11...23

  /// Reads a file.
  ///
  /// - Throws: ``ONNXError``.
  init(_ file: String, limits: ONNXLimits) throws {
    guard let status = FileSystem.status(file) else {
      throw ONNXError.unreadable(file: file, reason: FileSystem.reason(errno))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw ONNXError.unreadable(file: file, reason: "it is no regular file")
    }
    guard status.st_size <= limits.fileBytes else {
      throw ONNXError.damaged(
        file: file, reason: "it has \(status.st_size) bytes, expected \(limits.fileBytes) at most")
    }
    guard let data = FileSystem.contents(file) else {
      throw ONNXError.unreadable(file: file, reason: FileSystem.reason(errno))
    }
    try self.init(data, file: file, limits: limits)
  }

  /// Reads a file's bytes; elements in other files are looked for beside `file`.
  init(_ data: Data, file: String, limits: ONNXLimits) throws {
    (self.file, self.limits) = (file, limits)
    let model: Onnx_ModelProto
    do { model = try Onnx_ModelProto(serializedBytes: data) } catch {
      throw damaged("its bytes are no message of ONNX's (\(error))")
    }
    guard model.hasGraph else { throw damaged("there is no graph in it") }
    try checkOperators(model)
    for property in model.metadataProps { metadata[property.key] = property.value }
    program = try read(model.graph)
    guard !program.outputs.isEmpty else { throw damaged("its graph gives nothing") }
  }

  /// Reads a tensor by itself, as the data sets beside ONNX models have them (`input_0.pb`).
  ///
  /// - Throws: ``ONNXError``.
  static func tensor(_ file: String, limits: ONNXLimits) throws -> Tensor {
    guard let status = FileSystem.status(file), status.st_mode & S_IFMT == S_IFREG,
      status.st_size <= limits.fileBytes, let data = FileSystem.contents(file)
    else { throw ONNXError.unreadable(file: file, reason: "expected a file with a tensor") }
    let message: Onnx_TensorProto
    do { message = try Onnx_TensorProto(serializedBytes: data) } catch {
      throw ONNXError.damaged(file: file, reason: "its bytes are no tensor of ONNX's (\(error))")
    }
    var reader = ONNXReader(file: file, limits: limits)
    return try reader.constant(message, message.name).tensor()
  }

  private init(file: String, limits: ONNXLimits) { (self.file, self.limits) = (file, limits) }

  private mutating func checkOperators(_ model: Onnx_ModelProto) throws {
    if let function = model.functions.first {
      throw ONNXError.unsupported(
        file: file, found: "the function \(Self.type(function.domain, function.name)) of its own",
        expected: "a file of operators alone, into which functions were inlined")
    }
    for entry in model.opsetImport where ["", "ai.onnx"].contains(entry.domain) {
      opset = Int(entry.version)
    }
    guard Self.opsets.contains(opset) else {
      throw ONNXError.unsupported(
        file: file, found: "operators of version \(opset)",
        expected: "\(Self.opsets.lowerBound) to \(Self.opsets.upperBound)"
          + (opset < Self.opsets.lowerBound
            && model.graph.node.contains { Self.enlarging.contains($0.opType) }
            ? "; best exported anew, as onnx.version_converter shifts what Upsample and older Resize enlarge"
            : ""))
    }
  }

  /// Operators whose coordinates changed with version 11.
  private static let enlarging: Set<String> = ["Upsample", "Resize"]

  func damaged(_ reason: String) -> ONNXError { .damaged(file: file, reason: reason) }

  /// The operator's name with its domain, where that is not ONNX's.
  private static func type(_ domain: String, _ name: String) -> String {
    ["", "ai.onnx"].contains(domain) ? name : "\(domain).\(name)"
  }

  // MARK: Graphs

  /// A graph whose nodes may take the names of the graphs around it, too.
  private mutating func read(_ graph: Onnx_GraphProto) throws -> ONNXProgram {
    guard scopes.count <= limits.depth else {
      throw damaged("more than \(limits.depth) graphs lie in one another")
    }
    let depth = scopes.count
    scopes.append([])
    defer { scopes.removeLast() }
    guard graph.sparseInitializer.isEmpty else {
      throw ONNXError.unsupported(file: file, found: "sparse tensors", expected: "dense ones")
    }
    var program = ONNXProgram()
    func add(_ name: String, _ what: String) throws {
      guard !name.isEmpty else { throw damaged("\(what) has no name") }
      guard scopes[depth].insert(name).inserted else { throw damaged("'\(name)' is given twice") }
    }
    func isGiven(_ name: String) -> Bool { scopes.contains { $0.contains(name) } }
    for tensor in graph.initializer {
      try add(tensor.name, "an initializer")
      program.constants[tensor.name] = try constant(tensor, tensor.name)
    }
    // Old files list initializers among the inputs, too.
    program.inputs = try graph.input.filter { program.constants[$0.name] == nil }.map(port)
    for input in program.inputs { try add(input.name, "an input") }
    program.outputs = try graph.output.map(port)

    for message in graph.node {
      nodes += 1
      guard nodes <= limits.nodes else { throw damaged("more than \(limits.nodes) nodes") }
      let type = Self.type(message.domain, message.opType)
      let name =
        message.name.isEmpty ? message.output.first { !$0.isEmpty } ?? type : message.name
      var node = ONNXNode(
        name: name, type: type, inputs: message.input, outputs: message.output)
      for name in message.input where !name.isEmpty && !isGiven(name) {
        throw damaged("the node \(node.title) takes '\(name)', which nothing before it gives")
      }
      if type == "Constant", let result = message.output.first {
        try add(result, "a constant")
        program.constants[result] = try constant(message, result)
        continue
      }
      for attribute in message.attribute {
        node.attributes[attribute.name] =
          attribute.type == .graph
          ? .graph(try read(attribute.g))
          : try read(attribute, of: node)
      }
      for name in message.output where !name.isEmpty { try add(name, "a result") }
      program.nodes.append(node)
    }
    for output in program.outputs where !isGiven(output.name) {
      throw damaged("nothing gives its output '\(output.name)'")
    }
    return program
  }

  private func port(_ value: Onnx_ValueInfoProto) throws -> ONNXProgram.Port {
    guard value.hasType, value.type.hasTensorType else {
      return ONNXProgram.Port(name: value.name, dtype: nil, shape: nil)
    }
    let type = value.type.tensorType
    let shape =
      type.hasShape
      ? type.shape.dim.map { dimension -> Int? in
        if case .dimValue(let length)? = dimension.value, length > 0 { return Int(length) }
        return nil
      } : nil
    let dtype = DType(onnx: type.elemType)?.widened
    return ONNXProgram.Port(name: value.name, dtype: dtype, shape: shape)
  }

  private mutating func read(
    _ attribute: Onnx_AttributeProto, of node: ONNXNode
  ) throws -> ONNXNode.Attribute {
    switch attribute.type {
    case .float: return .float(Double(attribute.f))
    case .int: return .int(Int(attribute.i))
    case .string: return .string(String(decoding: attribute.s, as: UTF8.self))
    case .floats: return .floats(attribute.floats.map(Double.init))
    case .ints: return .ints(attribute.ints.map(Int.init))
    case .strings:
      return .strings(attribute.strings.map { String(decoding: $0, as: UTF8.self) })
    case .tensor:
      guard let array = try constant(attribute.t, attribute.name).array() else {
        throw damaged("the attribute \(attribute.name) of \(node.title) is too long")
      }
      return .array(array)
    case .graph, .undefined, .UNRECOGNIZED:
      throw ONNXError.unsupported(
        file: file, found: "the attribute \(attribute.name) of \(node.title) of an unknown type",
        expected: "a number, a text, a tensor, a graph, or a list of numbers or texts")
    }
  }
}

extension DType {
  /// The type with the standard's number; nil for one that is not read.
  init?(onnx code: Int32) {
    guard let type = DType.allCases.first(where: { ONNXBuilder.code(of: $0) == code }) else {
      return nil
    }
    self = type
  }

  /// The type that numbers are computed in: those of 16 bits in float32, which is as near to the network that
  /// was trained as the file, or nearer, and has kernels on every processor.
  var widened: DType { self == .float16 || self == .bfloat16 ? .float32 : self }
}
