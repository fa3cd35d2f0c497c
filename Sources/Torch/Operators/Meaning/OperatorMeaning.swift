/// What an operator does: a row of the one table that shapes-only runs, the counter of operations, traces
/// and recorders of graphs read.
///
/// An operator that networks call for the first time needs a row in ``table``; a test names it otherwise.
/// The arguments' names, defaults, and which of them a result is a view of or is written to, come from
/// libtorch's schema (``OperatorSchema``); for operators of this package, `atrous::…`, that is the text
/// given to `library.def`, so annotate there what is written, `Tensor(a!)`. A row adds what the schema
/// does not say:
///
/// 1. Elementwise operators, and those that join, cut or reorder: add the name to the list of them.
/// 2. One that looks at a window of a map, such as a convolution or a pooling: add a row of
///    ``init(channels:operations:window:)``, from which shapes and receptive fields follow.
/// 3. Others: ``init(operations:reach:copies:dtype:shape:)``. `shape` is needed only if libtorch has no rule
///    for tensors without memory; shapes-only runs stop with its message then.
package struct OperatorMeaning: Sendable {
  /// Which positions of a map a position of the result depends on.
  package enum Reach: Sendable {
    /// The same position.
    case position
    /// A window of the first tensor, and the same position of all others.
    case window(OperatorWindow)
    /// The neighbours of the place that it has in a map of another size.
    case resized
    /// All of them.
    case everything
    /// The same position, and all of them where two tensors depend on the image.
    case product
  }

  /// The shape of the result; nil where libtorch's own rule serves.
  let shape: (@Sendable (OperatorCall) -> [Int]?)?
  /// The type of a result whose shape is told; nil for that of the first tensor.
  let dtype: @Sendable (OperatorCall) -> DType?
  /// The floating-point operations of a call.
  let operations: @Sendable (OperatorCall) -> Int
  /// What a position of the result depends on.
  let reach: @Sendable (OperatorCall) -> Reach
  /// Whether results have memory of their own where the schema leaves that open.
  let copies: Bool

  /// An operator with these rules; without any, one that treats each position by itself.
  init(
    operations: @escaping @Sendable (OperatorCall) -> Int = { _ in 0 },
    reach: @escaping @Sendable (OperatorCall) -> Reach = { _ in .position }, copies: Bool = false,
    dtype: @escaping @Sendable (OperatorCall) -> DType? = { _ in nil },
    shape: (@Sendable (OperatorCall) -> [Int]?)? = nil
  ) {
    (self.shape, self.operations, self.reach) = (shape, operations, reach)
    (self.copies, self.dtype) = (copies, dtype)
  }

  /// An operator whose result (…, C, H, W) has these channels, each position seeing a window of the first
  /// tensor.
  init(
    channels: @escaping @Sendable (OperatorCall) -> Int,
    operations: @escaping @Sendable (OperatorCall) -> Int = { _ in 0 },
    window: @escaping @Sendable (OperatorCall) -> OperatorWindow
  ) {
    self.init(
      operations: operations, reach: { .window(window($0)) },
      shape: { call in
        let x = call.tensors[0], window = window(call)
        let sides = [window.length(x.height, axis: 0), window.length(x.width, axis: 1)]
        return Array(x.shape.dropLast(3)) + [channels(call)] + sides
      })
  }
}

/// How an operator's windows lie on a map; each list is for rows and columns.
package struct OperatorWindow: Sendable {
  /// What is done with a window.
  package enum Kind: Sendable {
    /// It is multiplied by kernels.
    case convolution
    /// Kernels that each number of the map is multiplied by are laid over the result.
    case transposed
    /// It is summed up without kernels.
    case pooling
    /// It is a single position of a map with a margin.
    case margin
  }

  /// What is done with a window.
  package let kind: Kind
  /// The taps of a window, the positions between neighbours' windows, and those between taps.
  package let kernel, stride, dilation: [Int]
  /// The positions before the map where the first window begins.
  package let padding: [Int]
  /// Further positions after the map; with ``Kind/transposed`` of the result.
  let endPadding: [Int]
  /// Whether a window that the map's end cuts short is taken, too.
  let isCeiled: Bool

  init(
    _ kernel: [Int], _ kind: Kind = .convolution, stride: [Int] = [1], padding: [Int] = [0],
    dilation: [Int] = [1], endPadding: [Int] = [0], isCeiled: Bool = false
  ) {
    func pair(_ list: [Int]) -> [Int] { list.count == 1 ? list + list : list }
    self.kind = kind
    (self.kernel, self.padding, self.dilation) = (pair(kernel), pair(padding), pair(dilation))
    // Windows of poolings without a stride lie side by side.
    self.stride = pair(stride.isEmpty ? kernel : stride)
    (self.endPadding, self.isCeiled) = (pair(endPadding), isCeiled)
  }

  /// The positions of the result along an axis of `size` positions, none if no window fits.
  func length(_ size: Int, axis: Int) -> Int {
    let extent = dilation[axis] * (kernel[axis] - 1) + 1
    let (step, before, after) = (stride[axis], padding[axis], endPadding[axis])
    if kind == .transposed { return max(0, (size - 1) * step - 2 * before + extent + after) }
    let last = size + 2 * before + after - extent
    guard last >= 0 else { return 0 }
    let length = (isCeiled ? last + step - 1 : last) / step + 1
    // No window begins beyond the map.
    return isCeiled && (length - 1) * step >= size + before ? length - 1 : length
  }
}

extension OperatorCall {
  /// The floating-point operations, two for each multiplication and addition, of convolutions, matrix
  /// products and attention; other operators count for nothing, as in PyTorch's `FlopCounterMode`.
  public var operations: Int { operation.meaning?.operations(self) ?? 0 }

  /// What a position of the result depends on.
  package var reach: OperatorMeaning.Reach { operation.meaning?.reach(self) ?? .position }
}
