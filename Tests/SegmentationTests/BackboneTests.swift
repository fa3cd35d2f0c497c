import Configuration
import Segmentation
import Testing
import Torch

@Suite("Backbones")
struct BackboneTests {
  @Test(
    "give maps of the channels and strides that they declare, at each output stride",
    arguments: Catalogue.backbones.filter(\.value.isComplete).keys.sorted())
  func strides(_ name: String) throws {
    let entry = try #require(Catalogue.backbones[name])
    for stride in entry.outputStrides {
      try shapesOnly {
        let network = try backbone("{name: \(name), outputStride: \(stride)}")
        network.train(false)
        let maps = network.features(Tensor(uninitialized: [1, 3, 96, 160]))
        #expect(network.strides.last == stride)
        #expect(network.stages.count == maps.count)
        #expect(
          maps.map(\.shape)
            == zip(network.channels, network.strides).map { [1, $0, 96 / $1, 160 / $1] })
      }
    }
  }

  @Test(
    "keep their names and shapes whatever the output stride, so that weights load",
    // The stride of a vision transformer without a number is the side of its patches.
    arguments: Catalogue.backbones.filter {
      $0.key != "vit" && Set([8, 32]).isSubset(of: $0.value.outputStrides)
    }.keys.sorted())
  func names(_ name: String) throws {
    let extra = name == "densenet" ? ", blocks: [2, 2]" : ""
    let states = try [8, 32].map { stride in
      try shapesOnly {
        try backbone("{name: \(name), outputStride: \(stride)\(extra)}").state
          .map { "\($0.name) \($0.tensor.shape)" }
      }
    }
    #expect(states[0] == states[1])
  }

  @Test(
    "compute by dilation what they compute by stride, at more places",
    // Of networks whose blocks see the mean of a whole map that is not so.
    arguments: ["resnet50", "mobilenet_v2", "efficientnet_lite0", "convnext_tiny", "xception41"])
  func dilation(_ name: String) throws {
    Engine.seed(2)
    let coarse = try backbone("{name: \(name)}")
    let dense = try backbone("{name: \(name), outputStride: 8}")
    coarse.train(false)
    dense.train(false)
    coarse.drawWeightsThatKeepTheScale()
    try dense.load(Dictionary(uniqueKeysWithValues: coarse.state.map { ($0.name, $0.tensor) }))
    let x = noise([1, 3, 128, 128])
    withoutGradients {
      let (a, b) = (coarse(x), dense(x))
      let picked = b.sliced(2, 0, b.height, step: 4).sliced(3, 0, b.width, step: 4)
      #expect(b.shape == [1, a.size(1), 16, 16])
      // Padding of a whole map and of every fourth pixel differ at the far border only.
      let (own, other) = (picked.sliced(2, 0, 3).sliced(3, 0, 3), a.sliced(2, 0, 3).sliced(3, 0, 3))
      let scale = other.abs().mean().item
      #expect(scale > 1e-3)
      #expect((own - other).abs().maximum(along: [0, 1, 2, 3]).item < 1e-3 * scale)
    }
  }

  @Test(
    "are cut after as many maps as asked for",
    arguments: [
      ("densenet169", 2, 256, 8), ("resnet34", 3, 256, 16), ("convnext_small", 2, 192, 8),
      ("mobilenet_v2", 4, 96, 16), ("mobilenet_v3_large", 3, 40, 8),
      ("efficientnet_lite1", 3, 40, 8), ("efficientnet_b2", 4, 120, 16), ("vgg16_bn", 2, 256, 4),
      ("regnet_x_400mf", 3, 160, 16),
    ])
  func cut(_ name: String, _ count: Int, _ channels: Int, _ stride: Int) throws {
    try shapesOnly {
      let network = try backbone("{name: \(name), cut: \(count)}")
      let whole = try backbone("{name: \(name)}")
      #expect(network.channels.count == count)
      #expect(network.channels.last == channels || name == "densenet169")
      #expect(network.strides.last == stride)
      let names = Set(whole.state.map(\.name))
      #expect(network.state.allSatisfy { names.contains($0.name) })
      #expect(network.parameterCount < whole.parameterCount)
    }
  }

  @Test(
    "take any number of channels",
    arguments: Catalogue.backbones.filter(\.value.isComplete).keys.sorted())
  func inputChannels(_ name: String) throws {
    try shapesOnly {
      let network = try backbone("{name: \(name), inputChannels: 5}")
      network.train(false)
      #expect(network(Tensor(uninitialized: [2, 5, 64, 64])).size(0) == 2)
    }
  }

  @Test("keep frozen stages as they are, statistics too", arguments: smallBackbones)
  func frozen(_ yaml: String) throws {
    let network = try backbone("{name: \(yaml), outputStride: 8, frozenStages: 2}")
    network.train()
    let frozen = network.stages.prefix(2).joined().flatMap(\.state)
    let before = frozen.map { $0.tensor.detached().to(.float32).floats }
    network(noise([2, 3, 64, 64])).sum().backward()
    #expect(frozen.map { $0.tensor.detached().to(.float32).floats } == before)
    #expect(frozen.allSatisfy { $0.tensor.gradient == nil })
    let free = network.stages.dropFirst(2).joined().flatMap(\.parameters)
    #expect(!free.isEmpty && free.allSatisfy { $0.parameter.gradient != nil })
  }

  @Test("see several sizes of the image with the same weights, merged by one convolution")
  func pyramid() throws {
    let plain = try backbone("{name: mobilenet_v2, cut: 3}")
    let network = try backbone("{name: mobilenet_v2, cut: 3, pyramid: [0.75, 0.5]}")
    #expect(network.parameterCount == plain.parameterCount + 3 * 32 * 32 + 32)
    #expect(network.state.map(\.name).suffix(2) == ["merge.weight", "merge.bias"])
    network.drawWeightsThatKeepTheScale()
    let maps = network.train(false).features(noise([1, 3, 50, 70]))
    #expect(maps.last?.shape == [1, 32, 7, 9])
    // With a merge that takes the whole image's map only, nothing is left of the others.
    let merge = try #require(network.parameters.first { $0.name == "merge.weight" }).parameter
    let unit = (0..<32).flatMap { row in (0..<96).map { $0 == row ? Float(1) : 0 } }
    merge.assign(Tensor(unit, [32, 96, 1, 1]))
    network.parameters.last?.parameter.fill(0)
    try plain.load(
      Dictionary(
        uniqueKeysWithValues: network.state.filter { !$0.name.hasPrefix("merge") }
          .map { ($0.name, $0.tensor) }))
    let x = noise([1, 3, 64, 64])
    let (a, b) = (network(x).floats, plain.train(false)(x).floats)
    let scale = a.map(abs).max() ?? 0
    #expect(scale > 1e-3)
    #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-4 * scale })
  }

  @Test("enlarge their last map where asked to")
  func upsampled() throws {
    try shapesOnly {
      let network = try backbone("{name: densenet121, cut: 3, upsample: 2}")
      #expect(network.strides == [4, 8, 8])
      network.train(false)
      #expect(network(Tensor(uninitialized: [1, 3, 64, 96])).shape == [1, 1024, 8, 12])
    }
  }

  @Test("of the deep stem count as in MMSegmentation with means before shortcuts and other widths")
  func deepStems() throws {
    try shapesOnly {
      for (yaml, count) in [
        // ResNetV1d without its classifier, and EncNet's ResNet-50 with a stem of 128 channels.
        ("{name: resnet50, deepStem: true, averageShortcuts: true}", 23_527_264),
        ("{name: resnet50, deepStem: true, stemChannels: 128}", 23_631_808),
      ] {
        let network = try backbone(yaml)
        #expect(network.parameterCount == count)
        network.train(false)
        // The means of an odd row's end count what is there.
        #expect(network(Tensor(uninitialized: [1, 3, 97, 131])).shape == [1, 2048, 4, 5])
        #expect(network.state.contains { $0.name == "layer2.0.downsample.1.weight" })
      }
    }
  }

  @Test("of DRN dilate two stages and then less, to 1")
  func drn() throws {
    try shapesOnly {
      for name in ["drn_d_22", "drn_d_54"] {
        let network = try backbone("{name: \(name)}")
        var rates: [String: Set<Int>] = [:]
        for case let (path, convolution as Conv2d) in network.modules where convolution.kernel == 3
        {
          rates[String(path.prefix(6)), default: []].insert(convolution.dilation)
        }
        #expect(
          rates == [
            "layer1": [1], "layer2": [1], "layer3": [1], "layer4": [1], "layer5": [2],
            "layer6": [4], "layer7": [2], "layer8": [1],
          ])
        #expect(
          network.channels == (name == "drn_d_22" ? [64, 128, 256, 512] : [256, 512, 1024, 512]))
      }
    }
  }

  @Test("multiply the dilation of the last stage's blocks by a multi-grid")
  func multiGrid() throws {
    try shapesOnly {
      let network = try backbone("{name: resnet50, outputStride: 16, multiGrid: [1, 2, 4]}")
      let rates = network.modules.compactMap { name, module in
        name.hasPrefix("layer4") && name.hasSuffix("conv2") ? (module as? Conv2d)?.dilation : nil
      }
      #expect(rates == [2, 4, 8])
    }
  }

  @Test(
    "refuse what they cannot do, by name and with what they can",
    arguments: [
      ("{name: resnet51}", "resnet50"), ("{name: mobilenet_v2, outputStride: 4}", "8, 16, 32"),
      ("{name: unet, outputStride: 8}", "1, which unet supports"),
      ("{name: convnext_tiny, cut: 5}", "from 1 to 4"), ("{name: unet, widths: [8]}", "two"),
      ("{name: resnet18, pyramid: [0]}", "0.01"), ("{name: resnet18, frozenStages: 9}", "0 to 4"),
    ])
  func refusals(_ yaml: String, _ words: String) {
    let error = #expect(throws: ConfigurationError.self) {
      try shapesOnly { _ = try backbone(yaml) }
    }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }
}
