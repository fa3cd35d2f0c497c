import Checkpoints
import Configuration
import Evaluation
import Foundation
import Inference
import TestSupport
import Testing
import Torch

@testable import Training

/// Each in a process of its own, as libtorch's random state is the process's.
@Suite("A run's folder")
struct RunLockTests {
  @Test("is locked from the first look at it to the end of training")
  func locked() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let run = "\(folder.path)/run"
      let configuration = try TrainingConfiguration(yaml: tinyYAML(folder.path), named: "test")
      let first = try Trainer(configuration)
      var refused = 0
      let outcome = try first.fit {
        guard first.step == 2 else { return first.step == 3 }
        func names() -> [String]? {
          try? FileManager.default.contentsOfDirectory(atPath: run).sorted()  // may fail: nil
        }
        let before = names()
        for existing in [Trainer.ExistingRun.refuse, .resume, .overwrite] {
          do {
            _ = try Trainer(configuration, existing: existing)
          } catch RunError.locked(let path, let holder) {
            #expect(path == run)
            #expect(holder.hasPrefix("process \(getpid()) on "))
            refused += 1
          } catch {
            Issue.record(error)
          }
        }
        #expect(names() == before)
        return false
      }
      #expect(outcome == .interrupted)
      #expect(refused == 3)
      // Training is over, though the trainer is still there.
      let second = try Trainer(configuration, existing: .resume)
      #expect(second.step == 3)
      #expect(throws: RunError.self) { try first.fit() }
      #expect(try second.fit() == .finished)
      let names = try FileManager.default.contentsOfDirectory(atPath: run)
      #expect(names.filter { $0.contains("lock") } == [])
    }
  }

  @Test("is not made for a run that cannot begin")
  func untouched() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let configuration = try TrainingConfiguration(
        yaml: tinyYAML(folder.path), named: "test", overrides: ["train.accumulate=1000"])
      #expect(throws: ConfigurationError.self) { try Trainer(configuration) }
      #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
    }
  }

  @Test("is not gone on with with other images than before")
  func otherImages() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let first = try tinyTrainer(folder, "run")
      _ = try first.fit { first.step == 2 }
      func resume() throws -> Int { try tinyTrainer(folder, "run", resume: true).step }
      let before = try lastCheckpoint(folder.path + "/run")
      for part in ["images", "labels"] {
        try FileManager.default.copyItem(
          atPath: "\(folder.path)/\(part)/5.png", toPath: "\(folder.path)/\(part)/6.png")
      }
      let more = #expect(throws: RunError.self) { try resume() }
      #expect("\(more.map { "\($0)" } ?? "")".contains("with 6 training images, and there are 7"))
      for part in ["images", "labels"] {
        try FileManager.default.removeItem(atPath: "\(folder.path)/\(part)/5.png")
      }
      let others = #expect(throws: RunError.self) { try resume() }
      #expect("\(others.map { "\($0)" } ?? "")".contains("of other names"))
      #expect(try lastCheckpoint(folder.path + "/run") == before)
      for part in ["images", "labels"] {
        try FileManager.default.moveItem(
          atPath: "\(folder.path)/\(part)/6.png", toPath: "\(folder.path)/\(part)/5.png")
      }
      #expect(try resume() == 2)
    }
  }

  @Test("a checkpoint that a newer version wrote is refused as that, and an older one is read")
  func versions() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let first = try tinyTrainer(folder, "run")
      _ = try first.fit { first.step == 2 }
      let path = "\(folder.path)/run/last.safetensors"
      let weights = try WeightFile.open(path)
      let record = try #require(weights.metadata[Checkpoint.metadataKey])
      let tensors = try weights.entries.map { ($0.name, try weights.tensor($0.name)) }
      func write(_ text: String) throws {
        try WeightFile.write(
          tensors, metadata: [Checkpoint.metadataKey: text, "format": "pt"], to: path)
      }
      // As it was before records told of images.
      let lines = record.split(separator: "\n", omittingEmptySubsequences: false)
      let start = try #require(lines.firstIndex { $0.contains("\"trainingImages\"") })
      let end = try #require(lines[start...].firstIndex { $0.contains("}") })
      var older = lines[..<start] + lines[(end + 1)...]
      // A comma may be left at the end.
      if lines[end].hasSuffix("}"), older[start - 1].hasSuffix(",") {
        older[start - 1].removeLast()
      }
      try write(older.joined(separator: "\n"))
      #expect(try Checkpoint(path).run().trainingImages == nil)
      #expect(try tinyTrainer(folder, "run", resume: true).step == 2)

      try write("{\"version\": 2, \"other\": true}")
      let error = #expect(throws: CheckpointError.self) { try Checkpoint(path) }
      #expect("\(error.map { "\($0)" } ?? "")".contains("a newer Atrous wrote it (version 2"))
    }
  }
}

@Suite("A run without images to score")
struct UnscoredRunTests {
  private static func yaml(_ folder: String) -> String {
    let pairs = "{images: \(folder)/images, labels: \(folder)/labels}"
    return tinyYAML(folder).replacingOccurrences(of: ", val: \(pairs)", with: "")
  }

  @Test("trains to its end, keeps its last checkpoint, and is told apart where scores are wanted")
  func trains() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let configuration = try TrainingConfiguration(yaml: Self.yaml(folder.path), named: "test")
      #expect(!configuration.isScored)
      let first = try Trainer(configuration)
      #expect(try first.fit { first.step == 5 } == .interrupted)
      let trainer = try Trainer(configuration, existing: .resume)
      #expect(trainer.description.contains("Nothing is scored"))
      #expect(try trainer.fit() == .finished)
      #expect(trainer.lastResult == nil)
      #expect(trainer.nextSteps.contains(" --split train --output "))
      let run = "\(folder.path)/run"
      #expect(!FileManager.default.fileExists(atPath: "\(run)/\(Checkpoint.Name.best)"))
      #expect(try Checkpoint(run).record.step == 7)
      #expect(try NetworkScoring(run, .init(split: "train")).run().images == 6)
      let error = #expect(throws: ConfigurationError.self) { try NetworkScoring(run) }
      #expect("\(error.map { "\($0)" } ?? "")".contains("'val' is missing"))
      let file = "\(folder.path)/unscored.yaml"
      try Data(Self.yaml(folder.path).utf8).write(to: URL(fileURLWithPath: file))
      #expect(throws: ConfigurationError.self) { try Repeats(file, count: 2) }
      #expect(throws: ConfigurationError.self) {
        try Sweep(
          file, over: SweepPlan("train.batchSize=1,2"), repeats: 1, folder: "\(folder.path)/sweep")
      }
      #expect(try DataSource(configuration: file).parts == ["train"])
    }
  }

  @Test(
    "does not follow scores",
    arguments: [
      ("best=loss", "'best'"), ("earlyStopping={patience: 2}", "'earlyStopping'"),
      ("schedule={name: plateau}", "'schedule'"),
    ])
  func follows(_ override: String, _ key: String) throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 2)
    let error = #expect(throws: ConfigurationError.self) {
      try TrainingConfiguration(
        yaml: Self.yaml(folder.path), named: "test", overrides: ["train.\(override)"])
    }
    let message = error?.description ?? ""
    #expect(message.contains(key) && message.contains("no part 'val'"), "\(message)")
  }

  @Test("is not one whose part for scoring is named and is not there")
  func named() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 2)
    let configuration = try TrainingConfiguration(
      yaml: Self.yaml(folder.path), named: "test", overrides: ["evaluate.split=test"])
    #expect(throws: ConfigurationError.self) { try Trainer(configuration) }
  }
}
