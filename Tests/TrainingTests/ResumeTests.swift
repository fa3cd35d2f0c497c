import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Inference
import TestSupport
import Testing
import Torch

@testable import Training

/// Each in a process of its own, as libtorch's random state is the process's.
@Suite("Resuming")
struct ResumeTests {
  @Test("a run interrupted at any step ends with the same bytes")
  func interrupted() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func trainer(_ output: String, resume: Bool) throws -> Trainer {
        try tinyTrainer(folder, output, resume: resume)
      }
      #expect(try trainer("whole", resume: false).fit() == .finished)
      let whole = try lastCheckpoint(folder.path + "/whole")
      for stop in 1...6 {
        let first = try trainer("part\(stop)", resume: false)
        #expect(try first.fit { first.step == stop } == .interrupted)
        let second = try trainer("part\(stop)", resume: true)
        #expect(second.step == stop)
        #expect(try second.fit() == .finished)
        #expect(try lastCheckpoint(folder.path + "/part\(stop)") == whole, "stopped at \(stop)")
        let names = [Checkpoint.Name.best, RunFolder.Name.record]
        for name in names {
          #expect(
            FileManager.default.contents(atPath: "\(folder.path)/part\(stop)/\(name)")
              == FileManager.default.contents(atPath: "\(folder.path)/whole/\(name)"), "\(name)")
        }
      }
    }
  }

  @Test("sampling and pasted regions are the same after an interruption, on windows and folds too")
  func sampling() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func trainer(_ output: String, resume: Bool = false) throws -> Trainer {
        try tinyTrainer(
          folder, output, iterations: 13,
          [
            "train.sampling={images: balanced, crops: 0.5}", "data.fold=1/3", "data.windows=24",
            "train.augmentation=[{copyPaste: {classes: [thing], area: [0, 1]}}, {randomCrop: 20x20}]",
          ], resume: resume)
      }
      // Four images of 2 × 2 windows, in batches of two: eight iterations an epoch.
      let whole = try trainer("whole")
      #expect(whole.loader.dataset.count == 16 && whole.stepsPerEpoch == 8)
      #expect(whole.loader.visits != nil)
      #expect(try whole.fit() == .finished)
      for stop in [3, 11] {
        let first = try trainer("part\(stop)")
        #expect(try first.fit { first.step == stop } == .interrupted)
        #expect(try trainer("part\(stop)", resume: true).fit() == .finished)
        #expect(
          try lastCheckpoint("\(folder.path)/part\(stop)")
            == lastCheckpoint("\(folder.path)/whole"))
      }
    }
  }

  @Test("a rate that follows the scores falls alike after an interruption")
  func plateau() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func trainer(_ output: String, resume: Bool = false) throws -> Trainer {
        try tinyTrainer(
          folder, output,
          [
            "train.schedule={name: plateau, patience: 0, factor: 0.5, threshold: 1}",
            "train.evaluateEvery=1",
          ], resume: resume)
      }
      #expect(try trainer("whole").fit() == .finished)
      let whole = try lastCheckpoint(folder.path + "/whole")
      let fallen = try Checkpoint(folder.path + "/whole/last.safetensors").run().standing.plateau
      #expect(fallen.factor < 0.1)
      let first = try trainer("part")
      #expect(try first.fit { first.step == 5 } == .interrupted)
      #expect(try trainer("part", resume: true).fit() == .finished)
      #expect(try lastCheckpoint(folder.path + "/part") == whole)
    }
  }

  @Test("how often is scored, saved and logged does not touch the weights")
  func observationIsFree() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func weights(_ overrides: [String], _ output: String) throws -> [[Float]] {
        let trainer = try Trainer(
          TrainingConfiguration(yaml: tinyYAML(folder.path), named: "t", overrides: overrides),
          output: folder.path + "/" + output)
        _ = try trainer.fit()
        return trainer.model.parameters.map(\.parameter.floats)
      }
      let first = try weights([], "a")
      let second = try weights(
        [
          "train.evaluateEvery=1", "train.checkpointEvery=1", "train.logEvery=3", "train.workers=2",
        ],
        "b")
      #expect(first == second)
      #expect(try weights(["train.seed=4"], "c") != first)
    }
  }

  @Test("a killed run goes on from its last checkpoint and ends with the same bytes")
  func killed() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let configuration = try TrainingConfiguration(yaml: tinyYAML(folder.path), named: "test")
      _ = try Trainer(configuration, output: folder.path + "/whole").fit()
      // What a kill after step 5 leaves: the checkpoint of step 4, a log that is ahead of it, and
      // perhaps half of the next checkpoint.
      let run = folder.path + "/killed"
      let first = try Trainer(configuration, output: run)
      _ = try first.fit {
        if first.step == 5 {
          // A copy that failed is missed below.
          try? FileManager.default.copyItem(atPath: run, toPath: run + "2")  // may fail: so
        }
        return first.step == 5
      }
      let half = "\(run)2/\(Checkpoint.Name.last).123\(AtomicFile.suffix)"
      try Data("half".utf8).write(to: URL(fileURLWithPath: half))
      let second = try Trainer(configuration, output: run + "2", existing: .resume)
      #expect(second.step == 4)
      #expect(!FileManager.default.fileExists(atPath: half))
      _ = try second.fit()
      #expect(try lastCheckpoint(run + "2") == lastCheckpoint(folder.path + "/whole"))
      let log = try String(contentsOfFile: run + "2/log.jsonl", encoding: .utf8)
      let lines = log.split(separator: "\n").filter { $0.contains("\"train\"") }
      #expect(lines.count == 7, "every step is logged once")
    }
  }

  @Test("a resumed run with another configuration is refused by the key that differs")
  func otherConfiguration() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let yaml = tinyYAML(folder.path)
      let first = try Trainer(TrainingConfiguration(yaml: yaml, named: "test"))
      _ = try first.fit { first.step == 2 }
      func resume(_ override: String) throws -> Trainer {
        try Trainer(
          TrainingConfiguration(yaml: yaml, named: "test", overrides: [override]), existing: .resume
        )
      }
      let error = #expect(throws: RunError.self) {
        try resume("train.optimizer.learningRate=0.5")
      }
      #expect("\(error.map { "\($0)" } ?? "")".contains("train.optimizer.learningRate = 0.01"))
      #expect(throws: RunError.self) { try resume("train.augmentation=[]") }
      #expect(throws: RunError.self) { try resume("model.head.growth=4") }
      #expect(try resume("train.evaluateEvery=5").step == 2)
      #expect(throws: RunError.exists(folder: folder.path + "/run")) {
        try Trainer(TrainingConfiguration(yaml: yaml, named: "test"))
      }
      let anew = try Trainer(
        TrainingConfiguration(yaml: yaml, named: "test"), existing: .overwrite)
      #expect(anew.step == 0)
    }
  }

  @Test("a few steps learn what there is to learn")
  func learns() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let trainer = try Trainer(
        TrainingConfiguration(
          yaml: tinyYAML(folder.path, iterations: 30), named: "test",
          overrides: ["train.ema=0.5", "train.evaluateEvery=30", "model.backbone.dropRate=0"]))
      _ = try trainer.fit()
      #expect((trainer.lastResult?.scores.meanIoU ?? 0) > 0.6)
      let scoring = try NetworkScoring(folder.path + "/run")
      #expect(try scoring.run().scores == trainer.lastResult?.scores)
    }
  }
}
