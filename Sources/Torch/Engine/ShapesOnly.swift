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

  /// What this operator gives for arguments without memory, where libtorch's own rules for that are
  /// part of PyTorch's Python code; nil for the rest, which libtorch answers itself.
  func result(forShapes arguments: [Value]) -> Tensor? {
    func tensor(_ index: Int) -> Tensor? {
      if arguments.count > index, case .tensor(let tensor) = arguments[index] {
        tensor
      } else {
        nil
      }
    }
    func ints(_ index: Int) -> [Int] {
      guard arguments.count > index, case .ints(let list) = arguments[index] else { return [1, 1] }
      return list
    }
    guard let x = tensor(0) else { return nil }
    func image(_ channels: Int, _ length: (_ size: Int, _ axis: Int) -> Int) -> Tensor {
      let sides = (0..<2).map { max(0, length(x.size($0 - 2), $0)) }
      return Self.shape(Array(x.shape.dropLast(3)) + [channels] + sides, x.dtype)
    }
    switch name {
    case "conv2d":
      guard let weight = tensor(1) else { return nil }
      let (stride, padding, dilation) = (ints(3), ints(4), ints(5))
      return image(weight.size(0)) { size, axis in
        let extent = dilation[axis] * (weight.size(axis - 2) - 1) + 1
        return (size + 2 * padding[axis] - extent) / stride[axis] + 1
      }
    case "conv_transpose2d":
      guard let weight = tensor(1) else { return nil }
      let (stride, padding, extra) = (ints(3), ints(4), ints(5))
      return image(weight.size(1)) { size, axis in
        (size - 1) * stride[axis] - 2 * padding[axis] + weight.size(axis - 2) + extra[axis]
      }
    case "max_pool2d":
      let (kernel, stride, padding, dilation) = (ints(1), ints(2), ints(3), ints(4))
      return image(x.size(-3)) { size, axis in
        (size + 2 * padding[axis] - dilation[axis] * (kernel[axis] - 1) - 1) / stride[axis] + 1
      }
    case "linear":
      return tensor(1).map { Self.shape(x.shape.dropLast() + [$0.size(0)], x.dtype) }
    case "scaled_dot_product_attention":
      return tensor(2).map { Self.shape(x.shape.dropLast() + [$0.size(-1)], x.dtype) }
    case "adaptive_avg_pool2d":
      let sides = ints(1)
      return image(x.size(-3)) { sides[$1] }
    case "batch_norm", "layer_norm", "group_norm", "relu", "relu_", "hardswish", "hardsigmoid",
      "hardtanh", "roll":
      return Self.shape(x.shape, x.dtype)
    default: return nil
    }
  }
}
