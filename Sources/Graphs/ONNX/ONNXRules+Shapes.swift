import Torch

/// What changes shapes, and takes or joins parts.
extension ONNXRules {
  private static let reshaping = one { $0.reshape($0.x) }

  static let shapes: [String: Rule] = [
    "reshape": reshaping, "flatten": reshaping, "unsqueeze": reshaping, "squeeze": reshaping,
    "permute": one { call in
      let rank = call.first.shape.count
      let order = call.ints("dims").map { $0 < 0 ? $0 + rank : $0 }
      return call.emit("Transpose", [call.x], ["perm": .ints(order)])
    },
    "transpose": one { call in
      var order = Array(call.first.shape.indices)
      order.swapAt(call.axis("dim0"), call.axis("dim1"))
      return call.emit("Transpose", [call.x], ["perm": .ints(order)])
    },
    "expand": one { call in
      let sides = call.sides, results = call.results
      guard sides != results else { return call.x }
      // 1 keeps a side as it is.
      let added = results.count - sides.count
      let target = results.enumerated().map { axis, length in
        axis >= added && sides[axis - added] == length && length.fixed == nil
          ? Length(length.values.map { _ in 1 }) : length
      }
      return call.emit("Expand", [call.x, call.ints(target, "the shape")])
    },
    "cat": one { $0.emit("Concat", $0.names, ["axis": .int($0.int("dim"))]) },
    "stack": one { call in
      let axis = call.axis("dim", rank: call.output.shape.count)
      let parts = call.names.map {
        call.emit("Unsqueeze", [$0, call.builder.constant([axis])])
      }
      return call.emit("Concat", parts, ["axis": .int(axis)])
    },
    "split": splitting, "chunk": splitting,
    "slice": one { call in
      let axis = call.axis("dim"), side = call.sides[axis]
      func place(_ name: String, _ usual: Length) -> Length {
        let given = call.lengths(name).first ?? usual
        return Length(
          zip(given.values, side.values).map { min($1, max(0, $0 < 0 ? $0 + $1 : $0)) })
      }
      let start = place("start", side * 0), end = place("end", side)
      return sliced(call, call.x, axis, start, end, step: max(1, call.int("step")))
    },
    "select": one { call in
      call.emit(
        "Gather", [call.x, call.builder.constant(call.int("index"))],
        ["axis": .int(call.axis("dim"))])
    },
    "index_select": one { call in
      call.emit("Gather", [call.x, call.name("index")], ["axis": .int(call.axis("dim"))])
    },
    "gather": one { call in
      call.emit("GatherElements", [call.x, call.name("index")], ["axis": .int(call.axis("dim"))])
    },
    "constant_pad_nd": one { try padded($0) },
    "flip": one { call in
      let b = call.builder
      return call.ints("dims").reduce(call.x) { x, axis in
        let (first, end, step) = (b.constant([-1]), b.constant([-Int.max]), b.constant([-1]))
        return call.emit("Slice", [x, first, end, b.constant([axis]), step])
      }
    },
    "roll": one { call in
      zip(call.ints("shifts"), call.ints("dims")).reduce(call.x) { x, step in
        let side = call.sides[step.1]
        let shifts = Length(side.values.map { ((step.0 % $0) + $0) % $0 })
        guard shifts.fixed != 0 else { return x }
        let parts = [
          sliced(call, x, step.1, side - shifts, side),
          sliced(call, x, step.1, side * 0, side - shifts),
        ]
        return call.emit("Concat", parts, ["axis": .int(step.1)])
      }
    },
    "zeros_like": filled(0), "ones_like": filled(1),
  ]

  private static let splitting: Rule = { call in
    let axis = call.axis("dim")
    let sizes = call.node.outputs.map { call.builder.graphs.shape($0)[axis] }
    return call.builder.emit(
      "Split", [call.x, call.ints(sizes, "a part")], ["axis": .int(axis)], count: sizes.count)
  }

  private static func filled(_ value: Double) -> Rule {
    one { call in
      call.emit(
        "Expand",
        [
          call.builder.constant(value, call.output.dtype), call.ints(call.results, "the shape"),
        ])
    }
  }

  /// What lies between two places along an axis of a value that is as long there as the first one.
  private static func sliced(
    _ call: ONNXCall, _ x: String, _ axis: Int, _ start: Length, _ end: Length, step: Int = 1
  ) -> String {
    let side = call.sides[axis], b = call.builder
    /// A place, from the end where that is the same for all sizes.
    func place(_ length: Length, _ what: String) -> String {
      if length.fixed == nil, let rest = (length - side).fixed, rest < 0 {
        return b.constant([rest])
      }
      return call.ints([length], what)
    }
    let last = end == side ? b.constant([Int.max]) : place(end, "the end")
    return call.emit(
      "Slice", [x, place(start, "the start"), last, b.constant([axis]), b.constant([step])])
  }

  private static func padded(_ call: ONNXCall) throws -> String {
    // Amounts begin with the last dimension.
    let sides = call.sides, amounts = call.lengths("pad")
    var begins = sides.map { $0 * 0 }, ends = begins
    for index in 0..<amounts.count / 2 {
      begins[sides.count - 1 - index] = amounts[2 * index]
      ends[sides.count - 1 - index] = amounts[2 * index + 1]
    }
    guard (begins + ends).contains(where: { $0.fixed != 0 }) else { return call.x }
    let b = call.builder
    guard (begins + ends).contains(where: { $0.fixed == nil }) else {
      let pads = (begins + ends).map { $0.values[0] }
      return call.emit("Pad", [call.x, b.constant(pads), call.scalar("value")])
    }
    // Small amounts tell little of where they come from; the result's sides tell more.
    let before = call.ints(begins, "'pad'")
    let after = call.emit(
      "Sub",
      [
        call.emit("Sub", [call.ints(call.results, "'pad'"), call.ints(sides, "'pad'")]), before,
      ])
    let pads = call.emit("Concat", [before, after], ["axis": .int(0)])
    return call.emit("Pad", [call.x, pads, call.scalar("value")])
  }
}
