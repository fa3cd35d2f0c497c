import Segmentation
import Testing
import Torch

@Suite("Activations computed again")
struct RecomputationTests {
  // In a process of its own, as random numbers are the process's.
  @Test("give the same loss, gradients and running statistics, dropout included")
  func sameGradients() async {
    await #expect(processExitsWith: .success) {
      for yaml in recomputedNetworks {
        let plain = try trainingStep(yaml, recomputes: false)
        let again = try trainingStep(yaml, recomputes: true)
        #expect(plain.loss == again.loss)
        #expect(plain.buffers == again.buffers, "\(yaml)")
        #expect(plain.gradients.keys == again.gradients.keys)
        for (name, expected) in plain.gradients {
          let own = try #require(again.gradients[name])
          let size = expected.map { $0.magnitude }.max() ?? 0
          for (a, b) in zip(own, expected) {
            // Sums over the users of a map may come in another order.
            #expect(abs(a - b) <= 2e-6 * (1 + size), "\(name)")
          }
        }
      }
    }
  }

  @Test("a failure in the part that runs again is an error, not a crash")
  func failure() throws {
    let weight = Parameter(1, [4, 4])
    #expect(throws: TorchError.self) {
      try attempt {
        Recomputation.run([Tensor(filledWith: 1, [2, 3])]) { $0[0].matmul(weight) }.sum().backward()
      }
    }
    var calls = 0
    #expect(throws: TorchError.self) {
      try attempt {
        Recomputation.run([Tensor(filledWith: 1, [2, 4])]) { inputs in
          calls += 1
          return calls == 1
            ? inputs[0].matmul(weight) : inputs[0].matmul(Tensor(filledWith: 1, [3, 3]))
        }.sum().backward()
      }
    }
    #expect(calls == 2)
    #expect(!Recomputation.isActive)
  }

  @Test("without gradients a part runs once, and keeps nothing")
  func inference() {
    var calls = 0
    let result = withoutGradients {
      Recomputation.run([Tensor(filledWith: 2, [2])]) { inputs in
        calls += 1
        return inputs[0] * 2
      }
    }
    #expect(result.floats == [4, 4])
    #expect(calls == 1)
    #expect(!result.requiresGrad)
  }
}

private let recomputedNetworks = [
  """
  backbone: {name: densenet, blocks: [2, 3], growth: 8, stem: 16, outputStride: 8, dropRate: 0.3},
  head: {name: denseaspp, dilations: [1, 2], growth: 8, bottleneck: 16, dropout: 0.2}
  """,
  "backbone: {name: resnet18, cut: 2}, head: {name: linear}",
  "backbone: {name: mobilenet_v2, cut: 3}, head: {name: linear}",
  "backbone: {name: convnext_tiny, cut: 1}, head: {name: linear}",
  """
  backbone: {name: vit, depth: 2, width: 24, heads: 2, imageSize: 64, levels: [1], dropout: 0.2,
  dropRate: 0.3}, head: {name: linear}
  """,
]

/// The loss, every gradient and every buffer after one training step's forward and backward.
private func trainingStep(
  _ yaml: String, recomputes: Bool
) throws -> (loss: Double, gradients: [String: [Float]], buffers: [[Float]]) {
  Engine.seed(3)
  let network = try model("{\(yaml), classes: 3}")
  network.recomputeActivations(recomputes)
  network.train()
  let x = noise([2, 3, 64, 64])
  Engine.seed(4)
  let loss = network(x).pow(2).mean()
  // Random numbers drawn between forward and backward must not matter.
  if recomputes { _ = noise([7]) }
  let state = Engine.randomState.values(UInt8.self)
  loss.backward()
  #expect(Engine.randomState.values(UInt8.self) == state)
  var gradients: [String: [Float]] = [:]
  for (name, parameter) in network.parameters { gradients[name] = parameter.gradient?.floats }
  return (loss.item, gradients, network.state.filter { $0.tensor is Buffer }.map(\.tensor.floats))
}
