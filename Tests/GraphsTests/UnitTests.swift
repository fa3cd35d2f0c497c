import TestSupport
import Testing

@testable import Graphs
@testable import Torch

@Suite("Units of graphs")
struct UnitTests {
  @Test("give what the direct sum in double precision gives", arguments: ConvolutionCase.dense)
  func convolutions(_ size: ConvolutionCase) {
    let (conv, x) = (size.layer, size.image)
    withoutGradients {
      let y = size.sum(x.to(.float64), conv.weight, conv.bias)
      let run = runner(conv) { conv($0) }
      #expect(error(run(x), y) < 2e-5)
      #expect(error(run(x.contiguous(.channelsLast)), y) < 2e-5)
      // Some channels of a larger map.
      let larger = concatenate([noise(x.shape), x]).contiguous(.channelsLast)
      let part = runner(conv) { conv($0.sliced(1, size.inputs, 2 * size.inputs)) }
      #expect(error(part(larger), y) < 2e-5)
    }
  }

  @Test("fold normalizations, sums and activations", arguments: Activation.allCases, [1, 3, 5])
  func units(_ activation: Activation, _ kernel: Int) {
    let (conv, before, norm) = (
      Conv2d(20, 24, kernel: kernel, bias: false), BatchNorm2d(20), BatchNorm2d(24)
    )
    for module in [before, norm] {
      withoutGradients {
        module.runningMean.drawNormal()
        module.runningVar.drawUniform(0.5, 2)
        module.weight.drawNormal()
        module.bias.drawNormal()
      }
    }
    let net = Sequential {
      conv
      before
      norm
    }
    net.train(false)
    let (x, shortcut) = (noise([2, 20, 9, 7]), noise([2, 24, 9, 7]))
    let units: [(Tensor) -> Tensor] = [
      { conv($0, norm, activation) }, { conv($0, norm, adding: shortcut, activation) },
      { conv($0, after: before) },
      { conv($0, after: before, norm, adding: shortcut, activation) },
    ]
    withoutGradients {
      for unit in units { #expect(error(runner(net, unit)(x), unit(x)) < 1e-5) }
    }
  }

  @Test("read maps whose pixels are spaced", arguments: [512, 1024], [[1, 1], [7, 6]])
  func spacing(_ channels: Int, _ sides: [Int]) {
    let net = Sequential {
      Conv2d(16, channels, kernel: 1)
      Conv2d(channels, channels, kernel: 3, groups: channels)
      Conv2d(channels, 24, kernel: 3)
      Conv2d(24, channels, kernel: 3, dilation: 2)
      Conv2d(channels, 24, kernel: 3, stride: 2)
    }
    net.train(false)
    let x = noise([2, 16] + sides)
    withoutGradients { #expect(error(runner(net) { net($0) }(x), net(x)) < 1e-5) }
  }

  @Test("scale channels on the way in", arguments: [1, 2])
  func scaling(_ images: Int) {
    let (conv, before) = (Conv2d(20, 24), BatchNorm2d(20))
    let net = Sequential {
      conv
      before
    }
    net.train(false)
    let (x, scale) = (noise([images, 20, 9, 7]), noise([images, 20, 1, 1]))
    let units: [(Tensor) -> Tensor] = [
      { conv($0, scaledBy: scale, nil, .relu) },
      { conv($0, after: before, scaledBy: scale, nil, adding: conv($0)) },
    ]
    withoutGradients {
      #expect(error(units[0](x), conv(scale * x).relu()) < 1e-6)
      for unit in units { #expect(error(runner(net, unit)(x), unit(x)) < 1e-5) }
    }
  }

  @Test("work along the last dimension")
  func matrices() {
    let layer = Linear(35, 18)
    let x = noise([2, 7, 35])
    withoutGradients {
      let run = runner(layer) { layer($0) }
      #expect(error(run(x), layer(x)) < 1e-6)
      #expect(error(run(x.transposed(0, 1)), layer(x).transposed(0, 1)) < 1e-6)
    }
  }

  @Test("add to products before the activation", arguments: Activation.allCases)
  func products(_ activation: Activation) {
    let layer = Linear(35, 18)
    let (x, shortcut) = (noise([2, 7, 35]), noise([7, 2, 18]).transposed(0, 1))
    withoutGradients {
      let run = runner(layer) { layer($0, adding: shortcut, activation) }
      #expect(error(run(x), layer(x, adding: shortcut, activation)) < 1e-6)
      let alone = runner(layer) { activation(layer($0)) }
      #expect(error(alone(x), activation(layer(x))) < 1e-6)
    }
  }

  @Test("follow large expansions by rows", arguments: [1, 2])
  func expansions(_ stride: Int) throws {
    let expand = ConvNorm(8, 72, kernel: 1, .relu6)
    let unit = ConvNorm(72, 72, stride: stride, groups: 72, .hardswish)
    let net = Sequential {
      expand
      unit
    }
    net.train(false)
    try withoutGradients {
      for norm in [expand.norm, unit.norm].compactMap({ $0 as? BatchNorm2d }) {
        norm.runningMean.drawNormal()
        norm.runningVar.drawUniform(0.5, 2)
      }
      // The weights are given back once, and both forms are made of the same kernels.
      let images = [130, 9, 131].map { noise([1, 8, $0, $0 + 1]) }
      let expected = images.map { net($0) }
      // More than stays in the caches, and less.
      for (size, isByRows) in [(130, true), (9, false)] {
        let x = noise([1, 8, size, size + 1])
        let graph = try Graph(recording: net, input: x.shape) { net($0) }.optimized(
          without: [], .init())
        #expect((graph.nodes[0].kind == Unit.byRows) == isByRows)
        #expect(largestError(runner(net) { net($0) }(x), net(x)) < 1e-5)
      }
      let run = Runner(net) { net($0) }
      for (x, y) in zip(images, expected) { #expect(largestError(run(x), y) < 1e-5) }
    }
  }

  @Test(
    "follow expansions whose normalization is part of the weights, as in files of other programs")
  func foldedExpansions() throws {
    let expand = Conv2d(8, 72), depthwise = Conv2d(72, 72, kernel: 3, groups: 72)
    let net = Sequential {
      expand
      depthwise
    }
    net.train(false)
    func body(_ x: Tensor) -> Tensor { depthwise(expand(x).relu6()).relu6() }
    let x = noise([1, 8, 130, 131])
    try withoutGradients {
      let graph = try Graph(recording: net, input: x.shape, .float32, body)
      #expect(graph.optimized(without: [], .init()).nodes.map(\.kind) == [Unit.byRows])
      #expect(largestError(runner(net, body)(x), body(x)) < 1e-5)
    }
  }

  @Test("lead from depthwise ones by rows as long as these stay in the caches")
  func projections() throws {
    let expand = ConvNorm(8, 72, kernel: 1, .relu6)
    let unit = ConvNorm(72, 72, kernel: 3, padding: 1, groups: 72, .relu6)
    let project = ConvNorm(72, 8, kernel: 1, .none)
    let net = Sequential {
      expand
      unit
      project
    }
    net.train(false)
    let (rows, apart) = (Unit.byRows, Unit.convolution)
    func residual(_ x: Tensor) -> Tensor { project(unit(expand(x))) + x }
    func separable(_ x: Tensor) -> Tensor { project(unit(x)) }
    func twice(_ x: Tensor) -> Tensor { concatenate([project(unit(x)), project(unit(x))]) }
    let small = [1, 8, 130, 131], wide = [1, 8, 30, 1000], maps = [1, 72, 130, 131]
    try withoutGradients {
      for norm in [expand.norm, unit.norm, project.norm].compactMap({ $0 as? BatchNorm2d }) {
        norm.runningMean.drawNormal()
        norm.runningVar.drawUniform(0.5, 2)
      }
      for (shape, kinds, body) in [
        (small, [rows], { net($0) }), (small, [rows], residual), (wide, [rows, apart], residual),
        ([1, 8, 9, 10], [apart, apart, apart], residual), (maps, [rows], separable),
        ([1, 72, 9, 10], [apart, apart], separable), (maps, [rows, rows, "cat"], twice),
      ] as [([Int], [String], (Tensor) -> Tensor)] {
        let x = noise(shape)
        let graph = try Graph(recording: net, input: shape, .float32, body)
        #expect(graph.optimized(without: [], .init()).nodes.map(\.kind) == kinds)
        #expect(largestError(runner(net, body)(x), body(x)) < 1e-5)
      }
      // The weights are given back once, and serve both forms.
      let images = [small, wide, [2, 8, 9, 10]].map { noise($0) }
      let expected = images.map(residual)
      let run = Runner(net) { residual($0) }
      for (x, y) in zip(images, expected) { #expect(largestError(run(x), y) < 1e-5) }
    }
  }

  @Test(
    "compute few inputs by rows in bfloat16, and read and write that",
    .enabled(if: InferencePrecision.bfloat16.isSupported, "the processor lacks AVX512_BF16"))
  func expansionsOfHalves() {
    for (inputs, isByRows) in [(16, true), (48, false)] {
      let first = ConvNorm(3, inputs, kernel: 3, padding: 1)
      let expand = ConvNorm(inputs, 72, kernel: 1)
      let depthwise = ConvNorm(72, 72, kernel: 3, stride: 2, padding: 1, groups: 72)
      let last = ConvNorm(72, 16, kernel: 1)
      let classifier = Conv2d(16, 5, kernel: 1)
      let net = Sequential {
        first
        expand
        depthwise
        last
        classifier
      }
      net.train(false)
      let x = noise([1, 3, 131, 130])
      withoutGradients {
        let run = Runner(
          net, Runner.Options(precision: .bfloat16, keepsWeights: true)
        ) { net($0) }
        let ways = run.profile(x).map(\.way)
        #expect(ways.contains("1×1, depthwise by rows") == isByRows)
        #expect(!ways.contains { $0.contains("to float32") })
        // Weights are given back at the first size, and serve the others.
        let images = [noise([1, 3, 9, 10]), x, noise([1, 3, 129, 140])]
        let expected = images.map { net($0) }
        let found = images.map { run($0) }
        let once = Runner(net, Runner.Options(precision: .bfloat16)) { net($0) }
        for (image, (y, exact)) in zip(images, zip(found, expected)) {
          let deviation = exact.standardDeviation(correction: 0).item
          #expect(largestError(y, exact) < 0.1 * deviation)
          #expect(largestError(once(image), y) == 0)
        }
      }
    }
  }

  @Test("split joins at some sizes and not at others, with the weights given back")
  func changingProjections() throws {
    let narrow = ConvNorm(16, 8, kernel: 1), fusion = ConvNorm(24, 16, kernel: 1)
    let last = Conv2d(16, 4)
    let net = Sequential {
      narrow
      fusion
      last
    }
    net.train(false)
    func body(_ x: Tensor) -> Tensor {
      // Of one pixel nothing is enlarged.
      let small = narrow(x.globalAvgPool2d()).resized(height: x.height, width: x.width)
      return last(fusion(concatenate([x, small])))
    }
    let images = [noise([1, 16, 1, 1]), noise([1, 16, 5, 4]), noise([2, 16, 1, 1])]
    try withoutGradients {
      let expected = images.map(body)
      let run = Runner(net) { body($0) }
      for (x, y) in zip(images, expected) {
        let found = try attempt { run(x) }
        #expect(error(found, y) < 1e-5)
      }
    }
  }

  @Test("add, activate and stand alone by channel", arguments: ConvolutionCase.depthwise)
  func depthwise(_ size: ConvolutionCase) {
    let (x, conv, norm) = (size.image, size.layer, BatchNorm2d(size.outputs))
    withoutGradients {
      norm.runningMean.drawNormal()
      norm.runningVar.drawUniform(0.5, 2)
    }
    let net = Sequential {
      conv
      norm
    }
    net.train(false)
    withoutGradients {
      let shortcut = noise(conv(x).shape)
      let units: [(Tensor) -> Tensor] = [
        { conv($0) }, { conv($0, norm, .hardswish) },
        { conv($0, norm, adding: shortcut, .relu6) },
      ]
      for unit in units {
        let run = runner(net, unit)
        for layout in [x, x.contiguous(.channelsLast)] {
          #expect(largestError(run(layout), unit(x)) < 1e-5)
        }
      }
    }
  }

  @Test("give their weights back once they are packed, and take others")
  func releasing() throws {
    let net = Sequential {
      Conv2d(16, 16, kernel: 3)
      BatchNorm2d(16)
      Conv2d(16, 16, kernel: 3, groups: 16)
      Conv2d(16, 16, kernel: 3, stride: 2)
      ConvTranspose2d(16, 20, kernel: 2, stride: 2)
      Function { $0.permuted(0, 2, 3, 1) }
      Linear(20, 5)
    }
    net.train(false)
    let x = noise([1, 16, 8, 8])
    let expected = withoutGradients { net(x) }
    let weights = withoutGradients {
      Dictionary(uniqueKeysWithValues: net.state.map { ($0.name, $0.tensor.detached() * 1) })
    }
    inferenceMode {
      let run = Runner(net) { net($0) }
      for _ in 0..<2 { #expect(error(run(x), expected) < 1e-5) }
      // Of another size, without the weights.
      #expect(run(noise([2, 16, 6, 10])).shape == [2, 6, 10, 5])
    }
    let kernels = net.parameters.filter { $0.parameter.rank > 1 }
    #expect(kernels.allSatisfy { $0.parameter.isReleased })
    #expect(net.state.allSatisfy { $0.tensor.shape == weights[$0.name]?.shape })

    // What needs the weights says that they are gone.
    let uses: [() -> Void] = [{ net.train() }, { _ = net(x) }]
    for use in uses {
      let error = #expect(throws: TorchError.self) { try attempt { use() } }
      #expect(error?.description.contains("given back") == true)
    }
    try net.load(weights)
    #expect(kernels.allSatisfy { !$0.parameter.isReleased })
    #expect(error(withoutGradients { net(x) }, expected) < 1e-6)
    net(x).sum().backward()
    #expect(net[0].parameters.allSatisfy { $0.parameter.gradient != nil })
  }

  @Test("keep weights that another operator reads, and those that constants are made of")
  func shared() throws {
    let conv = Conv2d(16, 16, kernel: 3), matrix = Linear(16, 16)
    let net = Sequential {
      conv
      matrix
    }
    net.train(false)
    func body(_ x: Tensor) -> Tensor {
      conv(conv(x))
        + x.permuted(0, 2, 3, 1).linear(matrix.weight.sliced(0, 0, 16) * 2)
        .permuted(0, 3, 1, 2)
    }
    let x = noise([1, 16, 8, 8])
    inferenceMode {
      let expected = body(x)
      let run = Runner(net) { body($0) }
      #expect(error(run(x), expected) < 1e-5)
      #expect(error(body(x), expected) < 1e-5)
    }
  }

  @Test("enlarge maps by transposed convolutions, into joins too", arguments: [(2, 5), (3, 20)])
  func enlarging(_ scale: Int, _ outputs: Int) {
    let layer = ConvTranspose2d(18, outputs, kernel: scale, stride: scale)
    let x = noise([2, 18, 5, 4])
    withoutGradients {
      #expect(error(runner(layer) { layer($0) }(x), layer(x)) < 1e-6)
      func joined(_ x: Tensor) -> Tensor {
        let larger = x.resized(height: 5 * scale, width: 4 * scale)
        return concatenate([larger, layer(x), larger])
      }
      #expect(error(runner(layer, joined)(x), joined(x)) < 1e-6)
    }
  }

  @Test("write joins, joins of joins and maps that are joined twice to their places")
  func joins() {
    let a = Conv2d(16, 16, kernel: 3), b = Conv2d(16, 16), norm = BatchNorm2d(16)
    norm.bias.drawNormal()
    let net = Sequential {
      a
      b
      norm
    }
    net.train(false)
    let x = noise([2, 16, 6, 5])
    let bodies: [(Tensor) -> Tensor] = [
      { concatenate([a($0), b($0), norm($0)]) },
      { concatenate([a($0), concatenate([b($0), $0])]) },
      { x in
        let y = concatenate([x, a(x)])
        let z = concatenate([b(y.sliced(1, 16, 32)), y])
        return concatenate([z, a(z.sliced(1, 0, 16)), z])
      },
      { x in
        let y = a(x)
        return concatenate([concatenate([y, b(x)]), concatenate([b(x), y])])
      },
      { x in
        let y = a(x)
        return concatenate([y, y, x.relu()])
      },
      // Written over what is added, but not where that is read again.
      { x in
        let y = a(x)
        return a(b(x), adding: y) + y
      },
      { x in
        let y = a(x)
        let z = a(b(x), adding: y, .relu)
        return a(z, adding: z)
      },
      { x in
        let y = a(x)
        let view = y.permuted(0, 2, 3, 1)
        return a(b(x), adding: y).permuted(0, 2, 3, 1) + view
      },
    ]
    withoutGradients {
      for body in bodies { #expect(error(runner(net, body)(x), body(x)) < 1e-5) }
    }
  }

  @Test(
    "write to other maps what they give otherwise",
    arguments: ConvolutionCase.dense.filter { $0.stride == 1 })
  func destinations(_ size: ConvolutionCase) {
    let (conv, x) = (size.layer, size.image)
    let norm = BatchNorm2d(size.outputs)
    norm.bias.drawNormal()
    let net = Sequential {
      conv
      norm
    }
    net.train(false)
    withoutGradients {
      let alone = runner(net) { conv($0, norm, .relu) }
      let joined = runner(net) { concatenate([conv($0, norm, .relu), $0, conv($0)]) }
      #expect(joined(x).sliced(1, 0, size.outputs).floats == alone(x).floats)
    }
  }
}
