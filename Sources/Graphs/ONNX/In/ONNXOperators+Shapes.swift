import Torch

extension Operator {
  fileprivate static let repeated = Operator("repeat")
}

/// Shapes, and what gives the same elements in another one.
extension ONNXOperators {
  static let shapes: [String: Rule] = [
    "Shape": { step in
      let shape = try step.value(0).shape
      func place(_ name: String, _ standard: Int) -> Int {
        let value = step.node.int(name) ?? standard
        return min(max(value < 0 ? value.addingClamped(shape.count) : value, 0), shape.count)
      }
      let (start, end) = (place("start", 0), place("end", shape.count))
      return [ONNXValue(ONNXArray(start < end ? Array(shape[start..<end]) : []))]
    },
    "Size": { step in
      [ONNXValue(ONNXArray([], [Double(elementCount(try step.value(0).shape) ?? 0)], .int64))]
    },
    "Reshape": { step in
      guard let list = try step.list(1, "its lengths") else {
        throw ONNXRefusal("its lengths are missing")
      }
      return [try reshaped(step.value(0), list, keepsZeros: try step.flag("allowzero"), step)]
    },
    "Flatten": { step in
      let value = try step.value(0), shape = value.shape
      let given = step.node.int("axis") ?? 1
      let axis = given == shape.count ? given : try step.axis(given, rank: max(1, shape.count))
      let first = shape[..<min(axis, shape.count)].reduce(1, *)
      let second = shape[min(axis, shape.count)...].reduce(1, *)
      return [try reshaped(value, [first, second], keepsZeros: true, step)]
    },
    "Squeeze": { step in
      let value = try step.value(0), shape = value.shape
      let axes =
        try step.axes(input: 1, rank: shape.count) ?? shape.indices.filter { shape[$0] == 1 }
      guard axes.allSatisfy({ shape[$0] == 1 }) else {
        throw ONNXRefusal("the dimensions \(axes) of \(shape) are not all 1")
      }
      let rest = shape.indices.filter { !axes.contains($0) }.map { shape[$0] }
      return [try reshaped(value, rest, keepsZeros: true, step)]
    },
    "Unsqueeze": { step in
      let value = try step.value(0)
      guard let list = try step.node.ints("axes") ?? step.list(1, "its axes"), list.count <= 16
      else {
        throw ONNXRefusal("its axes are missing")
      }
      let rank = value.shape.count + list.count
      let axes = Set(try list.map { try step.axis($0, rank: rank) })
      guard axes.count == list.count else {
        throw ONNXRefusal("a dimension stands twice in its axes")
      }
      var rest = value.shape.makeIterator()
      let shape = (0..<rank).map { axes.contains($0) ? 1 : rest.next() ?? 1 }
      return [try reshaped(value, shape, keepsZeros: true, step)]
    },
    "Transpose": { step in
      let value = try step.value(0), rank = value.shape.count
      let order = step.node.ints("perm") ?? Array((0..<rank).reversed())
      guard order.sorted() == Array(0..<rank) else {
        throw ONNXRefusal("its order \(order) is none of \(rank) dimensions")
      }
      guard let array = value.array else { return [ONNXValue(value.tensor.permuted(order))] }
      let shape = order.map { array.shape[$0] }
      return [
        ONNXValue(
          array.picked(ONNXArray.places(shape, steps: order.map { array.steps[$0] }), shape))
      ]
    },
    "Expand": { step in
      let value = try step.value(0)
      guard let list = try step.list(1, "its lengths"), list.allSatisfy({ $0 >= 0 }) else {
        throw ONNXRefusal("its lengths are missing, or negative")
      }
      let shape = try step.broadcast(value.shape, list)
      return [try expanded(value, shape, step)]
    },
    "Tile": { step in
      let value = try step.value(0)
      guard let repeats = try step.list(1, "its repeats"), repeats.count == value.shape.count,
        repeats.allSatisfy({ (0...ONNXStep.longest).contains($0) })
      else { throw ONNXRefusal("its repeats do not fit \(value.shape)") }
      let shape = try step.admit(zip(value.shape, repeats).map { $0.multipliedClamped($1) })
      if let array = value.array {
        try step.admitNumbers(shape)
        guard !shape.contains(0) else { return [ONNXValue(ONNXArray(shape, [], array.dtype))] }
        var result = array
        for (axis, count) in repeats.enumerated() {
          result = try joined([ONNXArray](repeating: result, count: count), axis, step.limits)
        }
        return [ONNXValue(result)]
      }
      return [ONNXValue(Operator.repeated(value.tensor, repeats))]
    },
    "ConstantOfShape": { step in
      guard let shape = try step.list(0, "its lengths"), shape.allSatisfy({ $0 >= 0 }) else {
        throw ONNXRefusal("its lengths are missing, or negative")
      }
      try step.admit(shape)
      var value = ONNXArray([], [0], .float32)
      if case .array(let given)? = step.node.attributes["value"] {
        value = ONNXArray([], [given.single ?? 0], given.dtype)
      }
      return [try expanded(ONNXValue(value), shape, step)]
    },
    "Range": { step in
      let (start, limit, delta) = (
        try step.array(0, "its start"), try step.array(1, "its end"), try step.array(2, "its step")
      )
      guard let first = start.single, let last = limit.single, let by = delta.single, by != 0 else {
        throw ONNXRefusal("its step is 0, or not a single number")
      }
      let count = max(0, ((last - first) / by).rounded(.up))
      guard count <= Double(step.limits.numbers) else {
        throw ONNXRefusal("it has \(count) numbers")
      }
      let values = (0..<Int(count)).map { ONNXArray.rounded(first + Double($0) * by, start.dtype) }
      return [ONNXValue(ONNXArray([values.count], values, start.dtype))]
    },
    "Concat": { step in
      let values = try step.inputs.indices.map { try step.value($0) }
      guard let first = values.first, !first.shape.isEmpty else {
        throw ONNXRefusal("there is nothing to join")
      }
      let axis = try step.axis("axis", or: 0, rank: first.shape.count)
      func rest(_ shape: [Int]) -> [Int] { shape.indices.filter { $0 != axis }.map { shape[$0] } }
      guard
        values.allSatisfy({
          $0.shape.count == first.shape.count && rest($0.shape) == rest(first.shape)
            && $0.dtype == first.dtype
        })
      else { throw ONNXRefusal("what it joins along dimension \(axis) does not fit together") }
      var shape = first.shape
      shape[axis] = values.reduce(0) { $0 + $1.shape[axis] }
      try step.admit(shape)
      let arrays = values.compactMap(\.array)
      if arrays.count == values.count { return [ONNXValue(try joined(arrays, axis, step.limits))] }
      if values.count == 1 { return [first] }
      return [ONNXValue(concatenate(values.map(step.tensor(of:)), along: axis))]
    },
  ]

  /// The same elements in the shape that a list of lengths stands for: 0 keeps a length, -1 is what is left.
  private static func reshaped(
    _ value: ONNXValue, _ list: [Int], keepsZeros: Bool, _ step: ONNXStep
  ) throws -> ONNXValue {
    guard list.count <= 16 else {
      throw ONNXRefusal("its result would have \(list.count) dimensions")
    }
    let own = value.shape
    var shape = try list.enumerated().map { index, length in
      guard length == 0, !keepsZeros else { return length }
      guard index < own.count else { throw ONNXRefusal("\(own) has no dimension \(index) to keep") }
      return own[index]
    }
    let count = own.reduce(1, *)
    let free = shape.indices.filter { shape[$0] == -1 }
    if let place = free.first {
      shape[place] = 1
      guard free.count == 1, let rest = elementCount(shape), rest > 0, count % rest == 0 else {
        throw ONNXRefusal("\(own) cannot become \(list)")
      }
      shape[place] = count / rest
    }
    guard elementCount(shape) == count else { throw ONNXRefusal("\(own) cannot become \(list)") }
    if let array = value.array { return ONNXValue(ONNXArray(shape, array.values, array.dtype)) }
    return shape == own ? value : ONNXValue(value.tensor.reshaped(shape))
  }

  private static func expanded(_ value: ONNXValue, _ shape: [Int], _ step: ONNXStep) throws
    -> ONNXValue
  {
    if shape == value.shape { return value }
    if let array = value.array, let count = elementCount(shape), count <= 4096 {
      return ONNXValue(array.picked(array.places(in: shape), shape))
    }
    return ONNXValue(step.tensor(of: value).expanded(shape))
  }

  /// Known numbers joined along a dimension.
  static func joined(_ arrays: [ONNXArray], _ axis: Int, _ limits: ONNXLimits) throws -> ONNXArray {
    guard var shape = arrays.first?.shape else { return ONNXArray([0], [], .int64) }
    shape[axis] = arrays.reduce(0) { $0 + $1.shape[axis] }
    guard let count = elementCount(shape), count <= limits.numbers else {
      throw ONNXRefusal("more than \(limits.numbers) numbers would be worked out")
    }
    let outer = shape[..<axis].reduce(1, *)
    var values: [Double] = []
    for index in 0..<outer {
      for array in arrays {
        let length = array.values.count / max(1, outer)
        values += array.values[index * length..<(index + 1) * length]
      }
    }
    return ONNXArray(shape, values, arrays[0].dtype)
  }
}

extension ONNXArray {
  /// The elements at these places, in another shape.
  func picked(_ places: [Int], _ shape: [Int]) -> ONNXArray {
    ONNXArray(shape, places.map { values[$0] }, dtype)
  }
}

extension Int {
  /// The sum, or the end of the range.
  func addingClamped(_ other: Int) -> Int {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other > 0 ? .max : .min) : sum
  }

  /// The product of numbers that are not negative, or the end of the range.
  func multipliedClamped(_ other: Int) -> Int {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? .max : product
  }
}
