import Foundation
import Inference
import Segmentation
import TestSupport
import Testing
import Torch

@testable import Parity

private let checkpoints = URL(fileURLWithPath: shared).appending(path: "checkpoints")
private let checkpointsAreHere = FileManager.default.fileExists(atPath: checkpoints.path)

@Suite("Folders of other programs", .serialized)
struct FolderTests {
  @Test(
    "give the original's scores without a configuration",
    .enabled(if: checkpointsAreHere, "skipped: the checkpoints are not beside the checkout"),
    arguments: ["hf-segformer_tiny", "hf-segformer_tiny-sharded"])
  func scores(_ name: String) throws {
    let folder = checkpoints.appending(path: name).path
    let file = try ParityFile(anyContentsOf: folder + ".json")
    let network = try TrainedNetwork(folder)
    let probe = try #require(try file.probes("outputs").first).probe
    let image = Rule.image("input", try file.inputShape())
    let scores = withoutGradients { network.model.output(image).logits }
    var comparison = Comparison()
    comparison.compare("logits", scores, probe)
    #expect(comparison.values > 16)
    #expect(comparison.disagreements == [])
    #expect(network.classNames.count == 4)
  }
}
