import Configuration

extension OptimizerSettings {
  /// What the keys of `train.optimizer` mean.
  static let notes = KeyNotes([
    "name": .init("The rule by which gradients change weights; as PyTorch's.", "adamW"),
    "learningRate": .init("The learning rate, which the schedule multiplies.", "6e-5"),
    "weightDecay": .init("The weight decay.", "0.01"),
    "decayNorms": .init(
      "Whether normalizations, biases, tokens and tables of positions decay too.", "false"),
    "backboneRate": .init("What the learning rate of the backbone is multiplied by.", "0.1"),
    "headRate": .init("What the learning rate of everything else is multiplied by.", "10"),
    "layerDecay": .init(
      "The factor of the learning rate from one depth of the backbone to the one before it.", "0.9",
      "{rate: 0.9, by: stage}"),
    "layerDecay.rate": .init("The factor.", "0.9"),
    "layerDecay.by": .init("What a depth is.", "stage"),
    "layerDecay.layers": .init(
      "The depths that factors are counted from; as many as the backbone has without the key.", "12"
    ),
    "momentum": .init("The share of the last step that goes into the next.", "0.9"),
    "nesterov": .init("Whether the momentum looks ahead.", "true", with: ["momentum=0.9"]),
    "betas": .init("How slowly the means of gradients and of their squares change.", "[0.9, 0.98]"),
    "eps": .init("What is added to the root of the mean square.", "1e-8"),
    "alpha": .init("How slowly the mean of squares changes.", "0.99"),
  ])

  /// What each rule is.
  static let sentences = [
    "sgd": "Stochastic gradient descent.",
    "adam": "Adam, whose weight decay is a part of the gradient.",
    "adamW": "Adam, whose weight decay stands apart.",
    "rmsProp": "RMSprop.",
  ]
}

extension Schedule {
  /// What the keys of `train.schedule` mean.
  static let notes = KeyNotes([
    "name": .init("How the learning rate changes after the warm-up.", "poly"),
    "warmUp": .init("The iterations in which the rate rises in a straight line.", "500"),
    "warmUpStart": .init("The factor that the warm-up begins with.", "1e-6"),
    "minimum": .init("The factor below which the rate never falls.", "0.01"),
    "power": .init("The power.", "0.9"),
    "milestones": .init("The iterations at which the rate falls.", "[20000, 30000]"),
    "gamma": .init("What the rate is multiplied by there.", "0.1"),
    "rise": .init("The share of the iterations in which the rate rises.", "0.3"),
    "divisor": .init("What the highest rate is divided by at the start.", "25"),
    "finalDivisor": .init("What the first rate is divided by at the end.", "10000"),
    "factor": .init("What the rate is multiplied by when it falls.", "0.5"),
    "patience": .init("The scores without a better one that are put up with.", "5"),
    "threshold": .init("The share of the best by which a score must be better.", "1e-3"),
    "cooldown": .init("The scores after a fall that are not counted.", "2"),
  ])

  /// What each curve is; what multiplies the learning rate.
  static let sentences = [
    "constant": "The factor is 1.",
    "poly": "The factor is (1 − done) ^ power.",
    "step": "The factor falls at each of some iterations.",
    "cosine": "The factor is half a cosine, down to 0.",
    "oneCycle": "The factor rises, then falls, by cosines (PyTorch's OneCycleLR).",
    "plateau": "The factor falls when the score of `train.best` stops getting better.",
  ]
}
