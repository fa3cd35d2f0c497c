import Datasets
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@testable import Evaluation

@Suite("Two classes")
struct ForegroundTests {
  @Test("areas, average precision and Dice are scikit-learn's")
  func reference() throws {
    // By scikit-learn 1.9.1 on the same numbers: roc_auc_score, average_precision_score, f1_score and the
    // largest F1 of precision_recall_curve, once on the log-odds and once on floor(512 · log-odds):
    //   x = 1
    //   def u():
    //     global x; x = (1664525 * x + 1013904223) % 2**32; return x / 2**32
    //   for _ in range(20000):
    //     label = u() < 0.2
    //     labels.append(int(label)); odds.append(np.float32(8 * u() - 5 + (2.5 if label else 0)))
    let (area, areaOfSteps) = (0.7684984398487953, 0.7684976492621551)
    let (average, averageOfSteps) = (0.5929649596802729, 0.5928721752105263)
    let (best, threshold, even) = (0.4878917378917379, 0.9515940425962788, 0.44390429168249146)

    var state: UInt32 = 1
    func uniform() -> Double {
      state = state &* 1_664_525 &+ 1_013_904_223
      return Double(state) / 4_294_967_296
    }
    var (truth, levels): ([UInt8], [UInt16]) = ([], [])
    var matrix = ConfusionMatrix(classes: 2)
    for _ in 0..<20_000 {
      let label = uniform() < 0.2
      let odds = Float(8 * uniform() - 5 + (label ? 2.5 : 0))
      truth.append(label ? 1 : 0)
      levels.append(ForegroundHistogram.level(odds))
      matrix.add(truth: [label ? 1 : 0], prediction: [odds >= 0 ? 1 : 0])
    }
    // In two parts, with pixels that count nowhere.
    var (histogram, second) = (ForegroundHistogram(), ForegroundHistogram())
    func mask(_ values: some Sequence<UInt8>) -> ClassMask {
      let values = Array(values)
      return ClassMask(width: values.count, height: 1, classes: values)
    }
    histogram.add(
      truth: mask(truth.prefix(7000) + [255]), levels: Array(levels.prefix(7000)) + [9],
      foreground: 1)
    second.add(
      truth: mask(truth.dropFirst(7000)), levels: Array(levels.dropFirst(7000)), foreground: 1)
    histogram.merge(second)
    let curve = ForegroundCurve(histogram)
    let (rocAUC, precision) = (
      try #require(curve.rocAUC), try #require(curve.averagePrecision)
    )
    #expect(abs(rocAUC - areaOfSteps) < 1e-12 && abs(precision - averageOfSteps) < 1e-12)
    let found = try #require(curve.best)
    #expect(abs(found.dice - best) < 1e-12 && abs(found.threshold - threshold) < 1e-12)
    // What equal steps hide is within what is said.
    let error = try #require(curve.rocAUCError)
    #expect(abs(areaOfSteps - area) <= error && error < 2e-4, "\(error)")
    #expect(abs(averageOfSteps - average) < 2e-4)
    let dice = try #require(Scores(matrix, names: ["a", "b"]).classes[1].dice)
    #expect(abs(dice - even) < 1e-12)
    let half = histogram.positives[ForegroundHistogram.even...].reduce(0, +)
    #expect(half == matrix[1, 1])
    let middle = try #require(curve.at(0.5))
    #expect(abs(middle.dice - even) < 1e-12)
  }

  @Test("steps keep the sign of log-odds and hold whatever comes")
  func steps() {
    let even = UInt16(ForegroundHistogram.even)
    #expect(ForegroundHistogram.level(0) == even && ForegroundHistogram.level(1e-30) == even)
    #expect(ForegroundHistogram.level(-1e-30) == even - 1)
    #expect(ForegroundHistogram.level(.infinity) == 16_383)
    #expect(ForegroundHistogram.level(-.infinity) == 0 && ForegroundHistogram.level(.nan) == 0)
    #expect(ForegroundHistogram.level(15.999) == 16_383 && ForegroundHistogram.level(99) == 16_383)
    #expect(abs(ForegroundHistogram.probability(Int(even)) - 0.5) < 1e-15)
  }

  @Test("without foreground, or without background, what cannot be computed is left out")
  func oneClass() {
    var histogram = ForegroundHistogram()
    let empty = ForegroundCurve(histogram)
    #expect(empty.rocAUC == nil && empty.averagePrecision == nil && empty.best == nil)
    histogram.add(
      truth: ClassMask(width: 2, height: 1, classes: [1, 1]), levels: [5, 9000], foreground: 1)
    let curve = ForegroundCurve(histogram)
    #expect(curve.rocAUC == nil && curve.averagePrecision == 1 && curve.best?.dice == 1)
  }

  @Test(
    "the probability of the foreground is found with the classes, which stay as they are",
    arguments: [nil, InferenceMode.Averaging.probabilities, .logProbabilities], [0, 1])
  func fusion(averaging: InferenceMode.Averaging?, foreground: Int) throws {
    func scores(_ seed: UInt64) -> Tensor {
      var random = SampleRandom(seed: seed, epoch: 0, index: 0)
      return Tensor((0..<2 * 4 * 6).map { _ in Float(random.uniform(-3...3)) }, [1, 2, 4, 6])
    }
    func axis(_ cells: Int, _ target: Int, _ isMirrored: Bool = false) -> GridAxis {
      GridAxis(
        cells: cells, extent: target, origin: 0, length: target, image: target, target: target,
        alignCorners: false, isMirrored: isMirrored)
    }
    let (a, b) = (scores(1), scores(2))
    var parts = [PlacedScores(a, rows: axis(4, 32), columns: axis(6, 48))]
    if averaging != nil {
      parts.append(PlacedScores(b, rows: axis(4, 32), columns: axis(6, 48, true)))
    }
    let sureness = PixelSureness(foreground: foreground, views: parts.count)
    let found = ScoreFusion.classes(
      parts, width: 48, height: 32, averaging: averaging, sureness: sureness)
    #expect(
      found == ScoreFusion.classes(parts, width: 48, height: 32, averaging: averaging))
    let whole = [a, b].map { $0.resized(height: 32, width: 48) }
    let expected: Tensor =
      switch averaging {
      case nil: whole[0].softmax(1)
      case .probabilities: (whole[0].softmax(1) + whole[1].flipped(3).softmax(1)) * 0.5
      case .logProbabilities:
        ((whole[0].logSoftmax(1) + whole[1].flipped(3).logSoftmax(1)) * 0.5).softmax(1)
      }
    let values = expected.contiguous().floats
    #expect(sureness.levels.count == 48 * 32)
    for (i, level) in sureness.levels.enumerated() {
      let probability = Double(values[foreground * 48 * 32 + i])
      let (low, high) = (
        ForegroundHistogram.probability(Int(level)), ForegroundHistogram.probability(Int(level) + 1)
      )
      #expect(probability > low - 1e-5 && probability < high + 1e-5, "pixel \(i)")
    }
  }

  private func map(_ names: [String]) throws -> LabelMap {
    try .identity(names.count, names: names)
  }

  @Test("the background is the class that is named, or called so, or class 0")
  func roles() throws {
    #expect(try map(["Background", "vessel"]).foreground == 1)
    let turned = try map(["vessel", "BACKGROUND"])
    #expect(turned.foreground == 0 && turned.background == 1)
    #expect(turned.roles == "foreground vessel, background the class of that name")
    let plain = try map(["skin", "mole"])
    #expect(plain.foreground == 1 && plain.background == nil)
    #expect(plain.roles == "foreground mole, background class 0, as none is called background")
    let named = try plain.withBackground("mole")
    #expect(named.foreground == 0 && named.roles?.contains("as data.background says") == true)
    #expect(try map(["a", "background", "c"]).foreground == nil)
    #expect(try map(["a", "background", "c"]).background == 1)
    let error = #expect(throws: DatasetError.self) { try plain.withBackground("hair") }
    #expect(error?.description.contains("expected one of skin, mole") == true)
  }

  @Test(
    "ignored pixels have a colour that no class is like", arguments: [1, 2, 5, 21, 64, 150, 255])
  func ignored(count: Int) throws {
    let maps = [try LabelMap.identity(count), .binary(), .camVid, Cityscapes.classes19]
    for map in maps {
      let color = map.ignoredColor
      #expect(!map.colors.contains(color))
      #expect(map.palette.count == 256 && map.palette[255] == color || map.count == 255)
      #expect(Array(map.palette.prefix(map.count)) == map.colors)
    }
    #expect(Cityscapes.classes19.ignoredColor == Color(0, 0, 0))
  }

  @Test("missed and claimed foreground have two colours in the picture of errors")
  func errors() {
    let size = Size(width: 5, height: 1)
    let picture = ReportPictures.errors(
      nil, ClassMask(width: 5, height: 1, classes: [0, 1, 1, 0, 255]),
      ClassMask(width: 5, height: 1, classes: [0, 1, 0, 1, 1]),
      PictureStyle(.binary("vessel"), hasIgnored: true))
    let colors = (0..<size.width).map {
      Color(picture.pixels[3 * $0], picture.pixels[3 * $0 + 1], picture.pixels[3 * $0 + 2])
    }
    #expect(
      colors == [
        Color(150, 150, 150), PictureStyle.hit, PictureStyle.missed, PictureStyle.claimed,
        LabelMap.binary().ignoredColor,
      ])
    #expect(Set(colors).count == 5)
  }

  /// Masks of 0 and 255 of eight images, and predictions of them as `predict` names them.
  private func results(_ folder: String, wrong: Double) throws -> EvaluationResult {
    for index in 0..<8 {
      var random = SampleRandom(seed: 2, epoch: 0, index: index)
      let truth = (0..<600).map { _ in UInt16(random.chance(0.2) ? 255 : 0) }
      let guess = truth.map { ($0 > 0) != random.chance(wrong) ? UInt16(1) : 0 }
      try writePicture("\(folder)/truth/\(index)_mask.png", Size(width: 30, height: 20), truth)
      try writePicture("\(folder)/guess/\(index)_labels.png", Size(width: 30, height: 20), guess)
      try writePicture("\(folder)/guess/\(index)_overlay.png", Size(width: 30, height: 20))
      try writePicture("\(folder)/images/\(index).png", Size(width: 30, height: 20))
    }
    let scoring = try LabelFileScoring(
      truth: FileSelection("\(folder)/truth/*_mask.png"),
      predictions: FileSelection("\(folder)/guess"), images: FileSelection("\(folder)/images"),
      map: .binary("vessel"))
    let (result, images) = try scoring.run()
    try scoring.write(result, images, to: "\(folder)/results")
    return result
  }

  @Test("Dice, precision and recall of the foreground lead the table and the page")
  func leads() throws {
    let folder = try TemporaryFolder()
    let result = try results(folder.path, wrong: 0.1)
    let own = result.scores.classes[1]
    let lines = result.text.split(separator: "\n").map(String.init)
    #expect(lines[1].contains("foreground") && lines[2].contains("Dice"))
    #expect(lines[2].contains(percent(own.dice)) && lines[3].contains(percent(own.precision)))
    #expect(result.text.contains("foreground vessel, background the class of that name"))
    let page = try String(contentsOfFile: "\(folder.path)/results/index.html", encoding: .utf8)
    #expect(page.contains("<title>label files: \(percent(own.dice)) % Dice of vessel</title>"))
    let first = try #require(page.range(of: "class=\"card\""))
    #expect(page[first.upperBound...].hasPrefix("><b>\(percent(own.dice))<small>"))
    #expect(page.contains("vessel missed (false negative)"))
    // Label files have no probabilities, so no curve.
    #expect(!page.contains("average precision") && result.foreground?.curve == nil)
    #expect(
      try JSONDecoder().decode(
        EvaluationResult.self, from: Data(jsonText(result).utf8)) == result)
  }

  @Test("a comparison shows where one is right and the other wrong, and warns of few images")
  func comparison() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    let first = try results(a.path, wrong: 0.3)
    let second = try results(b.path, wrong: 0.1)
    let comparison = try Comparison(
      ["\(a.path)/results", "\(b.path)/results"], names: ["old", "n<w"], repeats: 100)
    let dice = try #require(comparison.differences[0].first { $0.score == "Dice of vessel" })
    let gap =
      (second.scores.classes[1].dice ?? 0) - (first.scores.classes[1].dice ?? 0)
    #expect(abs((dice.difference ?? 0) - gap) < 1e-12 && dice.isClear)
    #expect(comparison.differences[0].contains { $0.score == "mean Dice per image" })
    #expect(comparison.text.contains("Caution: of 8 images"))
    let out = try TemporaryFolder()
    try comparison.write(to: out.path)
    let page = try String(contentsOfFile: "\(out.path)/index.html", encoding: .utf8)
    for part in [
      "<title>old, n&lt;w on label files</title>", "role=\"note\">Caution", "Dice of vessel",
      "is better on 8 of 8 images", "old right, n&lt;w wrong", "n&lt;w right, old wrong",
      "role=\"img\" aria-label=\"from +", "<th scope=\"row\">", "id=\"image-",
    ] { #expect(page.contains(part), "\(part)") }
    #expect(!page.contains("http://") && !page.contains("https://"))
    #expect(page.components(separatedBy: "<img ").dropFirst().allSatisfy { $0.contains("alt=\"") })
    #expect(page.components(separatedBy: "</script>").count == 3)
  }

  @Test("pictures of a contrast show each pixel that one alone has right")
  func contrast() {
    func mask(_ classes: [UInt8]) -> ClassMask { ClassMask(width: 5, height: 1, classes: classes) }
    let found = Comparison.contrasts(
      nil, mask([0, 1, 1, 0, 255]), mask([0, 1, 0, 1, 0]), mask([0, 0, 1, 1, 0]), Color(1, 2, 3))
    #expect(found.map(\.share) == [0.25, 0.25])
    func pixel(_ image: Image, _ x: Int) -> Color {
      Color(image.pixels[3 * x], image.pixels[3 * x + 1], image.pixels[3 * x + 2])
    }
    #expect(pixel(found[0].image, 1) == Comparison.firstColor)
    #expect(pixel(found[1].image, 2) == Comparison.secondColor)
    #expect(pixel(found[1].image, 1) == Color(150, 150, 150))
    #expect(found.allSatisfy { pixel($0.image, 4) == Color(1, 2, 3) })
  }
}
