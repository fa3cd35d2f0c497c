import Datasets

/// The scores of one class; nil stands for a ratio of nothing to nothing.
public struct ClassScores: Sendable, Codable, Equatable {
  /// The class's name.
  public let name: String
  /// Its pixels in the truth, and in the prediction where the truth counts.
  public let truth, predicted: Int64
  /// The pixels that are in both.
  public let correct: Int64

  /// The pixels that are in either.
  public var union: Int64 { truth + predicted - correct }
  /// Intersection over union; nil for a class that neither truth nor prediction has.
  public var iou: Double? { ratioOf(correct, union) }
  /// Dice's coefficient, which is F1; nil for a class that neither truth nor prediction has.
  public var dice: Double? { ratioOf(2 * correct, truth + predicted) }
  /// The share of what was predicted as the class that is; nil if nothing was.
  public var precision: Double? { ratioOf(correct, predicted) }
  /// The share of the class that was predicted; nil if the truth has none.
  public var recall: Double? { ratioOf(correct, truth) }

  private enum CodingKeys: String, CodingKey {
    case name, truth, predicted, correct, iou, dice, precision, recall
  }

  /// Scores of a class from its counts.
  public init(name: String, truth: Int64, predicted: Int64, correct: Int64) {
    self.name = name
    self.truth = truth
    self.predicted = predicted
    self.correct = correct
  }

  /// Reads the counts; ratios follow from them.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.decode(String.self, forKey: .name)
    truth = try values.decode(Int64.self, forKey: .truth)
    predicted = try values.decode(Int64.self, forKey: .predicted)
    correct = try values.decode(Int64.self, forKey: .correct)
  }

  /// Writes counts and ratios.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(truth, forKey: .truth)
    try values.encode(predicted, forKey: .predicted)
    try values.encode(correct, forKey: .correct)
    // Written as null, not left out: a reader sees that the score does not exist.
    try values.encode(iou, forKey: .iou)
    try values.encode(dice, forKey: .dice)
    try values.encode(precision, forKey: .precision)
    try values.encode(recall, forKey: .recall)
  }
}

/// Everything that is computed from the counts of a confusion matrix.
public struct Scores: Sendable, Codable, Equatable {
  /// The scores of each class.
  public let classes: [ClassScores]
  /// The mean of the IoU of the classes that truth or prediction has, over the data set.
  public let meanIoU: Double?
  /// How many classes ``meanIoU`` is the mean of.
  public let coveredClasses: Int
  /// The mean over images of each image's own mean IoU, where it was computed.
  public let meanIoUPerImage: Double?
  /// All scores that are averaged over images, where they were computed.
  public let perImage: ImageMeans?
  /// The share of pixels predicted right.
  public let pixelAccuracy: Double?
  /// The mean recall of the classes that the truth has.
  public let meanAccuracy: Double?
  /// The IoU of classes weighted by their share of the truth.
  public let frequencyWeightedIoU: Double?
  /// The mean Dice coefficient of the classes that truth or prediction has.
  public let meanDice: Double?
  /// The Jaccard index of all pixels taken together, accuracy / (2 - accuracy).
  public let jaccardMicro: Double?
  /// The Jaccard index averaged over classes: the mean IoU by scikit-learn's name.
  public let jaccardMacro: Double?
  /// The Jaccard index weighted by the truth: the frequency-weighted IoU by scikit-learn's name.
  public let jaccardWeighted: Double?

  /// The scores of `matrix`, whose classes are called `names`.
  ///
  /// `perImage` are the means over single images, if they were computed.
  public init(_ matrix: ConfusionMatrix, names: [String], perImage: ImageMeans? = nil) {
    precondition(names.count == matrix.classes, "expected a name for each class")
    let classes = names.enumerated().map { index, name in
      ClassScores(
        name: name, truth: matrix.truth(index), predicted: matrix.predicted(index),
        correct: matrix[index, index])
    }
    self.classes = classes
    let total = matrix.total
    let ious = classes.compactMap(\.iou)
    meanIoU = meanOf(ious)
    coveredClasses = ious.count
    meanIoUPerImage = perImage?.meanIoU.mean
    self.perImage = perImage
    pixelAccuracy = ratioOf(matrix.correct, total)
    meanAccuracy = meanOf(classes.compactMap(\.recall))
    frequencyWeightedIoU =
      total == 0
      ? nil : classes.reduce(0.0) { $0 + Double($1.truth) / Double(total) * ($1.iou ?? 0) }
    meanDice = meanOf(classes.compactMap(\.dice))
    let missed = total - matrix.correct
    let claimed = classes.reduce(Int64(0)) { $0 + $1.predicted } - matrix.correct
    jaccardMicro = ratioOf(matrix.correct, matrix.correct + missed + claimed)
    jaccardMacro = meanIoU
    jaccardWeighted = frequencyWeightedIoU
  }

  /// The classes that the truth never has, by name.
  public var absentFromTruth: [String] { classes.filter { $0.truth == 0 }.map(\.name) }
}

/// A mean that forgets the numbers it was made of.
public struct RunningMean: Sendable, Codable, Equatable {
  /// The sum of the numbers.
  public private(set) var sum = 0.0
  /// How many there were.
  public private(set) var count = 0

  /// The mean of nothing yet.
  public init() {}

  /// Takes in one more number, if there is one.
  public mutating func add(_ value: Double?) {
    guard let value else { return }
    sum += value
    count += 1
  }

  /// The mean, or nil of nothing.
  public var mean: Double? { count == 0 ? nil : sum / Double(count) }
}

/// A share, or nil of nothing.
func ratioOf(_ part: Int64, _ whole: Int64) -> Double? {
  whole == 0 ? nil : Double(part) / Double(whole)
}

/// The mean, or nil of nothing.
func meanOf(_ values: [Double]) -> Double? {
  values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
}
