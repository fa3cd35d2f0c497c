import Foundation
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Analysis

@Suite("What of a map is too fine for a rate")
struct RateSpectrumTests {
  private func map(_ rows: Int, _ columns: Int, _ value: (Int, Int) -> Double) -> Tensor {
    let values = (0..<rows * columns).map { Float(value($0 / columns, $0 % columns)) }
    return Tensor(values, [1, 1, rows, columns])
  }

  @Test("a wave counts for the rates whose limit is below its frequency, along either axis")
  func waves() {
    // 3/16 cycles a position: above 1/8 and below 1/4.
    for along in [0, 1] {
      let wave = map(64, 48) { cos(2 * .pi * 3 / 16 * Double(along == 0 ? $0 : $1)) + 5 }
      let shares = RateSpectrum.shares(wave, [1, 2, 4, 8])
      #expect(shares[0] == 0 && shares[1] < 1e-3, "\(shares)")
      #expect(shares[2] > 0.999 && shares[3] > 0.999, "\(shares)")
    }
  }

  @Test("white noise has 1 - 1/rate² above a rate's limit, and what is the same everywhere nothing")
  func noise() {
    var numbers = SeededNumbers(5)
    let noise = map(96, 80) { _, _ in Double.random(in: -1...1, using: &numbers) }
    for (rate, share) in zip([2, 4, 8], RateSpectrum.shares(noise, [2, 4, 8])) {
      #expect(abs(share - (1 - 1 / Double(rate * rate))) < 0.03, "rate \(rate): \(share)")
    }
    #expect(RateSpectrum.shares(map(9, 7) { _, _ in 3 }, [2]) == [0])
  }

  @Test("sides that are odd or 1 are measured")
  func sides() {
    let shares = RateSpectrum.shares(map(1, 33) { _, x in x % 2 == 0 ? 1 : -1 }, [1, 2])
    #expect(shares[0] < 0.1 && shares[1] > 0.99, "\(shares)")
  }
}
