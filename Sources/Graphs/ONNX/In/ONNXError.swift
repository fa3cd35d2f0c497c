/// Why an ONNX file cannot be read, or not be run.
package enum ONNXError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The system does not let the file be read.
  case unreadable(file: String, reason: String)
  /// The file is none in the notation, or breaks its rules.
  case damaged(file: String, reason: String)
  /// The file is whole and has something that is not read here.
  case unsupported(file: String, found: String, expected: String)
  /// There is no rule for an operator; the inputs are as the file names them.
  case unknownOperator(file: String, node: String, inputs: String)
  /// A rule does not cover what an operator is given, or the operator cannot take it.
  case node(file: String, node: String, inputs: String, reason: String)
  /// The network is given something else than it takes.
  case input(file: String, found: String, expected: String)
  /// The file does not say what is needed to use it, and where to say it.
  case missing(file: String, what: String, expected: String)

  /// The message for a person.
  package var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .damaged(let file, let reason): "\(file): is no sound ONNX file: \(reason)"
    case .unsupported(let file, let found, let expected):
      "\(file): has \(found), expected \(expected)"
    case .unknownOperator(let file, let node, let inputs):
      "\(file): the operator \(node) of \(inputs) is not supported, expected one of "
        + ONNXOperators.names.joined(separator: ", ") + Self.advice(node)
    case .node(let file, let node, let inputs, let reason):
      "\(file): the operator \(node) of \(inputs): \(reason)"
    case .input(let file, let found, let expected):
      "\(file): was given \(found), expected \(expected)"
    case .missing(let file, let what, let expected):
      "\(file): does not say \(what), expected \(expected)"
    }
  }

  /// What to do about an operator that ONNX Runtime wrote for one kind of processor.
  private static func advice(_ node: String) -> String {
    node.hasPrefix("com.microsoft.")
      ? "; it was written when ONNX Runtime optimized the file, expected the file from before, or one of its level"
        + " \"basic\"" : ""
  }
}

/// What a rule has against a node's inputs or attributes; becomes ``ONNXError/node(file:node:inputs:reason:)``.
struct ONNXRefusal: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// What a file may make of memory and time.
package struct ONNXLimits: Sendable {
  /// The elements of a value.
  package var elements = 1 << 30
  /// The elements of numbers that are worked out while shapes are.
  package var numbers = 1 << 20
  /// The nodes of a graph, those of branches included.
  package var nodes = 100_000
  /// The bytes of the file itself, which the notation keeps below 2 GB.
  package var fileBytes = Int(Int32.max)
  /// How deep graphs lie in one another.
  package var depth = 8
  /// The elements that windows may see together in one operator.
  package var operations = 1 << 46

  /// The usual limits.
  package init() {}
}
