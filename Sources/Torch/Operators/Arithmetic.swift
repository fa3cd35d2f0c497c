extension Operator {
  fileprivate static let add = Operator("add", "Tensor")
  fileprivate static let addIn = Operator("add_", "Tensor")
  fileprivate static let addScalar = Operator("add", "Scalar")
  fileprivate static let sub = Operator("sub", "Tensor")
  fileprivate static let subScalar = Operator("sub", "Scalar")
  fileprivate static let rsub = Operator("rsub", "Scalar")
  fileprivate static let mul = Operator("mul", "Tensor")
  fileprivate static let mulIn = Operator("mul_", "Tensor")
  fileprivate static let mulScalar = Operator("mul", "Scalar")
  fileprivate static let mulScalarIn = Operator("mul_", "Scalar")
  fileprivate static let div = Operator("div", "Tensor")
  fileprivate static let divScalar = Operator("div", "Scalar")
  fileprivate static let neg = Operator("neg")
  fileprivate static let pow = Operator("pow", "Tensor_Scalar")
  fileprivate static let sqrt = Operator("sqrt")
  fileprivate static let rsqrt = Operator("rsqrt")
  fileprivate static let exp = Operator("exp")
  fileprivate static let log = Operator("log")
  fileprivate static let abs = Operator("abs")
  fileprivate static let clamp = Operator("clamp")
  fileprivate static let eq = Operator("eq", "Scalar")
  fileprivate static let ne = Operator("ne", "Scalar")
  fileprivate static let ge = Operator("ge", "Scalar")
  fileprivate static let lt = Operator("lt", "Scalar")
  fileprivate static let eqTensor = Operator("eq", "Tensor")
  fileprivate static let maximum = Operator("maximum")
  fileprivate static let sum = Operator("sum")
  fileprivate static let sumAlong = Operator("sum", "dim_IntList")
  fileprivate static let mean = Operator("mean")
  fileprivate static let meanAlong = Operator("mean", "dim")
  fileprivate static let std = Operator("std", "correction")
  fileprivate static let argmax = Operator("argmax")
  fileprivate static let maxAlong = Operator("max", "dim")
  fileprivate static let amax = Operator("amax")
  fileprivate static let isnan = Operator("isfinite")
  fileprivate static let all = Operator("all")
  fileprivate static let norm = Operator("linalg_vector_norm")
  fileprivate static let topk = Operator("topk")
  fileprivate static let `where` = Operator("where", "self")
  fileprivate static let maskedFill = Operator("masked_fill", "Scalar")
  fileprivate static let bincount = Operator("bincount")
  fileprivate static let matmul = Operator("matmul")
}

/// Element by element, with the shapes of both sides broadcast to one another.
extension Tensor {
  /// The sum at each element.
  public static func + (a: Tensor, b: Tensor) -> Tensor { Operator.add(a, b) }
  /// The sum at each element.
  public static func + (a: Tensor, b: Double) -> Tensor { Operator.addScalar(a, b) }
  /// The difference at each element.
  public static func - (a: Tensor, b: Tensor) -> Tensor { Operator.sub(a, b) }
  /// The difference at each element.
  public static func - (a: Tensor, b: Double) -> Tensor { Operator.subScalar(a, b) }
  /// The difference at each element.
  public static func - (a: Double, b: Tensor) -> Tensor { Operator.rsub(b, a) }
  /// The product at each element.
  public static func * (a: Tensor, b: Tensor) -> Tensor { Operator.mul(a, b) }
  /// The product at each element.
  public static func * (a: Tensor, b: Double) -> Tensor { Operator.mulScalar(a, b) }
  /// The product at each element.
  public static func * (a: Double, b: Tensor) -> Tensor { Operator.mulScalar(b, a) }
  /// The quotient at each element.
  public static func / (a: Tensor, b: Tensor) -> Tensor { Operator.div(a, b) }
  /// The quotient at each element.
  public static func / (a: Tensor, b: Double) -> Tensor { Operator.divScalar(a, b) }
  /// Each element with the other sign.
  public static prefix func - (a: Tensor) -> Tensor { Operator.neg(a) }

  /// Each element to the power `exponent`.
  public final func pow(_ exponent: Double) -> Tensor { Operator.pow(self, exponent) }
  /// The square root of each element.
  public final func sqrt() -> Tensor { Operator.sqrt(self) }
  /// One over the square root of each element.
  public final func rsqrt() -> Tensor { Operator.rsqrt(self) }
  /// e to the power of each element.
  public final func exp() -> Tensor { Operator.exp(self) }
  /// The natural logarithm of each element.
  public final func log() -> Tensor { Operator.log(self) }
  /// The absolute value of each element.
  public final func abs() -> Tensor { Operator.abs(self) }
  /// Each element, but no less than `low` and no more than `high`.
  public final func clamped(_ low: Double?, _ high: Double? = nil) -> Tensor {
    Operator.clamp(self, low, high)
  }
  /// The larger of both tensors at each element.
  public final func maximum(_ other: Tensor) -> Tensor { Operator.maximum(self, other) }

  /// Adds `other`, times `scale`, to this tensor in place.
  @discardableResult
  public final func add(_ other: Tensor, scale: Double = 1) -> Tensor {
    // Integers refuse a scale that is no integer, even 1.0.
    scale == 1 ? Operator.addIn(self, other) : Operator.addIn(self, other, scale)
  }
  /// Multiplies this tensor by `factor` in place.
  @discardableResult
  public final func multiply(by factor: Double) -> Tensor { Operator.mulScalarIn(self, factor) }
  /// Multiplies this tensor by `factor` in place.
  @discardableResult
  public final func multiply(by factor: Tensor) -> Tensor { Operator.mulIn(self, factor) }

  /// Whether each element equals `value`.
  public final func equal(to value: Double) -> Tensor { Operator.eq(self, value) }
  /// Whether each element equals that of `other`.
  public final func equal(to other: Tensor) -> Tensor { Operator.eqTensor(self, other) }
  /// Whether each element differs from `value`.
  public final func notEqual(to value: Double) -> Tensor { Operator.ne(self, value) }
  /// Whether each element is `value` or more.
  public final func atLeast(_ value: Double) -> Tensor { Operator.ge(self, value) }
  /// Whether each element is less than `value`.
  public final func below(_ value: Double) -> Tensor { Operator.lt(self, value) }
  /// Elements of this tensor with `value` wherever `mask` is true.
  public final func filled(with value: Double, where mask: Tensor) -> Tensor {
    Operator.maskedFill(self, mask, value)
  }
  /// Elements of `a` where this tensor is true and of `b` elsewhere.
  public final func choose(_ a: Tensor, _ b: Tensor) -> Tensor { Operator.where(self, a, b) }

  /// The matrix product over the last two dimensions.
  public final func matmul(_ other: Tensor) -> Tensor { Operator.matmul(self, other) }
}

/// Over all elements or along dimensions.
extension Tensor {
  /// The sum of all elements.
  public final func sum() -> Tensor { Operator.sum(self) }
  /// The sums along `dimensions`.
  public final func sum(_ dimensions: [Int], keep: Bool = false) -> Tensor {
    Operator.sumAlong(self, dimensions, keep)
  }
  /// The mean of all elements.
  public final func mean() -> Tensor { Operator.mean(self) }
  /// The means along `dimensions`.
  public final func mean(_ dimensions: [Int], keep: Bool = false) -> Tensor {
    Operator.meanAlong(self, dimensions, keep)
  }
  /// The standard deviation of all elements, of a sample unless `correction` is 0.
  public final func standardDeviation(correction: Int = 1) -> Tensor {
    Operator.std(self, [Int]?.none, correction)
  }
  /// The Euclidean norm of all elements.
  public final func norm() -> Tensor { Operator.norm(self) }
  /// The index of the largest element along `dimension`, as 64-bit integers.
  public final func argmax(_ dimension: Int) -> Tensor { Operator.argmax(self, dimension) }
  /// The largest element along `dimension` and its index.
  public final func max(_ dimension: Int, keep: Bool = false) -> (values: Tensor, indices: Tensor) {
    let both = Operator.maxAlong.tensors(self, dimension, keep)
    return both.count == 2 ? (both[0], both[1]) : (Tensor(adopting: nil), Tensor(adopting: nil))
  }
  /// The largest elements along `dimensions`.
  public final func maximum(along dimensions: [Int], keep: Bool = false) -> Tensor {
    Operator.amax(self, dimensions, keep)
  }
  /// The `count` largest elements along the last dimension, in falling order.
  public final func largest(_ count: Int) -> Tensor { Operator.topk(self, count) }
  /// Whether every element is a finite number.
  public final var isFinite: Bool { Operator.all(Operator.isnan(self)).to(.float32).item == 1 }
  /// How often each integer from 0 to `count - 1` occurs, as 64-bit integers.
  public final func binCounts(_ count: Int) -> Tensor {
    Operator.bincount(self, Tensor?.none, count)
  }
}
