import Datasets
import Foundation
import Imaging
import Segmentation
import Testing
import Torch

@testable import Evaluation

@Suite("Probabilities beside the classes")
struct ProbabilityTests {
  private func scores(_ classes: Int, _ seed: UInt64) -> Tensor {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    let values = (0..<classes * 4 * 6).map { _ in Float(random.uniform(-6...6)) }
    return Tensor(values, [1, classes, 4, 6])
  }

  private func axis(_ cells: Int, _ target: Int, _ isMirrored: Bool = false) -> GridAxis {
    GridAxis(
      cells: cells, extent: target, origin: 0, length: target, image: target, target: target,
      alignCorners: false, isMirrored: isMirrored)
  }

  @Test(
    "are what a resize of all scores and a softmax give, and leave the classes as they are",
    arguments: [nil, InferenceMode.Averaging.probabilities, .logProbabilities], [2, 8, 11])
  func fusion(averaging: InferenceMode.Averaging?, classes: Int) {
    let (a, b) = (scores(classes, 1), scores(classes, 2))
    var parts = [PlacedScores(a, rows: axis(4, 32), columns: axis(6, 48))]
    if averaging != nil {
      parts.append(PlacedScores(b, rows: axis(4, 32), columns: axis(6, 48, true)))
    }
    let sureness = PixelSureness(
      wanted: [.confidence, .probabilities], views: parts.count, wantsEntropy: true)
    let found = ScoreFusion.classes(
      parts, width: 48, height: 32, averaging: averaging, sureness: sureness)
    #expect(found == ScoreFusion.classes(parts, width: 48, height: 32, averaging: averaging))
    let whole = [a, b].map { $0.resized(height: 32, width: 48) }
    let expected: Tensor =
      switch averaging {
      case nil: whole[0].softmax(1)
      case .probabilities: (whole[0].softmax(1) + whole[1].flipped(3).softmax(1)) * 0.5
      case .logProbabilities:
        ((whole[0].logSoftmax(1) + whole[1].flipped(3).logSoftmax(1)) * 0.5).softmax(1)
      }
    let values = expected.contiguous().floats
    #expect(sureness.probabilities.count == values.count)
    #expect(zip(sureness.probabilities, values).allSatisfy { abs($0 - $1) < 1e-5 })
    let probabilities = ClassProbabilities(
      size: Size(width: 48, height: 32), classes: classes, values: sureness.probabilities)
    #expect(zip(sureness.entropy, probabilities.entropy).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(zip(sureness.confidence, probabilities.confidence).allSatisfy { abs($0 - $1) < 1e-6 })
    let differ = zip(found, probabilities.mask.classes).count { $0 != $1 }
    #expect(differ <= 1, "\(differ) pixels differ, of which only ties may")
    for i in 0..<48 * 32 {
      let sum = (0..<classes).map { sureness.probabilities[$0 * 48 * 32 + i] }.reduce(0, +)
      #expect(abs(sum - 1) < 1e-5)
    }
  }

  @Test("the exponential is that of the C library, from −∞ to 0")
  func exponentials() {
    for x in stride(from: Float(-86.9), through: 0, by: 0.0137) {
      let own = Double(exponential(SIMD8(repeating: x))[3])
      #expect(abs(own / Foundation.exp(Double(x)) - 1) < 3e-7, "\(x)")
    }
    #expect(exponential(SIMD8(repeating: 0))[0] == 1)
    #expect(exponential(SIMD8(repeating: -88))[0] == 0)
    #expect(exponential(SIMD8(repeating: -1e30))[0] == 0)
    #expect(exponential(SIMD8(repeating: -.infinity))[0] == 0)
  }

  @Test("entropy, the best class and a pixel's probabilities")
  func measures() {
    let values: [Float] = [1, 0.5, 0.25, 0, 0, 0.5, 0.25, 0, 0, 0, 0.5, 0]
    let found = ClassProbabilities(size: Size(width: 2, height: 2), classes: 3, values: values)
    #expect(found[1, 0] == [0.5, 0.5, 0])
    #expect(found.mask.classes == [0, 0, 2, LabelMap.ignored])
    #expect(found.confidence == [1, 0.5, 0.5, 0])
    let two = 0.693_147_180_559_945_3
    let entropy = [0, two, two * 1.5, 0]
    #expect(zip(found.entropy, entropy).allSatisfy { abs(Double($0) - $1) < 1e-6 })
  }

  /// A network of a few thousand weights.
  private func model() -> SegmentationModel {
    let backbone = DenseNet(.init(blocks: [2, 2], growth: 8, stem: 16), outputStride: 8)
    var head = DenseASPP.Configuration()
    (head.dilations, head.growth, head.bottleneck) = ([2, 3], 8, 16)
    let model = SegmentationModel(
      backbone, DenseASPP(backbone.channels.last ?? 0, classes: 3, head), classes: 3)
    model.train(false)
    return model
  }

  @Test("windows, scales, mirror images and tiles have them, and the same classes as without")
  func modes() throws {
    var random = SampleRandom(seed: 4, epoch: 0, index: 0)
    let image = Image(
      width: 150, height: 170,
      pixels: (0..<150 * 170 * 3).map { _ in UInt8(random.integer(below: 256)) })
    let model = model()
    let window = InferenceMode.Window(
      Size(width: 64, height: 48), overlap: 0.3, weights: .gaussian)
    let modes = [
      InferenceMode(), InferenceMode(scales: [0.75, 1.5], flip: true),
      InferenceMode(flip: true, averaging: .logProbabilities, window: window),
    ]
    func check(_ predictor: Predictor, _ size: Size?) throws {
      let plain = try predictor.classes(of: image, size: size)
      let found = try predictor.predict(image, size: size, wanted: [.confidence, .probabilities])
      #expect(found.mask == plain)
      let probabilities = try #require(found.probabilities)
      let confidence = try #require(found.confidence)
      let pixels = plain.classes.count
      #expect(confidence.count == pixels && probabilities.pixels == pixels)
      for i in 0..<pixels {
        let own = probabilities.values[Int(plain.classes[i]) * pixels + i]
        #expect(abs(own - confidence[i]) < 1e-6)
        let sum = (0..<3).map { probabilities.values[$0 * pixels + i] }.reduce(0, +)
        guard abs(sum - 1) < 1e-4 else { Issue.record("pixel \(i) sums to \(sum)"); return }
      }
    }
    for mode in modes {
      try check(Predictor(model, mode: mode), nil)
      try check(Predictor(model, mode: mode), Size(width: 61, height: 50))
    }
    let whole = Predictor(model)
    let need = whole.memoryNeed(Size(width: 136, height: 136)) + 4 * 150 * 170
    let tiles = Predictor(model, memoryBudget: need, oversize: .tile)
    #expect(throws: PredictionError.self) {
      try Predictor(model, memoryBudget: need).predict(image, wanted: .confidence)
    }
    try check(tiles, nil)
    #expect(try whole.predict(image).probabilities == nil)
  }
}
