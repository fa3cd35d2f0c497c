/// A whole number of an operator, such as a side, a position or an amount: one for each recorded size.
struct Length: Hashable {
  let values: [Int]

  init(_ values: [Int]) { self.values = values }

  /// The number if it is the same for all sizes.
  var fixed: Int? { values.allSatisfy { $0 == values[0] } ? values[0] : nil }

  static func + (a: Length, b: Length) -> Length { joined(a, b, &+) }
  static func - (a: Length, b: Length) -> Length { joined(a, b, &-) }
  static func * (a: Length, b: Length) -> Length { joined(a, b, &*) }
  static func * (a: Length, b: Int) -> Length { Length(a.values.map { $0 &* b }) }
  static func + (a: Length, b: Int) -> Length { Length(a.values.map { $0 &+ b }) }

  /// Divided and rounded down.
  static func / (a: Length, b: Int) -> Length {
    Length(a.values.map { $0 >= 0 ? $0 / b : -((b - 1 - $0) / b) })
  }

  private static func joined(_ a: Length, _ b: Length, _ join: (Int, Int) -> Int) -> Length {
    Length(zip(a.values, b.values).map(join))
  }
}

/// How a length is computed from sides of values.
indirect enum LengthFormula: Hashable {
  case number(Int)
  case side(of: Graph.ValueID, axis: Int)
  case sum(LengthFormula, LengthFormula)
  case difference(LengthFormula, LengthFormula)
  case product(LengthFormula, LengthFormula)
  /// Rounded down; of what is at least 0.
  case quotient(LengthFormula, Int)
}

/// A side of a value that a length may follow from.
struct LengthSource {
  let length: Length
  let formula: LengthFormula
}

extension LengthFormula {
  /// The simplest formula that gives `target` for every recorded size; nil if none of those known does.
  ///
  /// - Parameter sources: Sides of values, the likeliest first.
  static func find(_ target: Length, _ sources: [LengthSource]) -> LengthFormula? {
    if let number = target.fixed { return .number(number) }
    if let same = sources.first(where: { $0.length == target }) { return same.formula }
    for source in sources {
      if let found = multiple(target, source) { return found }
    }
    for source in sources {
      if let found = rounded(target, source) { return found }
    }
    return ofTwo(target, sources)
  }

  /// `factor` · side + `rest`.
  private static func multiple(_ target: Length, _ source: LengthSource) -> LengthFormula? {
    let (x, y) = (source.length.values, target.values)
    guard x[0] != x[1], (y[0] - y[1]) % (x[0] - x[1]) == 0 else { return nil }
    let factor = (y[0] - y[1]) / (x[0] - x[1])
    guard factor >= 1, factor <= 4096, let rest = (target - source.length * factor).fixed else {
      return nil
    }
    return source.formula.times(factor).plus(rest)
  }

  /// The side rounded up to a multiple, or a share of it rounded down, to the nearest or up.
  private static func rounded(_ target: Length, _ source: LengthSource) -> LengthFormula? {
    let side = source.length
    for step in 2...256 where (side + (step - 1)) / step * step == target {
      return .product(.quotient(source.formula.plus(step - 1), step), .number(step))
    }
    for divisor in 2...64 {
      for factor in 1...8 where factor % divisor != 0 {
        for rest in [0, divisor - 1, divisor / 2]
        where (side * factor + rest) / divisor == target {
          return .quotient(source.formula.times(factor).plus(rest), divisor)
        }
      }
    }
    return nil
  }

  /// Two sides' product, sum or difference, and a number.
  private static func ofTwo(_ target: Length, _ sources: [LengthSource]) -> LengthFormula? {
    for (index, a) in sources.enumerated() {
      for b in sources[index...] {
        if let rest = (target - a.length * b.length).fixed {
          return LengthFormula.product(a.formula, b.formula).plus(rest)
        }
      }
    }
    for (index, a) in sources.enumerated() {
      for (other, b) in sources.enumerated() where other != index {
        if other > index, let rest = (target - a.length - b.length).fixed {
          return LengthFormula.sum(a.formula, b.formula).plus(rest)
        }
        if let rest = (target - a.length + b.length).fixed {
          return LengthFormula.difference(a.formula, b.formula).plus(rest)
        }
      }
    }
    return nil
  }

  private func times(_ factor: Int) -> LengthFormula {
    factor == 1 ? self : .product(self, .number(factor))
  }

  private func plus(_ number: Int) -> LengthFormula {
    number == 0
      ? self : number > 0 ? .sum(self, .number(number)) : .difference(self, .number(-number))
  }
}
