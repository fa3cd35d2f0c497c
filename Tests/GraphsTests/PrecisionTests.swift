import Segmentation
import Testing

@testable import Graphs
@testable import Torch

@Suite("Reduced precision of graphs")
struct PrecisionTests {
  /// The error of a type of products against float32.
  private func error(
    _ module: Module, _ x: Tensor, _ options: Runner.Options, _ body: @escaping (Tensor) -> Tensor
  ) -> Double {
    withoutGradients {
      let plain = Runner(module, .init(keepsWeights: true), body)(x)
      return GraphsTests.error(Runner(module, options, body)(x), plain)
    }
  }

  @Test(
    "is for 1×1 convolutions beside a normalization and for matrices",
    .enabled(if: InferencePrecision.bfloat16.isSupported, "the processor lacks AVX512_BF16"))
  func layers() {
    func reduced(_ module: Module, _ x: Tensor, _ body: @escaping (Tensor) -> Tensor) -> Double {
      error(module, x, .init(precision: .bfloat16, keepsWeights: true), body)
    }
    let (x, few) = (noise([1, 160, 9, 8]), noise([1, 32, 9, 8]))
    let (unit, spatial) = (ConvNorm(160, 24, kernel: 1), ConvNorm(160, 24))
    let (classifier, matrix, small) = (
      Conv2d(160, 24), Linear(160, 24), ConvNorm(32, 24, kernel: 1)
    )
    let conv = Conv2d(32, 24), norm = BatchNorm2d(32)
    let dense = Sequential {
      conv
      norm
    }
    let spatialToMany = ConvNorm(24, 160)
    let tokens = x.flattened(from: 2).transposed(1, 2)
    for error in [
      reduced(unit, x) { unit($0) }, reduced(matrix, tokens) { matrix($0) },
      reduced(dense, few) { conv($0, after: norm) },
    ] { #expect(error > 1e-4 && error < 1e-2) }
    #expect(reduced(classifier, x) { classifier($0) } == 0)
    // Rounding a few inputs costs more than it saves.
    #expect(reduced(small, few) { small($0) } == 0)
    // So is a 3×3 convolution that others follow; the last one of a network is not rounded.
    #expect(reduced(spatial, x) { spatial($0) } == 0)
    let several = reduced(unit, x) { unit(spatialToMany(spatial($0))) }
    #expect(several > 1e-4 && several < 1e-2)
  }

  @Test("takes the ranges of a calibration, in layers of many channels")
  func calibration() throws {
    let net = Sequential {
      ConvNorm(160, 24, kernel: 1)
      ConvNorm(24, 20, kernel: 1)
      ConvNorm(20, 160)
      Conv2d(160, 5)
    }
    net.train(false)
    let first = Tensor(uninitialized: [1, 160, 20, 20])
    let second = Tensor(uninitialized: [1, 160, 20, 20])
    first.drawUniform(0, 0.5)
    second.drawUniform(-1, 1.5)
    let ranges = withoutGradients {
      Runner.calibrated(net, { net($0 + $0) }) { run in for x in [first, second] { _ = run(x) } }
    }
    #expect(ranges.layers.keys.sorted() == ["0.0", "1.0", "2.0", "3"])
    let range = ranges.layers["0.0"] ?? []
    #expect(range.count == 2 && abs(range[0] + 1) < 0.01 && abs(range[1] - 2) < 0.01)
    #expect(ranges.unknown(in: net).isEmpty)
    let means = ranges.means?["0.0"] ?? []
    #expect(means.count == 160 && means.allSatisfy { abs($0 - 0.5) < 0.3 })
    // What reads the image takes all that images may have, seen or not.
    let ofImages = withoutGradients {
      Runner.calibrated(net, image: -4...1, { net($0) }) { run in
        for x in [first, second] { _ = run(x) }
      }
    }
    let whole = ofImages.layers["0.0"] ?? []
    #expect(whole.count == 2 && whole[0] == -4 && abs(whole[1] - 1.5) < 0.01)
    #expect(
      InputRanges(
        layers: ["0.0 before its factors": [0, 1]],
        means: ["0.0": [.nan], "0.0 before its factors": [0], "3": [0], "x": [0]]
      ).unknown(in: net) == ["0.0", "x"])
    #expect(
      InputRanges(layers: ["0.0": [0, 1], "0.1": [0, 1], "1.0": [0, 1], "x": [0, 1]])
        .unknown(in: net) == ["0.1", "x"])
    for range: [Float] in [[0], [1, 0], [0, .nan], []] {
      #expect(InputRanges(layers: ["0.0": range]).unknown(in: net) == ["0.0"])
    }
  }

  @Test("what a calibration finds before factors is known where its file is read")
  func rangesBeforeFactors() {
    let first = ConvNorm(160, 160, kernel: 1), last = ConvNorm(160, 24, kernel: 1)
    let net = Sequential {
      first
      last
    }
    net.train(false)
    let x = noise([1, 160, 9, 9])
    let ranges = withoutGradients {
      Runner.calibrated(
        net,
        {
          let y = first($0)
          return last(y * y.globalAvgPool2d().sigmoid())
        }
      ) { _ = $0(x) }
    }
    let name = InputRanges.unscaled("1.0")
    #expect(ranges.layers[name] != nil && ranges.means?[name] != nil)
    #expect(ranges.unknown(in: net).isEmpty)
    let other = InputRanges.unscaled("2.0")
    #expect(
      InputRanges(layers: [other: [0, 1]], means: [other: [0]]).unknown(in: net) == [other, other])
  }

  @Test("the least squared error leaves out the ends that cost more than they are worth")
  func squares() {
    // For numbers spread evenly over 0 to 1 and one of 4, a range to r has the error N r² / (12 · 255²) + (4 − r)², which
    // is least at r = 4 / (1 + N / (12 · 255²)): 3.55 for a hundred thousand.
    var numbers = (0..<100_000).map { Float($0) / 100_000 }
    numbers.append(4)
    let high = LeastSquares(numbers, (0, 4)).range.high
    #expect(abs(high - 3.55) < 0.09, "\(high)")
    let even = LeastSquares(numbers.dropLast(), (0, 1)).range
    #expect(even.high > 0.97 && even.low == 0)
    // Nothing, one number, and equal ones.
    #expect(LeastSquares([], (0, 0)).range == (0, 0))
    #expect(LeastSquares([0, 0], (0, 0)).range == (0, 0))
    #expect(LeastSquares([-3], (-3, 0)).range.low < -2.9)
  }

  @Test(
    "biases give back what rounding weights takes from the means of outputs",
    .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"))
  func correctedBiases() {
    let first = ConvNorm(160, 24, kernel: 1)
    let unit = Sequential { first }
    unit.train(false)
    let x = Tensor(uninitialized: [1, 160, 20, 20])
    x.drawUniform(0.9, 1.1)
    let (with, without) = withoutGradients {
      let plain = Runner(unit, .init(keepsWeights: true)) { first($0) }(x)
      func meanError(_ means: [Float]?) -> Double {
        let ranges = InputRanges(layers: ["0.0": [0, 1.1]], means: means.map { ["0.0": $0] })
        let options = Runner.Options(precision: .int8, ranges: ranges, keepsWeights: true)
        let off = Runner(unit, options) { first($0) }(x) - plain
        return off.mean([0, 2, 3]).norm().item
      }
      return (meanError(x.mean([0, 2, 3]).floats), meanError(nil))
    }
    #expect(without > 1e-4 && with < without / 3, "\(with), \(without)")
  }

  @Test(
    "of bfloat16 goes by the map's size, whatever sizes came before",
    .enabled(if: InferencePrecision.bfloat16.isSupported, "the processor lacks AVX512_BF16"))
  func largeRates() {
    let net = Sequential {
      ConvNorm(3, 160, kernel: 1)
      ConvNorm(160, 64, dilation: 24)
      Conv2d(64, 5)
    }
    net.train(false)
    let (small, large) = (noise([1, 3, 32, 40]), noise([1, 3, 80, 84]))
    func runner() -> Runner {
      Runner(net, .init(precision: .bfloat16, keepsWeights: true)) { net($0) }
    }
    withoutGradients {
      let (first, second) = (runner(), runner())
      let before = (first(small).floats, first(large).floats)
      let other = second(large).floats
      #expect(second(small).floats == before.0 && other == before.1)
      #expect(GraphsTests.error(first(small), net(small)) < 2e-2)
      #expect(GraphsTests.error(first(large), net(large)) < 2e-2)
      #expect(first.profile(small)[1].way.hasPrefix("3×3, bfloat16"))
      #expect(first.profile(large)[1].way.hasPrefix("3×3, Winograd"))
    }
  }

  @Test("maps that are enlarged for a join of convolutions stay in few bits")
  func enlarged() {
    let coarse = ConvNorm(3, 64, kernel: 1), fine = ConvNorm(3, 32, kernel: 1)
    let joined = Sequential {
      ConvNorm(96, 64)
      Conv2d(64, 5)
    }
    let net = Sequential {
      coarse
      fine
      joined
    }
    net.train(false)
    let body = { (x: Tensor) -> Tensor in
      joined(
        concatenate([
          fine(x), coarse(x.avgPool2d(4, stride: 4)).resized(height: x.height, width: x.width),
        ]))
    }
    let x = noise([1, 3, 24, 40])
    let ranges = withoutGradients {
      Runner.calibrated(net, { body($0) }) { run in _ = run(x) }
    }
    for (precision, way, bound) in [
      (InferencePrecision.float32, "by rows, to its place in a join", 1e-5),
      (.bfloat16, "by rows of bfloat16, to its place in a join", 2e-2),
      (.int8, "by rows of codes, to its place in a join", 0.1),
    ] where precision == .float32 || precision.isSupported {
      let options = Runner.Options(
        precision: precision, ranges: precision == .int8 ? ranges : nil, keepsWeights: true)
      withoutGradients {
        let runner = Runner(net, options, body)
        #expect(GraphsTests.error(runner(x), body(x)) < bound)
        #expect(runner.profile(x).contains { $0.way == way }, "\(runner.profile(x).map(\.way))")
      }
    }
  }

  @Test(
    "takes whole numbers where there is a range",
    .enabled(if: InferencePrecision.int8.isSupported, "the processor has no products of codes"))
  func whole() {
    let unit = Sequential {
      ConvNorm(160, 24, kernel: 1)
      Conv2d(24, 20)
    }
    unit.train(false)
    let x = Tensor(uninitialized: [1, 160, 20, 20])
    x.drawUniform(0, 1)
    func reduced(_ ranges: InputRanges?) -> Double {
      error(unit, x, .init(precision: .int8, ranges: ranges, keepsWeights: true)) { unit($0) }
    }
    let (whole, without) = (reduced(InputRanges(layers: ["0.0": [-1, 2]])), reduced(nil))
    #expect(whole > 1e-3 && whole < 2e-2 && without < 4e-3)
  }

  @Test(
    "gives nearly the same classes",
    .enabled(
      if: InferencePrecision.bfloat16.isSupported || InferencePrecision.int8.isSupported,
      "the processor multiplies neither bfloat16 nor int8"),
    arguments: [
      "backbone: {name: densenet, blocks: [2, 3, 4], growth: 32, stem: 64, outputStride: 4}, head: {name: denseaspp, growth: 32, bottleneck: 64, dilations: [3, 6]}",
      "backbone: {name: resnet50, outputStride: 8, cut: 3}, head: {name: deeplabv3, channels: 32}",
      "backbone: {name: mit_b0}, head: {name: segformer, channels: 32}",
    ], InferencePrecision.allCases.filter { $0 != .float32 && $0.isSupported })
  func classes(_ yaml: String, _ precision: InferencePrecision) throws {
    // How near scores are depends on the draw, so that the median of several counts.
    let draws = try (0..<5).map { _ in try draw(yaml, precision) }
    let error = draws.map(\.error).sorted()[2], same = draws.map(\.same).sorted()[2]
    // Noise through drawn weights: classes are closer than in any trained network.
    #expect(error > 1e-5 && error < (precision == .int8 ? 0.15 : 0.02))
    #expect(same > (precision == .int8 ? 0.95 : 0.99))
  }

  /// The error of a drawn network's scores, and the share of pixels with the same class of those where two
  /// classes are not as good as equal.
  private func draw(_ yaml: String, _ precision: InferencePrecision) throws -> (
    error: Double, same: Double
  ) {
    let network = try RunnerTests.drawn(yaml)
    let x = noise([1, 3, 64, 96])
    func body(_ x: Tensor) -> Tensor { network.output(x).logits }
    return try attempt {
      inferenceMode {
        let ranges = Runner.calibrated(network, body) { _ = $0(x) }
        let plain = body(x)
        let found = Runner(network, .init(precision: precision, ranges: ranges), body)(x)
        let best = Operator("topk").tensors([.tensor(plain), .int(2), .int(1)])[0]
        let leads = (best.sliced(1, 0, 1) - best.sliced(1, 1, 2)).floats
        let difference = plain - plain.mean()
        let deviation = Float((difference * difference).mean().item.squareRoot())
        let (before, after) = (plain.argmax(1).floats, found.argmax(1).floats)
        let decided = leads.indices.filter { leads[$0] > 0.1 * deviation }
        let equal = decided.count { before[$0] == after[$0] }
        return (
          RunnerTests.error(found, plain), Double(equal) / Double(max(decided.count, 1))
        )
      }
    }
  }
}
