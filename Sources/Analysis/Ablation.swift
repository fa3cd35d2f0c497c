import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Segmentation
import Torch

/// A head of which parts can be taken away without training again.
public protocol AblatableModule: Module {
  /// The parts that give nothing, by place.
  var removed: Set<Int> { get set }
  /// What the parts are called, in order; the last ones are the top.
  var partNames: [String] { get }
  /// Whether parts build on those before, so that they are removed from the top.
  var isCascade: Bool { get }
}

extension DenseASPP: AblatableModule {
  /// The levels by their dilations.
  public var partNames: [String] { configuration.dilations.map { "dilation \($0)" } }
  /// Each level sees those before it.
  public var isCascade: Bool { true }
}

extension ASPP: AblatableModule {
  /// The branches.
  public var partNames: [String] { branchNames }
  /// Branches stand side by side.
  public var isCascade: Bool { false }
}

/// Why nothing can be taken away.
public struct AblationError: Error, CustomStringConvertible {
  /// What the configuration calls the head, or its type.
  let head: String
  /// The message for a person.
  public var description: String {
    "model.head: '\(head)' has no levels or branches to remove; expected a head with ASPP or DenseASPP, such as"
      + " deeplabv3plus or denseaspp"
  }

  /// Refuses a network without such parts, whose head the configuration calls `head`.
  package static func check(_ model: SegmentationModel, head: String?) throws {
    guard model.ablatable == nil else { return }
    throw AblationError(head: head ?? "\(type(of: model.classifier))")
  }
}

extension SegmentationModel {
  /// The part of the network that can be removed part by part, if there is one.
  fileprivate var ablatable: (any AblatableModule)? {
    modules.lazy.compactMap { $0.module as? any AblatableModule }.first
  }
}

/// Which parts of a head are removed, step by step.
struct AblationPlan {
  private let head: any AblatableModule
  /// The parts that each step removes, of which the first removes nothing.
  let steps: [Set<Int>]
  /// Whether parts build on those before.
  var isCascade: Bool { head.isCascade }

  /// Without the top 1, 2, … levels of a cascade, and with `singly` without each; without each branch of
  /// a pyramid.
  ///
  /// - Throws: ``AblationError``.
  init(_ model: SegmentationModel, singly: Bool) throws {
    guard let head = model.ablatable else {
      throw AblationError(head: "\(type(of: model.classifier))")
    }
    let count = head.partNames.count
    var steps: [Set<Int>] = [[]]
    if head.isCascade { steps += (1...count).map { Set((count - $0)..<count) } }
    if singly || !head.isCascade {
      // The top alone is the first of a cascade's steps already.
      steps += (0..<count - (head.isCascade ? 1 : 0)).map { [$0] }
    }
    (self.head, self.steps) = (head, steps)
  }

  /// Calls `body` with the network without the parts of each step; it is whole again afterwards.
  func run(_ body: (_ step: Int, _ removed: [String]) throws -> Void) rethrows {
    let before = head.removed
    defer { head.removed = before }
    for (number, parts) in steps.enumerated() {
      head.removed = before.union(parts)
      try body(number, parts.sorted().map { head.partNames[$0] })
    }
  }

  /// What a step is called: `whole`, or what is missing.
  static func name(_ removed: [String]) -> String {
    removed.isEmpty ? "whole" : "without \(removed.joined(separator: ", "))"
  }
}

/// What parts of a head are worth: the network is scored without them, not trained again (Tepliashin et al.,
/// Figure 4).
public struct Ablation: JSONReport {
  /// The network without some parts.
  public struct Step: Sendable, Encodable {
    /// What was removed.
    public let removed: [String]
    /// The scores.
    public let meanIoU: Double?, pixelAccuracy: Double?
    /// The IoU of each class.
    public let iou: [Double?]
    /// The pixels found by class and size of object.
    public let sizes: SizeScores

    /// What was removed, in words.
    public var name: String { AblationPlan.name(removed) }
  }

  /// The data set and how many images of it were scored.
  public let dataset: String, images: Int
  /// The names of the classes.
  public let classes: [String]
  /// The steps, of which the first is the whole network.
  public private(set) var steps: [Step] = []
  /// For some images the photograph, the truth and the prediction of each step.
  private var panels: [(name: String, parts: [(caption: String, image: Image)])] = []
  private var shown = ShownClasses()
  private let labelMap: LabelMap
  private let isCascade: Bool

  private enum CodingKeys: String, CodingKey { case dataset, images, classes, steps }

  /// Scores `predictor`'s network without parts: without the top 1, 2, … levels of a cascade, or
  /// without each branch of a pyramid; the network is whole again afterwards.
  ///
  /// - Parameters:
  ///   - predictor: The network.
  ///   - dataset: The images and their labels.
  ///   - imageSize: The size to which images are resized for the network; nil for their own.
  ///   - imageRule: Whose levels they take then.
  ///   - singly: Whether levels of a cascade are removed one at a time, too.
  ///   - pictures: For how many of the first images pictures are kept.
  ///   - progress: Is told how many steps of how many are done.
  /// - Throws: ``AblationError``, what reading an image throws, and `PredictionError`.
  public init(
    _ predictor: Predictor, on dataset: any Dataset, imageSize: SeenSize? = nil,
    imageRule: ImageResizing = .own, singly: Bool = false, pictures: Int = 2,
    progress: (_ step: Int, _ steps: Int) -> Void = { _, _ in }
  ) throws {
    let plan = try AblationPlan(predictor.model, singly: singly)
    self.dataset = dataset.name
    images = dataset.count
    labelMap = dataset.labelMap
    classes = labelMap.classes.map(\.name)
    isCascade = plan.isCascade
    var evaluator = Evaluator(predictor, imageSize: imageSize)
    evaluator.imageRule = imageRule
    try plan.run { number, removed in
      var sizes = SizeScores(classes: labelMap.count)
      let caption = removed.isEmpty ? "whole" : "- " + removed.joined(separator: ", ")
      let result = try evaluator.evaluate(dataset) { sample, prediction, done in
        sizes.add(truth: sample.mask, prediction: prediction)
        if done <= pictures { keep(sample, prediction, done, caption) }
      }
      steps.append(
        Step(
          removed: removed, meanIoU: result.scores.meanIoU,
          pixelAccuracy: result.scores.pixelAccuracy, iou: result.scores.classes.map(\.iou),
          sizes: sizes))
      progress(number + 1, plan.steps.count)
    }
  }

  private mutating func keep(
    _ sample: Sample, _ prediction: ClassMask, _ done: Int, _ caption: String
  ) {
    func picture(_ mask: ClassMask) -> Image {
      mask.picture(labelMap.palette)
    }
    shown.add(prediction)
    if panels.count < done {
      shown.add(sample.mask)
      panels.append(
        (sample.name, [("image", sample.image), ("truth", picture(sample.mask))]))
    }
    panels[done - 1].parts.append((caption, picture(prediction)))
  }

  /// The scores as text.
  public var text: String {
    func percent(_ value: Double?) -> String { value.map { fixed($0 * 100, 1) } ?? "n/a" }
    var lines = ["\(images) images of \(dataset); shares in per cent", ""]
    lines += TextTable.lines(
      ["network", "mean IoU", "accuracy"] + ObjectSize.allCases.map(\.name),
      steps.map { step in
        [step.name, percent(step.meanIoU), percent(step.pixelAccuracy)]
          + ObjectSize.allCases.map { percent(step.sizes.recall($0)) }
      })
    lines += [
      "", "small, medium, large: pixels found of objects (connected parts) below 32² pixels, below",
      "96² and above. IoU by class:", "",
    ]
    lines += TextTable.lines(
      ["class"] + steps.indices.map { $0 == 0 ? "whole" : "(\($0))" },
      classes.enumerated().map { index, name in
        [name] + steps.map { percent($0.iou[index]) }
      })
    lines += steps.enumerated().dropFirst().map { "(\($0)) \($1.name)" }
    return (lines + ["", reading]).joined(separator: "\n")
  }

  /// What to read from the scores, in a sentence.
  var reading: String {
    let bars = bars.bars
    guard let most = bars.max(by: { $0.value < $1.value }),
      let least = bars.min(by: { $0.value < $1.value }), bars.count > 1
    else { return "Each level that is missing costs what the table says; none is trained again." }
    return
      "Most is lost without \(most.name) (\(fixed(most.value)) points of mean IoU), least without"
      + " \(least.name) (\(fixed(least.value))); nothing is trained again."
  }

  /// The scores over the number of removed levels, for cascades.
  public var chart: LineChart {
    var chart = LineChart()
    chart.title = "Without the top levels, \(dataset)"
    chart.xLabel = "levels removed"
    chart.yLabel = "per cent"
    let fromTop = steps.enumerated().prefix { $0.element.removed.count == $0.offset }.map(\.element)
    func curve(_ value: (Step) -> Double?) -> [LineChart.Point] {
      fromTop.compactMap { step in
        value(step).map { .init(Double(step.removed.count), $0 * 100) }
      }
    }
    chart.curves = [("mean IoU", curve(\.meanIoU))]
    for size in ObjectSize.allCases {
      chart.curves.append(("\(size.name) objects found", curve { $0.sizes.recall(size) }))
    }
    return chart
  }

  /// What each part adds to the scores: the mean IoU of the whole network less that without the part.
  public var bars: BarChart {
    var chart = BarChart()
    chart.title = "What each part adds, \(images) images of \(dataset)"
    chart.quantity = "mean IoU of the whole network less that without the part, in points"
    guard let whole = steps.first?.meanIoU else { return chart }
    chart.bars = steps.filter { $0.removed.count == 1 }.compactMap { step in
      step.meanIoU.map { (step.removed[0], (whole - $0) * 100) }
    }
    return chart
  }

  /// Writes a panel for each kept image, the chart and the numbers as JSON into a folder.
  ///
  /// - Throws: `FolderError`, `ImageError`, `WriteError`.
  /// - Returns: The files.
  public func write(to folder: String) throws -> [String] {
    try FileSystem.makeOutputFolder(folder)
    let legend = labelMap.legend(of: shown)
    var files = ["\(folder)/ablation.json", "\(folder)/ablation.png"]
    try AtomicFile.write(files[0], json())
    try (isCascade ? chart.image() : bars.image()).write(to: files[1], isOutput: true)
    for panel in panels {
      let file = "\(folder)/\(panel.name.fileName)_ablation.png"
      try Image.panel(panel.parts, columns: 4, legend: legend).write(to: file, isOutput: true)
      files.append(file)
    }
    return files
  }
}
