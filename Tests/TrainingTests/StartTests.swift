import Checkpoints
import Foundation
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
      let old = try Checkpoint("\(folder.path)/first").model().state
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
      for path in [weights, "\(weights)/model.safetensors"] {
        let model = try tinyTrainer(folder, "started", ["train.seed=9"]).model
        let message = try Checkpoint.start(model, from: path)
        #expect(message.contains("note: left aside") && message.contains("mean, criterion"))
        for (own, theirs) in zip(model.state, given.state) {
          #expect(own.tensor.to(.float32).floats == theirs.tensor.to(.float32).floats)
        }
      }
    }
  }
}
