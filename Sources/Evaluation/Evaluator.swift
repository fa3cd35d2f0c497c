import Datasets
import Imaging
import Segmentation
import Torch

/// Scores a network on a data set, one image at a time at the size of its ground truth.
///
/// Only counts are kept, so memory does not grow with the number of images. The next image is read and
/// the one before is scored while the network runs.
public struct Evaluator {
  /// What predicts.
  public let predictor: Predictor
  /// The size to which images are resized for the network; nil for their own.
  public let imageSize: SeenSize?

  /// The size to which the truth is resized before it is compared; nil for its own.
  ///
  /// Scores at another size are not those at the truth's own, mostly they are higher.
  public let labelSize: Size?
  /// Which labels masks take at that size.
  public var labelRule = NearestRule.centre
  /// The width of the strips of boundary IoU as a share of the diagonal; nil leaves it out.
  public var boundaryRatio: Double?
  /// Whether the curves of the foreground are computed where there are two classes.
  public var computesCurves = false
  /// From which probability on a pixel is the foreground of two classes; nil for the more probable class.
  public var threshold: Double?
  /// What the protocol says of images that are left out; nil where all are scored.
  public var subset: String?

  /// Further networks of the same classes, and what each counts: the weighted mean of all probabilities is scored.
  package var companions: [(predictor: Predictor, weight: Double)] = []
  /// What the first network counts beside them.
  package var weight = 1.0

  /// The networks that are asked.
  private var members: [(predictor: Predictor, weight: Double)] {
    ([(predictor, weight)] + companions).filter { $0.weight > 0 }
  }

  /// An evaluator; `imageSize` changes what the network sees, not the size at which is scored.
  public init(_ predictor: Predictor, imageSize: SeenSize? = nil, labelSize: Size? = nil) {
    self.predictor = predictor
    self.imageSize = imageSize
    self.labelSize = labelSize
  }

  /// How the scores are computed.
  public func scoring(for map: LabelMap) -> ScoringProtocol {
    ScoringProtocol(
      classes: map.count, ignored: map.ignoredText,
      scoredAt: labelSize.map {
        "size \($0.width)×\($0.height), to which labels are resized"
          + (labelRule == .centre ? "" : " by the rule \(labelRule.rawValue)")
      }
        ?? "size of the ground truth",
      imageSize: imageSize.map { "size resized to \($0.text)" } ?? "own size",
      scales: predictor.mode.scales, flip: predictor.mode.flip,
      mode: predictor.mode.summary
        + (threshold.map { ", foreground from a probability of \(number($0))" } ?? "")
        + (companions.isEmpty
          ? ""
          : ", mean of the probabilities of \(companions.count + 1) networks by "
            + ([weight] + companions.map(\.weight)).map(number).joined(separator: ", ")),
      precision: predictor.precisionText, sides: predictor.sides, subset: subset)
  }

  /// The scores over all samples of `dataset`.
  ///
  /// - Parameters:
  ///   - dataset: Images with labels.
  ///   - model: What the result calls the network.
  ///   - visit: Is given each sample with its prediction, and how many have been scored.
  ///   - counted: Is given what each image contributes to the scores.
  /// - Throws: What reading a sample throws, ``PredictionError``, and what `visit` throws.
  public func evaluate(
    _ dataset: any Dataset, model: String = "model",
    visit: (_ sample: Sample, _ prediction: ClassMask, _ done: Int) throws -> Void = { _, _, _ in },
    counted: (ImageCounts) -> Void = { _ in }
  ) throws -> EvaluationResult {
    let start = ContinuousClock.now
    let stages = Stages(self, dataset)
    let predictions = Prefetch(count: dataset.count, depth: 1) { _ in try stages.next() }
    // The network must not run on when the caller goes on after an error.
    defer { predictions.finish() }
    var matrix = ConfusionMatrix(classes: dataset.labelMap.count)
    var boundary = boundaryRatio.map { BoundaryCounts(classes: matrix.classes, ratio: $0) }
    var perImage = ImageMeans()
    var foreground = ForegroundScores(dataset.labelMap)
    var histogram = ForegroundHistogram()
    var done = 0
    while let next = predictions.next() {
      let (sample, prediction, levels) = try next.get()
      if let levels, let foreground {
        histogram.add(truth: sample.mask, levels: levels, foreground: foreground.index)
      }
      var own = ConfusionMatrix(classes: matrix.classes)
      own.add(truth: sample.mask, prediction: prediction)
      boundary?.add(truth: sample.mask, prediction: prediction)
      // Files of windows show more than what was scored.
      let isWhole = dataset.windows == nil
      let counts = ImageCounts(
        own, name: sample.name, image: isWhole ? sample.imagePath : "",
        label: isWhole ? sample.labelPath ?? "" : "")
      perImage.add(counts)
      foreground?.add(counts)
      counted(counts)
      matrix.merge(own)
      done += 1
      try visit(sample, prediction, done)
    }
    var result = EvaluationResult(
      dataset: dataset.name, model: model, images: done,
      seconds: (ContinuousClock.now - start) / .seconds(1),
      scoring: scoring(for: dataset.labelMap), matrix: matrix,
      names: dataset.labelMap.classes.map(\.name), perImage: perImage)
    result.boundary = boundary.map { BoundaryScores($0) }
    if computesCurves { foreground?.curve = ForegroundCurve(histogram) }
    result.foreground = foreground
    return result
  }

  /// Predicts each sample of `dataset` and keeps nothing.
  package func run(on dataset: any Dataset) throws {
    for index in 0..<dataset.count {
      let (sample, image) = try Self.load(dataset, index, imageSize: imageSize)
      _ = try predictor.classes(of: image, file: sample.file)
    }
  }

  /// A sample with its truth at the size at which is scored, and the image that the network sees.
  static func load(
    _ dataset: any Dataset, _ index: Int, imageSize: SeenSize?, labelSize: Size? = nil,
    labelRule: NearestRule = .centre
  ) throws -> (Sample, Image) {
    var sample = try dataset.load(index)
    var image = sample.image
    if let imageSize { image = image.resampled(to: imageSize.size(for: image.size)) }
    if let labelSize, labelSize != sample.mask.size {
      sample = Sample(
        index: sample.index, name: sample.name, imagePath: sample.imagePath,
        labelPath: sample.labelPath, image: sample.image.resized(to: labelSize),
        mask: sample.mask.resized(to: labelSize, by: labelRule))
    }
    return (sample, image)
  }

  /// Reading and the network, one after the other on two threads.
  ///
  /// Unchecked: one thread alone asks for the next prediction, and nobody else uses the predictor
  /// while it does.
  private final class Stages: @unchecked Sendable {
    private let predictor: Predictor
    /// All networks, where there are several.
    private let members: [(predictor: Predictor, weight: Double)]
    private let samples: Prefetch<(Sample, Image)>
    /// The class whose probabilities are asked for.
    private let foreground: Int?
    /// From which probability on a pixel is the foreground, and which class that is.
    private let cut: (threshold: Float, foreground: UInt8)?

    init(_ evaluator: Evaluator, _ dataset: any Dataset) {
      predictor = evaluator.predictor
      members = evaluator.companions.isEmpty ? [] : evaluator.members
      foreground = evaluator.computesCurves ? dataset.labelMap.foreground : nil
      cut = evaluator.threshold.flatMap { threshold in
        dataset.labelMap.foreground.map { (Float(threshold), UInt8($0)) }
      }
      let (size, labelSize) = (evaluator.imageSize, evaluator.labelSize)
      let rule = evaluator.labelRule
      samples = Prefetch(count: dataset.count, depth: 1) {
        try Evaluator.load(dataset, $0, imageSize: size, labelSize: labelSize, labelRule: rule)
      }
    }

    func next() throws -> (Sample, ClassMask, [UInt16]?) {
      guard let next = samples.next() else { throw CancellationError() }
      let (sample, image) = try next.get()
      if !members.isEmpty { return try together(sample, image) }
      let mode = predictor.mode
      let sureness = foreground.map {
        PixelSureness(foreground: $0, wanted: cut == nil ? [] : .confidence, views: mode.views)
      }
      var mask = try predictor.classes(
        of: image, size: sample.mask.size, file: sample.file, sureness: sureness)
      if let cut, var confidence = sureness?.confidence {
        mask.apply(
          threshold: cut.threshold, foreground: cut.foreground, confidence: &confidence)
      }
      return (sample, mask, sureness?.levels)
    }

    /// What several networks find by the mean of their probabilities.
    private func together(
      _ sample: Sample, _ image: Image
    ) throws -> (Sample, ClassMask, [UInt16]?) {
      var sum = MeanProbabilities()
      for (predictor, weight) in members {
        let found = try predictor.predict(
          image, size: sample.mask.size, file: sample.file, wanted: .probabilities)
        if let own = found.probabilities { sum.add(own, weight: weight) }
      }
      guard let mean = sum.mean else { preconditionFailure("a weight is above 0") }
      var mask = mean.mask
      if let cut {
        var confidence = mean.confidence
        mask.apply(
          threshold: cut.threshold, foreground: cut.foreground, confidence: &confidence)
      }
      return (sample, mask, foreground.map { mean.levels(of: $0) })
    }
  }
}

extension Sample {
  /// What messages call it.
  var file: String { imagePath.isEmpty ? name : imagePath }
}
