import Segmentation
import Testing
import Torch

@Suite("Prepared networks")
struct PreparedTests {
  static let networks =
    smallBackbones.map { "backbone: {name: \($0)}, head: {name: fcn, channels: 16}" }
    + [
      "backbone: {name: resnet50, outputStride: 8, cut: 3}, head: {name: deeplabv3, channels: 16}",
      "backbone: {name: efficientnet_lite0, outputStride: 16}, head: {name: deeplabv3plus, channels: 16, projection: 3}",
      "backbone: {name: resnet18, outputStride: 16}, head: {name: deeplabv3plus, channels: 16}",
      "backbone: {name: resnet18, outputStride: 4, multiGrid: [1, 2]}, head: {name: pspnet, channels: 16}",
      "backbone: {name: densenet, blocks: [2, 2, 3], growth: 16, stem: 16, outputStride: 4}, head: {name: denseaspp, growth: 16, bottleneck: 32, dilations: [3, 6, 24]}",
      "backbone: {name: densenet, blocks: [2, 2], growth: 16, stem: 16, outputStride: 4, finalTransition: true}, head: {name: denseaspp, official: true}",
      "backbone: {name: mobilenet_v3_small}, head: {name: lraspp, channels: 16}",
      "backbone: {name: unet, widths: [8, 16, 32]}, head: {name: linear}",
      "backbone: {name: unet, widths: [16, 32], bilinear: true}, head: {name: linear}",
      "backbone: {name: mit_b0}, head: {name: segformer, channels: 32}",
      "alignCorners: true, backbone: {name: mit_b0, width: 24}, head: {name: segformer, channels: 20}",
      "backbone: {name: mit_b0}, head: {name: segformer, channels: 32, interpolation: bicubic}",
      "backbone: {name: swin_t, depths: [2, 1, 1, 1], heads: [1, 1, 1, 1], width: 16, window: 4}, head: {name: fcn, channels: 16}",
      "backbone: {name: vit, outputStride: 16, depth: 2, width: 32, heads: 2, imageSize: 64x32}, head: {name: fcn, channels: 16}",
    ]

  @Test("give the scores of the network that they were made from", arguments: networks)
  func scores(_ yaml: String) throws {
    let model = try model("{classes: 5, \(yaml)}")
    model.train(false)
    model.drawWeightsThatKeepTheScale()
    for shape in [[1, 3, 64, 96], [2, 3, 71, 45]] {
      let x = noise(shape)
      try attempt {
        inferenceMode {
          model.unprepare()
          let plain = model(x)
          model.prepared()
          let prepared = model(x)
          let difference = prepared - plain
          let centred = plain - plain.mean().item
          let error =
            ((difference * difference).mean().item / (centred * centred).mean().item).squareRoot()
          #expect(error < 1e-4)
          let same = prepared.argmax(1).equal(to: plain.argmax(1)).to(.float32).mean().item
          #expect(same > 0.999)
        }
      }
    }
    // Nothing reads weights beside what was made of them.
    try attempt {
      inferenceMode {
        let x = noise([1, 3, 64, 96])
        let expected = model(x).floats
        model.prepared(keepingWeights: false)
        for _ in 0..<2 { #expect(model(x).floats == expected) }
      }
    }
  }

  private static let reduced = InferencePrecision.allCases.filter {
    $0 != .float32 && $0.isSupported
  }

  @Test(
    "give nearly the same classes in reduced precision",
    .enabled(if: !reduced.isEmpty, "the processor multiplies neither bfloat16 nor int8"),
    arguments: [
      "backbone: {name: densenet, blocks: [2, 3, 4], growth: 32, stem: 64, outputStride: 4}, head: {name: denseaspp, growth: 32, bottleneck: 64, dilations: [3, 6]}",
      "backbone: {name: resnet50, outputStride: 8, cut: 3}, head: {name: deeplabv3, channels: 32}",
      "backbone: {name: mit_b0}, head: {name: segformer, channels: 32}",
    ], reduced)
  func precision(_ yaml: String, _ precision: InferencePrecision) throws {
    let model = try model("{classes: 5, \(yaml)}")
    model.train(false)
    model.drawWeightsThatKeepTheScale()
    let x = noise([1, 3, 64, 96])
    try attempt {
      inferenceMode {
        let ranges = model.calibrated { _ = model(x) }
        let plain = model(x)
        model.prepared(precision: precision, ranges: ranges)
        let difference = model(x) - plain
        let centred = plain - plain.mean().item
        let error =
          ((difference * difference).mean().item / (centred * centred).mean().item).squareRoot()
        let same = model(x).argmax(1).equal(to: plain.argmax(1)).to(.float32).mean().item
        // Noise through drawn weights: classes are closer than in any trained network.
        #expect(error > 1e-5 && error < (precision == .int8 ? 0.08 : 0.02))
        #expect(same > (precision == .int8 ? 0.95 : 0.99))
      }
    }
  }

  @Test("copy no map of a dense cascade but the first blocks'")
  func copies() throws {
    let model = try model(
      """
      {classes: 5, backbone: {name: densenet, blocks: [2, 2, 3], growth: 16, stem: 16, \
      outputStride: 4}, head: {name: denseaspp, growth: 16, bottleneck: 32, dilations: [3, 6]}}
      """)
    model.prepared()
    let counter = Copies()
    inferenceMode {
      let x = noise([1, 3, 64, 96])
      _ = model.output(x)
      observing(counter) { _ = model.output(x) }
    }
    #expect(counter.names == ["copy_"])
  }

  private final class Copies: OperatorObserver {
    var names: [String] = []

    func observe(_ call: OperatorCall) {
      if ["copy_", "batch_norm", "cat"].contains(call.name) { names.append(call.name) }
    }
  }
}
