import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Graphs
import Imaging
import Segmentation
import Torch

/// The precision that a network runs fastest in among those that lose little, found by running it in all of them.
public struct PrecisionChoice: Codable, Sendable, Equatable {
  /// What was found of a precision.
  public struct Finding: Codable, Sendable, Equatable {
    /// The type of the products.
    public let precision: String
    /// What is lost against float32, in points: of mean IoU, or of pixels with the same class where there are
    /// no labels.
    public let loss: Double
    /// The median time of an image from its pixels to its classes, in seconds.
    public let seconds: Double
  }

  /// What was found, float32 first.
  public let findings: [Finding]
  /// The number of images.
  public let images: Int
  /// Whether they have labels.
  public let isByLabels: Bool
  /// The ranges that int8 was measured with.
  let ranges: InputRanges?

  /// The fastest precision that loses at most so many points.
  public func best(tolerance: Double) -> InferencePrecision {
    let good = findings.filter { $0.loss <= tolerance }
    let best = good.min { $0.seconds < $1.seconds }
    return best.flatMap { InferencePrecision(rawValue: $0.precision) } ?? .float32
  }

  /// What was chosen and why, in a line.
  public func text(tolerance: Double) -> String {
    let best = best(tolerance: tolerance).rawValue
    let unit = isByLabels ? "points of mean IoU" : "points of pixels with the same class"
    let found = findings.map { finding in
      let milliseconds = String(format: "%.0f ms", finding.seconds * 1e3)
      guard finding.precision != InferencePrecision.float32.rawValue else {
        return "\(finding.precision) \(milliseconds)"
      }
      return
        "\(finding.precision) \(milliseconds) and \(String(format: "%+.2f", -finding.loss)) \(unit)"
    }
    return "precision \(best): the fastest within \(tolerance) points on \(images) images ("
      + found.joined(separator: ", ") + ")"
  }
}

extension PrecisionChoice {
  /// Runs `network` in every precision that the processor has instructions for, image by image in turn.
  ///
  /// The weights stay as they are.
  /// - Throws: What reading the images throws, `ConfigurationError` for a network without data, `PredictionError`.
  init(measuring network: TrainedNetwork, on calibration: Calibration, mode: InferenceMode) throws {
    let images = try calibration.found(for: network)
    let precisions = InferencePrecision.allCases.filter(\.isSupported)
    let ranges =
      precisions.contains(.int8)
      ? try calibration.ranges(of: network) : nil
    var runs = try precisions.map { precision in
      let options = Runner.Options(
        precision: precision, ranges: precision == .int8 ? ranges : nil, keepsWeights: true,
        without: try Pass.switchedOffByEnvironment())
      return Run(
        Predictor(
          network.model, NetworkForm(runner: network.model.runner(options)),
          encoding: network.encoding, device: network.device, mode: mode), network)
    }
    for index in 0..<images.count {
      let (image, truth, file) = try images.load(index)
      var masks: [ClassMask?] = Array(repeating: nil, count: runs.count)
      // None always comes first.
      for turn in runs.indices {
        let place = (turn + index) % runs.count
        masks[place] = try runs[place].predict(image, truth, file, isFirst: index == 0)
      }
      for place in runs.indices { runs[place].compare(masks[place], with: masks[0]) }
    }
    let reference = runs[0]
    findings = zip(precisions, runs).map { precision, run in
      Finding(
        precision: precision.rawValue,
        loss: 100 * (images.isLabelled ? run.lostIoU(against: reference) : run.otherClasses),
        seconds: run.seconds.median)
    }
    (self.images, isByLabels, self.ranges) = (images.count, images.isLabelled, ranges)
  }

  /// What one precision has given so far.
  private struct Run {
    let predictor: Predictor
    let names: [String]
    var matrix: ConfusionMatrix
    var seconds: [Double] = []
    var same = 0, pixels = 0

    init(_ predictor: Predictor, _ network: TrainedNetwork) {
      self.predictor = predictor
      names = network.classNames
      matrix = ConfusionMatrix(classes: max(names.count, network.model.classes))
    }

    mutating func predict(
      _ image: Image, _ truth: ClassMask?, _ file: String, isFirst: Bool
    ) throws -> ClassMask {
      // The first time a size is seen, plans are made.
      let isNew = sizes.insert([image.width, image.height]).inserted
      if isNew { _ = try predictor.classes(of: image, size: image.size, file: file) }
      let start = ContinuousClock.now
      let mask = try predictor.classes(of: image, size: truth?.size ?? image.size, file: file)
      seconds.append((ContinuousClock.now - start) / .seconds(1))
      if let truth { matrix.add(truth: truth, prediction: mask) }
      return mask
    }
    private var sizes: Set<[Int]> = []

    mutating func compare(_ mask: ClassMask?, with reference: ClassMask?) {
      guard let mask, let reference else { return }
      same += zip(mask.classes, reference.classes).count { $0 == $1 }
      pixels += mask.classes.count
    }

    func lostIoU(against reference: Run) -> Double {
      let own = Scores(matrix, names: names).meanIoU ?? 0
      return (Scores(reference.matrix, names: names).meanIoU ?? 0) - own
    }
    var otherClasses: Double { 1 - Double(same) / Double(max(pixels, 1)) }
  }
}

// MARK: Remembered

extension PrecisionChoice {
  /// What a file of a choice holds.
  private struct Contents: Codable {
    /// What the numbers mean; files of other versions are left alone.
    static let current = "atrous precision 1"
    var format = current
    /// The processor, the network's weights, and how the choice was made.
    var machine, network, settings: String
    var choice: PrecisionChoice
  }

  /// The choice for a network on this machine: what was found before, or what is found now and kept.
  ///
  /// It lies beside measured plans; see `Plans`.
  /// - Throws: As ``init(measuring:on:mode:)``.
  static func of(
    _ network: TrainedNetwork, on calibration: Calibration, mode: InferenceMode
  ) throws -> PrecisionChoice {
    let checksum = String(network.model.weightChecksum, radix: 16)
    let configuration = try network.configuration.evaluation()
    let settings =
      "\(calibration.images) images of \(calibration.photographs ?? "the training split"), \(mode),"
      + " \(calibration.method.rawValue),"
      + " \(configuration.imageSize.map { "\($0)" } ?? "own size"), \(Engine.threads) threads"
    let path = Plans.folder.map { "\($0)/precision-\(checksum).json" }
    if let path, let known = known(path), known.machine == Plans.machine,
      known.network == checksum, known.settings == settings
    {
      return known.choice
    }
    let choice = try PrecisionChoice(measuring: network, on: calibration, mode: mode)
    if let path {
      let contents = Contents(
        machine: Plans.machine, network: checksum, settings: settings, choice: choice)
      // A choice that cannot be kept is made again next time.
      try? write(contents, to: path)  // may fail: a folder that cannot be written
    }
    return choice
  }

  private static func known(_ path: String) -> Contents? {
    // may fail: a file of another version
    guard let data = FileSystem.contents(path),
      let known = try? JSONDecoder().decode(Contents.self, from: data),  // may fail: a damaged file
      known.format == Contents.current
    else { return nil }
    return known
  }

  private static func write(_ contents: Contents, to path: String) throws {
    try FileSystem.makeOutputFolder(of: path)
    try AtomicFile.write(path, Data(jsonText(contents).utf8))
  }
}
