import CTorch

/// Averages gradients over processes while backward runs: PyTorch's reducer, which sends a bucket of
/// gradients as soon as the last of them is there.
///
/// ```swift
/// averaging.begin()
/// let loss = averaging.expect(loss(model(images)))
/// loss.backward()             // gradients are the mean over all processes
/// ```
/// Gradients of several backward passes add up. In a ``Graph/varying`` graph passes before the last need
/// neither ``begin()`` nor ``expect(_:)``: they add to this process's gradients, which the last one
/// averages all together.
public final class GradientAveraging {
  /// What is known of the graph.
  public enum Graph: Sendable {
    /// The same parameters take part in every step, in every process; every pass is averaged.
    case fixed
    /// Each step looks for the parameters that it leaves out; slower, and not with
    /// ``Recomputation``.
    case varying
  }

  /// What is known of the graph.
  public let graph: Graph
  private let handle: ct_reducer?

  /// An average of the gradients of `parameters`, the same in every process.
  ///
  /// - Parameters:
  ///   - parameters: The parameters, in the same order in every process.
  ///   - group: The processes.
  ///   - graph: Whether every step uses the same parameters.
  ///   - firstBucket: The bytes of the gradients that are sent first.
  ///   - bucket: The bytes of those sent together afterwards.
  /// - Throws: `TorchError` if the processes' parameters differ in number or shape, or a peer is gone.
  public init(
    of parameters: [Parameter], over group: ProcessGroup, graph: Graph = .fixed,
    firstBucket: Int = 1 << 20, bucket: Int = 25 << 20
  ) throws {
    self.graph = graph
    let handles = parameters.map(\.handle)
    handle = withExtendedLifetime(parameters) {
      ct_reducer_make(
        group.handle, handles, Int32(handles.count), graph == .fixed ? 1 : 0, Int64(firstBucket),
        Int64(bucket))
    }
    if handle == nil { throw TorchError(operation: "averaging gradients", message: Door.message) }
  }

  /// Before the forward pass whose gradients are to be averaged.
  public func begin() {
    if let handle { Door.check(ct_reducer_begin(handle), "averaging gradients") }
  }

  /// The loss to call backward on, instead of `loss`.
  public func expect(_ loss: Tensor) -> Tensor {
    guard let handle, let tensor = loss.handle else { return loss }
    let result = ct_reducer_expect(handle, tensor)
    if result == nil { Door.fail("averaging gradients", Door.message) }
    return Tensor(adopting: result)
  }
}
