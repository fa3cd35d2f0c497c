import Evaluation
import Foundation
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Training

/// Each in a process of its own, as libtorch's random state is the process's.
@Suite("Frozen backbones and their features")
struct FeatureCacheTests {
  @Test("features are computed once; weights are the same with and without")
  func cache() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let whole = try frozenRun(folder, "whole", ["train.featureCache=false"])
      #expect(whole.features?.folder == nil)
      let backbone = whole.model.backbone.state.map(\.tensor.floats)
      #expect(try whole.fit() == .finished)
      #expect(whole.model.backbone.state.map(\.tensor.floats) == backbone, "it is frozen")

      let kept = try frozenRun(folder, "kept", [])
      #expect(try kept.fit() == .finished)
      let features = try #require(kept.features)
      // 8 iterations of 2 images over a set of 6.
      #expect((features.computed, features.found) == (6, 10))
      let pairs = zip(whole.model.parameters, kept.model.parameters)
      for (a, b) in pairs {
        #expect(a.parameter.floats == b.parameter.floats, "\(a.name)")
      }
      // Another run finds them all, and an interrupted one ends with the same bytes.
      let shared = ["train.featureCache=\(folder.path)/kept/features"]
      let first = try frozenRun(folder, "part", shared)
      #expect(try first.fit { first.step == 3 } == .interrupted)
      let second = try frozenRun(folder, "part", shared, existing: .resume)
      #expect(try second.fit() == .finished)
      #expect(first.features?.computed == 0 && second.features?.computed == 0)
      for (a, b) in zip(kept.model.parameters, second.model.parameters) {
        #expect(a.parameter.floats == b.parameter.floats, "\(a.name)")
      }
    }
  }

  @Test("only maps that heads look at take place on the disk; other weights and images are others")
  func keys() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 4)
      func size(_ path: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: path).reduce(0) {
          try $0 + Data(contentsOf: URL(fileURLWithPath: "\(path)/\($1)")).count
        }
      }
      func run(_ name: String, _ overrides: [String] = []) throws -> FeatureCache {
        let trainer = try frozenRun(
          folder, name,
          ["train.featureCache={folder: \(folder.path)/features}", "train.iterations=2"]
            + overrides, existing: .overwrite)
        _ = try trainer.fit()
        return try #require(trainer.features)
      }
      let one = try run("a", ["model.auxiliary=[]"])
      // The last map alone: 4 images, 32 channels of 6×5, or 16 of them and a transition.
      #expect(one.computed == 4)
      let small = try size(#require(one.folder))
      let both = try run("a", ["model.auxiliary=[]", "train.seed=4"])
      #expect(both.folder != one.folder, "other weights")
      let again = try run("a", ["model.auxiliary=[]"])
      #expect(again.folder == one.folder && again.computed == 0)
      try writePairs(folder.path, count: 1)
      #expect(try run("a", ["model.auxiliary=[]"]).computed == 1, "an image has changed")
      #expect(
        try run("a", ["train.augmentation=[{resize: 32x32}]"]).folder != one.folder,
        "another size")
      let more = try run("b", ["train.featureCache.folder=\(folder.path)/more"])
      #expect(
        try size(#require(more.folder)) > small, "with an auxiliary head an earlier map counts too")
      let none = try run("c", ["train.featureCache.megabytes=1", "train.seed=9"])
      #expect(none.computed == 4)
      #expect(
        !FileManager.default.fileExists(atPath: folder.path + "/c/features"),
        "it has its own folder")
    }
  }

  @Test("an augmentation by chance forbids the cache, and is named")
  func obstacles() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 4)
    func refusal(_ overrides: [String]) -> String {
      let error = #expect(throws: (any Error).self) {
        try frozenRun(folder, "run", overrides, existing: .overwrite)
      }
      return error.map { "\($0)" } ?? ""
    }
    let flips = "train.augmentation=[{resize: 40x40}, {horizontalFlip: 0.5}]"
    #expect(
      refusal([flips, "train.featureCache=true"]).contains(
        "'featureCache' is on, expected false, as horizontalFlip draws at random"))
    #expect(
      refusal(["train.freeze=none", "train.featureCache=true"]).contains(
        "'featureCache' is on, expected false, as the backbone is not frozen"))
    #expect(refusal(["train.freeze=head"]).contains("'freeze' is 'head', expected one of none"))
    let listener = Listener()
    let trainer = try Trainer(
      TrainingConfiguration(
        yaml: tinyYAML(folder.path), named: "c.yaml", overrides: ["train.freeze=backbone", flips]),
      existing: .overwrite, monitor: listener)
    #expect(trainer.features == nil)
    #expect(listener.messages == ["features are not kept, as horizontalFlip draws at random"])
  }

  /// Keeps what is said.
  private final class Listener: TrainingMonitor {
    var messages: [String] = []
    func begin(_ description: String) {}
    func step(_ progress: TrainingProgress) {}
    func evaluating(_ done: Int, _ count: Int) {}
    func evaluated(_ result: EvaluationResult, _ step: Int) {}
    func message(_ text: String) { messages.append(text) }
  }
}

/// A run of the tiny network with a frozen backbone and without chance in its images.
private func frozenRun(
  _ folder: TemporaryFolder, _ output: String, _ overrides: [String],
  existing: Trainer.ExistingRun = .refuse
) throws -> Trainer {
  try Trainer(
    TrainingConfiguration(
      yaml: tinyYAML(folder.path, iterations: 8), named: "c.yaml",
      overrides: [
        "train.freeze=backbone", "train.augmentation=[{resize: 48x40}]", "train.evaluateEvery=0",
      ] + overrides), output: folder.path + "/" + output, existing: existing)
}
