import Testing

@testable import Graphs

@Suite("Lengths that follow from sides")
struct LengthTests {
  private let heights = [163, 222, 192, 289], widths = [257, 176, 319, 224]

  private func find(_ values: [Int]) -> LengthFormula? {
    LengthFormula.find(
      Length(values),
      [
        LengthSource(length: Length(heights), formula: .side(of: 0, axis: 2)),
        LengthSource(length: Length(widths), formula: .side(of: 0, axis: 3)),
      ])
  }

  /// What a formula gives for an image of another size.
  private func evaluate(_ formula: LengthFormula?, height: Int, width: Int) -> Int? {
    func value(_ formula: LengthFormula) -> Int {
      switch formula {
      case .number(let number): number
      case .side(_, let axis): axis == 2 ? height : width
      case .sum(let a, let b): value(a) + value(b)
      case .difference(let a, let b): value(a) - value(b)
      case .product(let a, let b): value(a) * value(b)
      case .quotient(let a, let divisor): value(a) / divisor
      }
    }
    return formula.map(value)
  }

  @Test(
    "are the same for sizes that were not recorded",
    arguments: [
      { h, w in 7 }, { h, w in w }, { h, w in 2 * h }, { h, w in 3 * w - 5 },
      { h, w in (h + 1) / 2 }, { h, w in w / 8 }, { h, w in (3 * h + 2) / 4 },
      { h, w in (w + 31) / 32 * 32 }, { h, w in h * w }, { h, w in h * w + 1 },
      { h, w in h + w }, { h, w in 600 + h - w },
    ] as [@Sendable (Int, Int) -> Int])
  func formulas(_ rule: @Sendable (Int, Int) -> Int) {
    let formula = find(zip(heights, widths).map(rule))
    for (height, width) in [(64, 64), (97, 131), (512, 1024), (33, 500)] {
      #expect(evaluate(formula, height: height, width: width) == rule(height, width))
    }
  }

  @Test("are none where no formula gives them")
  func none() { #expect(find([163, 222, 192, 290]) == nil) }
}
