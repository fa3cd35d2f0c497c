import Datasets
import Foundation
import Imaging
import TestSupport
import Testing
import Torch

@testable import Training

/// Each in a process of its own, as libtorch's random state is the process's.
@Suite("Accumulated gradients")
struct AccumulationTests {
  @Test("batches together make the step of one large batch, however many pixels each ignores")
  func equalsLargeBatch() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 8)
      // Half of an image is ignored, so that batches differ in labelled pixels.
      let file = folder.path + "/labels/0.png"
      var values = try LabelImage(contentsOf: file).values
      for index in 0..<values.count / 2 { values[index] = 255 }
      try LabelImage(width: 48, height: 40, values: values).writePNG(to: file)
      func weights(_ batch: Int, _ accumulate: Int) throws -> (loss: [Double], weights: [[Float]]) {
        let trainer = try Trainer(
          TrainingConfiguration(
            yaml: tinyYAML(folder.path, iterations: 4), named: "test",
            overrides: [
              "model.backbone={name: vit, depth: 1, width: 24, heads: 2, imageSize: 32}",
              "model.head={name: linear}", "model.auxiliary=[]", "train.batchSize=\(batch)",
              "train.accumulate=\(accumulate)", "train.ema=", "train.clip=",
              "train.optimizer={name: sgd, learningRate: 0.05, momentum: 0.9}",
              "train.loss={name: crossEntropy, classWeights: [0.5, 2]}", "train.evaluateEvery=0",
            ]), output: folder.path + "/\(batch)")
        #expect(trainer.imagesPerStep == 4)
        #expect(trainer.stepsPerEpoch == 2)
        _ = try trainer.fit()
        let log = try String(contentsOfFile: folder.path + "/\(batch)/log.jsonl", encoding: .utf8)
        let losses = try log.split(separator: "\n").map {
          try JSONDecoder().decode(LogLine.self, from: Data($0.utf8))
        }.filter { $0.kind == "train" }.compactMap(\.loss)
        return (losses, trainer.model.parameters.map(\.parameter.floats))
      }
      let (large, small) = (try weights(4, 1), try weights(1, 4))
      #expect(large.loss.count == 4)
      for (a, b) in zip(large.loss, small.loss) { #expect(abs(a - b) < 1e-5) }
      for (a, b) in zip(large.weights.joined(), small.weights.joined()) {
        #expect(abs(a - b) < 1e-5)
      }
    }
  }

  @Test("an interrupted run goes on at the right batch")
  func resumes() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 9)
      func trainer(_ output: String, resume: Bool = false) throws -> Trainer {
        try tinyTrainer(
          folder, output, ["train.batchSize=2", "train.accumulate=2"], resume: resume)
      }
      #expect(try trainer("whole").fit() == .finished)
      for stop in [1, 2, 3] {
        let first = try trainer("part\(stop)")
        #expect(try first.fit { first.step == stop } == .interrupted)
        #expect(try trainer("part\(stop)", resume: true).fit() == .finished)
        #expect(
          try lastCheckpoint(folder.path + "/part\(stop)") == lastCheckpoint(folder.path + "/whole")
        )
      }
    }
  }

  @Test("more batches than an epoch has are refused")
  func tooMany() throws {
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 4)
    let error = #expect(throws: (any Error).self) {
      try Trainer(
        TrainingConfiguration(
          yaml: tinyYAML(folder.path), named: "c.yaml", overrides: ["train.accumulate=3"]))
    }
    let text = "\(error.map { "\($0)" } ?? "")"
    #expect(text.contains("c.yaml: train: 'accumulate' is 3, expected at most 2"), "\(text)")
  }
}
