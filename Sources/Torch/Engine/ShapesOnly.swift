import CTorch

/// Runs `body` with tensors that have shapes, types and no memory: networks are built and run at once,
/// however large, and observers see every operator with its shapes.
///
/// Tensors made inside are of no use outside, and the other way round. Networks must be in evaluation
/// mode.
public func shapesOnly<R>(_ body: () throws -> R) rethrows -> R {
  try DoorScope.$current.withValue(
    DoorScope(catchesErrors: false, isShapesOnly: true), operation: body)
}

/// Runs `body`, the forward pass of a network that has its weights, without memory for maps.
///
/// What is computed from a tensor of ``Tensor/init(withoutMemory:_:)`` has shape and type only, all else is
/// computed: an observer sees constants with their numbers and maps with their shapes. Networks must be in
/// evaluation mode.
package func shapesOfMaps<R>(_ body: () throws -> R) rethrows -> R {
  try DoorScope.$current.withValue(
    DoorScope(catchesErrors: false, isWithoutMaps: true), operation: body)
}

extension Tensor {
  /// A tensor with shape and type and no memory, for use inside of ``shapesOfMaps(_:)``.
  package convenience init(withoutMemory shape: [Int], _ dtype: DType = .float32) {
    let tensor = Operator.shape(shape, dtype)
    self.init(adopting: withExtendedLifetime(tensor) { tensor.handle.map { ct_alias($0) } })
  }

  /// Whether there is shape and type only.
  package final var isWithoutMemory: Bool { device.name == "meta" }
}

extension Value {
  /// Whether a tensor has no memory.
  var isWithoutMemory: Bool { tensors.contains(where: \.isWithoutMemory) }

  /// The same with tensors that have none.
  var withoutMemory: Value {
    func bare(_ tensor: Tensor) -> Tensor {
      tensor.isWithoutMemory ? tensor : Operator.shape(tensor.shape, tensor.dtype)
    }
    return switch self {
    case .tensor(let tensor): .tensor(bare(tensor))
    case .tensors(let list): .tensors(list.map { $0.map(bare) })
    default: self
    }
  }
}

extension Operator {
  private static let empty = Operator("empty", "memory_format")

  /// A tensor of libtorch's device `meta`.
  static func shape(_ shape: [Int], _ dtype: DType) -> Tensor {
    empty(shape, dtype, Value.none, Device(name: "meta"))
  }

  /// What this operator gives for arguments without memory, where the table has a rule; nil for the rest,
  /// which libtorch answers itself.
  func resultForShapes(_ arguments: [Value]) -> Tensor? {
    guard let rule = meaning?.shape else { return nil }
    let call = OperatorCall(self, arguments)
    guard let input = call.tensors.first, let shape = rule(call) else { return nil }
    if input.count > 0, shape.contains(where: { $0 < 1 }) {
      Door.fail("\(name)(\(Value.summary(arguments)))", "the map is smaller than the kernel")
    }
    return Self.shape(shape, meaning?.dtype(call) ?? input.dtype)
  }
}
