import Torch

/// What is wrong with a checkpoint file, or with what is asked of it.
public enum WeightFileError: Error, CustomStringConvertible, Sendable {
  /// The system does not let the file be read.
  case unreadable(file: String, reason: String)
  /// The file is something else than a checkpoint, and what.
  case notCheckpoint(file: String, found: String)
  /// The file ends before what it says it holds.
  case truncated(file: String, expected: Int, found: Int)
  /// The file breaks the rules of its format.
  case malformed(file: String, reason: String)
  /// The file is whole and holds something that is not read here.
  case unsupported(file: String, found: String)
  /// A pickle names a Python function or class that no weights need.
  case forbidden(file: String, name: String)
  /// The file holds no named tensors; what it holds instead.
  case noTensors(file: String, found: String)
  /// No tensor of the file has the name.
  case noTensor(file: String, name: String)
  /// The file's tensors are not those of the network.
  case otherNetwork(file: String, report: LoadReport)
  /// A rewrite rule is not a regular expression.
  case badRule(pattern: String, reason: String)

  /// What was found, what was expected and where.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .notCheckpoint(let file, let found):
      "\(file): is \(found); expected a safetensors file, one written by torch.save or another "
        + "that docs/weights.md lists"
    case .truncated(let file, let expected, let found):
      "\(file): is truncated: \(expected) bytes are needed and \(found) are there"
    case .malformed(let file, let reason): "\(file): is damaged: \(reason)"
    case .unsupported(let file, let found): "\(file): holds \(found), which is not read here"
    case .forbidden(let file, let name):
      "\(file): the file asks for \(name), which no weights need, and nothing of it was run; "
        + "who trusts it can save its state_dict() with PyTorch"
    case .noTensors(let file, let found):
      "\(file): has no named tensors: found \(found); expected a state dictionary"
    case .noTensor(let file, let name): "\(file): has no tensor '\(name)'"
    case .otherNetwork(let file, let report): "\(file): does not fit the network: \(report)"
    case .badRule(let pattern, let reason):
      "the rule '\(pattern)' is not a regular expression: \(reason)"
    }
  }
}
