import Datasets
import Evaluation
import Imaging
import Segmentation
import Testing
import Torch

@testable import Analysis

@Suite("Ablation")
struct AblationTests {
  @Test("connected parts are told apart, with their areas")
  func components() {
    let ignored = LabelMap.ignored
    let mask = ClassMask(
      width: 4, height: 3, classes: [0, 0, 1, 0, 1, ignored, 1, 0, 0, 0, 0, 0])
    let parts = Components(mask)
    // The zeros at the left are not connected to those below.
    #expect(parts.areas == [2, 2, 6, 1])
    #expect(parts.parts[5] == -1 && parts.size(at: 5) == nil)
    #expect(parts.size(at: 0) == .small)
    #expect(
      [1023, 1024, 9215, 9216].map { ObjectSize(area: $0) } == [.small, .medium, .medium, .large])
  }

  @Test("pixels are counted by class and size")
  func sizes() {
    var scores = SizeScores(classes: 2)
    let truth = ClassMask(
      width: 40, height: 40, classes: (0..<1600).map { $0 == 0 ? 1 : 0 })
    scores.add(truth: truth, prediction: ClassMask(size: truth.size, filledWith: 0))
    #expect(scores.recall(.medium, of: 0) == 1 && scores.recall(.small, of: 1) == 0)
    #expect(scores.recall(.small) == 0 && scores.recall(.large) == nil)
  }

  @Test("levels of a cascade go from the top, and come back")
  func cascade() throws {
    let model = try tinyModel(tinyCascade)
    let head = try #require(model.classifier as? DenseASPP)
    let image = Tensor(filledWith: 0.5, [1, 3, 32, 48])
    let before = withoutGradients { model(image).floats }
    let report = try Ablation(Predictor(model), on: tinyData(), singly: true, pictures: 1)
    #expect(
      report.steps.map(\.removed) == [
        [], ["dilation 3"], ["dilation 2", "dilation 3"], ["dilation 2"],
      ])
    #expect(head.removed.isEmpty)
    #expect(withoutGradients { model(image).floats } == before)
    #expect(report.text.contains("without dilation 2, dilation 3"))
    #expect(report.chart.curves.first?.points.count == 3)
    // A removed level gives zeros, so that its weights do not matter.
    head.removed = [1]
    let without = withoutGradients { model(image).floats }
    #expect(without != before)
    for (name, parameter) in head.parameters where name.hasPrefix("levels.1.") { parameter.fill(9) }
    #expect(withoutGradients { model(image).floats } == without)
  }

  @Test("branches of a pyramid go one by one")
  func pyramid() throws {
    let report = try Ablation(Predictor(tinyModel(tinyPyramid)), on: tinyData(1), pictures: 0)
    #expect(
      report.steps.map(\.removed) == [[], ["1x1"], ["rate 2"], ["rate 4"], ["image mean"]])
    // A bar for each branch: what the whole network has beyond the one without it.
    #expect(report.bars.bars.map(\.name) == ["1x1", "rate 2", "rate 4", "image mean"])
    let (whole, first) = (try #require(report.steps[0].meanIoU), report.steps[1].meanIoU)
    #expect(report.bars.bars[0].value == (whole - (try #require(first))) * 100)
  }

  @Test("on a photograph pixels that change are counted against the whole network's labels")
  func photograph() throws {
    let model = try tinyModel(tinyPyramid)
    let sample = try tinyData(1).load(0)
    let predictor = Predictor(model)
    func ablation(_ truth: ClassMask?) throws -> PhotographAblation {
      try PhotographAblation(
        predictor, sample.image, named: "folder/photo.jpg", truth: truth,
        labelMap: tinyData().labelMap)
    }
    let plain = try ablation(nil)
    #expect(plain.steps.map(\.removed) == [[], ["1x1"], ["rate 2"], ["rate 4"], ["image mean"]])
    #expect(plain.steps[0].changed == 0 && plain.steps[0].from == nil)
    #expect(plain.steps.allSatisfy { $0.meanIoU == nil && $0.agreement == 1 - $0.changed })
    let head = try #require(model.modules.lazy.compactMap { $0.module as? ASPP }.first)
    #expect(head.removed.isEmpty)
    let whole = try predictor.classes(of: sample.image)
    for (index, step) in plain.steps.enumerated().dropFirst() {
      head.removed = [index - 1]
      let mask = try predictor.classes(of: sample.image)
      let changed = zip(mask.classes, whole.classes).count { $0 != $1 }
      #expect(abs(step.changed - Double(changed) / Double(whole.classes.count)) < 1e-12)
    }
    head.removed = []
    #expect(plain.bars.bars.map(\.value) == plain.steps.dropFirst().map { $0.changed * 100 })
    #expect(plain.text.contains("folder/photo.jpg, 48x32"))

    // Against its own labels the whole network is right everywhere.
    let scored = try ablation(whole)
    #expect(scored.steps[0].pixelAccuracy == 1)
    #expect(scored.steps.map(\.changed) == plain.steps.map(\.changed))
    #expect(scored.steps.allSatisfy { abs(($0.pixelAccuracy ?? 0) - $0.agreement) < 1e-12 })
    #expect(scored.text.contains("mean IoU"))
    #expect(scored.panel.width > plain.panel.width / 2)
  }

  @Test("a head without parts is refused")
  func refused() throws {
    let model = try tinyModel("{name: fcn}")
    #expect(throws: AblationError.self) { try Ablation(Predictor(model), on: tinyData(1)) }
  }
}
