import Configuration
import Testing
import Torch

@testable import Segmentation

@Suite("Heads")
struct HeadTests {
  @Test("attend to all positions in parts as they do at once")
  func parts() {
    Engine.seed(7)
    let (query, key, value) = (noise([2, 1, 11, 4]), noise([2, 1, 7, 4]), noise([2, 1, 7, 6]))
    let whole = query.attention(key, value, scale: 1)
    for most in [1, 28, 42, 1000] {
      let parts = query.attentionInParts(key, value, scale: 1, maximumWeights: most)
      #expect(parts.shape == whole.shape)
      #expect(zip(parts.floats, whole.floats).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test("train with a batch of one image, and every parameter gets a gradient", arguments: heads)
  func step(_ head: String) throws {
    Engine.seed(3)
    let model = try model(
      "{backbone: {name: mobilenet_v3_small, outputStride: 8}, head: {name: \(head)},"
        + " auxiliary: [{name: fcn, level: 2}], classes: 3}")
    model.train()
    let x = noise([1, 3, 65, 49])
    let output = model.output(x)
    #expect(output.auxiliary.count == 1)
    let all = [output.logits] + output.auxiliary
    let loss = all.map { model.upsampled($0, like: x).logSoftmax(1).selected(1, 0).mean() }
    (loss[0] + loss[1]).backward()
    for (name, parameter) in model.parameters {
      #expect(parameter.gradient?.isFinite == true, "\(name)")
    }
  }

  @Test("go with every backbone, at any size of image", arguments: smallBackbones)
  func sizes(_ yaml: String) throws {
    for head in ["denseaspp, growth: 4, bottleneck: 8", "lraspp", "deeplabv3, channels: 4"] {
      let model = try model(
        "{backbone: {name: \(yaml), outputStride: 8}, head: {name: \(head)}, classes: 2}")
      for shape in [[1, 3, 97, 131], [1, 3, 1, 1], [1, 3, 5, 40]] {
        model.train(shape[2] < 97)
        let scores = withoutGradients { model(noise(shape)) }
        #expect(scores.shape == [1, 2, shape[2], shape[3]])
        #expect(scores.isFinite)
      }
    }
  }

  @Test("go with U-Net in both forms, at any size of image", arguments: [false, true])
  func unet(_ bilinear: Bool) throws {
    let model = try model(
      "{backbone: {name: unet, widths: [4, 8, 8, 8, 16], bilinear: \(bilinear)},"
        + " head: {name: linear}, classes: 2}")
    for shape in [[1, 3, 97, 131], [1, 3, 1, 1], [1, 3, 33, 18]] {
      #expect(model(noise(shape)).shape == [1, 2, shape[2], shape[3]])
    }
    model(noise([1, 3, 40, 24])).logSoftmax(1).selected(1, 0).mean().backward()
    #expect(model.parameters.allSatisfy { $0.parameter.gradient != nil })
  }

  @Test("take the rates of atrous pyramids from a base rate and the output stride, or as given")
  func rates() throws {
    func rates(_ stride: Int, _ options: String) throws -> [Int] {
      try shapesOnly {
        try model(
          "{backbone: {name: resnet18, outputStride: \(stride)},"
            + " head: {name: deeplabv3\(options)}, classes: 2}"
        ).modules.compactMap { name, module in
          name.hasPrefix("classifier.0.convs") && name.hasSuffix(".0")
            ? (module as? Conv2d)?.dilation : nil
        }
      }
    }
    #expect(try rates(16, "") == [1, 6, 12, 18])
    #expect(try rates(8, "") == [1, 12, 24, 36])
    #expect(try rates(32, "") == [1, 3, 6, 9])
    #expect(try rates(8, ", baseRate: 4") == [1, 8, 16, 24])
    #expect(try rates(8, ", rate: 15") == [1, 15, 30, 45])
    #expect(try rates(8, ", rates: [1, 2, 9]") == [1, 2, 9])
    #expect(throws: ConfigurationError.self) { try rates(8, ", rate: 3, baseRate: 4") }
  }

  @Test("have the momentum that is configured")
  func momentum() throws {
    try shapesOnly {
      let model = try model(
        "{backbone: {name: resnet18}, head: {name: deeplabv3, momentum: 0.0003}, classes: 2}")
      func momenta(_ module: Module) -> Set<Double> {
        Set(module.modules.compactMap { ($0.module as? BatchNorm2d)?.momentum })
      }
      #expect(momenta(model.classifier) == [0.0003])
      #expect(momenta(model.backbone) == [0.1])
    }
  }

  @Test("see an earlier map where a level is given")
  func level() throws {
    try shapesOnly {
      let model = try model(
        "{backbone: {name: unet}, head: {name: deeplabv3, level: 0}, classes: 2}")
      model.train(false)
      #expect(
        model.output(Tensor(uninitialized: [1, 3, 64, 64])).logits.shape == [1, 2, 4, 4])
    }
  }

  @Test("refuse maps that they cannot use, and name heads that can")
  func refusal() {
    let error = #expect(throws: ConfigurationError.self) {
      try shapesOnly {
        _ = try model("{backbone: {name: unet}, head: {name: lraspp}, classes: 2}")
      }
    }
    for word in ["lraspp", "output stride 8", "deeplabv3,", "denseaspp,", "fcn,"] {
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
  }

  @Test(
    "take means of windows that lie in the map, and of all of it where that is smaller",
    arguments: [[2, 3], [9, 3], [9, 9]])
  func poolWindow(_ window: [Int]) throws {
    let pooling = ImagePooling(1, 1, window: window, isNormalized: false)
    pooling.conv.weight.fill(1)
    pooling.conv.bias?.fill(0)
    // 2 rows of 4: 0 1 2 3 and 4 5 6 7.
    let x = Tensor((0..<8).map(Float.init), [1, 1, 2, 4])
    let y = pooling(x)
    #expect(y.shape == x.shape)
    let means = window == [9, 9] ? [3.5, 3.5] : [3, 4] as [Float]
    #expect(y.floats.first == means.first && y.floats.last == means.last)
    #expect(pooling.state.map(\.name) == ["1.weight", "1.bias"])
  }

  @Test("refuse a window that is no height and width")
  func windowRefusal() {
    let error = #expect(throws: ConfigurationError.self) {
      try shapesOnly {
        _ = try model(
          "{backbone: {name: resnet18}, head: {name: deeplabv3, poolWindow: [3]}, classes: 2}")
      }
    }
    #expect(error?.description.contains("[3], expected a height and a width") == true)
  }

  @Test("of EfficientNet-Lite have the names of its PyTorch port")
  func efficientNetLite() throws {
    let pairs = [
      "features.0.0.weight": "_conv_stem.weight", "features.0.1.running_mean": "_bn0.running_mean",
      "features.1.block.0.0.weight": "_blocks.0._depthwise_conv.weight",
      "features.1.block.1.1.bias": "_blocks.0._bn2.bias",
      "features.2.block.0.1.weight": "_blocks.1._bn0.weight",
      "features.16.block.2.0.weight": "_blocks.15._project_conv.weight",
      "features.17.0.weight": "_conv_head.weight", "features.17.1.bias": "_bn1.bias",
      "classifier.1.weight": "_fc.weight",
    ]
    let model = try #require(ImageClassifier.named("efficientnet_lite0"))
    let names = NamingConvention.efficientNetPyTorch.names(of: model)
    for (own, theirs) in pairs { #expect(names[own] == theirs) }
  }
}
