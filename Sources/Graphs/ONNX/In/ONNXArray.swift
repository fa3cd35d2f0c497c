import Torch

/// Numbers that are known before a network runs: shapes, and what is computed of them.
struct ONNXArray: Equatable {
  /// The length of each dimension.
  var shape: [Int]
  /// The numbers in row-major order; whole numbers are exact up to 2⁵³, and those beyond stand for no end.
  var values: [Double]
  /// Their type.
  var dtype: DType

  init(_ shape: [Int], _ values: [Double], _ dtype: DType) {
    (self.shape, self.values, self.dtype) = (shape, values, dtype)
  }

  /// A list of whole numbers.
  init(_ list: [Int]) { self.init([list.count], list.map(Double.init), .int64) }

  /// The values as whole numbers, cut off at the ends of their range; NaN as 0.
  var ints: [Int] { values.map(\.clampedInt) }

  /// The only number; nil if there are none or several.
  var single: Double? { values.count == 1 ? values[0] : nil }

  /// The same as a tensor.
  var tensor: Tensor {
    switch dtype {
    case .bool: Tensor(values.map { $0 != 0 }, shape)
    case .int64: Tensor(ints.map(Int64.init), shape)
    case .float64: Tensor(values, shape)
    case .float32: Tensor(values.map(Float.init), shape)
    case .float16, .bfloat16: Tensor(values.map(Float.init), shape).to(dtype)
    default: Tensor(ints.map(Int64.init), shape).to(dtype)
    }
  }

  /// The number as its type holds it.
  static func rounded(_ value: Double, _ dtype: DType) -> Double {
    switch dtype {
    case .float32: Double(Float(value))
    case .float64, .float16, .bfloat16: value
    case .bool: value != 0 ? 1 : 0
    default: value.rounded(.towardZero)
    }
  }

  /// For each element of a result of `shape` the place of the element here that it is broadcast from.
  func places(in shape: [Int]) -> [Int] {
    var steps = [Int](repeating: 0, count: shape.count)
    var step = 1
    for (index, length) in self.shape.enumerated().reversed() {
      let axis = shape.count - self.shape.count + index
      if axis >= 0 { steps[axis] = length == 1 ? 0 : step }
      step *= length
    }
    return Self.places(shape, steps: steps)
  }

  /// The places that a walk through `shape` in row-major order visits.
  static func places(_ shape: [Int], steps: [Int], start: Int = 0) -> [Int] {
    var result = [start]
    for (length, step) in zip(shape, steps) {
      result = result.flatMap { place in (0..<max(0, length)).map { place + $0 * step } }
    }
    return result
  }

  /// The distance of neighbours along each dimension.
  var steps: [Int] {
    var result: [Int] = [], step = 1
    for length in shape.reversed() {
      result.append(step)
      step *= length
    }
    return result.reversed()
  }
}

extension Double {
  /// The whole number nearest to zero, cut off at the ends of the range; NaN as 0.
  var clampedInt: Int {
    if isNaN { return 0 }
    return self >= 0x1p63 ? .max : self < -0x1p63 ? .min : Int(self)
  }
}

/// What a name stands for while a network runs: a tensor, or numbers that are known.
struct ONNXValue {
  /// The numbers, where they are known without running.
  let array: ONNXArray?
  private let stored: Tensor?

  /// A tensor whose numbers are not looked at, or are known, too.
  init(_ tensor: Tensor, _ array: ONNXArray? = nil) { (stored, self.array) = (tensor, array) }
  /// Known numbers.
  init(_ array: ONNXArray) { (self.array, stored) = (array, nil) }

  /// The tensor, made of the numbers if need be.
  var tensor: Tensor { stored ?? array?.tensor ?? Tensor(0) }
  /// Whether it is known without running.
  var isKnown: Bool { array != nil }
  var shape: [Int] { array?.shape ?? stored?.shape ?? [] }
  var dtype: DType { array?.dtype ?? stored?.dtype ?? .float32 }
  /// The type and the shape in words.
  var description: String { "\(dtype) \(shape)" }
}

/// The number of elements of a shape; nil if it has a negative length, or if the product of its lengths above 0, in
/// whatever order, does not fit.
func elementCount(_ shape: [Int]) -> Int? {
  var product = 1
  for length in shape {
    guard length >= 0 else { return nil }
    let (next, overflow) = product.multipliedReportingOverflow(by: max(1, length))
    if overflow { return nil }
    product = next
  }
  return shape.contains(0) ? 0 : product
}
