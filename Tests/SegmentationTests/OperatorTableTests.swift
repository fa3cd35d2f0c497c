import Configuration
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

  @Test("says what operators do in each form of a network", arguments: PreparedTests.networks)
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
    _ = inferenceMode { model.prepared()(image) }
    let prepared = try run { inferenceMode { _ = model(image) } }
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
