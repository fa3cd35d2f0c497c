import Datasets
import Evaluation
import Imaging
import TensorBoard

/// What TensorBoard shows of a run: the numbers of the log, histograms of classes and a few of the
/// images that are scored.
final class RunEvents {
  private let file: EventFile
  private let names: [String]

  /// Begins a file of events in the run's folder; what earlier ones say of later steps is void.
  ///
  /// - Throws: `EventFileError`.
  init(in folder: String, after step: Int, _ map: LabelMap) throws {
    file = try EventFile(in: folder, from: step + 1)
    names = map.classes.map(\.name)
  }

  /// The numbers of a line of the log.
  func write(_ line: LogLine) throws {
    let numbers: [(String, Double?)] = [
      ("loss", line.loss), ("learningRate", line.learningRate),
      ("gradientNorm", line.gradientNorm), ("imagesPerSecond", line.imagesPerSecond),
      ("waiting", line.waiting), ("meanIoU", line.meanIoU), ("pixelAccuracy", line.pixelAccuracy),
    ]
    let classes = names.compactMap { name in line.classes?[name].map { ("iou/\(name)", $0) } }
    try file.scalars(
      numbers.compactMap { name, value in value.map { ("\(line.kind)/\(name)", $0) } } + classes,
      step: line.step)
  }

  /// How many pixels each class has in the truth and in the prediction.
  func write(_ classes: [ClassScores], step: Int) throws {
    try file.histogram("classes/truth", counts: classes.map { Double($0.truth) }, step: step)
    try file.histogram(
      "classes/prediction", counts: classes.map { Double($0.predicted) }, step: step)
  }

  /// An image as ``panel(_:_:)`` shows it.
  func write(_ panel: Image, _ name: String, step: Int) throws {
    try file.image(
      "evaluate/\(name)", png: panel.png(), width: panel.width, height: panel.height,
      step: step)
  }
}

extension LabelMap {
  /// An image beside its truth and its prediction, no side of each longer than 512 pixels.
  func panel(_ sample: Sample, _ prediction: ClassMask) -> Image {
    let scale = min(1, 512 / Double(max(sample.mask.width, sample.mask.height, 1)))
    func side(_ length: Int) -> Int { max(1, Int((Double(length) * scale).rounded())) }
    let size = Size(width: side(sample.mask.width), height: side(sample.mask.height))
    func colored(_ mask: ClassMask) -> Image {
      mask.resized(to: size).picture(palette)
    }
    return Image.panel([
      ("image", sample.image.rgb.resized(to: size)), ("truth", colored(sample.mask)),
      ("prediction", colored(prediction)),
    ])
  }
}
