import Configuration
import Testing
import Torch

@testable import Segmentation

@Suite("Decoders over any backbone")
struct DecoderTests {
  private static let decoders = [
    "unet", "unet, attention: true, center: true, interpolation: bilinear", "unetplusplus",
    "linknet", "fpn", "fpn, merge: concatenation, channels: 32, interpolation: bilinear", "pan",
    "upernet, normalizeMaps: true, maps: 3, channels: 16",
    "pspnet, channels: 16, poolChannels: 8, normalizeMean: false, poolFirst: true, projection: 1",
    "deeplabv3plus, channels: 16, between: nothing, refinePyramid: true, convolutions: 1",
    "deeplabv3plus, channels: 16, between: norm, separableDecoder: false, lowFirst: true",
  ]
  private static let backbones = [
    "resnet18", "resnet18, stemMap: true", "mobilenet_v2", "mit_b0",
    "densenet, blocks: [2, 2, 2, 2], growth: 8, stem: 16, stemMap: true, normalizeMaps: true",
  ]

  @Test("train with a batch of one image, and every parameter gets a gradient", arguments: decoders)
  func step(_ head: String) throws {
    Engine.seed(3)
    let model = try model(
      "{backbone: {name: resnet18, stemMap: true}, head: {name: \(head)}, classes: 3}")
    model.train()
    let x = noise([1, 3, 65, 97])
    let scores = model(x)
    #expect(scores.shape == [1, 3, 65, 97])
    scores.logSoftmax(1).selected(1, 0).mean().backward()
    // Without a map to join there is nothing to weigh.
    let unused = head.contains("attention") ? "blocks.4.attention1." : "-"
    for (name, parameter) in model.parameters where !name.contains(unused) {
      #expect(parameter.gradient?.isFinite == true, "\(name)")
    }
  }

  @Test("go with backbones of every kind, at any size of image", arguments: backbones, decoders)
  func sizes(_ backbone: String, _ head: String) throws {
    let model = try model("{backbone: {name: \(backbone)}, head: {name: \(head)}, classes: 2}")
    model.train(false)
    for shape in [[1, 3, 97, 131], [1, 3, 1, 1], [2, 3, 40, 64]] {
      let scores = withoutGradients { model(noise(shape)) }
      #expect(scores.shape == [shape[0], 2, shape[2], shape[3]])
      #expect(scores.isFinite)
    }
  }

  @Test("refuse numbers that do not fit the maps, and maps that do not fit them")
  func refusals() throws {
    for (text, words) in [
      ("{name: resnet18}, head: {name: unet, channels: [8, 8]}", ["channels", "5 numbers"]),
      ("{name: resnet18}, head: {name: fpn, channels: 40}", ["channels", "multiple of 32"]),
      ("{name: resnet18}, head: {name: upernet, maps: 5}", ["maps"]),
      ("{name: resnet18, outputStride: 8}, head: {name: linknet}", ["maps that halve from each"]),
      ("{name: unet}, head: {name: unet}", ["needs several maps, finest first"]),
      ("{name: vit, outputStride: 14}, head: {name: unetplusplus}", ["needs several maps"]),
      ("{name: resnext50_32x4d, width: 8}, head: {name: fcn}", ["width", "multiple of 64"]),
    ] {
      let error = #expect(throws: ConfigurationError.self) {
        try model("{backbone: \(text), classes: 2}")
      }
      for word in words { #expect("\(String(describing: error))".contains(word), "\(text)") }
    }
  }

  @Test("reach the image's size in halves of the channels, whatever the backbone's maps")
  func channels() {
    #expect(
      DecoderSizes(strides: [2, 4, 8, 16, 32], .nearest).usualChannels == [256, 128, 64, 32, 16])
    #expect(
      DecoderSizes(strides: [4, 8, 16, 32], .nearest).usualChannels == [256, 128, 64, 32, 16])
    #expect(DecoderSizes(strides: [16, 16], .nearest).usualChannels == [256, 128, 64, 32, 16])
    #expect(DecoderSizes(strides: [4, 8, 8], .nearest).usualChannels == [128, 64, 32, 16])
  }
}

@Suite("Forms of residual and dense networks")
struct BackboneFormTests {
  /// torchvision's numbers of parameters less those of its classifier of 1000 classes.
  @Test(
    "have torchvision's parameters",
    arguments: [
      ("resnext50_32x4d", 25_028_904), ("resnext101_32x8d", 88_791_336),
      ("wide_resnet50_2", 68_883_240), ("wide_resnet101_2", 126_886_696),
    ])
  func counts(_ name: String, _ count: Int) throws {
    let own = try shapesOnly { try backbone("{name: \(name)}").parameterCount }
    #expect(own == count - 2049 * 1000)
  }

  @Test("give the stem's map before all others, which stay")
  func stemMap() throws {
    for name in [
      "resnet18", "densenet, blocks: [2, 2], growth: 8, stem: 64, finalTransition: true",
    ] {
      Engine.seed(1)
      let plain = try backbone("{name: \(name)}").train(false)
      let with = try backbone("{name: \(name), stemMap: true}").train(false)
      try with.load(
        Dictionary(plain.state.map { ($0.name, $0.tensor) }, uniquingKeysWith: { a, _ in a }))
      let x = noise([1, 3, 64, 96])
      let (own, more) = withoutGradients { (plain.features(x), with.features(x)) }
      #expect(with.strides == [2] + plain.strides && with.channels == [64] + plain.channels)
      #expect(more[0].shape == [1, 64, 32, 48])
      for (a, b) in zip(own, more.dropFirst()) { #expect(a.floats == b.floats) }
      #expect(with.stages.count == plain.stages.count + 1)
    }
  }

  @Test(
    "take a dense block's map after the transition's normalization, and compute the same beyond")
  func normalizedMaps() throws {
    let form = "densenet, blocks: [2, 2, 2], growth: 8, stem: 16"
    let plain = try backbone("{name: \(form)}").train(false)
    let with = try backbone("{name: \(form), normalizeMaps: true}").train(false)
    try with.load(
      Dictionary(plain.state.map { ($0.name, $0.tensor) }, uniquingKeysWith: { a, _ in a }))
    let x = noise([1, 3, 64, 64])
    let (own, more) = withoutGradients { (plain.features(x), with.features(x)) }
    #expect(zip(own[2].floats, more[2].floats).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(more[0].floats.allSatisfy { $0 >= 0 } && own[0].floats.contains { $0 < 0 })
    #expect(more.map(\.shape) == own.map(\.shape))
  }

  @Test("dilate both convolutions of a basic block, and the first block at once, where asked to")
  func dilation() throws {
    func rates(_ options: String) throws -> [Int] {
      try shapesOnly {
        try backbone("{name: resnet18, outputStride: 16\(options)}").modules.compactMap {
          $0.name.hasPrefix("layer4") && ($0.module as? Conv2d)?.kernel == 3
            ? ($0.module as? Conv2d)?.dilation : nil
        }
      }
    }
    #expect(try rates("") == [1, 1, 2, 1])
    #expect(try rates(", contractDilation: false, dilateBoth: true") == [2, 2, 2, 2])
    // As timm's.
    #expect(try rates(", dilateBoth: true") == [1, 2, 2, 2])
  }
}
