import Configuration
import Graphs
import Segmentation
import Testing

@testable import Torch

@Suite("The table of operators")
struct OperatorTableTests {
  /// Compares the table's rows with what operators do.
  private final class Check: OperatorObserver {
    /// The operators without a row.
    var missing: Set<String> = []
    /// What a row says otherwise than the operator does.
    var wrong: Set<String> = []
    /// The operations counted, and the operators seen.
    var operations = 0, seen: Set<String> = []

    func observe(_ call: OperatorCall) {
      let name = "\(call.operation.namespace)::\(call.name)"
      seen.insert(name)
      guard let meaning = call.operation.meaning else {
        missing.insert(name)
        return
      }
      operations += call.operations
      if let rule = meaning.shape, let output = call.output, rule(call) != output.shape {
        wrong.insert("\(name): \(rule(call) ?? []) for \(output.shape)")
      }
      for (index, result) in call.results.enumerated() {
        guard let place = address(result) else { continue }
        if let source = call.source(of: index) {
          let given = call.arguments[source.argument].tensors.compactMap(address)
          if source.isWritten && !given.contains(place) { wrong.insert("\(name): not in place") }
        } else if call.tensors.compactMap(address).contains(place) {
          wrong.insert("\(name): memory of an argument")
        }
      }
    }

    /// Where elements lie; nil for tensors without any.
    private func address(_ tensor: Tensor) -> UInt? {
      tensor.count == 0 ? nil : tensor.withMemory { UInt(bitPattern: $0) }
    }
  }

  @Test(
    "has a row for every operator of every network of the catalogue",
    arguments: Catalogue.backbones.filter(\.value.isComplete).keys.sorted())
  func catalogue(name: String) throws {
    let check = Check()
    let entry = try #require(Catalogue.backbones[name])
    for stride in entry.outputStrides {
      try shapesOnly {
        let backbone = try backbone("{name: \(name), outputStride: \(stride)}").train(false)
        let image = Tensor(uninitialized: [1, 3, 256, 512])
        try attempt {
          try withoutGradients {
            try observing(check) {
              let maps = backbone.features(image)
              let input = HeadInput(backbone, classes: 5)
              for (head, entry) in Catalogue.heads where entry.fits(input) {
                let section = try Section(yaml: "{name: \(head)}", named: head)
                let built = try ModelBuilder.head(section, on: backbone, classes: 5).head
                _ = built.train(false).scores(maps, image: image)
              }
            }
          }
        }
      }
    }
    #expect(check.seen.contains("aten::conv2d") && check.operations > 0)
    #expect(check.missing == [])
    #expect(check.wrong == [])
  }

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

  @Test("says what operators do in each form of a network", arguments: networks)
  func forms(_ yaml: String) throws {
    let model = try model("{classes: 5, \(yaml)}")
    let image = noise([2, 3, 64, 96])
    func run(_ body: () -> Void) throws -> Check {
      let check = Check()
      try attempt { observing(check, body) }
      #expect(check.missing == [])
      #expect(check.wrong == [])
      return check
    }
    let training = try run { _ = model.train()(image) }
    let plain = try run { inferenceMode { _ = model.train(false)(image) } }
    let runner = Runner(model) { model($0) }
    _ = inferenceMode { runner(image) }
    let prepared = try run { inferenceMode { _ = runner(image) } }
    #expect(prepared.seen.contains("atrous::convolution"))
    #expect(training.operations == plain.operations)
    // Linear work on a small or a pooled map goes before its enlargement.
    if ["segformer", "deeplabv3,"].contains(where: yaml.contains) {
      #expect((plain.operations / 2...plain.operations).contains(prepared.operations))
    } else {
      #expect(prepared.operations == plain.operations)
    }
  }
}
