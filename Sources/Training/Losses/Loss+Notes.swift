import Configuration

extension Loss {
  /// What the keys of `train.loss` mean.
  static let notes = KeyNotes([
    "name": .init("What training makes small.", "crossEntropyDice"),
    "classWeights": .init(
      "The weight of each class in cross-entropy, from how often classes occur or one by one.",
      "medianFrequency", "[1, 4]"),
    "labelSmoothing": .init("The share of the target that is spread over all classes.", "0.1"),
    "threshold": .init("The probability of its own class below which a pixel is hard.", "0.7"),
    "keep": .init("The hardest pixels of an image that always count.", "100000"),
    "diceWeight": .init("What Dice is multiplied by before it is added.", "1"),
    "focal/gamma": .init("How much easy pixels are held down; 0 for not at all.", "2"),
    "focal/alpha": .init(
      "The weight of the class, where the rest has 1 − alpha; 1 each without the key.", "0.25"),
    "tversky/alpha": .init("The weight of false positives.", "0.3"),
    "tversky/beta": .init("The weight of false negatives.", "0.7"),
    "tversky/gamma": .init("The power of the loss.", "1.33"),
  ])

  /// What each loss is.
  static let sentences = [
    "crossEntropy": "Cross-entropy, the mean over labelled pixels.",
    "ohem": "Cross-entropy over hard pixels only (Shrivastava et al., 2016).",
    "dice": "One minus the soft Dice coefficient, the mean over classes.",
    "crossEntropyDice": "Cross-entropy and Dice together: good for thin or rare classes.",
    "focal": "Focal loss, each class against the rest (Lin et al., 2017).",
    "lovasz": "Lovász-softmax (Berman et al., 2018), which stands in for the IoU.",
    "tversky": "One minus the Tversky index: false positives and negatives with their own weights.",
  ]
}
