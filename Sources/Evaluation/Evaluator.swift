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

  /// Whose levels images take at that size.
  public var imageRule = ImageResizing.own

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
  /// Whether is counted how well probabilities fit what is found.
  public var computesReliability = false
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
      imageSize: imageSize.map {
        "size resized to \($0.text)"
          + (imageRule == .own ? "" : " by the rule \(imageRule.rawValue)")
      } ?? "own size",
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
    var tally = EvaluationTally(self, dataset.labelMap)
    try count(dataset, into: &tally, visit: visit, counted: counted)
    return tally.result(
      dataset: dataset.name, model: model, scoring(for: dataset.labelMap), dataset.labelMap)
  }

  /// Counts all samples of `dataset`, beside what was counted before of others.
  ///
  /// - Throws: As ``evaluate(_:model:visit:counted:)``.
  package func count(
    _ dataset: any Dataset, into tally: inout EvaluationTally,
    visit: (_ sample: Sample, _ prediction: ClassMask, _ done: Int) throws -> Void = { _, _, _ in },
    counted: (ImageCounts) -> Void = { _ in }
  ) throws {
    let start = ContinuousClock.now
    defer { tally.seconds += (ContinuousClock.now - start) / .seconds(1) }
    try predict(dataset, probabilities: computesReliability) { scored, done in
      // Files of windows show more than what was scored.
      counted(
        tally.add(
          scored, isWhole: dataset.windows == nil,
          temperature: companions.isEmpty ? predictor.temperature : nil))
      try visit(scored.sample, scored.prediction, done)
    }
  }

  /// A sample and what the network says of it.
  package struct Scored: Sendable {
    /// The image with its truth.
    package let sample: Sample
    /// The class that was found at each pixel.
    package let prediction: ClassMask
    /// The foreground's log-odds in the steps of a ``ForegroundHistogram``, where they are asked for.
    let levels: [UInt16]?
    /// The probabilities as the network gives them, where they are asked for.
    package let probabilities: ClassProbabilities?
  }

  /// Predicts the samples of `dataset` one after the other.
  ///
  /// - Parameters:
  ///   - probabilities: Whether those of all classes are computed.
  ///   - visit: Is given each sample, and how many there have been.
  /// - Throws: As ``evaluate(_:model:visit:counted:)``.
  package func predict(
    _ dataset: any Dataset, probabilities: Bool, visit: (Scored, _ done: Int) throws -> Void
  ) throws {
    let stages = Stages(self, dataset, probabilities: probabilities)
    let predictions = Prefetch(count: dataset.count, depth: 1) { _ in try stages.next() }
    // The network must not run on when the caller goes on after an error.
    defer { predictions.finish() }
    var done = 0
    while let next = predictions.next() {
      let scored = try next.get()
      done += 1
      try visit(scored, done)
    }
  }

  /// Predicts each sample of `dataset` and keeps nothing.
  package func run(on dataset: any Dataset) throws {
    for index in 0..<dataset.count {
      let (sample, image) = try Self.load(
        dataset, index, imageSize: imageSize, imageRule: imageRule)
      _ = try predictor.classes(of: image, file: sample.file)
    }
  }

  /// A sample with its truth at the size at which is scored, and the image that the network sees.
  static func load(
    _ dataset: any Dataset, _ index: Int, imageSize: SeenSize?, imageRule: ImageResizing,
    labelSize: Size? = nil, labelRule: NearestRule = .centre
  ) throws -> (Sample, Image) {
    var sample = try dataset.load(index)
    var image = sample.image
    if let imageSize { image = image.resampled(to: imageSize.size(for: image.size), by: imageRule) }
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
    private let probabilities: Bool

    init(_ evaluator: Evaluator, _ dataset: any Dataset, probabilities: Bool) {
      predictor = evaluator.predictor
      self.probabilities = probabilities
      members = evaluator.companions.isEmpty ? [] : evaluator.members
      foreground = evaluator.computesCurves ? dataset.labelMap.foreground : nil
      cut = evaluator.threshold.flatMap { threshold in
        dataset.labelMap.foreground.map { (Float(threshold), UInt8($0)) }
      }
      let (size, labelSize) = (evaluator.imageSize, evaluator.labelSize)
      let (imageRule, rule) = (evaluator.imageRule, evaluator.labelRule)
      samples = Prefetch(count: dataset.count, depth: 1) {
        try Evaluator.load(
          dataset, $0, imageSize: size, imageRule: imageRule, labelSize: labelSize, labelRule: rule)
      }
    }

    func next() throws -> Scored {
      guard let next = samples.next() else { throw CancellationError() }
      let (sample, image) = try next.get()
      let size = sample.mask.size
      if probabilities { try predictor.checkProbabilities(size, file: sample.file) }
      if !members.isEmpty { return try together(sample, image) }
      var wanted: Predictor.Wanted = cut == nil ? [] : .confidence
      if probabilities { wanted.insert(.probabilities) }
      let sureness =
        foreground == nil && wanted.isEmpty
        ? nil
        : PixelSureness(foreground: foreground, wanted: wanted, views: predictor.mode.views)
      var mask = try predictor.classes(
        of: image, size: size, file: sample.file, sureness: sureness)
      if let cut, var confidence = sureness?.confidence {
        mask.apply(
          threshold: cut.threshold, foreground: cut.foreground, confidence: &confidence)
      }
      return Scored(
        sample: sample, prediction: mask, levels: foreground == nil ? nil : sureness?.levels,
        probabilities: probabilities
          ? sureness.map {
            ClassProbabilities(
              size: size, classes: predictor.model.classes, values: $0.probabilities)
          } : nil)
    }

    /// What several networks find by the mean of their probabilities, which temperatures leave as they are.
    private func together(_ sample: Sample, _ image: Image) throws -> Scored {
      var sum = MeanProbabilities()
      for (predictor, weight) in members {
        let found = try predictor.predict(
          image, size: sample.mask.size, file: sample.file,
          wanted: [.probabilities, .uncalibrated])
        if let own = found.probabilities { sum.add(own, weight: weight) }
      }
      guard let mean = sum.mean else { preconditionFailure("a weight is above 0") }
      var mask = mean.mask
      if let cut {
        var confidence = mean.confidence
        mask.apply(
          threshold: cut.threshold, foreground: cut.foreground, confidence: &confidence)
      }
      return Scored(
        sample: sample, prediction: mask, levels: foreground.map { mean.levels(of: $0) },
        probabilities: probabilities ? mean : nil)
    }
  }
}

extension Sample {
  /// What messages call it.
  var file: String { imagePath.isEmpty ? name : imagePath }
}
