import Segmentation
import TestSupport
import Testing

@testable import Graphs
@testable import Torch

@Suite("Runners")
struct RunnerTests {
  static let networks = [
    "backbone: {name: densenet, blocks: [2, 2, 2, 2], growth: 8, stem: 16}, head: {name: fcn, channels: 16}",
    "backbone: {name: resnet18, deepStem: true}, head: {name: fcn, channels: 16}",
    "backbone: {name: resnet50, outputStride: 8, cut: 3}, head: {name: deeplabv3, channels: 16}",
    "backbone: {name: mobilenet_v2}, head: {name: fcn, channels: 16}",
    "backbone: {name: mobilenet_v3_small}, head: {name: lraspp, channels: 16}",
    "backbone: {name: efficientnet_lite0, outputStride: 16}, head: {name: deeplabv3plus, channels: 16, projection: 3}",
    "backbone: {name: resnet18, outputStride: 4, multiGrid: [1, 2]}, head: {name: pspnet, channels: 16}",
    "backbone: {name: densenet, blocks: [2, 2, 3], growth: 16, stem: 16, outputStride: 4}, head: {name: denseaspp, growth: 16, bottleneck: 32, dilations: [3, 6, 24]}",
    "backbone: {name: densenet, blocks: [2, 2], growth: 16, stem: 16, outputStride: 4, finalTransition: true}, head: {name: denseaspp, official: true}",
    "backbone: {name: unet, widths: [8, 16, 32]}, head: {name: linear}",
    "backbone: {name: unet, widths: [16, 32], bilinear: true}, head: {name: linear}",
    "backbone: {name: mit_b0}, head: {name: segformer, channels: 32}",
    "alignCorners: true, backbone: {name: mit_b0, width: 24}, head: {name: segformer, channels: 20}",
    "backbone: {name: mit_b0}, head: {name: segformer, channels: 32, interpolation: bicubic}",
    "backbone: {name: swin_t, depths: [2, 1, 1, 1], heads: [1, 1, 1, 1], width: 16, window: 4}, head: {name: upernet, channels: 16}",
    "backbone: {name: convnext_tiny, cut: 3}, head: {name: upernet, channels: 16}",
    "backbone: {name: vit, outputStride: 16, depth: 2, width: 32, heads: 2, imageSize: 64x32}, head: {name: fcn, channels: 16}",
    "backbone: {name: vit, outputStride: 16, depth: 4, width: 32, heads: 2}, head: {name: dpt, channels: 16}",
    "backbone: {name: vit, outputStride: 16, depth: 4, width: 32, heads: 2}, head: {name: segmenter}",
    "backbone: {name: resnet18, outputStride: 8}, head: {name: encnet, channels: 16}",
    "backbone: {name: resnet18, outputStride: 32}, head: {name: fastfcn}",
    "backbone: {name: resnet18, outputStride: 8}, head: {name: nonlocal, channels: 16}",
    "backbone: {name: resnet18, outputStride: 8}, head: {name: ann, channels: 16}",
    "backbone: {name: resnet18, outputStride: 8}, head: {name: danet, channels: 16}",
    "backbone: {name: efficientnet_b0, padding: fixed, outputStride: 16, contractDilation: false, lastConvolution: false, stemMap: true}, head: {name: deeplabv3plus, channels: 16}",
    "backbone: {name: vgg11_bn}, head: {name: unet, center: true, channels: [16, 16, 8, 8, 4]}",
    "backbone: {name: xception41, outputStride: 16}, head: {name: deeplabv3plus, channels: 16}",
  ]

  /// The network of a line with weights that keep the scale of maps.
  static func drawn(_ yaml: String) throws -> SegmentationModel {
    let network = try model("{classes: 5, \(yaml)}")
    for (_, parameter) in network.parameters where parameter.rank > 1 {
      let inputs = parameter.shape.dropFirst().reduce(1, *)
      parameter.drawNormal(deviation: (2 / Double(inputs)).squareRoot())
    }
    network.train(false)
    return network
  }

  /// The root of the mean squared difference in deviations of what is expected.
  static func error(_ found: Tensor, _ expected: Tensor) -> Double {
    guard found.shape == expected.shape else { return .infinity }
    let difference = found - expected
    let centred = expected - expected.mean().item
    return ((difference * difference).mean().item / (centred * centred).mean().item).squareRoot()
  }

  /// How far scores may be from the network's own; where a softmax of large products chooses among
  /// positions, rounding counts many times as much.
  static func bound(_ yaml: String) -> Double { yaml.contains("name: ann") ? 0.02 : 5e-5 }

  @Test(
    "give a network's scores, with each pass left out and with some of them", arguments: networks)
  func passes(_ yaml: String) throws {
    let network = try Self.drawn(yaml)
    let x = noise([1, 3, 64, 96])
    try attempt {
      try inferenceMode {
        let expected = network.output(x).logits
        let graph = try Graph(recording: network, input: x.shape) { network.output($0).logits }
        func kinds(_ off: Set<String>) -> [String] {
          graph.optimized(without: off, .init()).nodes.map { "\($0.kind) \($0.inputs.map(\.name))" }
        }
        let all = kinds([])
        // A pass that finds nothing to do has nothing to be left out.
        let single = Pass.names.filter { Pass.planNames.contains($0) || kinds([$0]) != all }
        var numbers = SeededNumbers(yaml.count)
        let some = (0..<2).map { _ in
          Set(Pass.names.filter { _ in Bool.random(using: &numbers) })
        }
        for off in [[]] + single.map({ [$0] }) + some + [Set(Pass.names)] {
          let runner = Runner(network, .init(keepsWeights: true, without: off)) {
            network.output($0).logits
          }
          #expect(Self.error(runner(x), expected) < Self.bound(yaml), "without \(off.sorted())")
        }
      }
    }
  }

  @Test("take any size and number of images, and give weights back", arguments: networks)
  func sizes(_ yaml: String) throws {
    let network = try Self.drawn(yaml)
    try attempt {
      inferenceMode {
        let images = [[1, 3, 64, 96], [2, 3, 71, 45], [1, 3, 64, 96]].map(noise)
        let expected = images.map { network.output($0).logits }
        let runner = Runner(network) { network.output($0).logits }
        for (x, scores) in zip(images, expected) {
          #expect(Self.error(runner(x), scores) < Self.bound(yaml))
        }
        // The same image once more gives the same bits.
        #expect(runner(images[0]).floats == runner(images[0]).floats)
      }
    }
  }

  @Test(
    "give weights back at a small size and take a large one in bfloat16, whose kernels have the same forms",
    .enabled(if: InferencePrecision.bfloat16.isSupported, "the processor lacks AVX512_BF16"),
    arguments: networks)
  func sizesOfHalves(_ yaml: String) throws {
    let network = try Self.drawn(yaml)
    // Expansions of the large one are larger than what stays in the caches.
    let images = [noise([1, 3, 64, 96]), noise([1, 3, 320, 448])]
    try attempt {
      inferenceMode {
        let kept = Runner(network, .init(precision: .bfloat16, keepsWeights: true)) {
          network.output($0).logits
        }
        let expected = images.map { kept($0) }
        let once = Runner(network, .init(precision: .bfloat16)) { network.output($0).logits }
        for (x, y) in zip(images, expected) { #expect(once(x).floats == y.floats) }
      }
    }
  }

  @Test("give what small networks of random operators give, with any passes", arguments: 0..<40)
  func random(_ seed: Int) throws {
    let network = RandomNetwork(seed: seed)
    network.train(false)
    var numbers = SeededNumbers(seed &+ 1)
    try attempt {
      inferenceMode {
        for shape in [[1, 16, 9, 14], [2, 16, 6, 5]] {
          let x = noise(shape)
          let expected = network(x)
          for turn in 0..<3 {
            let off =
              turn == 0
              ? [] : Set(Pass.names.filter { _ in Int.random(in: 0..<4, using: &numbers) == 0 })
            let runner = Runner(network, .init(keepsWeights: true, without: off)) { network($0) }
            #expect(Self.error(runner(x), expected) < 1e-4, "\(shape) without \(off.sorted())")
          }
        }
      }
    }
  }

  private final class Kinds: OperatorObserver {
    var names: [String] = []
    func observe(_ call: OperatorCall) { names.append(call.name) }
  }

  @Test("pack weights once for all sizes, in memory that images do not take")
  func packing() throws {
    let network = try Self.drawn(Self.networks[2])
    let kinds = Kinds()
    inferenceMode {
      let runner = Runner(network) { network.output($0).logits }
      _ = runner(noise([1, 3, 64, 64]))
      #expect(network.parameters.contains { $0.parameter.isReleased })
      observing(kinds) {
        _ = runner(noise([1, 3, 96, 64]))
        _ = runner(noise([1, 3, 64, 64]))
      }
    }
    #expect(!kinds.names.contains { $0.hasPrefix("pack") || $0 == "conv2d" || $0 == "batch_norm" })
    #expect(throws: TorchError.self) {
      try attempt { _ = inferenceMode { network(noise([1, 3, 64, 64])) } }
    }
  }

  @Test("copy no map of a dense cascade but the first blocks'")
  func copies() throws {
    let network = try Self.drawn(Self.networks[7])
    let kinds = Kinds()
    inferenceMode {
      let x = noise([1, 3, 64, 96])
      let runner = Runner(network) { network.output($0).logits }
      _ = runner(x)
      observing(kinds) { _ = runner(x) }
    }
    #expect(kinds.names.filter { ["copy_", "batch_norm", "cat"].contains($0) } == ["copy_"])
  }

  /// A dense block as files have it: each layer joins all maps anew.
  private final class Flat: Layer {
    let first = Conv2d(3, 16, kernel: 3), last = Conv2d(64, 5)
    let layers = (1...3).map { Conv2d(16 * $0, 16, kernel: 3) }

    override func forward(_ x: Tensor) -> Tensor {
      var maps = [first(x)]
      for layer in layers {
        maps.append(layer((maps.count == 1 ? maps[0] : concatenate(maps)).relu()))
      }
      return last(concatenate(maps).relu())
    }
  }

  @Test("copy no map of a dense block that joins all maps anew but the first")
  func flatCopies() throws {
    let network = Flat()
    network.train(false)
    let x = noise([1, 3, 24, 32])
    for off in [[], ["nest"]] as [Set<String>] {
      let kinds = Kinds()
      inferenceMode {
        let runner = Runner(network, .init(keepsWeights: true, without: off)) { network($0) }
        _ = runner(x)
        observing(kinds) { #expect(Self.error(runner(x), network(x)) < 5e-6) }
      }
      let copies = kinds.names.count { $0 == "copy_" }
      #expect(off.isEmpty ? copies == 1 : copies > 1)
    }
  }

  @Test("say what cannot be run as an operator's failure")
  func failures() throws {
    let network = try Self.drawn(Self.networks[0])
    let runner = Runner(network) { network.output($0).logits }
    #expect(throws: TorchError.self) {
      try attempt { _ = inferenceMode { runner(noise([1, 5, 64, 64])) } }
    }
    // And run what can be run afterwards.
    let scores = try attempt { inferenceMode { runner(noise([1, 3, 64, 64])) } }
    #expect(scores.shape == [1, 5, 2, 2])
  }
}
