import Datasets
import Foundation
import Imaging

/// A network's scores in two precisions on the same images.
public struct PrecisionComparison: JSONReport {
  /// What one precision gave.
  public struct Side: Sendable, Encodable {
    /// The type of the products, as in ``ScoringProtocol/precision``.
    public let precision: String
    /// The mean IoU; nil where no class occurs.
    public let meanIoU: Double?
    /// The median time of an image from its pixels to its classes, in seconds.
    public let secondsPerImage: Double
  }

  /// The data set's name, what was evaluated, and the number of images.
  public let dataset: String, model: String, images: Int
  /// The precision in question, and the one that it is compared with.
  public let precision: Side, reference: Side
  /// The share of pixels that both give the same class, of all pixels.
  public let agreement: Double
  /// How everything else was computed.
  public let scoring: ScoringProtocol

  private enum CodingKeys: String, CodingKey {
    case dataset, model, images, precision, reference, agreement
    case scoring = "protocol"
  }

  /// What the mean IoU gains over the reference's; negative for a loss.
  public var difference: Double? {
    guard let own = precision.meanIoU, let other = reference.meanIoU else { return nil }
    return own - other
  }

  /// Scores `dataset` with both evaluators, image by image in turn.
  ///
  /// - Parameters:
  ///   - evaluator: Predicts in the precision in question.
  ///   - other: Predicts in the other; it sees and scores images at the first one's sizes.
  ///   - dataset: Images with labels.
  ///   - model: What the report calls the network.
  ///   - progress: Is told how many images are done.
  /// - Throws: What reading a sample throws, and ``PredictionError``.
  public init(
    _ evaluator: Evaluator, against other: Evaluator, on dataset: any Dataset, model: String,
    progress: (_ done: Int) -> Void = { _ in }
  ) throws {
    var runs = [Run(evaluator, dataset), Run(other, dataset)]
    var (same, pixels) = (0, 0)
    for index in 0..<dataset.count {
      let (sample, image) = try Evaluator.load(
        dataset, index, imageSize: evaluator.imageSize, imageRule: evaluator.imageRule,
        labelSize: evaluator.labelSize, labelRule: evaluator.labelRule)
      // Neither always comes first.
      let isSwapped = index % 2 == 1
      let first = try runs[isSwapped ? 1 : 0].predict(image, sample)
      let second = try runs[isSwapped ? 0 : 1].predict(image, sample)
      same += zip(first.classes, second.classes).count { $0 == $1 }
      pixels += first.classes.count
      progress(index + 1)
    }
    self.dataset = dataset.name
    self.model = model
    images = dataset.count
    precision = runs[0].side
    reference = runs[1].side
    agreement = Double(same) / Double(max(pixels, 1))
    scoring = evaluator.scoring(for: dataset.labelMap)
  }

  /// What one precision has given so far.
  private struct Run {
    let evaluator: Evaluator
    let map: LabelMap
    var matrix: ConfusionMatrix
    var seconds: [Double] = []

    init(_ evaluator: Evaluator, _ dataset: any Dataset) {
      self.evaluator = evaluator
      map = dataset.labelMap
      matrix = ConfusionMatrix(classes: map.count)
    }

    mutating func predict(_ image: Image, _ sample: Sample) throws -> ClassMask {
      let start = ContinuousClock.now
      let prediction = try evaluator.predictor.classes(
        of: image, size: sample.mask.size, file: sample.file)
      seconds.append((ContinuousClock.now - start) / .seconds(1))
      matrix.add(truth: sample.mask, prediction: prediction)
      return prediction
    }

    var side: Side {
      Side(
        precision: evaluator.scoring(for: map).precision,
        meanIoU: Scores(matrix, names: map.classes.map(\.name)).meanIoU,
        secondsPerImage: seconds.median)
    }
  }

  /// The comparison as a table for a terminal.
  public var text: String {
    func seconds(_ value: Double) -> String { String(format: "%.3f", value) }
    func row(_ side: Side) -> [String] {
      [side.precision, percent(side.meanIoU), seconds(side.secondsPerImage)]
    }
    let faster = reference.secondsPerImage / max(precision.secondsPerImage, 1e-9)
    let rows = [
      ["precision", "mean IoU %", "seconds per image"], row(precision), row(reference),
      [
        "difference", difference.map { String(format: "%+.2f", $0 * 100) } ?? "n/a",
        String(format: "%.2f times as fast", faster),
      ],
    ]
    return
      (["\(dataset): \(images) images, \(model)", ""] + aligned(rows, numeric: 1).map { "  " + $0 }
      + [
        "", String(format: "  the same class at %.3f %% of all pixels", agreement * 100),
        "  " + scoring.summary,
      ]).joined(separator: "\n")
  }
}
