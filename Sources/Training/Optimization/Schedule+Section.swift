import Configuration

extension Schedule {
  enum Name: String, CaseIterable { case constant, poly, step, cosine, oneCycle, plateau }

  /// The schedule that the section `train.schedule` describes.
  init(_ section: Section) throws {
    let curve: Curve
    switch try section.choice("name", Name.self, default: .constant) {
    case .constant: curve = .constant
    case .poly: curve = .poly(power: try section.double("power", default: 0.9, in: 0...100))
    case .step:
      curve = .step(
        milestones: try section.ints("milestones", in: 1...Int.max),
        gamma: try section.double("gamma", default: 0.1, in: 0...1))
    case .cosine: curve = .cosine
    case .oneCycle:
      curve = .oneCycle(
        rise: try section.double("rise", default: 0.3, in: 0...1),
        divisor: try section.double("divisor", default: 25, in: 1...1e9),
        finalDivisor: try section.double("finalDivisor", default: 10_000, in: 1...1e12))
    case .plateau:
      var rule = Plateau.Rule()
      rule.factor = try section.double("factor", default: rule.factor, in: 0...1)
      rule.patience = try section.int("patience", default: rule.patience, in: 0...longest)
      rule.threshold = try section.double("threshold", default: rule.threshold, in: 0...1)
      rule.cooldown = try section.int("cooldown", default: rule.cooldown, in: 0...longest)
      curve = .plateau(rule)
    }
    self.init(
      curve, warmUp: try section.int("warmUp", default: 0, in: 0...longest),
      warmUpStart: try section.double("warmUpStart", default: 0, in: 0...1),
      minimum: try section.double("minimum", default: 0, in: 0...1))
  }
}
