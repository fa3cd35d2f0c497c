import Datasets

/// Of two classes the one that is to be found: its scores of single images, and its curves.
///
/// Its scores over all images are those of its class in ``Scores``.
public struct ForegroundScores: Sendable, Codable, Equatable {
  /// Its name.
  public let name: String
  /// Its class.
  public let index: Int
  /// Which class is the background, and why.
  public let roles: String
  /// Dice, precision and recall of single images, averaged over those that have them.
  public private(set) var dice = RunningMean(), precision = RunningMean(), recall = RunningMean()
  /// What follows from the probabilities; nil where only label files were scored.
  public var curve: ForegroundCurve?

  /// Nothing counted yet; nil for a map of other than two classes.
  public init?(_ map: LabelMap) {
    guard let index = map.foreground, let roles = map.roles else { return nil }
    name = map.classes[index].name
    self.index = index
    self.roles = roles
  }

  /// The scores of these images.
  init?(_ map: LabelMap, _ images: [ImageCounts]) {
    self.init(map)
    for image in images { add(image) }
  }

  /// Takes in one more image.
  mutating func add(_ image: ImageCounts) { add(counts(of: image)) }

  /// The pixels of the class in an image: those of the truth, those predicted, and those of both.
  package func counts(of image: ImageCounts) -> [Int64] {
    [image.truth[index], image.predicted[index], image.correct[index]]
  }

  /// Takes in one more image by its ``counts(of:)``.
  package mutating func add(_ counts: [Int64]) {
    let (truth, predicted, hits) = (counts[0], counts[1], counts[2])
    dice.add(ratioOf(2 * hits, truth + predicted))
    precision.add(ratioOf(hits, predicted))
    recall.add(ratioOf(hits, truth))
  }
}

extension EvaluationResult {
  static let foregroundHeader = ["foreground", "data set %", "per image %", ""]

  /// What leads the table of two classes; nothing for another number.
  var foregroundRows: [[String]] {
    guard let foreground, scores.classes.indices.contains(foreground.index) else { return [] }
    let own = scores.classes[foreground.index]
    var rows = [
      ["Dice", percent(own.dice), percent(foreground.dice.mean), "of \(foreground.name); also F1"],
      ["precision", percent(own.precision), percent(foreground.precision.mean), ""],
      ["recall", percent(own.recall), percent(foreground.recall.mean), "also sensitivity"],
    ]
    guard let curve = foreground.curve else { return rows }
    rows.append(["area under ROC", percent(curve.rocAUC), "", "by probability"])
    rows.append(["average precision", percent(curve.averagePrecision), "", "area under PR"])
    if let best = curve.best {
      rows.append(
        [
          "best Dice", percent(best.dice), "",
          "from probability \(fixed(best.threshold, 3)) on, chosen on these images",
        ])
    }
    return rows
  }

  /// The protocol in one line, with the roles of two classes.
  var protocolLine: String {
    (foreground.map { "\($0.roles); " } ?? "") + scoring.summary
  }
}
