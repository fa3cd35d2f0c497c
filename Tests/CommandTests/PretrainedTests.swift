import Checkpoints
import Foundation
import Inference
import Segmentation
import TestSupport
import Testing
import Torch

@Suite("Networks that say themselves what they are")
struct PretrainedTests {
  @Test("run without a configuration, and come in with the one that was used")
  func torchvision() throws {
    let run = try Run.finished()
    let photo = "\(run.folder)/images/0.png"
    let folder = try TemporaryFolder()
    let weights = try ExchangeTests.torchvisionWeights(folder)
    let direct = try Command.run("predict", weights, photo, "--output", "\(folder.path)/direct")
    #expect(direct.status == 0, "\(direct)")
    #expect(
      direct.errors.contains("note: network: torchvision's lraspp_mobilenet_v3_large, 4 classes"))
    #expect(direct.errors.contains("note: assumed: dilation, rates and corners are torchvision's"))

    let imported = try Command.run("import", weights, "--output", "\(folder.path)/run")
    #expect(imported.status == 0 && imported.output.contains("everything loads"), "\(imported)")
    #expect(imported.output.contains("wrote \(folder.path)/run/config.yaml"))
    let again = try Command.run(
      "predict", "\(folder.path)/run", photo, "--output", "\(folder.path)/again")
    #expect(again.status == 0, "\(again)")
    let files = ["direct", "again"].map {
      FileManager.default.contents(atPath: "\(folder.path)/\($0)/0_labels.png")
    }
    #expect(files[0] != nil && files[0] == files[1])
    let configured = try Command.run(
      "import", weights, "--model", "\(folder.path)/run/config.yaml", "--dry-run")
    #expect(configured.status == 0 && configured.output.contains("everything loads"))
  }

  @Test("are named beside the list of their tensors, and a configuration that is there stays")
  func listing() throws {
    let folder = try TemporaryFolder()
    let weights = try ExchangeTests.torchvisionWeights(folder)
    let listed = try Command.run("import", weights, "--dry-run")
    #expect(listed.status == 0, "\(listed)")
    #expect(listed.output.contains("network: torchvision's lraspp_mobilenet_v3_large"))
    let own = URL(fileURLWithPath: "\(folder.path)/mine.yaml")
    try Data("mine: true".utf8).write(to: own)
    let imported = try Command.run(
      "import", weights, "--output", "\(folder.path)/mine.safetensors")
    #expect(imported.status == 0, "\(imported)")
    #expect(try String(contentsOf: own, encoding: .utf8) == "mine: true")
  }

  @Test("are refused where nothing says what they are")
  func unknown() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/some.safetensors"
    try WeightFile.write([("a.weight", Tensor(filledWith: 1, [2, 2]))], to: file)
    let result = try Command.run("import", file, "--output", "\(folder.path)/run")
    #expect(result.status == 1 && result.errors.contains("nothing in it says what network it is"))
    #expect(try Command.run("import", file, "--dry-run").status == 0)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/run"))
  }
}
