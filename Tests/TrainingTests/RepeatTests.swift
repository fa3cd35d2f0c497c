import Foundation
import Inference
import TestSupport
import Testing

@testable import Training

@Suite("Repeats")
struct RepeatTests {
  @Test("runs from seeds that follow each other give a mean and a deviation, and are not run twice")
  func repeats() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let file = folder.path + "/c.yaml"
      try Data(tinyYAML(folder.path, iterations: 3).utf8).write(to: URL(fileURLWithPath: file))
      let repeats = try Repeats(file, count: 3)
      var done = 0
      let part = try repeats.run(shouldStop: {
        done += 1
        return done > 5
      })
      #expect(!part.isFinished)
      #expect(part.result.seeds == [3])
      let (result, isFinished) = try repeats.run()
      #expect(isFinished)
      #expect(result.seeds == [3, 4, 5])
      #expect(
        result.rows.map(\.name) == [
          "mean IoU", "mean accuracy", "pixel accuracy", "mean Dice", "ground", "thing",
        ])
      let score = result.rows[0].score
      #expect(Set(score.values).count == 3, "seeds make different runs")
      let mean = try #require(score.mean)
      let squares = score.values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +)
      let deviation = try #require(score.deviation)
      #expect(abs(mean - score.values.reduce(0, +) / 3) < 1e-12)
      #expect(abs(deviation - (squares / 2).squareRoot()) < 1e-12)
      #expect(part.result.rows[0].score.values == Array(score.values.prefix(1)))
      let text = try String(contentsOfFile: folder.path + "/run/repeats.txt", encoding: .utf8)
      #expect(text == result.text + "\n")
      #expect(text.contains("seeds 3, 4, 5"))
      // Finished runs are read, not trained.
      for seed in 3...5 { try FileManager.default.removeItem(atPath: last(folder, seed)) }
      #expect(try repeats.run().result.rows[0].score == score)
      #expect(!FileManager.default.fileExists(atPath: last(folder, 3)))
    }
  }
}

private func last(_ folder: TemporaryFolder, _ seed: Int) -> String {
  "\(folder.path)/run/seed-\(seed)/\(Checkpoint.Name.last)"
}
