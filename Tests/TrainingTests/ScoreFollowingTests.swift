import Foundation
import Inference
import TestSupport
import Testing

@testable import Training

@Suite("What follows from scores")
struct ScoreFollowingTests {
  /// Scores of the pairs of `writePairs`, the interval 1, and whatever `overrides` say.
  private static func trainer(
    _ folder: String, _ overrides: [String], iterations: Int = 8,
    existing: Trainer.ExistingRun = .refuse, _ output: String = "run"
  ) throws -> Trainer {
    try Trainer(
      TrainingConfiguration(
        yaml: tinyYAML(folder, iterations: iterations), named: "c.yaml",
        overrides: ["train.evaluateEvery=1"] + overrides), output: "\(folder)/\(output)",
      existing: existing)
  }

  @Test(
    "the best checkpoint is the best by the metric that the configuration names",
    arguments: [
      ("meanIoU", false), ("loss", true), ("{iou: thing}", false), ("pixelAccuracy", false),
    ])
  func best(_ metric: String, lowerIsBetter: Bool) throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 6)
    let trainer = try Self.trainer(folder.path, ["train.best=\(metric)"], iterations: 6)
    _ = try trainer.fit()
    let log = try String(contentsOfFile: folder.path + "/run/log.jsonl", encoding: .utf8)
    let lines = try log.split(separator: "\n").map {
      try JSONDecoder().decode(LogLine.self, from: Data($0.utf8))
    }.filter { $0.kind == "evaluate" }
    let values = try lines.map { line in
      switch metric {
      case "meanIoU": try #require(line.meanIoU)
      case "loss": try #require(line.loss)
      case "pixelAccuracy": try #require(line.pixelAccuracy)
      default: line.classes?["thing"] ?? 0
      }
    }
    #expect(values.count == 6)
    let best = try #require(trainer.standing.best)
    #expect(best.value == (lowerIsBetter ? values.min() : values.max()))
    #expect(values.firstIndex(of: best.value).map { $0 + 1 } == best.step)
    #expect(try Checkpoint(folder.path + "/run/best.safetensors").record.step == best.step)
  }

  @Test("a run whose score no longer gets better ends, and stays ended")
  func earlyStopping() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      // A change that no score makes: the run ends after the first and two more.
      let overrides = ["train.earlyStopping={patience: 2, minimumChange: 2}"]
      let whole = try Self.trainer(folder.path, overrides)
      #expect(try whole.fit() == .finished)
      #expect(whole.step == 3)
      #expect(whole.standing.hasStopped)
      let again = try Self.trainer(folder.path, overrides, existing: .resume)
      #expect(try again.fit() == .finished)
      #expect(again.step == 3)
      // Patience is remembered over an interruption.
      let first = try Self.trainer(folder.path, overrides, "part")
      #expect(try first.fit { first.step == 2 } == .interrupted)
      let second = try Self.trainer(folder.path, overrides, existing: .resume, "part")
      #expect(try second.fit() == .finished)
      #expect(second.step == 3)
      #expect(try lastCheckpoint(folder.path + "/part") == lastCheckpoint(folder.path + "/run"))
    }
  }

  @Test("patience counts scores that are not better by enough")
  func patience() throws {
    func steps(_ scores: [Double], patience: Int, change: Double, _ metric: Metric) -> Int? {
      var state = EarlyStopping.State()
      let rule = EarlyStopping(patience: patience, minimumChange: change)
      return scores.firstIndex { state.observe($0, metric, rule) }
    }
    #expect(steps([0.5, 0.6, 0.55, 0.58], patience: 2, change: 0, .meanIoU) == 3)
    #expect(steps([0.5, 0.6, 0.55, 0.61], patience: 2, change: 0, .meanIoU) == nil)
    #expect(steps([0.5, 0.505, 0.509], patience: 2, change: 0.01, .meanIoU) == 2)
    #expect(steps([2, 1.5, 1.4, 1.45], patience: 1, change: 0, .loss) == 3)
  }

  @Test("a plateau of the loss is one of a falling score")
  func plateau() {
    var rule = Plateau.Rule()
    (rule.factor, rule.patience) = (0.5, 0)
    var plateau = Plateau()
    // torch.optim.lr_scheduler.ReduceLROnPlateau(mode="min", factor=0.5, patience=0).
    let factors = [1.0, 0.9, 0.95, 0.8, 0.8].map { loss in
      plateau.observe(loss, rule, lowerIsBetter: true)
      return plateau.factor
    }
    #expect(factors == [1, 1, 0.5, 0.5, 0.25])
  }

  @Test("checkpoints stay by their interval, the newest so many of them")
  func snapshots() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 6)
    func names() throws -> [String] {
      try FileManager.default.contentsOfDirectory(atPath: folder.path + "/run")
        .filter { $0.hasPrefix("step-") }.sorted()
    }
    _ = try Self.trainer(
      folder.path, ["train.snapshots={every: 2, keep: 2}", "train.evaluateEvery=0"], iterations: 7
    ).fit()
    #expect(try names() == ["step-00000004.safetensors", "step-00000006.safetensors"])
    #expect(try Checkpoint(folder.path + "/run/step-00000004.safetensors").record.step == 4)
    // Three batches an epoch.
    _ = try Self.trainer(
      folder.path, ["train.snapshots={every: 2 epochs}", "train.evaluateEvery=0"], iterations: 13,
      existing: .overwrite
    ).fit()
    #expect(try names() == ["step-00000006.safetensors", "step-00000012.safetensors"])
  }

  @Test(
    "what cannot be meant is refused by name",
    arguments: [
      ("train.best=meanIou", "'best' is 'meanIou', expected one of loss, meanAccuracy"),
      ("train.best={iou: rock}", "train.best: 'iou' is 'rock', expected a class: ground, thing"),
      ("train.earlyStopping={patience: 0}", "'patience' is 0"),
      (
        "train={iterations: 1, optimizer: {name: sgd, learningRate: 1}, evaluateEvery: 0,"
          + " earlyStopping: {patience: 1}}",
        "'evaluateEvery' is 0, expected an interval, as earlyStopping follows the scores"
      ),
      ("train.earlyStopping={minimumChange: 1}", "'patience' is missing"),
      ("train.snapshots={every: 2 weeks}", "'every' is '2 weeks', expected a number"),
      ("train.snapshots={keep: 0}", "'keep' is 0"),
      ("train.accumulate=0", "'accumulate' is 0"),
      ("train.deterministic=perhaps", "'deterministic' is 'perhaps', expected true or false"),
    ])
  func refused(override: String, message: String) {
    let error = #expect(throws: (any Error).self) {
      try TrainingConfiguration(
        yaml: tinyYAML("/nowhere"), named: "c.yaml", overrides: [override])
    }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains(message) && text.contains("c.yaml"), "\(text)")
  }
}
