import Configuration
import Evaluation
import Foundation
import Imaging
import Testing

@testable import Training

@Suite("Sweeps")
struct SweepTests {
  @Test("plans are read")
  func plans() throws {
    #expect(try SweepPlan("head.baseRate=1...4").values == ["1", "2", "3", "4"])
    #expect(try SweepPlan("head.baseRate=1...4").key == "model.head.baseRate")
    #expect(try SweepPlan("train.seed=2,7").key == "train.seed")
    #expect(try SweepPlan("head.rate=1...9:4").values == ["1", "5", "9"])
  }

  @Test(
    "wrong plans are refused",
    arguments: [
      "", "a", "a=", "=1", "a=3...1", "a=1...x", "a=1...9:0", "a=1,1", "a=1,,2", "a=0...9999",
    ])
  func wrong(text: String) {
    #expect(throws: ConfigurationError.self) { try SweepPlan(text) }
  }

  @Test(
    "r* is that of the map that the head sees",
    arguments: [("hrf", 2.33), ("chase-db1", 1.0), ("cityscapes", 15.35)])
  func optimum(recipe: String, optimal: Double) throws {
    let package = URL(fileURLWithPath: #filePath)
      .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    let file = package.appendingPathComponent("Experiments/003-atrous-rates/\(recipe).yaml").path
    let sweep = try Sweep(file, over: SweepPlan("head.rate=1,2"), repeats: 1, folder: "unused")
    #expect(abs(try #require(sweep.optimal) - optimal) < 0.01)
  }

  @Test("results have mean, deviation, difference and r*")
  func result() throws {
    let result = SweepResult(
      key: "model.head.baseRate", reference: "6", optimal: 7.67,
      entries: [
        .init(value: "6", scores: [0.5, 0.52]), .init(value: "8", scores: [0.6, 0.6]),
        .init(value: "9", scores: []),
      ])
    let lines = result.text.split(separator: "\n").map(String.init)
    #expect(lines[2].contains("51.00") && lines[2].contains("1.41") && lines[2].contains("default"))
    #expect(lines[3].contains("+9.00") && lines[3].contains("* nearest to r*, best"))
    #expect(lines[4].contains("-"))
    #expect(result.chart.curves[0].points.count == 2 && result.chart.marks.count == 1)
    #expect(try String(decoding: result.json(), as: UTF8.self).contains("\"deviation\""))
  }
}
