import Testing
import Torch

private final class Net: Layer {
  let firstConv = Conv2d(2, 4, kernel: 3)
  let body = Sequential {
    ConvNorm(4, 4)
    for _ in 0..<2 { BatchNorm2d(4) }
  }
  let extra: Linear? = nil
  let heads = [Linear(4, 2), Linear(4, 3, bias: false)]
  let odd = BatchNorm2d(1)
  private let rate = 3

  override var keys: [String: String] { ["odd": "odd.1"] }

  override func forward(_ x: Tensor) -> Tensor {
    heads[0](body(firstConv(x)).globalAvgPool2d().flattened(from: 1))
  }
}

@Suite("Modules")
struct ModuleTests {
  @Test("name their state as PyTorch does, in its order")
  func names() {
    let norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    let expected =
      ["first_conv.weight", "first_conv.bias", "body.0.0.weight"]
      + norm.map { "body.0.1.\($0)" } + norm.map { "body.1.\($0)" } + norm.map { "body.2.\($0)" }
      + ["heads.0.weight", "heads.0.bias", "heads.1.weight"] + norm.map { "odd.1.\($0)" }
    #expect(Net().state.map(\.name) == expected)
    #expect(Net().parameters.count == expected.count - 4 * 3)
  }

  @Test("report all names that do not fit at once, and change nothing then")
  func loading() throws {
    let net = Net()
    let before = net.heads[0].weight.floats
    var tensors = Dictionary(uniqueKeysWithValues: Net().state.map { ($0.name, $0.tensor) })
    tensors["heads.1.weight"] = Tensor(filledWith: 0, [5, 4])
    tensors["more"] = Tensor(1)
    tensors["first_conv.bias"] = nil
    let error = #expect(throws: LoadError.self) { try net.load(tensors) }
    #expect(error?.report.missing == ["first_conv.bias"])
    #expect(error?.report.unexpected == ["more"])
    #expect(error?.report.mismatched.map(\.name) == ["heads.1.weight"])
    #expect(net.heads[0].weight.floats == before)
    let report = try net.load(tensors, strictness: [])
    #expect(report.loaded.count == net.state.count - 2)
    #expect(net.heads[0].weight.floats == tensors["heads.0.weight"]?.floats)
  }

  @Test("that are frozen keep their statistics and have no gradients")
  func freezing() {
    let net = Net()
    net.body.freeze()
    net.train()
    let before = net.body[1].state[2].tensor.floats
    net(Tensor(filledWith: 1, [2, 2, 6, 6])).sum().backward()
    #expect(net.body[1].state[2].tensor.floats == before)
    #expect(net.firstConv.weight.gradient != nil)
    #expect(
      net.parameters.filter { $0.name.hasPrefix("body") }.allSatisfy {
        $0.parameter.gradient == nil
      })
    #expect(!net.body.isTraining && net.isTraining)
  }

  @Test("give the same result in channels-last order")
  func channelsLast() {
    let net = Net().train(false)
    let x = Tensor(uninitialized: [2, 2, 9, 7])
    x.drawNormal()
    let plain = net(x).floats
    net.useChannelsLast()
    let last = net(x.contiguous(.channelsLast)).floats
    for (a, b) in zip(plain, last) { #expect(abs(a - b) < 1e-5) }
  }

  @Test("normalize a batch of one pixel by running statistics instead of failing")
  func onePixel() {
    let norm = BatchNorm2d(3).train()
    let y = norm(Tensor(filledWith: 2, [1, 3, 1, 1]))
    #expect(y.floats.allSatisfy { abs($0 - 2) < 1e-4 })
    #expect(norm.runningVar.floats == [1, 1, 1])
    #expect(norm.numBatchesTracked.item == 0)
  }
}

@Suite("Gradients")
struct GradientTests {
  @Test(
    "of layers agree with central differences in double precision",
    arguments: ["conv", "dilated", "norm", "preact", "transposed", "dropout-off", "layernorm"])
  func differences(_ kind: String) {
    let layer: Layer =
      switch kind {
      case "conv": Conv2d(2, 3, kernel: 3, stride: 2)
      case "dilated": Conv2d(2, 3, kernel: 3, dilation: 2)
      case "norm": ConvNorm(2, 3, .hardswish)
      case "preact":
        Sequential {
          BatchNorm2d(2); ReLU(); Conv2d(2, 2)
        }
      case "transposed": ConvTranspose2d(2, 3, kernel: 2, stride: 2)
      case "layernorm": LayerNorm(2, ofImages: true)
      default:
        Sequential {
          Conv2d(2, 2); Dropout(0.5)
        }
      }
    layer.train(kind != "dropout-off")
    for (_, tensor) in layer.state where tensor.dtype == .float32 {
      tensor.adopt(tensor.detached().to(.float64))
    }
    Engine.seed(1)
    let x = Tensor(uninitialized: [2, 2, 5, 4], .float64)
    x.drawNormal()
    let weights = Tensor(uninitialized: layer(x).shape, .float64)
    weights.drawNormal()
    func loss(_ x: Tensor) -> Tensor { (layer(x) * weights).sum() }
    x.requiresGrad = true
    loss(x).backward()
    let gradient = x.gradient?.values(Double.self) ?? []
    let values = x.detached().values(Double.self)
    let step = 1e-5
    for index in stride(from: 0, to: values.count, by: 7) {
      var (low, high) = (values, values)
      low[index] -= step
      high[index] += step
      let slope = withoutGradients {
        (loss(Tensor(high, x.shape)).item - loss(Tensor(low, x.shape)).item) / (2 * step)
      }
      #expect(abs(slope - gradient[index]) < 1e-5 * max(1, abs(slope)))
    }
  }
}

@Suite("Optimizers")
struct OptimizerTests {
  private func parameter() -> [(name: String, parameter: Parameter)] {
    [("w", Parameter(Tensor([1, -2, 3] as [Float])))]
  }

  /// Three steps of f(w) = Σ w³ / 3 from (1, -2, 3).
  private func run(_ rule: OptimizerRule, rate: Double, decay: Double) -> [Float] {
    let parameters = parameter()
    let optimizer = Optimizer(
      rule, [ParameterGroup(parameters)], learningRate: rate, weightDecay: decay)
    for _ in 0..<3 {
      optimizer.clearGradients()
      (parameters[0].parameter.pow(3).sum() / 3).backward()
      optimizer.step()
    }
    return parameters[0].parameter.detached().floats
  }

  @Test("change weights as PyTorch's do")
  func steps() {
    // torch.optim on the same function, rates and decays.
    let cases: [(OptimizerRule, Double, Double, [Float])] = [
      (.sgd(), 0.01, 0.1, [0.9676822, -2.1185789, 2.7372663]),
      (.sgd(momentum: 0.9), 0.01, 5e-4, [0.9448185, -2.2322543, 2.5198154]),
      (.sgd(momentum: 0.9, nesterov: true), 0.01, 0, [0.9222155, -2.3455045, 2.344763]),
      (.adam(), 0.1, 0.01, [0.7041212, -2.300494, 2.7008669]),
      (.adamW(), 0.1, 0.01, [0.7015198, -2.294198, 2.6922104]),
      (.rmsProp(), 0.01, 0.01, [0.7886752, -2.2367163, 2.7766852]),
      (.rmsProp(momentum: 0.9), 0.01, 0.01, [0.5688334, -2.477608, 2.5465324]),
    ]
    for (rule, rate, decay, expected) in cases {
      for (own, other) in zip(run(rule, rate: rate, decay: decay), expected) {
        #expect(abs(own - other) < 2e-6, "\(rule)")
      }
    }
  }

  @Test("change groups by their own rates and decays, as PyTorch's do")
  func groups() {
    // Five steps of torch.optim on the same function of two groups, the second with a tenth of the rate
    // and no decay.
    let cases: [(OptimizerRule, Double, [Float])] = [
      (
        .sgd(momentum: 0.9, nesterov: true), 0.01,
        [0.753004, -2.7576053, 1.75089, 0.4676674, -0.2416534]
      ),
      (.adam(), 0.1, [0.5104292, -2.5022295, 2.5039551, 0.4503743, -0.2002225]),
      (.adamW(), 0.1, [0.4726747, -2.3941293, 2.3684876, 0.4504123, -0.2002225]),
      (
        .rmsProp(alpha: 0.9, momentum: 0.9), 0.01,
        [0.7022434, -2.3160279, 2.6966295, 0.4696267, -0.2194662]
      ),
    ]
    for (rule, rate, expected) in cases {
      let a = Parameter(Tensor([1, -2, 3] as [Float]))
      let b = Parameter(Tensor([0.5, -0.25] as [Float]))
      let optimizer = Optimizer(
        rule,
        [ParameterGroup([("a", a)]), ParameterGroup([("b", b)], rateFactor: 0.1, weightDecay: 0)],
        learningRate: rate, weightDecay: 0.1)
      for _ in 0..<5 {
        optimizer.clearGradients()
        let mixed = (a.sliced(0, 0, 1) * b.sliced(0, 0, 1)).sum()
        (a.pow(3).sum() / 3 + b.pow(2).sum() + mixed).backward()
        optimizer.step()
      }
      for (own, other) in zip(a.detached().floats + b.detached().floats, expected) {
        #expect(abs(own - other) < 3e-6, "\(rule)")
      }
    }
  }

  @Test(
    "go on bit for bit from a saved state",
    arguments: [
      OptimizerRule.sgd(momentum: 0.9), .adam(), .adamW(), .rmsProp(momentum: 0.9),
    ])
  func state(_ rule: OptimizerRule) throws {
    func step(_ optimizer: Optimizer, _ parameter: Parameter) {
      optimizer.clearGradients()
      (parameter.pow(3).sum() / 3).backward()
      optimizer.step()
    }
    let first = parameter()
    let whole = Optimizer(rule, [ParameterGroup(first)], learningRate: 0.01, weightDecay: 0.1)
    for _ in 0..<2 { step(whole, first[0].parameter) }
    let second: [(name: String, parameter: Parameter)] = [
      ("w", Parameter(first[0].parameter.detached().cloned()))
    ]
    let resumed = Optimizer(rule, [ParameterGroup(second)], learningRate: 0.01, weightDecay: 0.1)
    let saved = whole.state.map { ($0.name, $0.tensor.cloned()) }
    try resumed.load(Dictionary(uniqueKeysWithValues: saved))
    for _ in 0..<2 {
      step(whole, first[0].parameter)
      step(resumed, second[0].parameter)
    }
    #expect(first[0].parameter.detached().floats == second[0].parameter.detached().floats)
    #expect(throws: LoadError.self) { try resumed.load(["other/0": Tensor(1)]) }
  }

  @Test("scale gradients to a common norm")
  func clipping() {
    let parameters = parameter()
    let optimizer = Optimizer(.sgd(), [ParameterGroup(parameters)], learningRate: 1)
    (parameters[0].parameter * Tensor([3, 0, 4] as [Float])).sum().backward()
    #expect(abs(optimizer.clipGradients(to: 1) - 5) < 1e-5)
    #expect(abs((parameters[0].parameter.gradient?.norm().item ?? 0) - 1) < 1e-5)
  }
}
