import Datasets
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Evaluation

@Suite("Reports and comparisons")
struct ReportTests {
  /// Label files of 12 images: the truth, and a prediction with more or less wrong.
  private func files(_ folder: String, wrong: Double, seed: UInt64) throws {
    for name in ["truth", "guess", "images"] {
      try FileManager.default.createDirectory(
        atPath: "\(folder)/\(name)", withIntermediateDirectories: true)
    }
    for index in 0..<12 {
      var truths = SampleRandom(seed: 1, epoch: 0, index: index)
      var random = SampleRandom(seed: seed, epoch: 0, index: index)
      let truth = (0..<600).map { i in i < 30 ? 255 : UInt16(i / 200 + truths.integer(below: 2)) % 3
      }
      let guess = truth.map {
        $0 == 255 || random.chance(wrong) ? UInt16(random.integer(below: 3)) : $0
      }
      try LabelImage(width: 30, height: 20, values: truth).writePNG(
        to: "\(folder)/truth/\(index).png")
      try LabelImage(width: 30, height: 20, values: guess).writePNG(
        to: "\(folder)/guess/\(index).png")
      try Image(width: 30, height: 20, pixels: [UInt8](repeating: 90, count: 1800))
        .write(to: "\(folder)/images/\(index).png")
    }
  }

  private func scored(_ folder: String, wrong: Double, seed: UInt64 = 3) throws -> EvaluationResult
  {
    try files(folder, wrong: wrong, seed: seed)
    var scoring = try LabelFileScoring(
      truth: FileSelection("\(folder)/truth"), predictions: FileSelection("\(folder)/guess"),
      images: FileSelection("\(folder)/images"),
      map: .identity(3, names: ["road", "</script><b>", "car"]))
    scoring.boundaryRatio = 0.05
    let (result, images) = try scoring.run()
    try scoring.write(result, images, to: "\(folder)/results")
    return result
  }

  @Test("label files against label files give every table, picture and the page")
  func folder() throws {
    let folder = try TemporaryFolder()
    let result = try scored(folder.path, wrong: 0.3)
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/results")
    #expect(
      names.sorted() == [
        "classes.json", "classes.png", "confusion.png", "evaluation.csv", "evaluation.json",
        "evaluation.md", "evaluation.txt", "images.json", "index.html", "panels", "predictions",
      ])
    #expect(result.images == 12 && result.ignoredPixels == 12 * 30)
    #expect(result.boundary?.classes.count == 3)
    let panels = try FileManager.default.contentsOfDirectory(
      atPath: "\(folder.path)/results/panels")
    #expect(panels.count == 12 && panels.contains { $0.hasPrefix("worst-01-") })
    let page = try String(contentsOfFile: "\(folder.path)/results/index.html", encoding: .utf8)
    // Complete in itself, and a name cannot end the data or become an element.
    #expect(!page.contains("http://") && !page.contains("https://") && !page.contains("src=\"/"))
    #expect(page.components(separatedBy: "</script>").count == 3)
    #expect(page.contains(percent(result.scores.meanIoU)))
    #expect(try Image(contentsOf: "\(folder.path)/results/confusion.png").width > 100)
    #expect(result.csv.split(separator: "\n").count == 4)
  }

  @Test("the number of threads changes nothing")
  func threads() throws {
    let folder = try TemporaryFolder()
    try files(folder.path, wrong: 0.4, seed: 9)
    let scoring = try LabelFileScoring(
      truth: FileSelection("\(folder.path)/truth"),
      predictions: FileSelection("\(folder.path)/guess"), map: .identity(3))
    let (one, many) = (try scoring.run(threads: 1), try scoring.run(threads: 4))
    #expect(one.images == many.images)
    #expect(one.result.scores == many.result.scores)
  }

  @Test("a better result is better by an interval that leaves out 0; itself differs by 0")
  func comparison() throws {
    let (a, b) = (try TemporaryFolder(), try TemporaryFolder())
    let first = try scored(a.path, wrong: 0.4)
    let second = try scored(b.path, wrong: 0.1, seed: 4)
    let folders = ["\(a.path)/results", "\(b.path)/results", "\(a.path)/results"]
    let comparison = try Comparison(folders, names: ["A", "B", "C"], repeats: 200)
    let mean = comparison.differences[0][0]
    let gap = (second.scores.meanIoU ?? 0) - (first.scores.meanIoU ?? 0)
    #expect(abs((mean.difference ?? 0) - gap) < 1e-12)
    #expect(mean.isClear && (mean.low ?? 1) < gap && gap < (mean.high ?? 0))
    #expect(
      comparison.differences[1].allSatisfy { $0.difference == 0 && $0.low == 0 && !$0.isClear })
    #expect(
      try Comparison(folders, names: ["A", "B", "C"], repeats: 200).differences
        == comparison.differences)
    let out = try TemporaryFolder()
    try comparison.write(to: out.path)
    #expect(try Image(contentsOf: "\(out.path)/comparison.jpg").width > 5 * 30)
    #expect(comparison.markdown.contains("Jaccard macro per image"))
    let error = #expect(throws: ScoringError.self) { try Comparison([folders[0], a.path]) }
    #expect(error?.description.contains("evaluation.json") == true)
  }

  @Test("quantiles lie between neighbours")
  func quantiles() {
    #expect(Bootstrap.quantile([1, 2, 3], 0.5) == 2)
    #expect(Bootstrap.quantile([1, 2], 0.25) == 1.25)
    #expect(Bootstrap.quantile([], 0.5) == nil)
  }

  @Test("a submission is checked for names, sizes and values")
  func submission() throws {
    let folder = try TemporaryFolder()
    let images = "\(folder.path)/leftImg8bit/test/bonn"
    for path in [images, "\(folder.path)/out"] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    let picture = Image(width: 6, height: 4, pixels: [UInt8](repeating: 9, count: 72))
    for index in 0..<5 {
      try picture.write(to: "\(images)/bonn_00000\(index)_000019_leftImg8bit.png")
    }
    let mask = ClassMask(size: Size(width: 6, height: 4), filledWith: 13)
    let out = "\(folder.path)/out"
    try CityscapesSubmission.write(
      mask, name: "bonn_000000_000019", map: Cityscapes.classes19, to: out)
    func write(_ index: Int, _ value: UInt16, width: Int = 6) throws {
      try LabelImage(width: width, height: 4, values: [UInt16](repeating: value, count: width * 4))
        .writePNG(to: "\(out)/bonn_00000\(index)_000019_x.png")
    }
    try write(1, 255)
    try write(2, 26, width: 5)
    try write(3, 2)
    let report = try CityscapesSubmission.verify(out, root: folder.path)
    #expect(report.images == 5 && report.errors.count == 3, "\(report)")
    for part in [
      "(x 0, y 0) has the value 255", "is 5×4, expected the image's size 6×4",
      "bonn_000004_000019: has no prediction",
    ] { #expect(report.errors.contains { $0.contains(part) }, "\(part)") }
    #expect(report.warnings.count == 2 && report.warnings[1].contains("training ids"))
    #expect(
      try LabelImage(contentsOf: "\(out)/bonn_000000_000019_pred_labelIds.png").values
        == [UInt16](repeating: 26, count: 24))
  }
}
