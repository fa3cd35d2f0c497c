import Checkpoints
import Datasets
import Evaluation
import Foundation
import Inference
import TestSupport
import Testing

@testable import Training

@Suite("Cross-validation")
struct CrossValidationTests {
  @Test("every image is scored once, by the network that was trained without it")
  func folds() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 7)
      let file = folder.path + "/c.yaml"
      try Data(tinyYAML(folder.path, iterations: 3).utf8).write(to: URL(fileURLWithPath: file))
      let validation = try CrossValidation(file, folds: 3)
      var done = 0
      let part = try validation.run(shouldStop: {
        done += 1
        return done > 5
      })
      #expect(!part.isFinished && part.result.folds == ["1/3"] && part.result.outOfFold == nil)
      let run = folder.path + "/run"
      let unfinished = #expect(throws: CheckpointError.self) { try FoldRuns.checkpoints(run) }
      #expect(unfinished?.description.contains("of 3 folds 2, 3 are not trained") == true)
      let (result, isFinished) = try validation.run()
      #expect(isFinished && result.folds == ["1/3", "2/3", "3/3"] && result.count == 3)
      let score = result.rows[0].score
      #expect(result.rows[0].name == "mean IoU" && Set(score.values).count == 3)
      #expect(part.result.rows[0].score.values == Array(score.values.prefix(1)))

      // All together is what the networks count alone, added up.
      let checkpoints = try FoldRuns.checkpoints(run)
      #expect(checkpoints == (1...3).map { "\(run)/fold-\($0)/last.safetensors" })
      let alone = try checkpoints.map { try NetworkScoring($0).run() }
      let together = try #require(result.outOfFold)
      #expect(alone.map(\.images).reduce(0, +) == 7 && together.images == 7)
      for row in 0..<2 {
        for column in 0..<3 {
          #expect(
            together.confusion[row][column] == alone.map { $0.confusion[row][column] }.reduce(0, +))
        }
      }
      #expect(together.dataset == "train, out of 3 folds")
      #expect(together.scoring.subset == "each image by the network that was trained without it")
      let text = try String(contentsOfFile: "\(run)/folds.txt", encoding: .utf8)
      #expect(text == result.text + "\n" && text.contains("folds 1/3, 2/3, 3/3"))
      var names: [String] = []
      let pages = "\(folder.path)/pages"
      let paged = try NetworkScoring(run).run(
        output: pages, counted: { names.append($0.name) })
      #expect(paged.confusion == together.confusion)
      #expect(names.sorted() == (0..<7).map { "\($0)" })

      // The checkpoint knows what it has not seen.
      let other = #expect(throws: CheckpointError.self) {
        try NetworkScoring(checkpoints[0], overrides: ["data.fold=2/3"])
      }
      #expect(other?.description.contains("was trained without fold 1/3") == true)
      try FileManager.default.copyItem(
        atPath: "\(folder.path)/images/0.png", toPath: "\(folder.path)/images/00.png")
      try FileManager.default.copyItem(
        atPath: "\(folder.path)/labels/0.png", toPath: "\(folder.path)/labels/00.png")
      let changed = #expect(throws: CheckpointError.self) { try NetworkScoring(checkpoints[0]) }
      #expect(changed?.description.contains("of other images than there are now") == true)
      #expect(throws: Never.self) { try NetworkScoring(checkpoints[0], .init(split: "train")) }
    }
  }

  @Test("images that cannot be divided so are refused before anything is trained")
  func refused() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 3)
    let file = folder.path + "/c.yaml"
    try Data(tinyYAML(folder.path, iterations: 3).utf8).write(to: URL(fileURLWithPath: file))
    let error = #expect(throws: DatasetError.self) { try CrossValidation(file, folds: 4) }
    #expect(error?.description.contains("at most 3") == true)
    #expect(!FileManager.default.fileExists(atPath: folder.path + "/run"))
  }
}
