import Foundation
import Inference
import TestSupport
import Testing
import Torch

@testable import Training

@Suite("Half precision")
struct PrecisionTests {
  @Test("the factor halves after a step that overflowed and doubles after 2000 that did not")
  func scale() {
    var state = GradientScaler.State()
    for _ in 0..<1999 { state.update(isFinite: true) }
    #expect(state.scale == 65_536)
    state.update(isFinite: true)
    #expect(state == GradientScaler.State(scale: 131_072))
    state.update(isFinite: true)
    state.update(isFinite: false)
    #expect(state == GradientScaler.State(scale: 65_536))
  }

  @Test("a step whose gradients are not finite changes nothing")
  func overflow() {
    let parameter = Parameter(1, [2])
    let optimizer = Optimizer(.sgd(), [ParameterGroup([("w", parameter)])], learningRate: 1)
    let scaler = GradientScaler()
    func step(_ factor: Float) -> Bool {
      optimizer.clearGradients()
      scaler.scaled((parameter * Tensor([factor, 1])).sum()).backward()
      return scaler.unscale(optimizer)
    }
    #expect(!step(.infinity))
    #expect(scaler.state.scale == 32_768)
    #expect(step(0.25))
    #expect(parameter.gradient?.floats == [0.25, 1])
    optimizer.step()
    #expect(parameter.detached().floats == [0.75, 0])
  }

  @Test("training in half precision learns, and goes on after an interruption with the same bytes")
  func training() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try writePairs(folder.path, count: 6)
      func trainer(_ output: String, resume: Bool = false) throws -> Trainer {
        try tinyTrainer(
          folder, output, iterations: 6,
          ["train.precision=float16", "train.batchSize=4", "train.evaluateEvery=0"],
          resume: resume)
      }
      let whole = try trainer("whole")
      #expect(try whole.fit() == .finished)
      let scale = try Checkpoint(folder.path + "/whole").run().gradientScale
      #expect(scale == whole.scaler?.state)
      let log = try String(contentsOfFile: folder.path + "/whole/log.jsonl", encoding: .utf8)
      let losses = try log.split(separator: "\n").map {
        try JSONDecoder().decode(LogLine.self, from: Data($0.utf8))
      }.filter { $0.kind == "train" }.compactMap(\.loss)
      #expect(losses.count == 6)
      #expect(try #require(losses.last) < losses[0])
      let first = try trainer("part")
      #expect(try first.fit { first.step == 3 } == .interrupted)
      #expect(try trainer("part", resume: true).fit() == .finished)
      #expect(try lastCheckpoint(folder.path + "/part") == lastCheckpoint(folder.path + "/whole"))
    }
  }

  @Test("a type that the device cannot compute in is refused before the run")
  func unsupported() {
    let error = #expect(throws: RunError.self) { try PrecisionCheck.run(.int8, on: .cpu) }
    let text = error.map { "\($0)" } ?? ""
    #expect(text.hasPrefix("train.precision: int8 does not work on cpu here: "), "\(text)")
    #expect(throws: Never.self) { try PrecisionCheck.run(.bfloat16, on: .cpu) }
  }
}
