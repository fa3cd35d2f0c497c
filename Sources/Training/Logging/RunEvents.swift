import Datasets
import Evaluation
import Imaging
import TensorBoard

/// What TensorBoard shows of a run: the numbers of the log, histograms of classes and a few of the
/// images that are scored.
final class RunEvents {
  private let file: EventFile
  private let names: [String]
  private let palette: [Color]
  /// How many images are shown.
  let imageCount: Int

  /// Begins a file of events in the run's folder; what earlier ones say of later steps is void.
  ///
  /// - Throws: `EventFileError`.
  init(in folder: String, after step: Int, images: Int, _ map: LabelMap) throws {
    file = try EventFile(in: folder, from: step + 1)
    imageCount = images
    names = map.classes.map(\.name)
    palette = map.palette
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

  /// An image beside its truth and its prediction.
  func write(_ sample: Sample, _ prediction: ClassMask, step: Int) throws {
    let scale = min(1, 512 / Double(max(sample.mask.width, sample.mask.height, 1)))
    func side(_ length: Int) -> Int { max(1, Int((Double(length) * scale).rounded())) }
    let size = Size(width: side(sample.mask.width), height: side(sample.mask.height))
    func colored(_ mask: ClassMask) -> Image {
      let labels = LabelImage(
        width: mask.width, height: mask.height, values: mask.classes.map(UInt16.init)
      ).resized(to: size)
      return Image(
        classes: labels.values.map { UInt8(truncatingIfNeeded: $0) }, size: size, palette: palette)
    }
    let panel = Image.panel([
      ("image", sample.image.rgb.resized(to: size)), ("truth", colored(sample.mask)),
      ("prediction", colored(prediction)),
    ])
    try file.image(
      "evaluate/\(sample.name)", png: panel.png(), width: panel.width, height: panel.height,
      step: step)
  }
}
