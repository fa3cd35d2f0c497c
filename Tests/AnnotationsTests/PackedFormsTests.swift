import Imaging
import Testing

@testable import Annotations

@Suite("Packed forms") struct PackedFormsTests {
  /// What comes out of the place where rings were put.
  private func returned(_ rings: [[Point]]) -> [[Point]]? {
    var forms = PackedForms()
    _ = forms.append([[Point(1, 2)]])
    let place = forms.append(rings)
    _ = forms.append([4, 5], Size(width: 3, height: 3))
    guard case .rings(let found) = forms[place] else { return nil }
    return found
  }

  @Test(
    "Corners come out equal",
    arguments: [
      [Point(0, 0)], [Point(10, 10.5), Point(-3.25, 1e6), Point(-1e6, 0.1)],
      [Point(0.000_001, 999_999.999_999), Point(12, 3)],
      // datumaro's single precision, and doubles that are no short decimals.
      [Point(26.200_000_762_939_453, 1), Point(0.100_000_001_490_116_12, 7)],
      [Point(1.0 / 3, 2.0 / 3), Point(1e-9, 5)], [],
      [Point(1e9, 1), Point(-1e30, 0.5)],
      [Point(9e18, 1e300), Point(-.greatestFiniteMagnitude, 2)],
    ])
  func corners(_ ring: [Point]) {
    #expect(returned([ring]) == [ring])
    #expect(returned([ring, [Point(7, 8.25)], ring]) == [ring, [Point(7, 8.25)], ring])
  }

  @Test("Decimals of up to six digits come out equal, whatever their size")
  func decimals() {
    var draws = Draws(3)
    for digits in 0...6 {
      let scale = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6][digits]
      let ring = (0..<500).map { _ in
        Point(
          Double(Int.random(in: -1_000_000...1_000_000, using: &draws)) / scale,
          Double(Int.random(in: 0...999_999_999, using: &draws)) / scale / 1000 * 1000)
      }
      #expect(returned([ring]) == [ring])
    }
  }

  @Test("Runs come out equal")
  func runs() {
    var forms = PackedForms()
    let counts: [UInt32] = [0, 1, 127, 128, 300, 70_000, .max]
    _ = forms.append(counts, Size(width: 1, height: 2))
    let place = forms.append(counts.reversed(), Size(width: 640, height: 480))
    guard case .runs(let found, let size) = forms[place] else {
      Issue.record("there are no runs")
      return
    }
    #expect(found == counts.reversed() && size == Size(width: 640, height: 480))
  }
}
