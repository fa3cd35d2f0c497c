import Datasets

/// What an evaluation has counted so far: of one network's images, or of several networks' one after the other.
package struct EvaluationTally {
  private var matrix: ConfusionMatrix
  private var boundary: BoundaryCounts?
  private var perImage = ImageMeans()
  private var foreground: ForegroundScores?
  private var histogram = ForegroundHistogram()
  private let computesCurves: Bool
  private var reliability: ReliabilityTally?
  private var images = 0
  /// The time it took, in seconds.
  package var seconds = 0.0

  /// Nothing counted yet of what an evaluator counts.
  package init(_ evaluator: Evaluator, _ map: LabelMap) {
    matrix = ConfusionMatrix(classes: map.count)
    boundary = evaluator.boundaryRatio.map { BoundaryCounts(classes: map.count, ratio: $0) }
    foreground = ForegroundScores(map)
    computesCurves = evaluator.computesCurves
    reliability = evaluator.computesReliability ? ReliabilityTally() : nil
  }

  /// Counts a sample, and says what it contributes.
  ///
  /// - Parameters:
  ///   - isWhole: Whether the sample's files show just what was scored.
  ///   - temperature: That of the network.
  mutating func add(
    _ scored: Evaluator.Scored, isWhole: Bool, temperature: Temperature?
  ) -> ImageCounts {
    let (sample, prediction) = (scored.sample, scored.prediction)
    if let levels = scored.levels, let foreground {
      histogram.add(truth: sample.mask, levels: levels, foreground: foreground.index)
    }
    if let probabilities = scored.probabilities {
      reliability?.add(truth: sample.mask, found: prediction, probabilities, temperature)
    }
    var own = ConfusionMatrix(classes: matrix.classes)
    own.add(truth: sample.mask, prediction: prediction)
    boundary?.add(truth: sample.mask, prediction: prediction)
    let counts = ImageCounts(
      own, name: sample.name, image: isWhole ? sample.imagePath : "",
      label: isWhole ? sample.labelPath ?? "" : "")
    perImage.add(counts)
    foreground?.add(counts)
    matrix.merge(own)
    images += 1
    return counts
  }

  /// The scores of what was counted.
  package func result(
    dataset: String, model: String, _ scoring: ScoringProtocol, _ map: LabelMap
  ) -> EvaluationResult {
    var result = EvaluationResult(
      dataset: dataset, model: model, images: images, seconds: seconds, scoring: scoring,
      matrix: matrix, names: map.classes.map(\.name), perImage: perImage)
    result.boundary = boundary.map { BoundaryScores($0) }
    result.foreground = foreground
    result.reliability = reliability?.scores
    if computesCurves { result.foreground?.curve = ForegroundCurve(histogram) }
    return result
  }
}
