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
}
