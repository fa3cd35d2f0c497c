import Checkpoints
import Configuration
import Evaluation
import Foundation
@testable import Inference
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Starting from trained weights")
struct StartTests {
  @Test("a run begins with another's weights; a classifier of other classes is new")
  func start() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      _ = try tinyTrainer(folder, "first").fit()
      let from = "train.startFrom=\(folder.path)/first"
      let old = try TrainedNetwork(checkpoint: "\(folder.path)/first").model.state
      func shared(_ trainer: Trainer) -> Int {
        zip(old, trainer.model.state).count { old, new in
          old.tensor.shape == new.tensor.shape
            && old.tensor.to(.float32).floats == new.tensor.to(.float32).floats
        }
      }
      #expect(try shared(tinyTrainer(folder, "second", [from, "train.seed=9"])) == old.count)
      // The classifiers of the head and of the auxiliary head have a weight and a bias each.
      let classes = try tinyTrainer(folder, "classes", [from, "data.classes=[ground, thing, sky]"])
      #expect(shared(classes) == old.count - 4)
      #expect(try classes.fit() == .finished)

      for wrong in [["train.startFrom=\(folder.path)/none"], [from, "model.head.growth=5"]] {
        #expect(throws: CheckpointError.self) { _ = try tinyTrainer(folder, "wrong", wrong) }
      }
    }
  }

  /// Remembers what it is told.
  private final class Listener: TrainingMonitor {
    var messages: [String] = []
    func begin(_ description: String) {}
    func step(_ progress: TrainingProgress) {}
    func evaluating(_ done: Int, _ count: Int) {}
    func evaluated(_ result: EvaluationResult, _ step: Int) {}
    func message(_ text: String) { messages.append(text) }
  }

  @Test("the same classes in another order take their own weights, and that is said")
  func order() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      _ = try tinyTrainer(folder, "first").fit()
      let old = try TrainedNetwork(checkpoint: "\(folder.path)/first").model.state
      let listener = Listener()
      let turned = try Trainer(
        TrainingConfiguration(
          yaml: tinyYAML(folder.path), named: "test",
          overrides: [
            "train.startFrom=\(folder.path)/first", "data.classes=[thing, ground]",
            "data.values={0: ground, 1: thing}",
          ]), output: "\(folder.path)/turned", monitor: listener)
      var moved = 0
      for (old, new) in zip(old, turned.model.state) {
        let (before, after) = (old.tensor.to(.float32).floats, new.tensor.to(.float32).floats)
        guard before != after else { continue }
        moved += 1
        let half = before.count / 2
        #expect(after == Array(before[half...] + before[..<half]), "\(new.name)")
      }
      // A weight and a bias of the head's classifier and of the auxiliary head's.
      #expect(moved == 4)
      #expect(
        listener.messages.contains {
          $0.contains("its classes stand in another order (ground, thing)")
        }, "\(listener.messages)")
    }
  }

  @Test("a checkpoint is not scored with its classes in another order")
  func scoring() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 3)
      _ = try tinyTrainer(folder, "first").fit()
      func score(_ overrides: String...) throws {
        _ = try NetworkScoring("\(folder.path)/first", overrides: overrides)
      }
      try score()
      #expect(throws: CheckpointError.self) {
        try score("data.classes=[thing, ground]", "data.values={0: ground, 1: thing}")
      }
      #expect(throws: CheckpointError.self) { try score("data.classes=[ground, thing, sky]") }
    }
  }

  @Test("which weights each class begins with, by name")
  func places() throws {
    func order(_ ours: String, _ theirs: String) throws -> ClassOrder {
      try #require(
        ClassOrder(ours: ours.map(String.init), theirs: theirs.map(String.init)))
    }
    #expect(try order("abc", "abc").places == [0, 1, 2] && order("abc", "abc").description.isEmpty)
    #expect(try order("abc", "cab").places == [1, 2, 0])
    // Other names keep the order, and say whose weights they have.
    #expect(try !order("ab", "xy").isChange)
    #expect(try order("ab", "xy").description.contains("a with those of x, b with those of y"))
    #expect(try order("axb", "bya").places == [2, 1, 0])
    // Names that differ by case or separators are the same, unless that leaves a choice.
    let written = try #require(
      ClassOrder(ours: ["Traffic light", "Road"], theirs: ["road", "traffic_light"]))
    #expect(written.places == [1, 0] && written.isChange)
    #expect(written.description.contains("Road with those of road"))
    #expect(try order("Aa", "ab").places == [1, 0])
    #expect(try order("AaX", "xya").places == [1, 2, 0])
    #expect(ClassOrder(ours: ["a"], theirs: ["a", "b"]) == nil)
    #expect(ClassOrder(ours: ["a"], theirs: []) == nil)
  }

  @Test(
    "whatever head: what there is for each class moves with it",
    arguments: [
      "{name: lraspp}", "{name: danet, channels: 8}", "{name: encnet, channels: 8, codes: 4}",
      "{name: segmenter, depth: 1}", "{name: segformer, channels: 8}",
    ])
  func heads(head: String) async throws {
    let backbone =
      head.contains("segmenter")
      ? "{name: vit_t_16, depth: 2}" : "{name: mobilenet_v2, outputStride: 16}"
    func build(_ classes: Int) throws -> SegmentationModel {
      try ModelBuilder.build(
        Section(yaml: "backbone: \(backbone)\nhead: \(head)", named: "test"), classes: classes)
    }
    let model = try build(3)
    let before = model.state.map { ($0.name, $0.tensor.to(.float32).cloned()) }
    let order = try #require(ClassOrder(ours: ["c", "a", "b"], theirs: ["a", "b", "c"]))
    try order.apply(to: model, file: "f", only: Set(before.map(\.0)), build: build)
    var moved: [String] = []
    for ((name, old), entry) in zip(before, model.state) {
      let new = entry.tensor.to(.float32)
      guard old.floats != new.floats else { continue }
      let axis = try #require(old.shape.firstIndex(of: 3), "\(name)")
      let expected = concatenate([2, 0, 1].map { old.sliced(axis, $0, $0 + 1) }, along: axis)
      #expect(new.floats == expected.floats, "\(name)")
      moved.append(name)
    }
    #expect(!moved.isEmpty)
  }

  @Test("weights beside other things start a run from a file or a folder, and the rest is told of")
  func others() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      let given = try tinyTrainer(folder, "given").model
      let weights = "\(folder.path)/weights"
      try FileManager.default.createDirectory(atPath: weights, withIntermediateDirectories: true)
      let tensors = given.state.map { ("model.\($0.name)", $0.tensor) }
      try WeightFile.write(
        tensors + [("mean", Tensor(1)), ("criterion.weight", Tensor(2))],
        to: "\(weights)/model.safetensors")
      for (run, path) in [("first", weights), ("second", "\(weights)/model.safetensors")] {
        let model = try tinyTrainer(folder, run, ["train.seed=9"]).model
        let message = try Checkpoint.start(model, from: path, classes: []) { _ in model }
        #expect(message.contains("note: left aside") && message.contains("mean, criterion"))
        for (own, theirs) in zip(model.state, given.state) {
          #expect(own.tensor.to(.float32).floats == theirs.tensor.to(.float32).floats)
        }
      }
    }
  }
}
