import Datasets
import Evaluation
import Foundation
import Imaging
import Testing

@testable import Inference

@Suite("Labels that are not believed")
struct AuditTests {
  private let map: LabelMap
  private let size = Size(width: 40, height: 30)

  init() throws { map = try .identity(3, names: ["a", "b", "c"]) }

  /// A mask of one class with squares of others: x, y, side, class.
  private func mask(_ squares: [(Int, Int, Int, UInt8)]) -> ClassMask {
    var mask = ClassMask(size: size, filledWith: 0)
    for (left, top, side, value) in squares {
      for y in top..<top + side {
        for x in left..<left + side { mask.classes[y * size.width + x] = value }
      }
    }
    return mask
  }

  /// Probabilities of what is found, the rest shared by the other two classes.
  private func probabilities(_ found: ClassMask, _ sure: Float) -> ClassProbabilities {
    var values = [Float](repeating: (1 - sure) / 2, count: 3 * found.classes.count)
    for (i, k) in found.classes.enumerated() { values[Int(k) * found.classes.count + i] = sure }
    return ClassProbabilities(size: size, classes: 3, values: values)
  }

  private func sample(_ name: String, _ truth: ClassMask) -> Sample {
    Sample(
      index: 0, name: name,
      image: Image(
        width: size.width, height: size.height,
        pixels: [UInt8](repeating: 90, count: 3 * truth.classes.count)), mask: truth)
  }

  @Test(
    "regions are connected pixels of one label and one found class, with their pixels and means")
  func regions() throws {
    // Labelled b where c is found, erased where b is found, and a pixel too few.
    let truth = mask([(2, 2, 8, 1), (30, 20, 2, 2)])
    let found = mask([(2, 2, 8, 2), (20, 10, 6, 1)])
    let all = SuspectFinder(truth: truth, found: found, probabilities(found, 0.9))
      .regions(image: "x", index: 0, atLeast: 10)
    #expect(all.map(\.pixels) == [64, 36])
    let first = all[0]
    #expect(first.label == 1 && first.found == 2 && first.inner == 36)
    #expect(first.box == PixelWindow(x: 2, y: 2, size: Size(width: 8, height: 8)))
    #expect(first.runs.count == 8 && first.runs.allSatisfy { $0.x == 2 && $0.count == 8 })
    #expect(abs(first.foundProbability - 0.9) < 1e-6 && abs(first.labelProbability - 0.05) < 1e-6)
    #expect(abs(first.margin - log(18)) < 1e-5)
    #expect(all[1].label == 0 && all[1].found == 1)
    // A network that is not sure doubts nothing.
    let unsure = SuspectFinder(truth: truth, found: found, probabilities(found, 0.6))
    #expect(unsure.regions(image: "x", index: 0, atLeast: 1).isEmpty)
  }

  @Test("ignored pixels are no region")
  func ignored() {
    var truth = mask([(2, 2, 8, 1)])
    for i in truth.classes.indices where truth.classes[i] == 1 {
      truth.classes[i] = LabelMap.ignored
    }
    let found = mask([(2, 2, 8, 2)])
    let finder = SuspectFinder(truth: truth, found: found, probabilities(found, 0.9))
    #expect(finder.regions(image: "x", index: 0, atLeast: 1).isEmpty)
  }

  @Test("what is often confused stands below what seldom is, and seams below areas")
  func order() throws {
    var tally = AuditTally(map, minimumArea: 10)
    // a for b in every image, c for b in one.
    for number in 0..<6 {
      let found = mask([(2, 2, 8, 1), (20, 2, 8, 1)])
      let truth = number == 3 ? mask([(2, 2, 8, 1), (20, 2, 8, 2)]) : mask([(2, 2, 8, 1)])
      tally.add(sample("\(number)", truth), found, probabilities(found, 0.95))
    }
    // A seam of two rows.
    var seam = ClassMask(size: size, filledWith: 0)
    for i in 0..<2 * size.width { seam.classes[i] = 2 }
    tally.add(sample("seam", mask([])), seam, probabilities(seam, 0.95))
    let audit = tally.audit(dataset: "d", model: "m")
    #expect(audit.regions.count == 7)
    #expect(audit.regions[0].image == "3" && audit.regions[0].label == 2)
    #expect(audit.regions.last?.image == "seam" && audit.regions.last?.score == 0)
    #expect(audit.images[0].name == "3" && audit.images.count == 7)
    // c is labelled at 64 pixels, all of which are not believed.
    #expect(audit.classes[0].name == "c" && audit.classes[0].share == 1)
    #expect(audit.classes[0].found.map(\.name) == ["b"])
    let b = try #require(audit.classes.first { $0.name == "b" })
    #expect(b.share == 0 && b.found.isEmpty && abs((b.labelProbability ?? 0) - 0.95) < 1e-6)
    let json = String(decoding: try Data(audit.json()), as: UTF8.self)
    #expect(json.contains("\"runs\""))
    #expect(audit.text.contains("not believed"))
  }

  @Test(
    "what is shown around a region lies inside of the image",
    arguments: [(0, 0), (35, 28), (17, 11)])
  func window(x: Int, y: Int) {
    let whole = Size(width: 400, height: 300)
    let box = PixelWindow(x: x * 10, y: y * 10, size: Size(width: 20, height: 10))
    let window = AuditPage.window(around: box, in: whole)
    #expect(window.x >= 0 && window.x + window.size.width <= 400 && window.size.width == 160)
    #expect(window.y >= 0 && window.y + window.size.height <= 300 && window.size.height == 160)
    #expect(window.x <= box.x && window.x + window.size.width >= box.x + 20)
    let small = AuditPage.window(
      around: .init(x: 1, y: 1, size: Size(width: 2, height: 2)), in: size)
    #expect(small.size == size)
  }
}
