import CTorch

/// What libtorch itself says of an operator: the names of its arguments, and whose memory its results are.
package final class OperatorSchema: @unchecked Sendable {
  /// One of an operator's arguments.
  package struct Argument {
    /// The name, such as `stride`.
    package let name: String
    /// What it is where a call leaves it out; nil if none may.
    package let standard: Value?
    /// Whether the operator writes to it.
    package let isWritten: Bool
  }

  /// The arguments in their order.
  package let arguments: [Argument]
  /// For each result the index of the argument whose memory it is, written by the operator or seen in
  /// another shape (`reshape` copies it where it must); nil for memory of its own.
  package let sources: [Int?]

  init(_ handle: ct_op) {
    var argument = ct_argument()
    var arguments: [Argument] = [], sources: [Int?] = []
    while ct_schema_argument(handle, Int32(arguments.count), &argument) == 0 {
      arguments.append(
        Argument(
          name: String(cString: argument.name),
          standard: argument.has_default != 0 ? Value(result: argument.value) : nil,
          isWritten: argument.is_written != 0))
    }
    while case let source = ct_schema_source(handle, Int32(sources.count)), source > -2 {
      sources.append(source < 0 ? nil : Int(source))
    }
    (self.arguments, self.sources) = (arguments, sources)
  }
}

/// A call that passed the door, as observers see it.
public struct OperatorCall {
  /// The operator.
  public let operation: Operator
  /// What it was given, in the order of its schema; defaults are left out.
  public let arguments: [Value]
  /// The tensors that it returned.
  public let results: [Tensor]

  init(_ operation: Operator, _ arguments: [Value], _ results: [Tensor] = []) {
    (self.operation, self.arguments, self.results) = (operation, arguments, results)
  }

  /// The operator's name without its namespace, such as `conv2d`.
  public var name: String { operation.name }

  /// An argument by its name in the schema, with the schema's default where the call left it out; nil if
  /// the operator has none of that name.
  public subscript(_ name: String) -> Value? {
    let all = operation.schema.arguments
    guard let index = all.firstIndex(where: { $0.name == name }) else { return nil }
    return index < arguments.count ? arguments[index] : all[index].standard
  }

  /// The tensor of this name, if it was given.
  public func tensor(_ name: String) -> Tensor? {
    if case .tensor(let tensor)? = self[name] { tensor } else { nil }
  }

  /// The tensors of a list.
  public func tensors(_ name: String) -> [Tensor] { self[name]?.tensors ?? [] }

  /// The integers of this name, a single one as a list; none if there are none.
  public func ints(_ name: String) -> [Int] {
    switch self[name] {
    case .ints(let list): list
    case .int(let value): [value]
    default: []
    }
  }

  /// The integer of this name; 0 if there is none.
  public func int(_ name: String) -> Int { ints(name).first ?? 0 }

  /// All tensors that it was given, those in lists included, in their order.
  public var tensors: [Tensor] { arguments.flatMap(\.tensors) }

  /// What it made: its first result, or the tensor that it wrote to where it returns none.
  public var output: Tensor? {
    results.first
      ?? zip(operation.schema.arguments, arguments).first { $0.0.isWritten }?.1.tensors.first
  }

  /// The argument whose memory a result has, and whether the operator wrote to it; nil for memory of its
  /// own.
  public func source(of result: Int = 0) -> (argument: Int, isWritten: Bool)? {
    let schema = operation.schema
    // A list of tensors is one result of the schema.
    let place = schema.sources.count == 1 ? 0 : result
    guard operation.meaning?.copies != true, schema.sources.indices.contains(place),
      let source = schema.sources[place], arguments.indices.contains(source),
      !arguments[source].tensors.isEmpty
    else { return nil }
    return (source, schema.arguments[source].isWritten)
  }
}

extension Value {
  /// The tensor, or those of a list.
  package var tensors: [Tensor] {
    switch self {
    case .tensor(let tensor): [tensor]
    case .tensors(let list): list.compactMap { $0 }
    default: []
    }
  }
}
