import Datasets
import Foundation
import Imaging
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Evaluation

/// Probabilities of three classes at 6000 pixels, and what the pixels truly are: of four pixels one is not what is most
/// probable.
private struct Known {
  let probabilities: ClassProbabilities
  let truth, found: ClassMask

  init() {
    let (count, classes) = (6000, 3)
    var values = [Float](repeating: 0, count: count * classes)
    var (truth, found) = ([UInt8](), [UInt8]())
    for i in 0..<count {
      let x = Double(i)
      let logits = (0..<classes).map { (k: Int) -> Double in
        let (wave, slow) = (0.7 * x + 2.1 * Double(k), 0.13 * x * Double(k + 1))
        return 3 * sin(wave) + cos(slow)
      }
      let top = logits.max() ?? 0
      let powers = logits.map { exp($0 - top) }
      for k in 0..<classes { values[k * count + i] = Float(powers[k] / powers.reduce(0, +)) }
      let best = powers.firstIndex(of: 1) ?? 0
      found.append(UInt8(best))
      truth.append(UInt8(i % 4 != 0 ? best : i * 7 % 3))
    }
    let size = Size(width: 100, height: 60)
    probabilities = ClassProbabilities(size: size, classes: classes, values: values)
    self.truth = ClassMask(width: 100, height: 60, classes: truth)
    self.found = ClassMask(width: 100, height: 60, classes: found)
  }

  func tally(_ temperature: Temperature? = nil) -> ReliabilityScores {
    var tally = ReliabilityTally()
    tally.add(truth: truth, found: found, probabilities, temperature)
    return tally.scores
  }
}

@Suite("Reliability of probabilities")
struct ReliabilityTests {
  @Test("is what torchmetrics 1.9.0 and scikit-learn 1.9.1 give")
  func libraries() throws {
    let scores = Known().tally().all
    #expect(scores.pixels == 6000)
    // MulticlassCalibrationError of 15 bins, norm l1 and max, in float32.
    #expect(abs(try #require(scores.expectedError) - 0.119_333_133) < 1e-6)
    #expect(abs(try #require(scores.maximumError) - 0.275_190_175) < 1e-5)
    // brier_score_loss of three classes, and log_loss.
    #expect(abs(try #require(scores.brier) - 0.338_747_285_486_1) < 1e-7)
    #expect(abs(try #require(scores.negativeLogLikelihood) - 0.800_385_690_9) < 1e-6)
    #expect(abs(try #require(scores.confidence) - 0.858_313_228_04) < 1e-7)
    #expect(abs(try #require(scores.accuracy) - 0.832_333_333_333_333_3) < 1e-12)
    #expect(scores.bins.count == 15 && scores.bins.map(\.pixels).reduce(0, +) == 6000)
  }

  @Test("sure and right pixels are perfect, sure and wrong ones as bad as can be")
  func ends() {
    var counts = ReliabilityCounts()
    counts.add(confidence: 1, isRight: true, truth: 1, squares: 1)
    #expect(Reliability(counts).expectedError == 0 && Reliability(counts).brier == 0)
    #expect(Reliability(counts).negativeLogLikelihood == 0)
    #expect(Reliability(counts).bins[14].pixels == 1 && Reliability(counts).bins[14].upper == 1)
    counts.add(confidence: 1, isRight: false, truth: 0, squares: 1)
    #expect(Reliability(counts).expectedError == 0.5 && Reliability(counts).brier == 1)
    let none = Reliability(ReliabilityCounts())
    #expect(none.expectedError == nil && none.brier == nil && none.bins[0].accuracy == nil)
  }

  @Test(
    "pixels near borders are those with another class within the strip, and the edge is no border")
  func borders() {
    // Columns 0 to 9 of one class, 10 to 19 of another; strips of 2 % of the diagonal are one pixel wide.
    let mask = ClassMask(width: 20, height: 8, classes: (0..<160).map { $0 % 20 < 10 ? 0 : 1 })
    let near = BoundaryCounts.nearBorders(mask, ratio: 0.02)
    for (i, isNear) in near.enumerated() { #expect(isNear == (9...10).contains(i % 20)) }
    #expect(
      !BoundaryCounts.nearBorders(ClassMask(size: mask.size, filledWith: 1), ratio: 0.5).contains(
        true))
    let known = Known().tally()
    #expect(known.borders.pixels > 0 && known.borders.pixels <= known.all.pixels)
  }

  @Test("ignored pixels count nowhere, and images are added up whatever their order")
  func counting() {
    let known = Known()
    var half = known.truth
    for i in 3000..<6000 { half.classes[i] = LabelMap.ignored }
    var (first, second) = (ReliabilityTally(), ReliabilityTally())
    first.add(truth: half, found: known.found, known.probabilities, nil)
    #expect(first.scores.all.pixels == 3000 && first.scores.calibrated == nil)
    let temperature = Temperature([2])
    second.add(truth: known.truth, found: known.found, known.probabilities, temperature)
    #expect(second.scores.calibrated?.temperature == temperature)
    #expect(second.scores.all == known.tally().all)
    // One network has a temperature and the other has none.
    second.add(truth: half, found: known.found, known.probabilities, nil)
    #expect(second.scores.calibrated == nil && second.scores.all.pixels == 9000)
  }
}

@Suite("Temperatures")
struct TemperatureTests {
  private var fit: TemperatureFit {
    let known = Known()
    var fit = TemperatureFit(classes: 3, images: 1)
    fit.add(truth: known.truth, found: known.found, known.probabilities)
    return fit
  }

  @Test("the most likely ones are those that scipy's minimize_scalar finds")
  func minimum() throws {
    let fit = fit
    #expect(fit.pixels == 6000)
    let one = try #require(fit.fitted(byClass: false))
    #expect(abs(one.values[0] - 1.872_800_4) < 1e-4)
    #expect(abs(fit.loss(1 / one.values[0]) - 0.673_173_262) < 1e-6)
    #expect(fit.loss(1 / one.values[0] * 1.01) > fit.loss(1 / one.values[0]))
    #expect(fit.loss(1 / one.values[0] / 1.01) > fit.loss(1 / one.values[0]))
    let each = try #require(fit.fitted(byClass: true)).values
    #expect(
      zip(each, [1.863_946_2, 1.855_043_3, 1.899_498_0]).allSatisfy { abs($0 - $1) < 1e-4 },
      "\(each)")
    let reliability = fit.reliability(one)
    let after = try #require(reliability.calibrated?.all)
    #expect(
      try #require(after.negativeLogLikelihood) < #require(reliability.all.negativeLogLikelihood))
    // Mistakes do not hang on how sure the network is here, so that the error grows; NumPy's figure.
    #expect(abs(try #require(after.expectedError) - 0.124_088_88) < 1e-5)
    #expect(after.accuracy == reliability.all.accuracy)
  }

  @Test("classes that are seldom found take the temperature of all; nothing fits nothing")
  func few() throws {
    let known = Known()
    var fit = TemperatureFit(classes: 3, images: 1)
    var truth = known.truth
    for i in truth.classes.indices where known.found.classes[i] == 2 && i > 600 {
      truth.classes[i] = LabelMap.ignored
    }
    fit.add(truth: truth, found: known.found, known.probabilities)
    let all = try #require(fit.fitted(byClass: false)).values[0]
    let each = try #require(fit.fitted(byClass: true)).values
    #expect(each[2] == all && each[0] != all)
    #expect(TemperatureFit(classes: 3, images: 1).fitted(byClass: false) == nil)
    #expect(Temperature([]) == nil && Temperature([0]) == nil && Temperature([.nan]) == nil)
  }

  @Test("of many pixels as many are drawn of each image")
  func share() {
    // Of 1024 classes and 1024 images 32 pixels of each.
    var fit = TemperatureFit(classes: 1024, images: 1024)
    let size = Size(width: 10, height: 10)
    let even = ClassProbabilities(
      size: size, classes: 1024, values: [Float](repeating: 1 / 1024, count: 102_400))
    let mask = ClassMask(size: size, filledWith: 3)
    fit.add(truth: mask, found: mask, even)
    #expect(fit.pixels == 32)
  }

  @Test(
    "softened probabilities are powers that sum to 1, and no pixel's class changes",
    arguments: [nil, InferenceMode.Averaging.probabilities, .logProbabilities],
    [[0.4], [2.5], [0.5, 1, 2, 3, 0.25, 1.5, 0.7, 4, 1, 2, 9]])
  func softened(averaging: InferenceMode.Averaging?, values: [Double]) throws {
    let temperature = try #require(Temperature(values))
    let classes = 11
    func scores(_ seed: UInt64) -> Tensor {
      var random = SampleRandom(seed: seed, epoch: 0, index: 0)
      return Tensor(
        (0..<classes * 24).map { _ in Float(random.uniform(-6...6)) }, [1, classes, 4, 6])
    }
    func axis(_ cells: Int, _ target: Int) -> GridAxis {
      GridAxis(
        cells: cells, extent: target, origin: 0, length: target, image: target, target: target,
        alignCorners: false)
    }
    let parts = (1...(averaging == nil ? 1 : 2)).map {
      PlacedScores(scores(UInt64($0)), rows: axis(4, 32), columns: axis(6, 48))
    }
    func found(_ temperature: Temperature?, _ wanted: Predictor.Wanted) -> (PixelSureness, [UInt8])
    {
      let sureness = PixelSureness(wanted: wanted, views: parts.count, temperature: temperature)
      return (
        sureness,
        ScoreFusion.classes(parts, width: 48, height: 32, averaging: averaging, sureness: sureness)
      )
    }
    let (plain, classesThere) = found(nil, [.confidence, .probabilities])
    let (own, classesHere) = found(temperature, [.confidence, .probabilities])
    #expect(classesHere == classesThere)
    let size = Size(width: 48, height: 32)
    let mask = ClassProbabilities(size: size, classes: classes, values: own.probabilities).mask
    #expect(zip(mask.classes, classesThere).count { $0 != $1 } == 0)
    let alone = found(temperature, .confidence).0
    for i in 0..<48 * 32 {
      let inverse = 1 / temperature[Int(classesThere[i])]
      let powers = (0..<classes).map { pow(Double(plain.probabilities[$0 * 48 * 32 + i]), inverse) }
      let total = powers.reduce(0, +)
      for k in 0..<classes {
        #expect(abs(Double(own.probabilities[k * 48 * 32 + i]) - powers[k] / total) < 3e-5)
      }
      let best = (powers.max() ?? 0) / total
      #expect(abs(Double(own.confidence[i]) - best) < 3e-5)
      #expect(abs(alone.confidence[i] - own.confidence[i]) < 1e-5)
    }
  }

  @Test("a threshold of two classes parts the same pixels")
  func threshold() throws {
    let temperature = try #require(Temperature([2.2, 0.6]))
    for threshold in [0, 0.1, 0.3, 0.5, 0.51, 0.9, 1] {
      let softened = temperature.softened(threshold, foreground: 1)
      for step in 0...1000 {
        let probability = Double(step) / 1000
        guard abs(probability - threshold) > 1e-9 else { continue }
        let own = temperature.softened(probability, foreground: 1)
        #expect((own >= softened) == (probability >= threshold), "\(probability), \(threshold)")
      }
    }
  }

  @Test("a record holds numbers above 0 alone")
  func coding() throws {
    let own = try #require(Temperature([1.5, 2]))
    let data = try JSONEncoder().encode([own])
    #expect(String(decoding: data, as: UTF8.self) == "[[1.5,2]]")
    #expect(try JSONDecoder().decode([Temperature].self, from: data) == [own])
    #expect(throws: DecodingError.self) {
      try JSONDecoder().decode([Temperature].self, from: Data("[[0]]".utf8))
    }
    #expect(own.fits(classes: 2) && !own.fits(classes: 3))
  }
}
