import Datasets
import Evaluation
import Foundation
import Imaging
import TestSupport
import Testing
import Weights

@testable import Inference

@Suite("Classes as they are asked for")
struct RefinementTests {
  private func map(_ names: [String]) throws -> LabelMap {
    try .identity(names.count, names: names)
  }

  @Test("a threshold makes pixels the foreground from a probability on")
  func threshold() throws {
    let map = try map(["background", "vessel"])
    let refinement = try MaskRefinement(map, threshold: 0.3)
    let prediction = Prediction(
      ClassMask(width: 5, height: 1, classes: [0, 0, 1, 1, 255]), map,
      confidence: [0.75, 0.65, 0.5, 0.9, 0])
    let found = refinement(prediction, map)
    #expect(found.mask.classes == [0, 1, 1, 1, 255])
    #expect(found.confidence == [0.75, 0.35000002, 0.5, 0.9, 0])
    #expect(found.counts == [1, 3] && found.measured == 4)
    #expect(throws: ScoringError.self) {
      try MaskRefinement(self.map(["a", "b", "c"]), threshold: 0.3)
    }
  }

  @Test("classes that are not asked for are no class, and shares stay those of the image")
  func classes() throws {
    let map = try map(["road", "car", "sky"])
    let refinement = try MaskRefinement(map, classes: ["car", "sky"], minimumArea: 2)
    let prediction = Prediction(
      ClassMask(width: 4, height: 2, classes: [0, 0, 1, 1, 0, 2, 1, 255]), map)
    let found = refinement(prediction, map)
    // The single pixel of sky has one side to the road and one to the car, and two at all: the first takes it.
    #expect(found.mask.classes == [255, 255, 1, 1, 255, 255, 1, 255])
    #expect(found.measured == 7 && found.shares.map(\.name) == ["car"])
    #expect(found.shares.first?.share == 3.0 / 7)
    let refused = #expect(throws: ScoringError.self) { try MaskRefinement(map, classes: ["cra"]) }
    #expect("\(try #require(refused))".contains("road, car, sky; did you mean car?"))
    #expect(try MaskRefinement(map).isNone)
  }

  private func noise(_ seed: UInt64) -> Image {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    return Image(
      width: 64, height: 48,
      pixels: (0..<64 * 48 * 3).map { _ in UInt8(random.integer(below: 256)) })
  }

  @Test("networks answer by the weighted mean of their probabilities; equal ones do not disagree")
  func ensemble() throws {
    let file = try PackagedNetwork.streets.file()
    let (a, b) = (
      try InferenceSession(file), try InferenceSession(file, overrides: ["evaluate.flip=true"])
    )
    let image = noise(3)
    let same = try Ensemble([a, a], names: ["a", "a"]).predict(
      image, wanted: [.confidence, .disagreement])
    #expect(same.mask == (try a.predict(image).mask))
    #expect(try #require(same.disagreement).allSatisfy { $0 < 1e-5 })
    #expect(same.probabilities == nil)
    let two = try Ensemble([a, b], names: ["a", "b"], weights: [3, 1]).predict(
      image, wanted: [.probabilities, .disagreement])
    let (p, q) = (
      try #require(try a.predict(image, wanted: .probabilities).probabilities),
      try #require(try b.predict(image, wanted: .probabilities).probabilities)
    )
    let mean = try #require(two.probabilities)
    for i in mean.values.indices {
      guard abs(mean.values[i] - 0.75 * p.values[i] - 0.25 * q.values[i]) < 1e-5 else {
        Issue.record("value \(i) is no weighted mean"); break
      }
    }
    let disagreement = try #require(two.disagreement)
    #expect(disagreement.contains { $0 > 1e-4 })
    let (entropy, own, other) = (mean.entropy, p.entropy, q.entropy)
    for i in disagreement.indices {
      guard abs(disagreement[i] - max(0, entropy[i] - 0.75 * own[i] - 0.25 * other[i])) < 1e-4
      else { Issue.record("pixel \(i) disagrees otherwise"); break }
    }
    #expect(throws: ScoringError.self) {
      try Ensemble([a, b], names: ["a", "b"], weights: [1, -1])
    }
  }
}
