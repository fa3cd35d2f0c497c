import CTorch

extension Operator {
  fileprivate static let requiresGrad = Operator("requires_grad_")
  fileprivate static let backward = Operator("_backward")
  fileprivate static let detach = Operator("detach")
}

extension Tensor {
  /// Whether what is computed from this tensor is recorded for gradients.
  public final var requiresGrad: Bool {
    get { handle.map { ct_requires_grad($0) != 0 } ?? false }
    set { Operator.requiresGrad(self, newValue) }
  }

  /// The gradient that ``backward(_:retainGraph:)`` added up here, of this tensor's shape.
  public final var gradient: Tensor? {
    get { handle.flatMap { ct_grad($0) }.map { Tensor(adopting: $0) } }
    set {
      guard let handle else { return }
      Door.check(ct_set_grad(handle, newValue?.handle), "gradient\(shape)")
    }
  }

  /// Adds the gradient of this tensor to every leaf that it was computed from.
  ///
  /// `seed`, of this tensor's shape, weights its elements; a single number needs none.
  public final func backward(_ seed: Tensor? = nil, retainGraph: Bool = false) {
    Operator.backward(self, [Tensor](), seed, retainGraph ? true : Bool?.none, false)
  }

  /// The same values without their history.
  public final func detached() -> Tensor { Operator.detach(self) }

  /// Gives this tensor the memory (device, type, layout) of `other` and keeps its identity.
  public final func adopt(_ other: Tensor) {
    guard let handle, let source = other.handle else { return }
    Door.check(ct_set_data(handle, source), "adopt\(shape)")
  }
}

/// Runs `body` without recording a graph for gradients.
///
/// The mode is the thread's, so `body` is synchronous.
public func withoutGradients<R>(_ body: () throws -> R) rethrows -> R {
  let before = ct_set_grad_enabled(0)
  defer { _ = ct_set_grad_enabled(before) }
  return try body()
}

/// Whether operators record a graph for gradients on this thread.
var isGradientEnabled: Bool { ct_grad_enabled() != 0 }

/// Runs `body` recording a graph for gradients, inside ``withoutGradients(_:)`` too.
public func withGradients<R>(_ body: () throws -> R) rethrows -> R {
  let before = ct_set_grad_enabled(1)
  defer { _ = ct_set_grad_enabled(before) }
  return try body()
}

/// Runs `body` in libtorch's inference mode: no graph, no version counters.
///
/// Tensors made inside cannot take part in training afterwards.
public func inferenceMode<R>(_ body: () throws -> R) rethrows -> R {
  let guardian = ct_inference_begin()
  defer { ct_inference_end(guardian) }
  return try body()
}

/// Runs `body` with convolutions and matrix products computed in `dtype`.
public func autocast<R>(
  to dtype: DType?, on device: Device = .cpu, _ body: () throws -> R
) rethrows -> R {
  guard let dtype else { return try body() }
  return try withAutocast(dtype.rawValue, on: device, body)
}

/// What ``autocast(to:on:_:)`` computes in on `device`; nil outside of it.
func autocastType(on device: Device) -> DType? { DType(rawValue: ct_autocast(device.kind)) }

private func withAutocast<R>(
  _ type: Int32, on device: Device, _ body: () throws -> R
) rethrows -> R {
  let before = ct_autocast(device.kind)
  Door.check(ct_set_autocast(device.kind, type), "autocast")
  defer { Door.check(ct_set_autocast(device.kind, before), "autocast") }
  return try body()
}

extension Device {
  fileprivate var kind: String { isCPU ? "cpu" : "cuda" }
}
