import Foundation

/// What samples weigh by their distance from a place between them, as Pillow's filters have it.
package enum ResamplingFilter: Sendable {
  case box, triangle, hamming, bicubic, lanczos

  /// How far it reaches each way, in samples.
  package var reach: Double {
    switch self {
    case .box: 0.5
    case .triangle, .hamming: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// The weight at a distance in samples, before all are divided by their sum.
  package func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    switch self {
    case .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
    case .triangle: return max(0, 1 - x)
    case .hamming:
      if x == 0 { return 1 }
      return x >= 1 ? 0 : sinc(x) * (0.54 + 0.46 * cos(x * .pi))
    case .bicubic:
      let a = -0.5
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
    case .lanczos: return distance >= -3 && distance < 3 ? sinc(x) * sinc(x / 3) : 0
    }
  }

  private func sinc(_ x: Double) -> Double { x == 0 ? 1 : sin(x * .pi) / (x * .pi) }
}
