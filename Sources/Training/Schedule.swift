import Foundation

/// How the learning rate changes from step to step.
public struct Schedule: Sendable, Equatable {
  /// The curve after the warm-up.
  public enum Curve: Sendable, Equatable {
    /// The same at every step.
    case constant
    /// (1 - step / steps) to a power, which DeepLab introduced.
    case poly(power: Double = 0.9)
    /// Multiplied by `gamma` at each of the milestones, given in steps.
    case step(milestones: [Int], gamma: Double = 0.1)
    /// Half a cosine from 1 to 0 (Loshchilov and Hutter, 2017).
    case cosine
    /// A rise by a cosine from 1 / `divisor` over the share `rise` of the steps, then a fall to
    /// 1 / (`divisor` · `finalDivisor`) (Smith and Topin, 2019; PyTorch's OneCycleLR).
    case oneCycle(rise: Double = 0.3, divisor: Double = 25, finalDivisor: Double = 10_000)
  }

  /// The curve after the warm-up.
  public var curve: Curve
  /// The steps of the warm-up, in which the rate rises in a straight line.
  public var warmUp: Int
  /// The factor that the warm-up begins with.
  public var warmUpStart: Double
  /// The factor below which the curve never falls.
  public var minimum: Double

  /// A schedule by `curve`, after `warmUp` steps.
  public init(
    _ curve: Curve = .constant, warmUp: Int = 0, warmUpStart: Double = 0, minimum: Double = 0
  ) {
    self.curve = curve
    self.warmUp = warmUp
    self.warmUpStart = warmUpStart
    self.minimum = minimum
  }

  /// What the learning rate is multiplied by at a step, 0 ..< `steps`.
  ///
  /// The curve covers the steps after the warm-up.
  public func factor(step: Int, of steps: Int) -> Double {
    if step < warmUp {
      return warmUpStart + (1 - warmUpStart) * Double(step + 1) / Double(warmUp + 1)
    }
    return max(curve(step: step - warmUp, of: max(steps - warmUp, 1)), minimum)
  }

  private func curve(step: Int, of steps: Int) -> Double {
    let done = min(Double(step) / Double(steps), 1)
    switch curve {
    case .constant: return 1
    case .poly(let power): return pow(1 - done, power)
    case .step(let milestones, let gamma):
      // Milestones count from the beginning, the warm-up included.
      return pow(gamma, Double(milestones.count { $0 <= step + warmUp }))
    case .cosine: return (1 + cos(.pi * done)) / 2
    case .oneCycle(let rise, let divisor, let finalDivisor):
      let peak = rise * Double(steps) - 1
      let (low, end) = (1 / divisor, 1 / (divisor * finalDivisor))
      func anneal(_ from: Double, _ to: Double, _ share: Double) -> Double {
        to + (from - to) / 2 * (1 + cos(.pi * share))
      }
      let at = Double(step)
      if at <= peak { return anneal(low, 1, peak <= 0 ? 1 : at / peak) }
      return anneal(1, end, min((at - peak) / max(Double(steps) - 1 - peak, 1), 1))
    }
  }
}
