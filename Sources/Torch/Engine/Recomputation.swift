import CTorch

/// A part of a network that keeps its inputs only, and runs again when backward comes to it: memory for
/// time (Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost").
public enum Recomputation {
  /// Whether a part is running for the second time: running statistics have seen this batch.
  public static var isActive: Bool { ct_is_recomputing() != 0 }

  /// What `body` makes of `inputs`, at least one; random numbers and autocast are the same in both runs.
  ///
  /// Parameters that `body` uses get their gradients. Without a graph to record `body` just runs.
  public static func run(
    _ inputs: [Tensor], _ body: @escaping ([Tensor]) -> Tensor
  ) -> Tensor {
    guard isGradientEnabled, DoorScope.current?.isShapesOnly != true else {
      return body(inputs)
    }
    let handles = inputs.map(\.handle)
    // After a failed operator there is nothing to run.
    guard !handles.contains(where: { $0 == nil }) else { return Tensor(adopting: nil) }
    let context = Unmanaged.passRetained(Body(body)).toOpaque()
    let result = withExtendedLifetime(inputs) {
      ct_recomputed(
        handles, Int32(handles.count),
        { context, inputs, count in
          guard let context, let inputs else { return nil }
          let body = Unmanaged<Body>.fromOpaque(context).takeUnretainedValue()
          let tensors = (0..<Int(count)).map { index in
            Tensor(adopting: inputs[index].map { ct_alias($0) })
          }
          return body.result(tensors)
        }, { context in context.map { Unmanaged<Body>.fromOpaque($0).release() } }, context)
    }
    if result == nil { Door.fail("recomputed\(inputs.map(\.shape))", Door.message) }
    return Tensor(adopting: result)
  }

  private final class Body {
    let function: ([Tensor]) -> Tensor
    init(_ function: @escaping ([Tensor]) -> Tensor) { self.function = function }

    /// A new handle of what the function gives, or nil with a message for libtorch.
    func result(_ inputs: [Tensor]) -> ct_tensor? {
      func run() -> ct_tensor? {
        let result = function(inputs)
        return withExtendedLifetime(result) { result.handle.map { ct_alias($0) } }
      }
      guard Recomputation.isActive else { return run() }
      // For graphics processors backward runs on threads of its own, where no caller catches.
      do { return try attempt(run) } catch {
        ct_set_error("\(error)")
        return nil
      }
    }
  }
}

/// A layer that repeats along a network and is worth running twice: a residual block, a layer of a dense
/// block, a transformer's block.
public protocol RecomputableLayer: Layer {}

extension Module {
  /// Has every ``RecomputableLayer`` inside keep its input only for gradients, or everything again.
  public final func recomputeActivations(_ on: Bool = true) {
    for case let layer as any RecomputableLayer in modules.map(\.module) { layer.recomputes = on }
  }
}
