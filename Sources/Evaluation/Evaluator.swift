import Datasets
import Imaging
import Segmentation
import Torch

/// Scores a network on a data set, one image at a time at the size of its ground truth.
///
/// Only counts are kept, so memory does not grow with the number of images; the next image is read
/// while the network runs.
public struct Evaluator {
  /// What predicts.
  public let predictor: Predictor
  /// The size to which images are resized for the network; nil for their own.
  public let imageSize: Size?

  /// An evaluator; `imageSize` changes what the network sees, not the size at which is scored.
  public init(_ predictor: Predictor, imageSize: Size? = nil) {
    self.predictor = predictor
    self.imageSize = imageSize
  }

  /// How the scores are computed.
  public func scoring(for map: LabelMap) -> ScoringProtocol {
    ScoringProtocol(
      classes: map.count, ignored: map.ignoredText,
      imageSize: imageSize.map { "size resized to \($0.width)×\($0.height)" } ?? "own size",
      precision: predictor.precision.map { "\($0)" } ?? "float32")
  }

  /// The scores over all samples of `dataset`.
  ///
  /// - Parameters:
  ///   - dataset: Images with labels.
  ///   - model: What the result calls the network.
  ///   - visit: Is given each sample with its prediction, and how many have been scored.
  /// - Throws: What reading a sample throws, ``PredictionError``, and what `visit` throws.
  public func evaluate(
    _ dataset: any Dataset, model: String = "model",
    visit: (_ sample: Sample, _ prediction: ClassMask, _ done: Int) throws -> Void = { _, _, _ in }
  ) throws -> EvaluationResult {
    let start = ContinuousClock.now
    let size = imageSize
    let ahead = Ahead(count: dataset.count) { index in
      let sample = try dataset.load(index)
      guard let size, size != sample.image.size else { return (sample, sample.image) }
      var random = SampleRandom(seed: 0, epoch: 0, index: index)
      let resized = try Pipeline([.resize(size)])(sample.image, sample.mask, random: &random)
      return (sample, resized.image)
    }
    var matrix = ConfusionMatrix(classes: dataset.labelMap.count)
    var perImage = ImageMeans()
    var done = 0
    while let next = ahead.next() {
      let (sample, image) = try next.get()
      let file = sample.imagePath.isEmpty ? sample.name : sample.imagePath
      let prediction = try predictor.classes(of: image, size: sample.mask.size, file: file)
      var own = ConfusionMatrix(classes: matrix.classes)
      own.add(truth: sample.mask, prediction: prediction)
      perImage.add(ImageCounts(own, name: sample.name))
      matrix.merge(own)
      done += 1
      try visit(sample, prediction, done)
    }
    return EvaluationResult(
      dataset: dataset.name, model: model, images: done,
      seconds: (ContinuousClock.now - start) / .seconds(1),
      scoring: scoring(for: dataset.labelMap), matrix: matrix,
      names: dataset.labelMap.classes.map(\.name), perImage: perImage)
  }
}
