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
    /// Lowered when the score stops rising; ``Plateau`` keeps count.
    case plateau(Plateau.Rule)
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
  ///
  /// - Parameters:
  ///   - step: The step, counted from 0.
  ///   - steps: The steps of the whole run.
  ///   - fallen: The factor of a ``Plateau``.
  public func factor(step: Int, of steps: Int, fallen: Double = 1) -> Double {
    if step < warmUp {
      return warmUpStart + (1 - warmUpStart) * Double(step + 1) / Double(warmUp + 1)
    }
    return max(curve(step: step - warmUp, of: max(steps - warmUp, 1)) * fallen, minimum)
  }

  private func curve(step: Int, of steps: Int) -> Double {
    let done = min(Double(step) / Double(steps), 1)
    switch curve {
    case .constant, .plateau: return 1
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

/// The learning rate's factor that falls when the score of the validation images no longer gets better,
/// as PyTorch's ReduceLROnPlateau with a relative threshold.
public struct Plateau: Sendable, Equatable, Codable {
  /// When it falls, and how far.
  public struct Rule: Sendable, Equatable {
    /// What the learning rate is multiplied by.
    public var factor = 0.1
    /// The scores without a better one that are put up with.
    public var patience = 10
    /// The share of the best by which a score must be better to count.
    public var threshold = 1e-4
    /// The scores after a fall that are not counted.
    public var cooldown = 0

    /// PyTorch's defaults.
    public init() {}
  }

  /// What the learning rate is multiplied by now.
  public private(set) var factor = 1.0
  private var best: Double?
  private var waited = 0
  private var cooling = 0

  /// Nothing has been scored yet.
  public init() {}

  /// Takes note of a score, the higher the better unless `lowerIsBetter`.
  public mutating func observe(_ score: Double, _ rule: Rule, lowerIsBetter: Bool = false) {
    let isBetter =
      best.map {
        lowerIsBetter ? score < $0 * (1 - rule.threshold) : score > $0 * (1 + rule.threshold)
      } ?? true
    if isBetter {
      best = score
      waited = 0
    } else {
      waited += 1
    }
    if cooling > 0 {
      cooling -= 1
      waited = 0
    }
    if waited > rule.patience {
      factor *= rule.factor
      cooling = rule.cooldown
      waited = 0
    }
  }
}
