import CTorch

/// An error that libtorch reported, with the operator that met it and the shapes of its arguments.
public struct TorchError: Error, Sendable, CustomStringConvertible {
  /// The operator's name and what it was given.
  public let operation: String
  /// What libtorch says.
  public let message: String

  /// The message for a person.
  public var description: String { "\(operation): \(message)" }
}

/// Sees every operator that is called inside ``observing(_:_:)``: a profiler, a counter of floating
/// point operations, a recorder of graphs.
public protocol OperatorObserver: AnyObject {
  /// Is told of a call after it succeeded.
  func observe(_ call: OperatorCall)
}

/// The state of the door for a task: the first error met, and who looks on.
final class DoorScope: @unchecked Sendable {
  @TaskLocal static var current: DoorScope?
  let outer: DoorScope?
  let catchesErrors: Bool
  let observer: (any OperatorObserver)?
  /// Whether tensors have no memory; see ``shapesOnly(_:)``.
  let isShapesOnly: Bool
  /// Whether maps have no memory; see ``shapesOfMaps(_:)``.
  let isWithoutMaps: Bool
  var error: TorchError?

  init(
    catchesErrors: Bool, observer: (any OperatorObserver)? = nil, isShapesOnly: Bool = false,
    isWithoutMaps: Bool = false
  ) {
    outer = DoorScope.current
    self.isShapesOnly = isShapesOnly || outer?.isShapesOnly == true
    self.isWithoutMaps = isWithoutMaps || outer?.isWithoutMaps == true
    self.catchesErrors = catchesErrors
    self.observer = observer
  }

  /// The scope that catches the errors of this one.
  var catcher: DoorScope? {
    var scope: DoorScope? = self
    while let here = scope, !here.catchesErrors { scope = here.outer }
    return scope
  }
}

/// Runs `body` and throws the first error that an operator met in it.
///
/// Outside of it a failed operator, a bug in most programs, ends the program with its message, as an
/// index out of range does. Inside, operators that follow a failed one return tensors without shape
/// at once.
public func attempt<R>(_ body: () throws -> R) throws -> R {
  let scope = DoorScope(catchesErrors: true)
  let result = Result { try DoorScope.$current.withValue(scope, operation: body) }
  // What `body` threw after a failed operator is most likely its consequence.
  if let error = scope.error { throw error }
  return try result.get()
}

/// Runs `body` and tells `observer` of every operator called in it.
public func observing<R>(
  _ observer: any OperatorObserver, _ body: () throws -> R
) rethrows -> R {
  try DoorScope.$current.withValue(
    DoorScope(catchesErrors: false, observer: observer), operation: body)
}

/// Runs `body` as if nobody looked on, and as if no error had been met; what fails in it must be caught there.
package func unobserved<R>(_ body: () throws -> R) rethrows -> R {
  try DoorScope.$current.withValue(nil, operation: body)
}

/// Records the failure of something that is made of operators, as that of one operator.
package func reportFailure(_ operation: String, _ error: any Error) {
  if let error = error as? TorchError {
    Door.fail(error.operation, error.message)
  } else {
    Door.fail(operation, "\(error)")
  }
}

/// What all ways through the door share.
package enum Door {
  /// libtorch's message for the last failure on this thread.
  static var message: String { String(cString: ct_error()) }

  /// Records a failure for the ``attempt(_:)`` around, or ends the program.
  package static func fail(_ operation: String, _ message: String) {
    let error = TorchError(operation: operation, message: message)
    guard let catcher = DoorScope.current?.catcher else { fatalError(error.description) }
    if catcher.error == nil { catcher.error = error }
  }

  /// Fails unless a C function's answer was 0.
  static func check(_ status: Int32, _ operation: @autoclosure () -> String) {
    if status != 0 { fail(operation(), message) }
  }
}

/// An operator of libtorch's dispatcher, looked up once by its schema name.
public struct Operator: Sendable {
  /// The name without its namespace, such as `conv2d`.
  public let name: String
  /// Which of several operators of the name it is, such as `Tensor`; mostly empty.
  package let overload: String
  /// Whose it is: `aten` for libtorch's own, `atrous` for this package's.
  public let namespace: String
  /// Its arguments by name, and whose memory its results are.
  package let schema: OperatorSchema
  /// What it does; nil for one without a row in the table.
  package let meaning: OperatorMeaning?
  private nonisolated(unsafe) let handle: ct_op

  /// The operator `namespace::name`, or `namespace::name.overload`.
  public init(_ name: String, _ overload: String = "", namespace: String = "aten") {
    guard let handle = ct_find("\(namespace)::\(name)", overload) else {
      fatalError(Door.message)
    }
    self.init(name, overload, namespace, handle)
  }

  /// The operator if this build of libtorch has it.
  public static func find(
    _ name: String, _ overload: String = "", namespace: String = "aten"
  ) -> Operator? {
    ct_find("\(namespace)::\(name)", overload).map { Operator(name, overload, namespace, $0) }
  }

  private init(_ name: String, _ overload: String, _ namespace: String, _ handle: ct_op) {
    (self.name, self.overload, self.namespace, self.handle) = (name, overload, namespace, handle)
    schema = OperatorSchema(handle)
    meaning = OperatorMeaning.table[namespace == "aten" ? name : "\(namespace)::\(name)"]
  }

  /// Calls the operator for its first result; arguments left out take the schema's defaults.
  @discardableResult
  public func callAsFunction(_ arguments: any OperatorArgument...) -> Tensor {
    let results = call(arguments.map(\.boxed), capacity: 1)
    if case .tensor(let tensor)? = results.first { return tensor }
    return Tensor(adopting: nil)
  }

  /// Calls the operator for all the tensors that it returns, those in lists included.
  public func tensors(_ arguments: any OperatorArgument...) -> [Tensor] {
    call(arguments.map(\.boxed), capacity: 64).map {
      if case .tensor(let tensor) = $0 { tensor } else { Tensor(adopting: nil) }
    }
  }

  /// Calls the operator for the first number that it returns.
  public func number(_ arguments: any OperatorArgument...) -> Double {
    switch call(arguments.map(\.boxed), capacity: 1).first {
    case .int(let value): Double(value)
    case .double(let value): value
    case .bool(let value): value ? 1 : 0
    default: .nan
    }
  }

  /// Calls the operator for all the tensors that it returns, those in lists included.
  package func tensors(_ arguments: [Value]) -> [Tensor] {
    call(arguments, capacity: 64).map {
      if case .tensor(let tensor) = $0 { tensor } else { Tensor(adopting: nil) }
    }
  }

  func call(_ arguments: [Value], capacity: Int) -> [Value] {
    let scope = DoorScope.current
    if let scope, scope.catcher?.error != nil { return [] }
    let given = arguments
    let isOfMaps = scope?.isWithoutMaps == true && given.contains(where: \.isWithoutMemory)
    let arguments = isOfMaps ? given.map(\.withoutMemory) : given
    if let scope, scope.isShapesOnly || isOfMaps, let result = resultForShapes(arguments) {
      scope.tell(self, given, [.tensor(result)])
      return [.tensor(result)]
    }
    return withUnsafeTemporaryAllocation(of: ct_value.self, capacity: capacity) { out in
      let count = withExtendedLifetime(arguments) {
        Value.lend(arguments) {
          Int(ct_call(handle, $0.baseAddress, Int32($0.count), out.baseAddress, Int32(capacity)))
        }
      }
      guard count >= 0 else {
        Door.fail("\(name)(\(Value.summary(arguments)))", Door.message)
        return []
      }
      let results = out.prefix(count).map(Value.init(result:))
      scope?.tell(self, given, results)
      return results
    }
  }
}

extension DoorScope {
  fileprivate func tell(_ operation: Operator, _ arguments: [Value], _ results: [Value]) {
    // What shapes are kept in is no operation of the network.
    if (isShapesOnly || isWithoutMaps) && operation.name == "empty" { return }
    var scope: DoorScope? = self
    while let here = scope {
      if let observer = here.observer {
        let tensors = results.compactMap {
          if case .tensor(let tensor) = $0 { tensor } else { nil }
        }
        observer.observe(OperatorCall(operation, arguments, tensors))
      }
      scope = here.outer
    }
  }
}
