import Configuration

extension Loss {
  enum Name: String, CaseIterable {
    case crossEntropy, ohem, dice, crossEntropyDice, focal, lovasz, tversky
  }

  /// What a section `loss` says, class weights aside.
  ///
  /// ```yaml
  /// loss: {name: ohem, threshold: 0.7, keep: 100000, labelSmoothing: 0.1}
  /// ```
  /// - Throws: `ConfigurationError` naming what is wrong.
  init(_ section: Section) throws {
    let rule: Rule
    switch try section.choice("name", Name.self, default: .crossEntropy) {
    case .crossEntropy: rule = .crossEntropy
    case .ohem:
      rule = .ohem(
        threshold: try section.double("threshold", default: 0.7, in: 0...1),
        keep: try section.int("keep", default: 100_000, in: 0...Int.max))
    case .dice: rule = .dice
    case .crossEntropyDice:
      rule = .crossEntropyDice(weight: try section.double("diceWeight", default: 1, in: 0...1e6))
    case .focal:
      rule = .focal(
        gamma: try section.double("gamma", default: 2, in: 0...100),
        alpha: section.has("alpha") ? try section.double("alpha", in: 0...1) : nil)
    case .lovasz: rule = .lovasz
    case .tversky:
      rule = .tversky(
        alpha: try section.double("alpha", default: 0.5, in: 0...1e6),
        beta: try section.double("beta", default: 0.5, in: 0...1e6),
        gamma: try section.double("gamma", default: 1, in: 1...100))
    }
    self.init(rule)
    if isByPixel { labelSmoothing = try section.double("labelSmoothing", default: 0, in: 0...0.99) }
  }
}
