import Torch

extension Operator {
  fileprivate static let scatter = Operator("scatter", "src")
  fileprivate static let indexPut = Operator("index_put")
}

/// What takes elements by their places, or puts them there.
extension ONNXOperators {
  static let indexing: [String: Rule] = [
    "Gather": gather,
    "GatherElements": tensor { step in
      let x = try step.x, indices = try step.tensor(1).to(.int64)
      let axis = try step.axis("axis", or: 0, rank: x.rank)
      guard indices.rank == x.rank,
        (0..<x.rank).allSatisfy({ $0 == axis || indices.size($0) <= x.size($0) })
      else { throw ONNXRefusal("its places \(indices.shape) do not fit \(x.shape)") }
      return x.gathered(axis, try counted(step, 1, indices, x.size(axis)))
    },
    "ScatterElements": tensor { step in
      let x = try step.x, indices = try step.tensor(1).to(.int64), updates = try step.tensor(2)
      let axis = try step.axis("axis", or: 0, rank: x.rank)
      guard step.string("reduction", or: "none") == "none", indices.shape == updates.shape,
        indices.rank == x.rank, (0..<x.rank).allSatisfy({ indices.size($0) <= x.size($0) }),
        updates.dtype == x.dtype
      else { throw ONNXRefusal("its places \(indices.shape) do not fit \(x.shape)") }
      return Operator.scatter(x, axis, try counted(step, 1, indices, x.size(axis)), updates)
    },
    "GatherND": tensor { step in
      guard try step.int("batch_dims", or: 0, in: 0...16) == 0 else {
        throw ONNXRefusal("batch_dims are not supported")
      }
      let x = try step.x, (lists, rest) = try places(step, 1, x)
      try step.admit(rest + x.shape[lists.count...])
      return Operator.index(x, lists)
    },
    "ScatterND": { step in
      guard step.string("reduction", or: "none") == "none" else {
        throw ONNXRefusal("it sums up, which is not supported")
      }
      let value = try step.value(0), x = step.tensor(of: value), updates = try step.value(2)
      let (lists, rest) = try places(step, 1, x)
      guard updates.shape == rest + x.shape[lists.count...], updates.dtype == x.dtype else {
        throw ONNXRefusal(
          "what it puts has the shape \(updates.shape), expected \(rest + x.shape[lists.count...])")
      }
      if let array = value.array, let places = try step.value(1).array, let new = updates.array {
        return [ONNXValue(put(new, at: places, in: array))]
      }
      return [ONNXValue(Operator.indexPut(x, lists, step.tensor(of: updates)))]
    },
    "NonZero": { step in
      let array = try step.array(0, "its input")
      let found = array.values.indices.filter { array.values[$0] != 0 }
      let steps = array.steps
      let values = array.shape.indices.flatMap { axis in
        found.map { Double($0 / steps[axis] % array.shape[axis]) }
      }
      return [ONNXValue(ONNXArray([array.shape.count, found.count], values, .int64))]
    },
    "OneHot": tensor { step in
      let indices = try step.x.to(.int64)
      guard let depth = try step.list(1, "its depth")?.first, (1...65_536).contains(depth),
        step.node.int("axis") ?? -1 == -1
      else {
        throw ONNXRefusal("its depth is no number from 1 to 65536, or its axis is not the last")
      }
      let values = try step.array(2, "its values")
      guard values.values.count == 2 else { throw ONNXRefusal("expected two values") }
      try step.admit(indices.shape + [depth])
      let classes = Tensor((0..<depth).map(Int64.init)).to(step.device)
      let hits = indices.unsqueezed(-1).equal(to: classes).to(values.dtype)
      return hits * (values.values[1] - values.values[0]) + values.values[0]
    },
  ]

  private static let gather: Rule = { step in
    let value = try step.value(0), indices = try step.value(1)
    let axis = try step.axis("axis", or: 0, rank: value.shape.count)
    let length = value.shape[axis]
    let shape = try step.admit(
      Array(value.shape[..<axis]) + indices.shape + Array(value.shape[(axis + 1)...]))
    if let array = indices.array {
      let places = try array.ints.map { try step.axis($0, rank: length) }
      if value.isKnown {
        let flat = try picked(value, axis, places, step)
        return [ONNXValue(ONNXArray(shape, flat.array?.values ?? [], flat.dtype))]
      }
      if indices.shape.isEmpty { return [ONNXValue(value.tensor.selected(axis, places[0]))] }
      let flat = try picked(value, axis, places, step)
      return [indices.shape.count == 1 ? flat : ONNXValue(flat.tensor.reshaped(shape))]
    }
    let x = step.tensor(of: value)
    let places = try counted(step, 1, indices.tensor.to(.int64), length)
    let flat = x.entries(axis, places.reshaped(places.count))
    return [ONNXValue(flat.reshaped(shape))]
  }

  /// Places counted from the end as well, of a dimension of `length`.
  private static func counted(
    _ step: ONNXStep, _ index: Int, _ places: Tensor, _ length: Int
  ) throws -> Tensor {
    if let array = step.optional(index)?.array {
      let counted = try array.ints.map { Int64(try step.axis($0, rank: length)) }
      return Tensor(counted, array.shape).to(step.device)
    }
    return places.below(0).choose(places + Tensor([Int64(length)], []).to(step.device), places)
  }

  /// The lists of places along the first dimensions that the last dimension of an input has.
  private static func places(
    _ step: ONNXStep, _ index: Int, _ x: Tensor
  ) throws -> (lists: [Tensor], rest: [Int]) {
    let array = try step.array(index, "its places")
    guard let count = array.shape.last, count >= 1, count <= x.rank else {
      throw ONNXRefusal("its places have the shape \(array.shape), its input \(x.shape)")
    }
    let rest = Array(array.shape.dropLast())
    let lists = try (0..<count).map { column -> Tensor in
      let own = try stride(from: column, to: array.values.count, by: count).map {
        Int64(try step.axis(array.values[$0].clampedInt, rank: x.size(column)))
      }
      return Tensor(own, rest).to(step.device)
    }
    return (lists, rest)
  }

  private static func put(_ new: ONNXArray, at places: ONNXArray, in array: ONNXArray) -> ONNXArray
  {
    let count = places.shape.last ?? 1, steps = array.steps
    let length = array.shape[count...].reduce(1, *)
    var result = array
    for row in 0..<(places.values.count / max(1, count)) {
      var start = 0
      for column in 0..<count {
        let place = places.values[row * count + column].clampedInt
        start += (place < 0 ? place + array.shape[column] : place) * steps[column]
      }
      for offset in 0..<length { result.values[start + offset] = new.values[row * length + offset] }
    }
    return result
  }
}

extension Operator {
  fileprivate static let index = Operator("index", "Tensor")
}
