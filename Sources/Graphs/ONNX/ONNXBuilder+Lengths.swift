import Torch

/// Numbers that depend on the image's size, computed by the file's network.
extension ONNXBuilder {
  /// Whole numbers as a list: an initializer where all are fixed, arithmetic on shapes otherwise.
  ///
  /// - Parameters:
  ///   - near: Values whose sides the numbers most likely are.
  ///   - refuse: Is told a number that follows from no side.
  func ints(
    _ lengths: [Length], near: [Graph.ValueID], refuse: (Length) -> Void
  ) -> String {
    let numbers = lengths.compactMap(\.fixed)
    if numbers.count == lengths.count { return constant(numbers) }
    if lengths.count > 1,
      let same = near.first(where: { graphs.shape($0) == lengths }) ?? shapes[lengths]
    {
      return shape(same)
    }
    let sides = near.flatMap { value in
      graphs.shape(value).enumerated().filter { $0.element.fixed == nil }.map { axis, length in
        LengthSource(length: length, formula: .side(of: value, axis: axis))
      }
    }
    var parts: [String] = [], fixed: [Int] = []
    func end() {
      if !fixed.isEmpty { parts.append(constant(fixed)) }
      fixed = []
    }
    for length in lengths {
      if let number = length.fixed {
        fixed.append(number)
        continue
      }
      end()
      guard let part = computed(length, sides + sources) else {
        refuse(length)
        return ""
      }
      parts.append(part)
    }
    end()
    return parts.count == 1 ? parts[0] : emit("Concat", parts, ["axis": .int(0)])
  }

  /// A length as a list of one number.
  private func computed(_ length: Length, _ sources: [LengthSource]) -> String? {
    let key = "length \(length.values)"
    if let name = known(key) { return name }
    return LengthFormula.find(length, sources).map { formula in shared(key) { list(formula) } }
  }

  /// A formula as a list of one number.
  private func list(_ formula: LengthFormula) -> String {
    switch formula {
    case .number(let number): constant([number])
    case .side(let value, let axis):
      shared("side \(axis) of \(name(value))") {
        emit("Gather", [shape(value), constant([axis])], ["axis": .int(0)])
      }
    case .sum(let a, let b): emit("Add", [list(a), list(b)])
    case .difference(let a, let b): emit("Sub", [list(a), list(b)])
    case .product(let a, let b): emit("Mul", [list(a), list(b)])
    case .quotient(let a, let divisor): emit("Div", [list(a), constant([divisor])])
    }
  }

  private func shape(_ value: Graph.ValueID) -> String {
    shared("shape of \(name(value))") { emit("Shape", [name(value)]) }
  }
}
