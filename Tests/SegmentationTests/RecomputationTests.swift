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

  @Test("explanations keep inputs only, too: a layer runs again for gradients, and once without")
  func evaluation() throws {
    let counted = CountedLayer()
    counted.train(false)
    counted.recomputeActivations()
    let x = noise([1, 3, 4, 4])
    x.requiresGrad = true
    counted(x).sum().backward()
    #expect(counted.runs == 2)
    #expect(try #require(x.gradient).floats == withoutGradients { (x * 2).floats })
    withoutGradients { _ = counted(x) }
    #expect(counted.runs == 3)
  }

  @Test("the input's gradients in evaluation are the same")
  func sameInputGradients() throws {
    for yaml in recomputedNetworks {
      let network = try model("{\(yaml), classes: 3}")
      network.train(false)
      let image = noise([1, 3, 64, 64])
      let gradients = try [false, true].map { recomputes in
        network.recomputeActivations(recomputes)
        let x = image.cloned()
        x.requiresGrad = true
        network(x).pow(2).mean().backward()
        return try #require(x.gradient).floats
      }
      let size = gradients[0].map(\.magnitude).max() ?? 0
      #expect(size > 0, "\(yaml)")
      for (a, b) in zip(gradients[0], gradients[1]) {
        #expect(abs(a - b) <= 1e-5 * size, "\(yaml)")
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
    let error = #expect(throws: TorchError.self) {
      try attempt {
        Recomputation.run([Tensor(filledWith: 1, [2, 4])]) { inputs in
          calls += 1
          return calls == 1
            ? inputs[0].matmul(weight) : inputs[0].matmul(Tensor(filledWith: 1, [3, 3]))
        }.sum().backward()
      }
    }
    #expect(calls == 2)
    let text = error.map { "\($0)" } ?? ""
    #expect(text.contains("matmul([2, 4], [3, 3])"), "\(text)")
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

/// Squares, and counts how often.
private final class CountedLayer: Layer, RecomputableLayer {
  var runs = 0
  override func forward(_ x: Tensor) -> Tensor {
    runs += 1
    return x.pow(2)
  }
}

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
