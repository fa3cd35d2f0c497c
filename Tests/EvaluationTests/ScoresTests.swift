import Datasets
import Foundation
import Testing

@testable import Evaluation

/// Masks of `classes` classes and ignored pixels, one stream a seed.
private func masks(_ seed: UInt64, classes: Int = 5, count: Int = 4000) -> (
  truth: [UInt8], prediction: [UInt8]
) {
  var random = SampleRandom(seed: seed, epoch: 0, index: 0)
  let truth = (0..<count).map { _ in
    let draw = random.integer(below: classes + 1)
    return draw == classes ? LabelMap.ignored : UInt8(draw)
  }
  let prediction = truth.map { label in
    random.chance(0.7) && label != LabelMap.ignored ? label : UInt8(random.integer(below: classes))
  }
  return (truth, prediction)
}

private func names(_ count: Int) -> [String] { (0..<count).map { "class \($0)" } }

@Suite("Scores")
struct ScoresTests {
  @Test("row sums are the histogram of the labels", arguments: 0..<5 as Range<UInt64>)
  func rowSums(seed: UInt64) {
    let (truth, prediction) = masks(seed)
    var matrix = ConfusionMatrix(classes: 5)
    matrix.add(truth: truth, prediction: prediction)
    for index in 0..<5 {
      #expect(matrix.truth(index) == Int64(truth.count { $0 == index }))
      let counted = zip(truth, prediction).count { $0 != LabelMap.ignored && $1 == index }
      #expect(matrix.predicted(index) == Int64(counted))
    }
    #expect(matrix.ignored == Int64(truth.count { $0 == LabelMap.ignored }))
    #expect(matrix.total + matrix.ignored == Int64(truth.count))
  }

  @Test("the micro Jaccard index is accuracy / (2 - accuracy)", arguments: 0..<5 as Range<UInt64>)
  func microJaccard(seed: UInt64) throws {
    let (truth, prediction) = masks(seed)
    var matrix = ConfusionMatrix(classes: 5)
    matrix.add(truth: truth, prediction: prediction)
    let scores = Scores(matrix, names: names(5))
    let accuracy = try #require(scores.pixelAccuracy)
    let micro = try #require(scores.jaccardMicro)
    #expect(abs(micro - accuracy / (2 - accuracy)) < 1e-12)
  }

  @Test("what is predicted at ignored pixels changes nothing")
  func ignored() {
    let (truth, prediction) = masks(3)
    var changed = prediction
    for index in truth.indices where truth[index] == LabelMap.ignored { changed[index] = 2 }
    #expect(changed != prediction)
    var (first, second) = (ConfusionMatrix(classes: 5), ConfusionMatrix(classes: 5))
    first.add(truth: truth, prediction: prediction)
    second.add(truth: truth, prediction: changed)
    #expect(first.counts == second.counts)
    #expect(first.ignored == second.ignored)
    #expect(second.predictedOnIgnored[2] == second.ignored)
  }

  @Test("scores of a matrix small enough to compute by hand")
  func byHand() {
    var matrix = ConfusionMatrix(classes: 4)
    //               truth 0 ×4   truth 1 ×3  ignored
    matrix.add(
      truth: [0, 0, 0, 0, 1, 1, 1, 255], prediction: [0, 0, 0, 1, 1, 1, 2, 3])
    let scores = Scores(matrix, names: ["a", "b", "c", "d"])
    let iou: [Double?] = [3.0 / 4, 2.0 / 4, 0, nil]
    let precision: [Double?] = [1, 2.0 / 3, 0, nil]
    let recall: [Double?] = [3.0 / 4, 2.0 / 3, nil, nil]
    let dice: [Double?] = [6.0 / 7, 4.0 / 6, 0, nil]
    #expect(scores.classes.map(\.iou) == iou)
    #expect(scores.classes.map(\.precision) == precision)
    #expect(scores.classes.map(\.recall) == recall)
    #expect(scores.classes.map(\.dice) == dice)
    #expect(scores.coveredClasses == 3)
    #expect(scores.meanIoU == (0.75 + 0.5 + 0) / 3)
    #expect(scores.pixelAccuracy == 5.0 / 7)
    #expect(scores.meanAccuracy == (3.0 / 4 + 2.0 / 3) / 2)
    let weighted = 4.0 / 7 * 0.75 + 3.0 / 7 * 0.5
    #expect(abs((scores.frequencyWeightedIoU ?? 0) - weighted) < 1e-12)
    #expect(scores.absentFromTruth == ["c", "d"])
  }

  @Test("a prediction that is no class misses its pixel and claims none")
  func noClass() {
    var matrix = ConfusionMatrix(classes: 2)
    matrix.add(truth: [0, 0, 1, 1], prediction: [0, 255, 1, 1])
    #expect(matrix.truth(0) == 2)
    #expect(matrix.predicted(0) == 1)
    #expect(matrix.predicted(1) == 2)
    let scores = Scores(matrix, names: ["a", "b"])
    #expect(scores.classes.map(\.iou) == [0.5, 1])
  }

  @Test("merging matrices is counting everything in one")
  func merging() {
    var (all, first, second) = (
      ConfusionMatrix(classes: 5), ConfusionMatrix(classes: 5), ConfusionMatrix(classes: 5)
    )
    let (a, b) = (masks(1), masks(2))
    all.add(truth: a.truth, prediction: a.prediction)
    all.add(truth: b.truth, prediction: b.prediction)
    first.add(truth: a.truth, prediction: a.prediction)
    second.add(truth: b.truth, prediction: b.prediction)
    first.merge(second)
    #expect(first == all)
  }

  @Test("counts pass 32 bits")
  func wide() {
    var matrix = ConfusionMatrix(classes: 1)
    matrix.add(truth: [0], prediction: [0])
    for _ in 0..<40 {
      let copy = matrix
      matrix.merge(copy)
    }
    #expect(matrix.total == 1 << 40)
  }

  @Test("a result survives JSON, and says n/a and how many classes count")
  func result() throws {
    var matrix = ConfusionMatrix(classes: 3)
    matrix.add(truth: [0, 0, 1], prediction: [0, 1, 1])
    let result = EvaluationResult(
      dataset: "set", model: "m", images: 1, seconds: 1,
      scoring: ScoringProtocol(classes: 3, ignored: "255"), matrix: matrix,
      names: ["road", "car", "train"])
    #expect(try JSONDecoder().decode(EvaluationResult.self, from: result.json()) == result)
    #expect(result.text.contains("2 of 3 classes"))
    #expect(result.text.contains("n/a"))
    #expect(result.text.contains("Never in the truth: train"))
    #expect(result.text.contains("size of the ground truth"))
    #expect(result.markdown.contains("| train | n/a |"))
  }

  @Test("nothing at all has no scores and does not trap")
  func nothing() {
    let scores = Scores(ConfusionMatrix(classes: 2), names: ["a", "b"])
    #expect(scores.meanIoU == nil)
    #expect(scores.pixelAccuracy == nil)
    #expect(scores.coveredClasses == 0)
  }
}
