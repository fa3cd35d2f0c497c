import Datasets
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Evaluation

/// A mask of blocks of random values.
private func blocks(
  _ width: Int, _ height: Int, _ random: inout SampleRandom, of values: [UInt8]
) -> ClassMask {
  var mask = ClassMask(size: Size(width: width, height: height), filledWith: values[0])
  for _ in 0..<12 {
    let (x0, y0) = (random.integer(below: width), random.integer(below: height))
    let value = values[random.integer(below: values.count)]
    for y in y0..<min(y0 + 2 + random.integer(below: 8), height) {
      for x in x0..<min(x0 + 2 + random.integer(below: 8), width) {
        mask.classes[y * width + x] = value
      }
    }
  }
  return mask
}

@Suite("Further metrics")
struct MetricTests {
  @Test("boundary IoU is that of strips drawn pixel by pixel", arguments: 0..<6 as Range<UInt64>)
  func boundary(seed: UInt64) {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    let truth = blocks(37, 29, &random, of: [0, 1, 2, 255])
    let prediction = blocks(37, 29, &random, of: [0, 1, 2])
    let ratio = 0.05
    var counts = BoundaryCounts(classes: 3, ratio: ratio)
    counts.add(truth: truth, prediction: prediction)

    let distance = Int((ratio * Double(37 * 37 + 29 * 29).squareRoot()).rounded())
    func strip(_ mask: ClassMask, _ x: Int, _ y: Int) -> Bool {
      for v in y - distance...y + distance {
        for u in x - distance...x + distance
        where u < 0 || v < 0 || u >= 37 || v >= 29 || mask[u, v] != mask[x, y] { return true }
      }
      return false
    }
    var seen = prediction
    for i in truth.classes.indices where truth.classes[i] == 255 { seen.classes[i] = 255 }
    for index in 0..<3 as Range<UInt8> {
      var (both, either) = (0, 0)
      for y in 0..<29 {
        for x in 0..<37 where truth[x, y] != 255 {
          let a = truth[x, y] == index && strip(truth, x, y)
          let b = seen[x, y] == index && strip(seen, x, y)
          both += a && b ? 1 : 0
          either += a || b ? 1 : 0
        }
      }
      let expected: Double? = either == 0 ? nil : Double(both) / Double(either)
      #expect(counts.iou[Int(index)] == expected)
    }
    // What is predicted where the truth is ignored changes nothing.
    var changed = prediction
    for i in truth.classes.indices where truth.classes[i] == 255 { changed.classes[i] = 1 }
    var again = BoundaryCounts(classes: 3, ratio: ratio)
    again.add(truth: truth, prediction: changed)
    #expect(again == counts)
  }

  @Test(
    "Cityscapes' categories and instances follow their definition",
    arguments: 0..<4 as Range<UInt64>)
  func cityscapes(seed: UInt64) throws {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    // Ids of all kinds, ignored ones and training ids 14 to 18 among them.
    let ids: [UInt8] = [7, 8, 11, 4, 23, 24, 25, 26, 27, 28, 29, 31, 32, 33]
    let (width, height) = (40, 30)
    let truth = blocks(width, height, &random, of: ids)
    let guess = blocks(width, height, &random, of: ids)
    let instances = LabelImage(
      width: width, height: height,
      values: truth.classes.enumerated().map { i, id in
        id >= 24 ? UInt16(id) * 1000 + UInt16(i % width / 20) : UInt16(id)
      })
    func rows(_ mask: ClassMask) throws -> ClassMask {
      try Cityscapes.allRows.classes(
        of: LabelImage(width: width, height: height, values: mask.classes.map(UInt16.init)),
        file: "mask")
    }
    var counts = CityscapesCounts()
    counts.add(truth: try rows(truth), prediction: try rows(guess))
    try counts.add(instances: instances, prediction: try rows(guess), file: "instances")

    let labels = Cityscapes.labels
    func label(_ id: UInt8) -> Cityscapes.Label { labels[Int(id)] }
    let pixels = zip(truth.classes, guess.classes)
    let scores = counts.scores
    for entry in scores.categories {
      let hits = pixels.count {
        !label($0).ignoredInEvaluation && !label($1).ignoredInEvaluation
          && label($0).category == entry.name && label($1).category == entry.name
      }
      let own = pixels.count {
        !label($0.0).ignoredInEvaluation && label($0.0).category == entry.name
      }
      let claimed = pixels.count {
        !label($0).ignoredInEvaluation && label($0).category != entry.name
          && label($1).category == entry.name && !label($1).ignoredInEvaluation
      }
      let expected: Double? = own + claimed == 0 ? nil : Double(hits) / Double(own + claimed)
      #expect(entry.score == expected, "\(entry.name)")
    }
    let all = Array(zip(instances.values, guess.classes))
    for (entries, isCategory) in [
      (scores.instanceClasses, false), (scores.instanceCategories, true),
    ] {
      for entry in entries {
        func belongs(_ id: UInt8) -> Bool {
          isCategory ? label(id).category == entry.name : label(id).name == entry.name
        }
        var (found, whole) = (0.0, 0.0)
        for value in Set(instances.values) where value > 1000 {
          let id = UInt8(value / 1000)
          guard belongs(id), !label(id).ignoredInEvaluation,
            let mean = CityscapesCounts.meanSize[label(id).name]
          else { continue }
          let size = all.count { $0.0 == value }
          found += Double(all.count { $0.0 == value && belongs($0.1) }) * mean / Double(size)
          whole += mean
        }
        let claimed = pixels.count {
          !label($0).ignoredInEvaluation && !belongs($0) && belongs($1)
        }
        guard whole + Double(claimed) > 0 else {
          #expect(entry.score == nil)
          continue
        }
        let score = try #require(entry.score)
        #expect(abs(score - found / (whole + Double(claimed))) < 1e-12, "\(entry.name)")
      }
    }
    #expect(counts.evaluated.total + counts.evaluated.ignored == Int64(width * height))
  }

  @Test("files counted as they stand give what their masks give", arguments: 0..<4 as Range<UInt64>)
  func values(seed: UInt64) throws {
    var random = SampleRandom(seed: seed, epoch: 0, index: 0)
    let truth = blocks(41, 30, &random, of: [7, 8, 11, 4, 23, 26, 31, 33, 255]).classes
    let guess = blocks(41, 30, &random, of: [7, 8, 0, 23, 26, 31, 33, 255]).classes
    for map in [Cityscapes.allRows, Cityscapes.classes19, Cityscapes.classes20] {
      func mask(_ values: [UInt8]) throws -> ClassMask {
        try map.classes(
          of: LabelImage(width: 41, height: 30, values: values.map(UInt16.init)), file: "")
      }
      var expected = ConfusionMatrix(classes: map.count)
      expected.add(truth: try mask(truth), prediction: try mask(guess))
      #expect(ValuePairs(truth, guess).confusion(map) == expected)
    }
    var other = guess
    other[77] = 99
    #expect(ValuePairs(truth, other).confusion(Cityscapes.classes19) == nil)
    #expect(ValuePairs(other, truth).confusion(Cityscapes.classes19) == nil)
  }

  @Test("instances counted against bytes are those counted against rows, and strays are named")
  func instances() throws {
    var random = SampleRandom(seed: 2, epoch: 0, index: 0)
    let truth = blocks(41, 30, &random, of: [7, 24, 26, 33, 29])
    let guess = blocks(41, 30, &random, of: [7, 24, 25, 26, 33, 29, 255])
    var instances = LabelImage(
      width: 41, height: 30,
      values: truth.classes.enumerated().map { i, id in
        id < 24 ? UInt16(id) : UInt16(id) * 1000 + UInt16(i / 600)
      })
    let rows = try Cityscapes.allRows.classes(
      of: LabelImage(width: 41, height: 30, values: guess.classes.map(UInt16.init)), file: "")
    let labels = guess.classes
    var (first, second) = (CityscapesCounts(), CityscapesCounts())
    try first.add(instances: instances, prediction: rows, file: "a")
    try second.add(instances, labels, rows: CityscapesCounts.rowOfValue, "a")
    #expect(first.scores == second.scores)
    #expect(first.weights.all.contains { $0 > 0 } && first.weights.found.contains { $0 > 0 })
    // A label without instances, none at all, and the largest value there is.
    for value in [1001, 7000, 34_000, 65_512, 65_535] as [UInt16] {
      instances.values[53] = value
      let error = #expect(throws: DatasetError.self) {
        try first.add(instances: instances, prediction: rows, file: "street.png")
      }
      let text = error?.description ?? ""
      #expect(text.contains("street.png: pixel (x 12, y 1) has the value \(value)"), "\(text)")
    }
    instances.values[53] = 1000
    try first.add(instances: instances, prediction: rows, file: "a")
  }

  @Test("panoptic quality of files small enough to compute by hand")
  func panoptic() throws {
    let folder = try TemporaryFolder()
    /// A picture of 10 columns whose segments are given row by row.
    func write(_ name: String, _ rows: [[Int]], _ segments: [(Int, Int, Int)]) throws {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: true)
      let ids = rows.joined()
      let pixels = ids.flatMap {
        [UInt8($0 & 255), UInt8($0 >> 8 & 255), UInt8($0 >> 16 & 255)]
      }
      try Image(width: 10, height: rows.count, pixels: pixels)
        .write(to: "\(folder.path)/\(name)/a.png")
      let info = segments.map {
        "{\"id\": \($0.0), \"category_id\": \($0.1), \"iscrowd\": \($0.2)}"
      }
      let text = """
        {"annotations": [{"image_id": "a", "file_name": "a.png",
          "segments_info": [\(info.joined(separator: ","))]}],
         "categories": [{"id": 1, "name": "sky", "isthing": 0}, {"id": 2, "name": "car", "isthing": 1}]}
        """
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(name).json"))
    }
    func row(_ parts: (Int, Int)...) -> [Int] {
      parts.flatMap { Array(repeating: $0.0, count: $0.1) }
    }
    // Sky 10 of 10; a car found by 8 of 10; one missed; a false one; one on void that counts nowhere.
    try write(
      "truth", [row((700, 10)), row((70_000, 10)), row((3, 4), (0, 6)), row((700, 10))],
      [(700, 1, 0), (70_000, 2, 0), (3, 2, 0)])
    try write(
      "prediction",
      [row((1, 10)), row((2, 8), (9, 2)), row((4, 1), (1, 3), (5, 6)), row((1, 10))],
      [(1, 1, 0), (2, 2, 0), (9, 2, 0), (4, 2, 0), (5, 2, 0)])
    let scores = try PanopticScoring(
      truth: "\(folder.path)/truth.json", prediction: "\(folder.path)/prediction.json"
    ).run()
    let (sky, car) = (scores.entries[0], scores.entries[1])
    #expect((sky.hits, sky.falseHits, sky.misses) == (1, 0, 0))
    #expect(abs((sky.pq ?? 0) - 20.0 / 23) < 1e-12)
    #expect((car.hits, car.falseHits, car.misses) == (1, 2, 1))
    #expect(abs((car.sq ?? 0) - 0.8) < 1e-12)
    #expect(abs((car.rq ?? 0) - 1 / 2.5) < 1e-12)
    #expect(abs((scores.all.pq ?? 0) - (20.0 / 23 + 0.32) / 2) < 1e-12)
    #expect(scores.things.categories == 1 && scores.text.contains("car"))
  }

  @Test("a panoptic picture that does not fit its description is refused by name")
  func panopticRefusal() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/x.json"
    try Data("{\"annotations\": 3}".utf8).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: ScoringError.self) {
      try PanopticScoring(truth: file, prediction: file)
    }
    #expect(error?.description.hasPrefix(file) == true)
  }

  @Test("a matrix counted in parts, tile by tile, is that of the whole")
  func parts() {
    var random = SampleRandom(seed: 5, epoch: 0, index: 0)
    let truth = blocks(40, 30, &random, of: [0, 1, 2, 255])
    let prediction = blocks(40, 30, &random, of: [0, 1, 2])
    var (whole, tiles) = (ConfusionMatrix(classes: 3), ConfusionMatrix(classes: 3))
    whole.add(truth: truth, prediction: prediction)
    for y in stride(from: 0, to: 30, by: 7) {
      let range = y * 40..<min(y + 7, 30) * 40
      tiles.add(truth: Array(truth.classes[range]), prediction: Array(prediction.classes[range]))
    }
    #expect(whole == tiles)
    let counts = ImageCounts(whole, name: "a")
    let scores = Scores(whole, names: ["a", "b", "c"])
    #expect(counts.meanIoU == scores.meanIoU)
    #expect(counts.jaccardMicro == scores.jaccardMicro)
    #expect(counts.jaccardWeighted == scores.jaccardWeighted)
    #expect(counts.meanDice == scores.meanDice)
  }
}
