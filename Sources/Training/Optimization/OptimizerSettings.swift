import Configuration
import Segmentation
import Torch

/// The section `train.optimizer`: the rule, the rates and what decays.
///
/// ```yaml
/// optimizer:
///   name: adamW               # sgd, adam, adamW, rmsProp
///   learningRate: 6e-5
///   weightDecay: 0.01
///   decayNorms: false         # nor biases, nor tables of positions
///   headRate: 10
///   layerDecay: {rate: 0.9, by: stage, layers: 12}
/// ```
public struct OptimizerSettings: Sendable, Equatable {
  /// A learning rate that falls from the head towards the image (Bao et al., 2022; MMSegmentation's
  /// LearningRateDecayOptimizerConstructor).
  public struct LayerDecay: Sendable, Equatable {
    /// The factor from one depth to the one before it.
    public var rate: Double
    /// What a depth is.
    public var unit = DepthUnit.layer
    /// The depths between the first and the head, which the factors are counted from; nil for as many
    /// as the backbone has.
    public var layers: Int?

    /// The rate's factor at a depth of a backbone with `count` depths, the first being 0.
    func factor(at depth: Int, of count: Int) -> Double {
      let exponent = (layers ?? max(0, count - 1)) + 1 - depth
      return (0..<max(0, exponent)).reduce(1) { product, _ in product * rate }
    }
  }

  /// The rule by which gradients change weights.
  public let rule: OptimizerRule
  /// The learning rate that the schedule multiplies.
  public let learningRate: Double
  /// The weight decay.
  public let weightDecay: Double
  /// Whether normalizations, biases, tokens and tables of positions decay too.
  public let decaysNorms: Bool
  /// What the learning rate of the backbone is multiplied by.
  public let backboneRate: Double
  /// What the learning rate of everything else is multiplied by.
  public let headRate: Double
  /// How the rate falls within the backbone; nil if it does not.
  public let layerDecay: LayerDecay?

  enum Name: String, CaseIterable { case sgd, adam, adamW, rmsProp }

  init(_ section: Section) throws {
    rule = try Self.rule(section)
    learningRate = try section.double("learningRate", in: 0...1e6)
    weightDecay = try section.double("weightDecay", default: 0, in: 0...1e6)
    decaysNorms = try section.bool("decayNorms", default: true)
    backboneRate = try section.double("backboneRate", default: 1, in: 0...1e6)
    headRate = try section.double("headRate", default: 1, in: 0...1e6)
    layerDecay = try Self.layerDecay(section)
  }

  private static func layerDecay(_ section: Section) throws -> LayerDecay? {
    section.declare("layerDecay", as: .number(0...1))
    section.declare("layerDecay", as: .mapping)
    guard section.has("layerDecay") else { return nil }
    if let rate = try? section.double("layerDecay") {
      guard (0...1).contains(rate) else {
        throw section.invalid("layerDecay", "\(rate)", expected: "a number from 0.0 to 1.0")
      }
      return LayerDecay(rate: rate)
    }
    let inner = try section.section("layerDecay")
    return LayerDecay(
      rate: try inner.double("rate", in: 0...1), unit: try inner.choice("by", default: .layer),
      layers: try inner.optionalInt("layers", in: 0...1000))
  }

  private static func rule(_ section: Section) throws -> OptimizerRule {
    func betas() throws -> (Double, Double) {
      let expected = "two numbers from 0 up to below 1"
      section.declare("betas", as: .other(expected))
      let betas = try section.doubles("betas", default: [0.9, 0.999])
      guard betas.count == 2, betas.allSatisfy({ (0..<1).contains($0) }) else {
        throw section.invalid("betas", "\(betas)", expected: expected)
      }
      return (betas[0], betas[1])
    }
    func eps() throws -> Double { try section.double("eps", default: 1e-8, in: 0...1) }
    switch try section.choice("name", Name.self) {
    case .sgd:
      let momentum = try section.double("momentum", default: 0, in: 0...1)
      let nesterov = try section.bool("nesterov", default: false)
      if nesterov && momentum == 0 {
        throw section.invalid("nesterov", "true", expected: "false, or a momentum above 0")
      }
      return .sgd(momentum: momentum, nesterov: nesterov)
    case .adam: return try .adam(beta1: betas().0, beta2: betas().1, eps: eps())
    case .adamW: return try .adamW(beta1: betas().0, beta2: betas().1, eps: eps())
    case .rmsProp:
      return .rmsProp(
        alpha: try section.double("alpha", default: 0.99, in: 0...1),
        momentum: try section.double("momentum", default: 0, in: 0...1), eps: try eps())
    }
  }
}
