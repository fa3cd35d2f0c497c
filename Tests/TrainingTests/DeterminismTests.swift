import Foundation
import TestSupport
import Testing
import Torch

@testable import Training

/// In a process of its own, as libtorch's state is the process's.
@Suite("Determinism")
struct DeterminismTests {
  @Test("the switch changes no weight on the CPU, and a resumed run has the threads it began with")
  func cpu() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func trainer(_ output: String, _ on: Bool, resume: Bool = false) throws -> Trainer {
        try tinyTrainer(
          folder, output, iterations: 4, ["train.deterministic=\(on)", "train.threads=0"],
          resume: resume)
      }
      Engine.threads = 1
      let plain = try trainer("plain", false)
      #expect(try plain.fit() == .finished)
      let first = try trainer("part", true)
      #expect(try first.fit { first.step == 2 } == .interrupted)
      Engine.threads = 2
      let second = try trainer("part", true, resume: true)
      #expect(Engine.threads == 1)
      #expect(try second.fit() == .finished)
      for (a, b) in zip(plain.model.parameters, second.model.parameters) {
        #expect(a.parameter.floats == b.parameter.floats, "\(a.name)")
      }
    }
  }
}
