import Datasets

/// What one image contributes to the scores: counts of each class, and where its files are.
///
/// Lists of these are what images are ordered by, and what a bootstrap draws from.
public struct ImageCounts: Sendable, Codable, Equatable {
  /// The image's name.
  public var name: String
  /// The image and label files; empty for what never was a file.
  public var image, label: String
  /// For each class the pixels of the truth, of the prediction, and those in both.
  public var truth, predicted, correct: [Int64]
  /// For each class the pixels predicted so whose truth is ignored, which count nowhere; nil in files of
  /// versions that did not keep them.
  public var predictedOnIgnored: [Int64]?
  /// For each class the pixels of the truth that were predicted as no class; nil in files of such versions.
  public var unclaimed: [Int64]?

  /// The counts of one image's matrix.
  public init(_ matrix: ConfusionMatrix, name: String, image: String = "", label: String = "") {
    self.name = name
    self.image = image
    self.label = label
    truth = (0..<matrix.classes).map { matrix.truth($0) }
    predicted = (0..<matrix.classes).map { matrix.predicted($0) }
    correct = (0..<matrix.classes).map { matrix[$0, $0] }
    unclaimed = (0..<matrix.classes).map { matrix[$0, matrix.classes] }
    predictedOnIgnored = Array(matrix.predictedOnIgnored.prefix(matrix.classes))
  }

  /// The IoU of each class; nil for one that the image and its prediction lack.
  public var iou: [Double?] {
    truth.indices.map { ratioOf(correct[$0], truth[$0] + predicted[$0] - correct[$0]) }
  }
  /// The mean of the IoU of the classes that the image or its prediction has.
  public var meanIoU: Double? { meanOf(iou.compactMap { $0 }) }
  /// The share of pixels predicted right.
  public var pixelAccuracy: Double? { ratioOf(correct.reduce(0, +), truth.reduce(0, +)) }
  /// The mean recall of the classes that the image has.
  public var meanAccuracy: Double? {
    meanOf(truth.indices.compactMap { ratioOf(correct[$0], truth[$0]) })
  }
  /// The Jaccard index of all pixels taken together.
  public var jaccardMicro: Double? {
    let hits = correct.reduce(0, +)
    return ratioOf(hits, truth.reduce(0, +) + predicted.reduce(0, +) - hits)
  }
  /// The IoU of classes weighted by their share of the truth.
  public var jaccardWeighted: Double? {
    let total = truth.reduce(0, +)
    guard total > 0 else { return nil }
    return zip(truth, iou).reduce(0.0) { $0 + Double($1.0) / Double(total) * ($1.1 ?? 0) }
  }
  /// The mean Dice coefficient of the classes that the image or its prediction has.
  public var meanDice: Double? {
    meanOf(truth.indices.compactMap { ratioOf(2 * correct[$0], truth[$0] + predicted[$0]) })
  }
}

/// Scores of single images, averaged over images: the other kind beside those of a whole data set.
public struct ImageMeans: Sendable, Codable, Equatable {
  /// The images' own mean IoU, which is their macro Jaccard index.
  public private(set) var meanIoU = RunningMean()
  /// The images' pixel accuracy.
  public private(set) var pixelAccuracy = RunningMean()
  /// The images' mean accuracy.
  public private(set) var meanAccuracy = RunningMean()
  /// The images' micro Jaccard index.
  public private(set) var jaccardMicro = RunningMean()
  /// The images' weighted Jaccard index.
  public private(set) var jaccardWeighted = RunningMean()
  /// The images' mean Dice coefficient.
  public private(set) var meanDice = RunningMean()

  /// The means of no image yet.
  public init() {}

  /// The means over images.
  public init(_ images: [ImageCounts]) { for image in images { add(image) } }

  /// Takes in one more image; a score that it does not have is left out.
  public mutating func add(_ image: ImageCounts) { add(Scores(image)) }

  /// Takes in the scores of one more image.
  package mutating func add(_ image: Scores) {
    meanIoU.add(image.values[0])
    pixelAccuracy.add(image.values[1])
    meanAccuracy.add(image.values[2])
    jaccardMicro.add(image.values[3])
    jaccardWeighted.add(image.values[4])
    meanDice.add(image.values[5])
  }

  /// The scores of one image, as a row of numbers too: what processes tell each other.
  package struct Scores: Sendable {
    /// The numbers of a row: each score, and whether it is there.
    package static let width = 12
    fileprivate let values: [Double?]

    /// The scores of one image.
    package init(_ image: ImageCounts) {
      values = [
        image.meanIoU, image.pixelAccuracy, image.meanAccuracy, image.jaccardMicro,
        image.jaccardWeighted, image.meanDice,
      ]
    }

    /// The scores of a ``row``.
    package init(row: ArraySlice<Double>) {
      let row = Array(row)
      values = (0..<Self.width / 2).map { row[$0 * 2 + 1] > 0 ? row[$0 * 2] : nil }
    }

    /// Each score, 0 where there is none, and 1 where there is one.
    package var row: [Double] { values.flatMap { [$0 ?? 0, $0 == nil ? 0 : 1] } }
  }
}
