import Configuration
import Foundation
import Segmentation
import Testing
import Torch

@testable import Analysis

@Suite("Summaries")
struct SummaryTests {
  /// The folder with the configurations after Tepliashin et al.
  private let configurations = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Experiments/000-denseaspp").path

  private func model(_ number: Int) throws -> SegmentationModel {
    let section = try Section(contentsOf: "\(configurations)/model-\(number).yaml")
    let classes = try section.section("data").int("classes")
    return try Initialization.skipped {
      try ModelBuilder.build(section.section("model"), classes: classes)
    }
  }

  /// Table 1 of Tepliashin et al.: trainable parameters with a frozen backbone, all of them, and the largest
  /// scale of the cascade.
  @Test(
    "parameters and scales are those of the paper's five models",
    arguments: [
      (1, 662_420, 1_959_956, 61), (2, 1_266_580, 5_533_972, 61), (3, 1_266_580, 5_533_972, 121),
      (4, 2_252_820, 9_206_676, 127), (5, 2_748_179, 9_702_035, 145),
    ])
  func paper(number: Int, trainable: Int, all: Int, scale: Int) throws {
    let summary = try ModelSummary(model(number), height: 32, width: 64)
    #expect(summary.trainable == trainable)
    #expect(summary.parameters == all)
    #expect(summary.scales.last == scale)
    #expect(summary.strides.last == 8)
    #expect(summary.logits == [1, number == 5 ? 19 : 20, 4, 8])
    // Parts at the top add up to the whole.
    let top = summary.parts.filter { !$0.name.hasPrefix(" ") }
    #expect(top.map(\.name) == ["backbone", "classifier"])
    #expect(top.reduce(0) { $0 + $1.parameters } == all)
    #expect(top[0].trainable == 0)
  }

  @Test("layers say their kernels, strides and rates, and the summary what weights do not")
  func rates() throws {
    let section = try Section(
      yaml: """
        {classes: 3, backbone: {name: resnet18, outputStride: 8}, \
        head: {name: deeplabv3, rates: [1, 12], channels: 16}}
        """, named: "test")
    let summary = try shapesOnly {
      try ModelSummary(ModelBuilder.build(section), height: 64, width: 96, tracing: true)
    }
    func layer(_ name: String) throws -> TracedLayer {
      try #require(summary.layers.first { $0.name == name })
    }
    let stem = try layer("backbone.conv1")
    #expect(stem.kernel == [7, 7] && stem.stride == [2, 2] && stem.rate == [1, 1])
    #expect(try layer("classifier.0.convs.1.0").rate == [12, 12])
    #expect(try layer("classifier.0.convs.0.0").kernel == [1, 1])
    let header = try #require(summary.layerTable.split(separator: "\n").first)
    #expect(header.contains("kernel  stride  rate"))
    #expect(summary.table.contains("output stride    8\n"))
    #expect(summary.table.contains("head             ASPP: 1×1, 3×3 at 12, pooled\n"))
  }

  /// What PyTorch counts.
  ///
  /// `FlopCounterMode` of PyTorch 2.11 counts 132.792 G for the backbone and 36.679 G for the head
  /// of model #4 at 512×1024. Convolutions cost the same at every pixel, so a picture of one 64th
  /// tells as much.
  @Test("operations are those that PyTorch counts")
  func flops() throws {
    let model = try model(4)
    model.train(false)
    let (backbone, head) = (FlopCounter(), FlopCounter())
    let image = Tensor(filledWith: 0, [1, 3, 64, 128])
    withoutGradients {
      let maps = observing(backbone) { model.backbone.features(image) }
      _ = observing(head) { model.classifier.scores(maps, image: image) }
    }
    #expect(abs(Double(backbone.total * 64) / 1e9 - 132.792) < 0.0005)
    #expect(abs(Double(head.total * 64) / 1e9 - 36.679) < 0.0005)
    #expect(backbone.byOperator == ["conv2d": backbone.total])
    let whole = try ModelSummary(model, height: 64, width: 128)
    #expect(whole.flops == backbone.total + head.total)
  }

  @Test("an operation is a multiplication or an addition")
  func counting() {
    let counter = FlopCounter()
    observing(counter) {
      let x = Tensor(filledWith: 1, [2, 4, 6, 6])
      _ = x.conv2d(Tensor(filledWith: 1, [8, 4, 3, 3]))
      _ = x.relu()
    }
    #expect(counter.total == 2 * (2 * 8 * 4 * 4) * (4 * 3 * 3))
    #expect(counter.activationBytes >= 4 * (2 * 8 * 4 * 4 + 2 * 4 * 6 * 6))
    let product = FlopCounter()
    observing(product) {
      _ = Tensor(filledWith: 1, [5, 7]).matmul(Tensor(filledWith: 1, [7, 3]))
    }
    #expect(product.total == 2 * 5 * 7 * 3)
  }

  @Test("the table names parts, sizes, operations and scales")
  func table() throws {
    let model = try model(4)
    model.train()
    let text = try ModelSummary(model, height: 32, width: 64).table
    for part in [
      "backbone", "DenseNet", "classifier", "DenseASPP", "9,206,676", "2,252,820", "image",
      "64x32", "scores of 20 classes on 8x4 positions", "at stride 8", "GFLOP", "MiB", "7, 13, 19",
      "largest scale    127",
    ] { #expect(text.contains(part), "\(part)\n\(text)") }
    #expect(model.isTraining, "the network's mode is what it was")
  }

  @Test("an image that the network cannot take is an error")
  func impossible() throws {
    let model = try model(4)
    #expect(throws: TorchError.self) {
      try ModelSummary(model, height: 32, width: 32, inputChannels: 4)
    }
  }
}
