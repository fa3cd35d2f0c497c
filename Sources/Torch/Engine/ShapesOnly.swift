/// Runs `body` with tensors that have shapes, types and no memory: networks are built and run at once,
/// however large, and observers see every operator with its shapes.
///
/// Tensors made inside are of no use outside, and the other way round. Networks must be in evaluation
/// mode.
public func shapesOnly<R>(_ body: () throws -> R) rethrows -> R {
  try DoorScope.$current.withValue(
    DoorScope(catchesErrors: false, isShapesOnly: true), operation: body)
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
    return Self.shape(shape, input.dtype)
  }
}
