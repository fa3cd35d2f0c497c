import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Segmentation

/// What parts of a head are worth on one photograph: which pixels change their class without them.
public struct PhotographAblation: JSONReport {
  /// The network without some parts.
  public struct Step: Sendable, Encodable {
    /// What was removed.
    public let removed: [String]
    /// The share of pixels that have another class than in the whole network's labels, and of those that
    /// have the same.
    public let changed: Double, agreement: Double
    /// What most of the changed pixels were, and what they became; nil where none changed.
    public let from: String?, to: String?
    /// The scores, where the truth is known.
    public let meanIoU: Double?, pixelAccuracy: Double?
    /// The IoU of each class, where the truth is known.
    public let iou: [Double?]?

    /// What was removed, in words.
    public var name: String { AblationPlan.name(removed) }
  }

  /// The photograph's file and size.
  public let image: String, width, height: Int
  /// The names of the classes.
  public let classes: [String]
  /// The steps, of which the first is the whole network.
  public private(set) var steps: [Step] = []
  private let labelMap: LabelMap
  private let photograph: Image
  private let truth: ClassMask?
  private var masks: [ClassMask] = []

  private enum CodingKeys: String, CodingKey { case image, width, height, classes, steps }

  /// Segments a photograph with the whole network and without parts of it, as ``Ablation`` does on a
  /// data set; the network is whole again afterwards.
  ///
  /// - Parameters:
  ///   - predictor: The network.
  ///   - photograph: The photograph, RGB.
  ///   - file: What it is called.
  ///   - seen: How it is resized for the network.
  ///   - truth: The classes of its pixels, of the photograph's size, if they are known.
  ///   - labelMap: The classes of the network.
  ///   - singly: Whether levels of a cascade are removed one at a time, too.
  ///   - progress: Is told how many steps of how many are done.
  /// - Throws: ``AblationError``, `PredictionError`.
  public init(
    _ predictor: Predictor, _ photograph: Image, named file: String, seen: SeenScale = .none,
    truth: ClassMask? = nil,
    labelMap: LabelMap, singly: Bool = false,
    progress: (_ step: Int, _ steps: Int) -> Void = { _, _ in }
  ) throws {
    let plan = try AblationPlan(predictor.model, singly: singly)
    image = file
    (width, height) = (photograph.width, photograph.height)
    classes = labelMap.classes.map(\.name)
    (self.labelMap, self.photograph, self.truth) = (labelMap, photograph, truth)
    let shown = seen(photograph)
    try plan.run { number, removed in
      let mask = try predictor.classes(of: shown, size: photograph.size, file: file)
      masks.append(mask)
      steps.append(step(removed, mask))
      progress(number + 1, plan.steps.count)
    }
  }

  private func step(_ removed: [String], _ mask: ClassMask) -> Step {
    // The whole network's labels take the place of the truth, and what is beside the diagonal changed.
    var against = ConfusionMatrix(classes: classes.count)
    against.add(truth: masks[0], prediction: mask)
    var most: (count: Int64, from: Int, to: Int) = (0, 0, 0)
    for from in classes.indices {
      for to in classes.indices where from != to && against[from, to] > most.count {
        most = (against[from, to], from, to)
      }
    }
    let agreement = Scores(against, names: classes).pixelAccuracy ?? 1
    let scores = truth.map { truth in
      var matrix = ConfusionMatrix(classes: classes.count)
      matrix.add(truth: truth, prediction: mask)
      return Scores(matrix, names: classes)
    }
    return Step(
      removed: removed, changed: 1 - agreement, agreement: agreement,
      from: most.count > 0 ? classes[most.from] : nil, to: most.count > 0 ? classes[most.to] : nil,
      meanIoU: scores?.meanIoU, pixelAccuracy: scores?.pixelAccuracy,
      iou: scores?.classes.map(\.iou))
  }

  /// The report as text.
  public var text: String {
    func percent(_ value: Double?) -> String { value.map { fixed($0 * 100, 1) } ?? "n/a" }
    let scored = truth == nil ? [] : ["mean IoU", "accuracy"]
    var lines = ["\(image), \(width)x\(height); shares in per cent", ""]
    lines += TextTable.lines(
      ["network", "same class", "changed"] + scored + ["mostly"],
      steps.map { step in
        [step.name, percent(step.agreement), percent(step.changed)]
          + (truth == nil ? [] : [percent(step.meanIoU), percent(step.pixelAccuracy)])
          + [step.from.flatMap { from in step.to.map { "\(from) -> \($0)" } } ?? ""]
      })
    return (lines + ["", reading]).joined(separator: "\n")
  }

  /// What to read from the shares, in a sentence.
  public var reading: String {
    guard let most = steps.dropFirst().max(by: { $0.changed < $1.changed }), most.changed > 0 else {
      return "No pixel changes its class without any of the parts."
    }
    let kind = most.from.flatMap { from in most.to.map { ", mostly from \(from) to \($0)" } } ?? ""
    let cost = steps.first?.meanIoU.flatMap { whole in most.meanIoU.map { (whole - $0) * 100 } }
    return
      "What changes most is the network \(most.name): \(fixed(most.changed * 100, 1)) % of pixels"
      + " get another class\(kind)\(cost.map { "; it loses \(fixed($0)) points of mean IoU" } ?? "")."
  }

  /// How many pixels each step changes or, where the truth is known, what it loses.
  public var bars: BarChart {
    var chart = BarChart()
    let whole = steps.first?.meanIoU
    let name = image.fileName
    chart.title = "What each part adds, \(name)"
    chart.quantity =
      whole == nil
      ? "pixels that change their class without the part, in per cent"
      : "mean IoU of the whole network less that without the part, in points"
    chart.bars = steps.dropFirst().map { step in
      let lost = whole.flatMap { whole in step.meanIoU.map { whole - $0 } }
      return (step.removed.joined(separator: ", "), (lost ?? step.changed) * 100)
    }
    return chart
  }

  /// The photograph, the truth where it is known, what the whole network finds, and for each step the
  /// pixels that change, in the colours of what they become on the photograph in grey.
  public var panel: Image {
    func picture(_ mask: ClassMask) -> Image {
      mask.picture(labelMap.colors)
    }
    let rgb = photograph.rgb
    var grey = rgb
    for pixel in 0..<width * height {
      let at = 3 * pixel
      // Half as bright as the mean, so that the classes' colours stand out.
      let level = (Int(rgb.pixels[at]) + Int(rgb.pixels[at + 1]) + Int(rgb.pixels[at + 2])) / 6
      for channel in 0..<3 { grey.pixels[at + channel] = UInt8(level) }
    }
    var parts = [("photograph", rgb)]
    if let truth { parts.append(("truth", picture(truth))) }
    parts += zip(steps, masks).enumerated().map { index, step in
      guard index > 0 else { return ("whole network", picture(step.1)) }
      // No palette has the class of what stays, so that it is not covered.
      let changed = zip(step.1.classes, masks[0].classes).map { $0 == $1 ? LabelMap.ignored : $0 }
      let share = fixed(step.0.changed * 100, 1)
      return (
        "\(step.0.name): \(share) % change",
        grey.overlaid(classes: changed, palette: labelMap.colors, opacity: 1)
      )
    }
    let shown = ShownClasses(masks + [truth].compactMap { $0 })
    return .panel(parts, columns: min(3, parts.count), legend: labelMap.legend(of: shown))
  }

  /// Writes the bars, the panel and the numbers as JSON into a folder.
  ///
  /// - Throws: `FolderError`, `ImageError`, `WriteError`.
  /// - Returns: The files.
  public func write(to folder: String) throws -> [String] {
    try FileSystem.makeOutputFolder(folder)
    let name = image.fileStem
    let files = ["ablation.json", "ablation.png", "\(name)_ablation.png"].map { "\(folder)/\($0)" }
    try AtomicFile.write(files[0], json())
    try bars.image().write(to: files[1], isOutput: true)
    try panel.write(to: files[2], isOutput: true)
    return files
  }
}
