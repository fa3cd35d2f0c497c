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
  }

  @Test("a head without parts is refused")
  func refused() throws {
    let model = try tinyModel("{name: fcn}")
    #expect(throws: AblationError.self) { try Ablation(Predictor(model), on: tinyData(1)) }
  }
}
