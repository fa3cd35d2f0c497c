import TestSupport
import Testing
import Torch

@Suite("Operators of training")
struct TrainingOperatorTests {
  /// The same numbers in each run: a value that rounding moves over a ReLU's kink would change a gradient.
  private final class Noise {
    private var state: UInt64 = 1

    func next() -> Float {
      (0..<4).reduce(into: -2) { sum, _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        sum += Float(state >> 40) / Float(1 << 24)
      } * 1.7
    }
  }
  private let random = Noise()

  private func noise(_ shape: [Int]) -> Tensor {
    Tensor((0..<shape.reduce(1, *)).map { _ in random.next() }, shape)
  }

  /// What `function` gives and the gradients of its inputs, computed in `type`.
  private func results(
    _ inputs: [Tensor], _ gradient: Tensor, _ type: DType, _ function: ([Tensor]) -> Tensor
  ) -> [Tensor?] {
    gradients(of: inputs.map { $0.to(type) }, gradient, function)
  }

  // MARK: convolutions

  @Test(
    "convolve with the gradients of double precision", arguments: ConvolutionCase.packed,
    Engine.kernelBuilds)
  func convolutions(_ size: ConvolutionCase, _ build: String) {
    let x = noise([size.images, size.inputs, size.height, size.width])
    let parameters = [
      noise([size.outputs, size.inputs, size.kernel, size.kernel]), noise([size.outputs]),
    ]
    func exact(_ x: [Tensor]) -> Tensor { size.sum(x[0], x[1], x[2]) }
    let own = Operator("trained_convolution", namespace: "atrous")
    let gradient = noise(withoutGradients { exact([x] + parameters) }.shape)
    let expected = results([x] + parameters, gradient, .float64, exact)
    for layout in [x, x.contiguous(.channelsLast)] {
      let found = results([layout] + parameters, gradient, .float32) {
        own($0[0], $0[1], $0[2], size.stride, size.rate, build)
      }
      for (a, b) in zip(found, expected) { #expect(largestError(a, b) < 2e-5) }
    }
  }

  @Test("have the same gradients with any number of threads, each time")
  func determinism() {
    let before = Engine.threads
    defer { Engine.threads = before }
    let net = Sequential {
      Conv2d(24, 40, kernel: 3, dilation: 2, bias: false)
      BatchNorm2d(40)
      ReLU()
      Conv2d(40, 18)
    }
    let x = noise([2, 24, 41, 30])
    func gradients(_ threads: Int) -> [[Float]] {
      Engine.threads = threads
      for entry in net.parameters { entry.parameter.gradient = nil }
      let y = net(x)
      (y * y).sum().backward()
      return [y.floats] + net.parameters.map { $0.parameter.gradient?.floats ?? [] }
    }
    let one = gradients(1)
    #expect(one.allSatisfy { !$0.isEmpty })
    for threads in [1, 2, 3] { #expect(gradients(threads) == one) }
  }

  // MARK: normalizations

  @Test(
    "normalize, add and rectify with the gradients of double precision",
    arguments: [[2, 17, 5, 3], [1, 64, 16, 16], [4, 100, 9, 31], [3, 5, 1, 2]], [0, 1, 2, 3])
  func normalizations(_ shape: [Int], _ form: Int) {
    let (adds, rectifies) = (form & 1 == 1, form & 2 == 2)
    let channels = shape[1]
    // Far from zero, where squares lose digits.
    let x = noise(shape) * 2 + 20
    let inputs = [x, noise([channels]), noise([channels])] + (adds ? [noise(shape)] : [])
    let statistics = [noise([channels]), noise([channels]).exp()]
    func exact(_ x: [Tensor], _ statistics: [Tensor]) -> Tensor {
      let y = x[0].batchNorm(
        weight: x[1], bias: x[2], runningMean: statistics[0], runningVar: statistics[1],
        training: true, momentum: 0.1, eps: 1e-5)
      let sum = adds ? y + x[3] : y
      return rectifies ? sum.relu() : sum
    }
    let own = Operator("trained_norm", namespace: "atrous")
    let gradient = noise(shape)
    let running = statistics.map { $0.to(.float64) }
    let expected = results(inputs, gradient, .float64) { exact($0, running) }
    for layout in [x, x.contiguous(.channelsLast)] {
      let kept = statistics.map { $0 * 1 }
      let found = results([layout] + inputs.dropFirst(), gradient, .float32) {
        own($0[0], $0[1], $0[2], adds ? $0[3] : nil, kept[0], kept[1], 0.1, 1e-5, rectifies)
      }
      for (a, b) in zip(found, expected) { #expect(largestError(a, b) < 1e-5) }
      for (a, b) in zip(kept, running) { #expect(largestError(a, b) < 1e-6) }
    }
  }

  // MARK: cascades

  /// The layers one by one.
  private func composed(
    _ x: Tensor, _ parameters: [Tensor], _ statistics: [Tensor], _ rates: [Int], prepends: Bool
  ) -> Tensor {
    func unit(_ x: Tensor, _ p: [Tensor], _ s: [Tensor], _ rate: Int) -> Tensor {
      let padding = p[2].size(2) / 2 * rate
      return x.batchNorm(
        weight: p[0], bias: p[1], runningMean: s[0], runningVar: s[1], training: true,
        momentum: 0.1, eps: 1e-5
      ).relu().conv2d(p[2], padding: [padding, padding], dilation: [rate, rate])
    }
    var x = x
    for (layer, rate) in rates.enumerated() {
      let p = Array(parameters[6 * layer..<6 * layer + 6])
      let s = Array(statistics[4 * layer..<4 * layer + 4])
      let y = unit(
        unit(x, Array(p[..<3]), Array(s[..<2]), 1), Array(p[3...]), Array(s[2...]), rate)
      x = concatenate(prepends ? [y, x] : [x, y])
    }
    return x
  }

  @Test(
    "run a dense cascade with the gradients of double precision", arguments: [false, true],
    [(40, 48, 20, [1, 2, 3], [2, 40, 9, 7]), (64, 128, 32, [2, 2, 2], [1, 64, 12, 10])])
  func cascades(
    _ prepends: Bool, _ size: (inputs: Int, middle: Int, growth: Int, rates: [Int], shape: [Int])
  ) {
    let seen = size.rates.indices.map { size.inputs + $0 * size.growth }
    let parameters = seen.flatMap { width in
      [
        noise([width]).exp(), noise([width]), noise([size.middle, width, 1, 1]) * 0.1,
        noise([size.middle]).exp(), noise([size.middle]),
        noise([size.growth, size.middle, 3, 3]) * 0.05,
      ]
    }
    let statistics = seen.flatMap { width in
      [width, size.middle].flatMap { [noise([$0]), noise([$0]).exp()] }
    }
    let x = noise(size.shape) + 0.5
    let running = statistics.map { $0.to(.float64) }
    let gradient = noise(
      [size.shape[0], size.inputs + size.growth * size.rates.count] + size.shape[2...])
    let expected = results([x] + parameters, gradient, .float64) {
      composed($0[0], Array($0.dropFirst()), running, size.rates, prepends: prepends)
    }
    let kept = statistics.map { $0 * 1 }
    let norms = 2 * size.rates.count
    let own = Operator("trained_cascade", namespace: "atrous")
    let found = results([x] + parameters, gradient, .float32) {
      own(
        $0[0], Array($0.dropFirst()), kept, size.rates, [Double](repeating: 0.1, count: norms),
        [Double](repeating: 1e-5, count: norms), prepends)
    }
    for (a, b) in zip(found, expected) { #expect(largestError(a, b) < 5e-5) }
    for (a, b) in zip(kept, running) { #expect(largestError(a, b) < 1e-5) }
  }

  @Test("refuse what they have no kernels for")
  func refusals() {
    let convolution = Operator("trained_convolution", namespace: "atrous")
    let norm = Operator("trained_norm", namespace: "atrous")
    let cascade = Operator("trained_cascade", namespace: "atrous")
    let none = Tensor?.none
    let (x, one) = (noise([1, 16, 5, 5]), noise([16]))
    for call in [
      { convolution(x, noise([16, 8, 3, 3]), none, 1, 1) },
      { convolution(x, noise([16, 16, 5, 5]), none, 1, 1) },
      { convolution(x, noise([16, 16, 3, 3]), none, 2, 1) },
      { convolution(x, noise([16, 16, 3, 3]), none, 1, 0) },
      { convolution(x, noise([16, 16, 3, 3]), noise([3]), 1, 1) },
      { convolution(x.to(.float64), noise([16, 16, 3, 3]).to(.float64), none, 1, 1) },
      { norm(x, noise([15]), one, none, none, none, 0.1, 1e-5, true) },
      { norm(x, one, one, noise([1, 16, 5, 4]), none, none, 0.1, 1e-5, true) },
      { norm(x, one, one, none, noise([3]), noise([3]), 0.1, 1e-5, true) },
      { norm(noise([1, 16, 1, 1]), one, one, none, none, none, 0.1, 1e-5, true) },
      { cascade(x, [one], [Tensor](), [1], [0.1, 0.1], [1e-5, 1e-5], false) },
      {
        cascade(
          x, [one, one, noise([16, 16, 3, 3]), one, one, noise([16, 16, 3, 3])], [Tensor](), [1],
          [0.1, 0.1], [1e-5, 1e-5], false)
      },
    ] as [() -> Tensor] {
      #expect(throws: TorchError.self) { try attempt { call() } }
    }
  }
}
