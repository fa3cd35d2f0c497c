import Datasets
import Imaging
import Testing
import Torch

@testable import Evaluation

@Suite("Upsampling and the best class in one pass")
struct FusionTests {
  /// Random scores (1, classes, height, width).
  private func scores(_ classes: Int, _ height: Int, _ width: Int, seed: UInt64 = 1) -> Tensor {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    let values = (0..<classes * height * width).map { _ in Float(random.uniform(-3...3)) }
    return Tensor(values, [1, classes, height, width])
  }

  private func fused(_ scores: Tensor, _ height: Int, _ width: Int, _ alignCorners: Bool) -> [UInt8]
  {
    ScoreFusion.classes(scores, width: width, height: height, alignCorners: alignCorners)
  }

  @Test(
    "is what a resize of all scores and their argmax give, but for ties",
    arguments: [
      (2, 5, 7, 40, 56), (19, 9, 6, 71, 45), (8, 3, 3, 3, 3), (11, 16, 12, 30, 23),
      (19, 33, 65, 256, 512), (1, 4, 4, 9, 9), (150, 6, 5, 48, 40), (9, 1, 1, 12, 20),
    ],
    [false, true])
  func twoSteps(_ shape: (Int, Int, Int, Int, Int), alignCorners: Bool) {
    let (classes, h, w, height, width) = shape
    let coarse = scores(classes, h, w)
    // However the network's memory is laid out.
    #expect(
      fused(coarse.contiguous(.channelsLast), height, width, alignCorners)
        == fused(coarse, height, width, alignCorners))
    let found = fused(coarse, height, width, alignCorners)
    let whole = coarse.resized(height: height, width: width, alignCorners: alignCorners)
    let expected = whole.argmax(1).to(.uint8).values(UInt8.self)
    let values = whole.contiguous().floats
    for i in expected.indices where found[i] != expected[i] {
      let gap =
        values[Int(expected[i]) * height * width + i] - values[Int(found[i]) * height * width + i]
      // Scores up to 3 are sums of four products, whose order of rounding is libtorch's own.
      #expect(abs(gap) < 2e-6, "pixel \(i): \(found[i]) and \(expected[i])")
    }
    #expect(found.count == expected.count)
  }

  @Test("of equal scores the first class is taken")
  func ties() {
    let coarse = Tensor(filledWith: 1, [1, 19, 2, 3])
    #expect(fused(coarse, 8, 12, false).allSatisfy { $0 == 0 })
  }

  @Test("windows cover every position, and their weights add up to one")
  func windows() {
    for (length, side, overlap) in [(100, 32, 0.5), (33, 32, 0), (20, 32, 0.3), (97, 24, 0.9)] {
      let starts = InferenceMode.starts(length, side: side, overlap: overlap)
      #expect(starts.first == 0 && (starts.last ?? 0) + min(side, length) == length)
      var axes = starts.map {
        GridAxis(
          cells: 4, extent: min(side, length), origin: $0, length: min(side, length), image: length,
          target: length, alignCorners: false)
      }
      GridAxis.normalize(&axes, length)
      var sums = [Float](repeating: 0, count: length)
      for axis in axes {
        for (i, weight) in axis.weight.enumerated() { sums[axis.start + i] += weight }
      }
      #expect(sums.allSatisfy { abs($0 - 1) < 1e-5 })
    }
  }

  @Test(
    "the mean of a view and its mirror image is that of probabilities", arguments: [true, false])
  func averages(isLogarithmic: Bool) {
    let (a, b) = (scores(5, 4, 6), scores(5, 4, 6, seed: 2))
    func axis(_ cells: Int, _ target: Int, _ isMirrored: Bool = false) -> GridAxis {
      GridAxis(
        cells: cells, extent: target, origin: 0, length: target, image: target, target: target,
        alignCorners: false, isMirrored: isMirrored)
    }
    let found = ScoreFusion.classes(
      [
        PlacedScores(a, rows: axis(4, 32), columns: axis(6, 48)),
        PlacedScores(b, rows: axis(4, 32), columns: axis(6, 48, true)),
      ], width: 48, height: 32, averaging: isLogarithmic ? .logProbabilities : .probabilities)
    func view(_ scores: Tensor) -> Tensor {
      let whole = scores.resized(height: 32, width: 48)
      return isLogarithmic ? whole.logSoftmax(1) : whole.softmax(1)
    }
    let sum = view(a) + view(b).flipped(3)
    let expected = sum.argmax(1).to(.uint8).values(UInt8.self)
    let same = zip(found, expected).count { $0 == $1 }
    #expect(same >= expected.count - 2)
  }
}
