import Torch

/// What cuts tensors, or adds to their sides.
extension ONNXOperators {
  static let cutting: [String: Rule] = [
    "Slice": slice, "Split": split, "Pad": pad,
    "Trilu": tensor { step in
      let x = try step.x
      guard x.rank >= 2 else { throw ONNXRefusal("its input is no matrix") }
      let diagonal = try step.list(1, "its diagonal")?.first ?? 0
      let bounded = min(max(diagonal, -ONNXStep.longest), ONNXStep.longest)
      return try step.flag("upper", or: true)
        ? Operator.triu(x, bounded) : Operator.tril(x, bounded)
    },
  ]

  private static let slice: Rule = { step in
    let value = try step.value(0), shape = value.shape
    guard let starts = try step.list(1, "its starts"), let ends = try step.list(2, "its ends"),
      starts.count == ends.count
    else { throw ONNXRefusal("its starts and ends do not fit each other") }
    let axes = try step.list(3, "its axes") ?? Array(starts.indices)
    let steps = try step.list(4, "its steps") ?? starts.map { _ in 1 }
    guard axes.count == starts.count, steps.count == starts.count, steps.allSatisfy({ $0 != 0 })
    else {
      throw ONNXRefusal("its axes or steps do not fit its starts")
    }
    var result = value, seen = Set<Int>()
    for (index, given) in axes.enumerated() {
      let axis = try step.axis(given, rank: shape.count)
      guard seen.insert(axis).inserted else { throw ONNXRefusal("it cuts dimension \(axis) twice") }
      let length = shape[axis], by = steps[index]
      func place(_ value: Int, _ range: ClosedRange<Int>) -> Int {
        min(
          max(value < 0 ? value.addingClamped(length) : value, range.lowerBound), range.upperBound)
      }
      if by > 0 {
        let (start, end) = (place(starts[index], 0...length), place(ends[index], 0...length))
        if start == 0 && end == length && by == 1 { continue }
        result = try cut(result, axis, start, max(start, end), min(by, max(1, length)), step)
      } else {
        // -1 stands for the place before the first.
        let start = place(starts[index], -1...max(length - 1, -1))
        let end = place(ends[index], -1...max(length - 1, -1))
        let places =
          start > end ? Array(stride(from: start, to: end, by: max(by, -length - 1))) : []
        result = try picked(result, axis, places, step)
      }
    }
    return [result]
  }

  private static func cut(
    _ value: ONNXValue, _ axis: Int, _ start: Int, _ end: Int, _ by: Int, _ step: ONNXStep
  ) throws -> ONNXValue {
    if value.isKnown {
      return try picked(value, axis, Array(stride(from: start, to: end, by: by)), step)
    }
    return ONNXValue(value.tensor.sliced(axis, start, end, step: by))
  }

  /// The entries of a dimension at these places.
  static func picked(
    _ value: ONNXValue, _ axis: Int, _ places: [Int], _ step: ONNXStep
  ) throws -> ONNXValue {
    guard let array = value.array else {
      let x = value.tensor
      if places == Array(0..<x.size(axis)) { return value }
      if places == Array((0..<x.size(axis)).reversed()) { return ONNXValue(x.flipped(axis)) }
      return ONNXValue(x.entries(axis, Tensor(places.map(Int64.init)).to(step.device)))
    }
    var shape = array.shape
    let inner = shape[(axis + 1)...].reduce(1, *), length = shape[axis]
    let outer = shape[..<axis].reduce(1, *)
    shape[axis] = places.count
    try step.admitNumbers(shape)
    let from = (0..<outer).flatMap { block in
      places.flatMap { place in (0..<inner).map { (block * length + place) * inner + $0 } }
    }
    return ONNXValue(array.picked(from, shape))
  }

  private static let split: Rule = { step in
    let value = try step.value(0)
    let axis = try step.axis("axis", or: 0, rank: value.shape.count)
    let length = value.shape[axis], count = step.node.outputs.count
    let sizes: [Int]
    if let given = try step.node.ints("split") ?? step.list(1, "its lengths") {
      sizes = given
    } else {
      // The last part is shorter where they do not fit.
      let size = (length + max(1, count) - 1) / max(1, count)
      sizes = (0..<count).map { max(0, min(size, length - $0 * size)) }
    }
    guard sizes.count == count, sizes.allSatisfy({ (0...length).contains($0) }),
      sizes.reduce(0, { $0.addingClamped($1) }) == length
    else { throw ONNXRefusal("its parts \(sizes) do not fit \(length)") }
    if !value.isKnown, let size = sizes.first, size > 0, count <= 64,
      sizes.allSatisfy({ $0 == size })
    {
      return value.tensor.split(size, along: axis).map { ONNXValue($0) }
    }
    var start = 0
    return try sizes.map { size in
      defer { start += size }
      return try cut(value, axis, start, start + size, 1, step)
    }
  }

  private static let pad: Rule = { step in
    let value = try step.value(0), shape = value.shape, rank = shape.count
    guard let given = try step.node.ints("pads") ?? step.list(1, "its amounts") else {
      throw ONNXRefusal("its amounts are missing")
    }
    let axes =
      try step.list(3, "its axes")?.map { try step.axis($0, rank: rank) } ?? Array(0..<rank)
    guard given.count == 2 * axes.count, Set(axes).count == axes.count,
      given.allSatisfy({ (-ONNXStep.longest...ONNXStep.longest).contains($0) })
    else { throw ONNXRefusal("its amounts \(given) do not fit \(rank) dimensions") }
    var before = [Int](repeating: 0, count: rank), after = before
    for (index, axis) in axes.enumerated() {
      (before[axis], after[axis]) = (given[index], given[axes.count + index])
    }
    let sides = zip(shape, zip(before, after)).map { $0 + $1.0 + $1.1 }
    guard sides.allSatisfy({ $0 >= 0 }) else { throw ONNXRefusal("it cuts off more than there is") }
    try step.admit(sides)
    if before.allSatisfy({ $0 == 0 }), after.allSatisfy({ $0 == 0 }) { return [value] }
    let mode = step.string("mode", or: "constant")
    if mode == "constant" {
      guard let number = try step.has(2) ? step.array(2, "what it pads with").single : 0 else {
        throw ONNXRefusal("what it pads with is not a single number")
      }
      // Dimensions at the front that nothing is added to are left out, as in our own networks.
      let first = (0..<rank).first { before[$0] != 0 || after[$0] != 0 } ?? 0
      let amounts = (first..<rank).reversed().flatMap { [before[$0], after[$0]] }
      guard let array = value.array else {
        return [ONNXValue(value.tensor.padded(amounts, value: number))]
      }
      try step.admitNumbers(sides)
      return [ONNXValue(padded(array, before, sides, number))]
    }
    var result = value
    for axis in 0..<rank where before[axis] != 0 || after[axis] != 0 {
      let length = shape[axis]
      guard length > 0 else { throw ONNXRefusal("there is nothing to pad with") }
      try step.admitNumbers([sides[axis]])
      let places = try (-before[axis]..<length + after[axis]).map { place in
        try source(of: place, length, mode)
      }
      result = try picked(result, axis, places, step)
    }
    return [result]
  }

  /// Known numbers with others around them.
  private static func padded(
    _ array: ONNXArray, _ before: [Int], _ sides: [Int], _ number: Double
  ) -> ONNXArray {
    var result = ONNXArray(
      sides, [Double](repeating: number, count: sides.reduce(1, *)), array.dtype)
    let (steps, own) = (result.steps, array.steps)
    for place in result.values.indices {
      var source = 0, isInside = true
      for axis in sides.indices {
        let position = place / steps[axis] % sides[axis] - before[axis]
        isInside = isInside && (0..<array.shape[axis]).contains(position)
        source += position * own[axis]
      }
      if isInside { result.values[place] = array.values[source] }
    }
    return result
  }

  /// The place that a margin's element is taken from.
  private static func source(of place: Int, _ length: Int, _ mode: String) throws -> Int {
    switch mode {
    case "edge": return min(max(place, 0), length - 1)
    case "wrap": return (place % length + length) % length
    case "reflect":
      guard length > 1 else { return 0 }
      let period = 2 * (length - 1), rest = (place % period + period) % period
      return rest < length ? rest : period - rest
    default: throw ONNXRefusal("its mode is '\(mode)', expected constant, reflect, edge or wrap")
    }
  }
}

extension Operator {
  fileprivate static let triu = Operator("triu")
  fileprivate static let tril = Operator("tril")
}
