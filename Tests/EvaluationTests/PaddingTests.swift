import Datasets
import Foundation
import Graphs
import Imaging
import Segmentation
import Testing
import Torch

@testable import Evaluation

/// Small networks of each way to treat sides that do not fit.
private enum Network: String, CaseIterable {
  case dense, mobile, unet, projected, swin, pyramid, enlarged

  func model() -> SegmentationModel {
    let dense = DenseNet(.init(blocks: [2, 2], growth: 8, stem: 16), outputStride: 8)
    let backbone: any Backbone
    switch self {
    case .dense: backbone = dense
    case .mobile: backbone = MobileNetV3(.small, outputStride: 16)
    case .unet, .projected:
      var configuration = UNet.Configuration()
      configuration.widths = [8, 16, 32]
      configuration.enlargement = self == .unet ? .transposed : .projected
      backbone = UNet(configuration)
    case .swin:
      var configuration = Swin.Configuration(
        depths: [2, 1, 1, 1], heads: [1, 1, 1, 1], width: 16, dropRate: 0)
      configuration.window = 4
      backbone = Swin(configuration)
    case .pyramid: backbone = ImagePyramid(dense, scales: [0.5])
    case .enlarged: backbone = Upsampled(dense, by: 2)
    }
    let model = SegmentationModel(
      backbone, FCN(backbone.width, classes: 3, .linear()), classes: 3)
    for (_, parameter) in model.parameters where parameter.rank > 1 {
      let inputs = parameter.shape.dropFirst().reduce(1, *)
      parameter.drawNormal(deviation: (2 / Double(inputs)).squareRoot())
    }
    model.train(false)
    // Scores of no class stand above the others' everywhere, so that masks have several.
    let x = Predictor(model).input(noise(64, 64))
    let means = inferenceMode { model(x).mean([0, 2, 3]) }
    for (name, parameter) in model.parameters
    where name.hasPrefix("classifier") && parameter.shape == [3] {
      withoutGradients { parameter.assign(parameter.detached() - means) }
    }
    return model
  }
}

private func noise(_ width: Int, _ height: Int) -> Image {
  var random = SampleRandom(seed: 5, epoch: 0, index: 0)
  return Image(
    width: width, height: height,
    pixels: (0..<width * height * 3).map { _ in UInt8(random.integer(below: 256)) })
}

/// The share of pixels of one class in both.
private func agreement(_ a: [UInt8], _ b: [UInt8]) -> Double {
  a.count == b.count ? Double(zip(a, b).count { $0 == $1 }) / Double(max(1, a.count)) : 0
}

@Suite("Sides that are no multiples of the stride")
struct PaddingTests {
  @Test("reach the network as they are, prepared or not", arguments: Network.allCases)
  private func unchanged(_ network: Network) throws {
    let model = network.model()
    var seen: Set<UInt8> = []
    for (width, height) in [(97, 61), (50, 131), (33, 64)] {
      let image = noise(width, height)
      let predictor = Predictor(model)
      let x = predictor.input(image)
      #expect(x.shape == [1, 3, height, width])
      let expected = try attempt { inferenceMode { model(x).argmax(1).to(.uint8) } }
        .values(UInt8.self)
      seen.formUnion(expected)
      #expect(agreement(try predictor.classes(of: image).classes, expected) > 0.999)
      // A window as large as the image is the image.
      let window = InferenceMode(window: .init(Size(width: 512, height: 512)))
      #expect(
        agreement(try Predictor(model, mode: window).classes(of: image).classes, expected) > 0.999)
      let form = NetworkForm(runner: model.runner(.init(keepsWeights: true)))
      #expect(
        agreement(try Predictor(model, form).classes(of: image).classes, expected) > 0.998)
    }
    #expect(seen.count > 1)
  }

  @Test(
    "are extended by zeros at the right and the bottom if so asked", arguments: Network.allCases)
  private func zeros(_ network: Network) throws {
    let model = network.model()
    let image = noise(45, 39)
    let predictor = Predictor(model, mode: InferenceMode(padding: .zero))
    let (width, height) = (45, 39)
    let step = predictor.stride
    let rows = (height + step - 1) / step * step, columns = (width + step - 1) / step * step
    let expected = try attempt {
      inferenceMode {
        let x = Predictor(model).input(image).padded([0, columns - width, 0, rows - height])
        #expect((predictor.input(image) - x).floats.allSatisfy { $0 == 0 })
        return model(x).sliced(2, 0, height).sliced(3, 0, width).argmax(1).to(.uint8)
      }
    }.values(UInt8.self)
    #expect(agreement(try predictor.classes(of: image).classes, expected) > 0.999)
  }

  @Test("are mirrored at the last row and column if so asked")
  func reflection() {
    #expect(Padding.reflect.sources(5, extended: 8) == [0, 1, 2, 3, 4, 3, 2, 1])
    #expect(Padding.reflect.sources(3, extended: 8) == [0, 1, 2, 1, 0, 1, 2, 1])
    #expect(Padding.reflect.sources(1, extended: 3) == [0, 0, 0])
    #expect(Padding.zero.sources(2, extended: 4) == [0, 1, nil, nil])
    let predictor = Predictor(Network.dense.model(), mode: InferenceMode(padding: .reflect))
    let x = predictor.input(noise(5, 3)).contiguous()
    #expect(x.shape == [1, 3, 8, 8])
    let values = x.floats
    for y in 0..<8 {
      #expect(values[y * 8 + 6] == values[y * 8 + 2])
      #expect(values[y * 8] == values[[0, 1, 2, 1, 0, 1, 2, 1][y] * 8])
    }
  }

  @Test(
    "do not show in tiles whose margin covers what a pixel sees", arguments: [false, true],
    [Padding.unchanged, .zero])
  func tiles(alignCorners: Bool, padding: Padding) throws {
    let backbone = DenseNet(.init(blocks: [1], growth: 8, stem: 16), outputStride: 4)
    let model = SegmentationModel(
      backbone, FCN(backbone.width, classes: 3, .linear()), classes: 3, alignCorners: alignCorners)
    model.train(false)
    let image = noise(501, 331)
    let mode = InferenceMode(padding: padding)
    var whole = try Predictor(model, mode: mode).classes(of: image)
    // Weights as drawn may find one class everywhere.
    for _ in 0..<20 where Set(whole.classes).count == 1 {
      Initialization.kaimingNormal(model)
      whole = try Predictor(model, mode: mode).classes(of: image)
    }
    let budget = Predictor(model).memoryNeed(Size(width: 200, height: 200))
    let tiled = try Predictor(model, memoryBudget: budget, oversize: .tile, mode: mode)
      .classes(of: image)
    #expect(Set(whole.classes).count > 1)
    #expect(agreement(tiled.classes, whole.classes) > 0.9999)
  }

  @Test("take no more memory than was estimated", arguments: Network.allCases)
  private func memory(_ network: Network) throws {
    let model = network.model()
    for padding in Padding.allCases {
      let predictor = Predictor(model, mode: InferenceMode(padding: padding))
      for (width, height) in [(129, 97), (161, 255)] {
        let need = predictor.memoryNeed(Size(width: width, height: height))
        let probe = MemoryProbe()
        try observing(probe) { _ = try predictor.classes(of: noise(width, height)) }
        #expect(probe.peak > 0 && probe.peak < need, "\(padding) \(width)x\(height)")
      }
    }
  }

  @Test("are told of in the protocol")
  func words() throws {
    func sides(_ network: Network, _ padding: Padding? = nil) -> String {
      Predictor(network.model(), mode: InferenceMode(padding: padding)).sides
    }
    #expect(sides(.dense) == "sides as they are")
    #expect(sides(.dense, .zero) == "sides extended to multiples of 8 by zeros")
    #expect(sides(.mobile, .reflect) == "sides extended to multiples of 16 by mirroring")
    #expect(sides(.unet).contains("fitted to the encoder's by zeros on both sides"))
    #expect(sides(.projected).contains("multiples of 4 by zeros at right and bottom"))
    #expect(sides(.swin).contains("windows filled up"))
    let scoring = Evaluator(Predictor(Network.dense.model())).scoring(for: try .identity(3))
    #expect(scoring.summary.contains("images at their own size, sides as they are, whole image"))
  }

  @Test("of results that say nothing of them are not made up")
  func oldResults() throws {
    let text = """
      {"classes": 2, "ignored": "255", "scoredAt": "size", "imageSize": "own size", "scales": [1],
       "flip": false, "mode": "whole image", "precision": "float32"}
      """
    let scoring = try JSONDecoder().decode(ScoringProtocol.self, from: Data(text.utf8))
    #expect(scoring.sides == nil && !scoring.summary.contains("sides"))
  }
}
