extension Operator {
  fileprivate static let cat = Operator("cat")
  fileprivate static let stack = Operator("stack")
  fileprivate static let split = Operator("split", "Tensor")
  fileprivate static let chunk = Operator("chunk")
  fileprivate static let flatten = Operator("flatten", "using_ints")
  fileprivate static let reshape = Operator("reshape")
  fileprivate static let permute = Operator("permute")
  fileprivate static let transpose = Operator("transpose", "int")
  fileprivate static let unsqueeze = Operator("unsqueeze")
  fileprivate static let squeeze = Operator("squeeze", "dim")
  fileprivate static let expand = Operator("expand")
  fileprivate static let slice = Operator("slice", "Tensor")
  fileprivate static let select = Operator("select", "int")
  fileprivate static let index = Operator("index", "Tensor")
  fileprivate static let indexSelect = Operator("index_select")
  fileprivate static let gather = Operator("gather")
  fileprivate static let pad = Operator("constant_pad_nd")
  fileprivate static let flip = Operator("flip")
  fileprivate static let roll = Operator("roll")
  fileprivate static let toType = Operator("to", "dtype")
  fileprivate static let toDevice = Operator("to", "device")
  fileprivate static let contiguous = Operator("contiguous")
  fileprivate static let clone = Operator("clone")
  fileprivate static let copy = Operator("copy_")
  fileprivate static let fill = Operator("fill_", "Scalar")
  fileprivate static let zerosLike = Operator("zeros_like")
  fileprivate static let onesLike = Operator("ones_like")
  fileprivate static let normal = Operator("normal_")
  fileprivate static let uniform = Operator("uniform_")
  fileprivate static let random = Operator("random_", "from")
  fileprivate static let asStrided = Operator("as_strided")
}

extension Tensor {
  /// The same elements in another shape, of which one length may be -1.
  public final func reshaped(_ shape: Int...) -> Tensor { Operator.reshape(self, shape) }
  /// The same elements in another shape, of which one length may be -1.
  public final func reshaped(_ shape: [Int]) -> Tensor { Operator.reshape(self, shape) }
  /// The dimensions in another order.
  public final func permuted(_ order: Int...) -> Tensor { Operator.permute(self, order) }
  /// The dimensions in another order.
  public final func permuted(_ order: [Int]) -> Tensor { Operator.permute(self, order) }
  /// Two dimensions exchanged.
  public final func transposed(_ a: Int, _ b: Int) -> Tensor { Operator.transpose(self, a, b) }
  /// The dimensions from `start` to `end` as one.
  public final func flattened(from start: Int, to end: Int = -1) -> Tensor {
    Operator.flatten(self, start, end)
  }
  /// One more dimension of length 1.
  public final func unsqueezed(_ dimension: Int) -> Tensor { Operator.unsqueeze(self, dimension) }
  /// Without a dimension of length 1.
  public final func squeezed(_ dimension: Int) -> Tensor { Operator.squeeze(self, dimension) }
  /// Dimensions of length 1 repeated to `shape` without a copy.
  public final func expanded(_ shape: [Int]) -> Tensor { Operator.expand(self, shape) }
  /// The elements from `start` up to but not `end` along `dimension`.
  public final func sliced(_ dimension: Int, _ start: Int, _ end: Int, step: Int = 1) -> Tensor {
    Operator.slice(self, dimension, start, end, step)
  }
  /// One index of `dimension`, which is dropped.
  public final func selected(_ dimension: Int, _ index: Int) -> Tensor {
    Operator.select(self, dimension, index)
  }
  /// The rows of the first dimensions that the integer tensors `indices` name.
  public final func indexed(_ indices: Tensor?...) -> Tensor { Operator.index(self, indices) }
  /// The entries of `dimension` that `indices` lists.
  public final func entries(_ dimension: Int, _ indices: Tensor) -> Tensor {
    Operator.indexSelect(self, dimension, indices)
  }
  /// For each position the element that `indices` names along `dimension`.
  public final func gathered(_ dimension: Int, _ indices: Tensor) -> Tensor {
    Operator.gather(self, dimension, indices)
  }
  /// Parts of `size` elements along `dimension`, the last one shorter if need be.
  public final func split(_ size: Int, along dimension: Int) -> [Tensor] {
    Operator.split.tensors(self, size, dimension)
  }
  /// `count` parts along `dimension`.
  public final func chunks(_ count: Int, along dimension: Int) -> [Tensor] {
    Operator.chunk.tensors(self, count, dimension)
  }
  /// Surrounded by `value`; the amounts are left, right, top, bottom of the last dimensions.
  public final func padded(_ amounts: [Int], value: Double = 0) -> Tensor {
    Operator.pad(self, amounts, value)
  }
  /// Reversed along `dimensions`.
  public final func flipped(_ dimensions: Int...) -> Tensor { Operator.flip(self, dimensions) }
  /// Shifted cyclically by `shifts` along `dimensions`.
  public final func rolled(_ shifts: [Int], _ dimensions: [Int]) -> Tensor {
    Operator.roll(self, shifts, dimensions)
  }

  /// The elements as another type.
  public final func to(_ dtype: DType) -> Tensor {
    self.dtype == dtype ? self : Operator.toType(self, dtype)
  }
  /// The elements on another device.
  public final func to(_ device: Device) -> Tensor {
    // Constants keep their numbers where maps have no memory.
    self.device == device || DoorScope.current?.isWithoutMaps == true
      ? self : Operator.toDevice(self, device, dtype)
  }
  /// The same tensor if it lies in memory as asked, a copy that does otherwise.
  public final func contiguous(_ format: MemoryFormat = .contiguous) -> Tensor {
    Operator.contiguous(self, format)
  }
  /// A copy with memory of its own.
  public final func cloned() -> Tensor { Operator.clone(self) }
  /// Takes over the values of `other`, whose shape must be the same or broadcast to it.
  public final func assign(_ other: Tensor) { withoutGradients { _ = Operator.copy(self, other) } }
  /// Sets every element to `value`.
  public final func fill(_ value: Double) { withoutGradients { _ = Operator.fill(self, value) } }
  /// Zeros of this tensor's shape, type and memory layout.
  public final func zerosLike() -> Tensor { Operator.zerosLike(self) }
  /// Ones of this tensor's shape, type and memory layout.
  public final func onesLike() -> Tensor { Operator.onesLike(self) }

  /// Draws every element from a normal distribution, in place.
  public final func drawNormal(mean: Double = 0, deviation: Double = 1) {
    withoutGradients { _ = Operator.normal(self, mean, deviation) }
  }
  /// Draws every element from the interval between `low` and `high`, in place.
  public final func drawUniform(_ low: Double = 0, _ high: Double = 1) {
    withoutGradients { _ = Operator.uniform(self, low, high) }
  }
}

/// Joins `tensors` along a dimension, the channels unless told otherwise.
public func concatenate(_ tensors: [Tensor], along dimension: Int = 1) -> Tensor {
  Operator.cat(tensors, dimension)
}

/// Joins `tensors` of one shape along a new dimension.
public func stack(_ tensors: [Tensor], along dimension: Int = 0) -> Tensor {
  Operator.stack(tensors, dimension)
}
