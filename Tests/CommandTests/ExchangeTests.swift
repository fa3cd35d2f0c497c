import Checkpoints
import Foundation
import Imaging
import Inference
import Segmentation
import TestSupport
import Testing
import Torch
import Training

@Suite("Weights go out and come in")
struct ExchangeTests {
  @Test(
    "a run exported and imported again gives the same scores", arguments: ["pth", "safetensors"])
  func roundTrip(_ kind: String) throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let weights = "\(folder.path)/weights.\(kind)"
    let exported = try Command.run("export", run.path, "--output", weights)
    #expect(exported.status == 0, "\(exported)")
    let plan = try Command.run("import", weights, "--model", run.configuration, "--dry-run")
    #expect(plan.status == 0 && plan.output.contains("everything loads"), "\(plan)")
    let imported = "\(folder.path)/imported.safetensors"
    let result = try Command.run(
      "import", weights, "--model", run.configuration, "--output", imported)
    #expect(result.status == 0, "\(result)")
    struct Result: Decodable, Equatable { let confusion: [[Int64]] }
    func confusion(_ checkpoint: String) throws -> Result {
      let outcome = try Command.run("evaluate", checkpoint, "--json")
      return try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
    }
    #expect(try confusion(imported) == confusion(run.path))
  }

  @Test("a checkpoint to give away is smaller, scores the same and cannot be resumed")
  func checkpoint() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/given.safetensors"
    let exported = try Command.run(
      "export", run.path, "--output", file, "--checkpoint", "--half", "--set", "output=runs/given")
    #expect(exported.status == 0, "\(exported)")
    let record = try Checkpoint(file).record.configuration
    #expect(record.contains("runs/given") && !record.contains(run.path))
    let size = try #require(FileManager.default.contents(atPath: file)?.count)
    #expect(size < (try #require(Run.checkpoint(run.path)?.count)) / 3)

    struct Result: Decodable {
      struct Scores: Decodable { let pixelAccuracy: Double }
      let scores: Scores
    }
    func accuracy(_ checkpoint: String) throws -> Double {
      let outcome = try Command.run("evaluate", checkpoint, "--json")
      return try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
        .scores.pixelAccuracy
    }
    #expect(abs(try accuracy(file) - accuracy(run.path)) < 0.002)
    for wrong in [["--half"], ["--checkpoint", "--names", "torchvision"]] {
      #expect(try Command(["export", run.path, "--output", file] + wrong).wait().status == 64)
    }
  }

  @Test("names that are others' go out, and what does not fit is listed")
  func names() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let weights = "\(folder.path)/new folder/weights.pth"
    let exported = try Command.run(
      "export", run.path, "--output", weights, "--names", "denseaspp-2018")
    #expect(exported.status == 0, "\(exported)")
    try Command.run("predict", weights, "\(run.folder)/images/0.png", "--output", folder.path)
      .expectRefusal("has no record of a run", "`atrous import '\(weights)' --model CONFIG.yaml")
    let plan = try Command.run(
      "import", weights, "--model", run.configuration, "--dry-run", "--verbose")
    #expect(plan.output.contains("names: denseaspp-2018"), "\(plan)")
    #expect(plan.output.contains("classification.1.weight -> classifier.classifier.weight"))
    let unknown = try Command.run(
      "export", run.path, "--output", weights, "--names", "keras")
    #expect(unknown.status == 1 && unknown.errors.contains("torchvision or denseaspp-2018"))
  }

  @Test("another network's weights are refused, and rules can mend names")
  func disagreement() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let weights = "\(folder.path)/weights.safetensors"
    let output = "\(folder.path)/out.safetensors"
    #expect(try Command.run("export", run.path, "--output", weights).status == 0)
    let other = try Command.run(
      "import", weights, "--model", run.configuration, "--output", output, "--set",
      "model.head.growth=5")
    #expect(other.status == 1 && other.output.contains("of another shape"), "\(other)")
    #expect(!FileManager.default.fileExists(atPath: output))
    #expect(
      other.output.split(separator: "\n").dropFirst().first
        == "result: the file is not this network's")
    let rules = "\(folder.path)/rules.yaml"
    try Data("rules: [{from: '^backbone', to: 'trunk'}]".utf8)
      .write(to: URL(fileURLWithPath: rules))
    let renamed = try Command.run(
      "import", weights, "--model", run.configuration, "--dry-run", "--rules", rules)
    #expect(renamed.status == 1 && renamed.output.contains("left over in the file"), "\(renamed)")
    let all = try Command.run(
      "import", weights, "--model", run.configuration, "--dry-run", "--verbose", "--rules", rules)
    #expect(renamed.output.contains("  … and 22 more"), "a dozen of 34 names: \(renamed)")
    #expect(!all.output.contains("more\n") && all.output.count > 2 * renamed.output.count, "\(all)")
  }

  @Test("a network of another stride than torchvision's is told, and torchvision's is proposed")
  func proposal() throws {
    let folder = try TemporaryFolder()
    let weights = try Self.torchvisionWeights(folder)
    let other = "\(folder.path)/other.yaml"
    try Data(
      "model: {backbone: {name: mobilenet_v3_large}, head: {name: lraspp}, classes: 4}".utf8
    ).write(to: URL(fileURLWithPath: other))
    let plan = try Command.run("import", weights, "--model", other, "--dry-run")
    #expect(plan.status == 0 && plan.output.contains("everything loads"), "\(plan)")
    for text in [
      "torchvision's lraspp_mobilenet_v3_large, which computes another",
      "output stride: here 32; torchvision 16", "torchvision-lraspp_mobilenet_v3_large.yaml",
      "backbone: {name: mobilenet_v3_large, outputStride: 16}",
    ] {
      #expect(plan.output.contains(text), "\(plan)")
    }
  }

  @Test("what was imported without a section train is enough for predict, summary and evaluate")
  func importedAlone() throws {
    let folder = try TemporaryFolder()
    let weights = try Self.torchvisionWeights(folder)
    let configuration = "\(folder.path)/model.yaml"
    let section = try #require(
      TorchvisionNetwork.all.first { $0.name == "lraspp_mobilenet_v3_large" }
    ).configuration(classes: 4)
    let imported = "\(folder.path)/imported.safetensors"
    let photo = "\(folder.path)/photo.png"
    try writePicture(photo, Size(width: 97, height: 61))
    for (data, names) in [
      ("", ["0", "1", "2", "3"]),
      (
        "data: {classes: [sky, road, car, tree], normalization: unit}\n",
        ["sky", "road", "car", "tree"]
      ),
    ] {
      try Data((data + section).utf8).write(to: URL(fileURLWithPath: configuration))
      let result = try Command.run(
        "import", weights, "--model", configuration, "--output", imported)
      #expect(result.status == 0, "\(result)")
      #expect(result.output.contains("as torchvision's lraspp_mobilenet_v3_large"))
      #expect(try Checkpoint(imported).record.classes.map(\.name) == names)
      let output = "\(folder.path)/\(names[0])"
      let predicted = try Command.run("predict", imported, photo, "--output", output)
      #expect(predicted.status == 0, "\(predicted)")
      #expect(names.contains { predicted.output.contains("%  \($0)") })
      let summary = try Command.run("summary", imported, "--size", "96x64")
      #expect(summary.status == 0 && summary.output.contains("output stride    16"), "\(summary)")
    }
    // Data can be named later.
    try writePairs(folder.path, count: 2)
    let pairs = "{images: \(folder.path)/images, labels: \(folder.path)/labels}"
    let scored = try Command.run(
      "evaluate", imported, "--set", "data.layout=folders", "--set", "data.val=\(pairs)")
    #expect(scored.status == 0 && scored.output.contains("sides as they are"), "\(scored)")
    let extended = try Command.run(
      "evaluate", imported, "--set", "data.layout=folders", "--set", "data.val=\(pairs)", "--set",
      "evaluate.pad=zero")
    #expect(extended.output.contains("sides extended to multiples of 16 by zeros"), "\(extended)")
    let wrong = try Command.run("predict", imported, photo, "--pad", "mean")
    #expect(wrong.status == 64 && wrong.errors.contains("reflect"), "\(wrong)")
  }

  /// The weights of torchvision's LR-ASPP for four classes, as drawn.
  static func torchvisionWeights(_ folder: TemporaryFolder) throws -> String {
    let file = "\(folder.path)/lraspp.safetensors"
    let model = try #require(SegmentationModel.torchvision("lraspp_mobilenet_v3_large", classes: 4))
    try WeightFile.write(model.state, to: file)
    return file
  }

  @Test("what is no file of weights is refused with its name")
  func refusals() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/page.pth"
    try Data("<!DOCTYPE html>".utf8).write(to: URL(fileURLWithPath: file))
    let page = try Command.run("import", file, "--model", run.configuration, "--dry-run")
    #expect(page.status == 1 && page.errors.contains(file) && page.errors.contains("web page"))
    #expect(try Command.run("import", file, "--model", run.configuration).status == 64)
    #expect(try Command.run("export", run.path, "--output", "weights.h5").status == 64)
    #expect(
      try Command.run("import", file, "--output", "\(folder.path)/out.safetensors").status == 1)
    let both = ["import", file, "--dry-run", "--json", "--model", run.configuration]
    #expect(try Command(both).wait().status == 64)
  }

  @Test("without a network the tensors are listed under the file's own names")
  func listing() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/weights.pth"
    let tensors = [("module.a", Tensor([1, 2.5] as [Float])), ("module.b", Tensor(3))]
    try WeightFile.write(tensors, to: file, as: .pytorch)
    let text = try Command.run("import", file, "--dry-run")
    #expect(
      text.status == 0 && text.output.contains("  module.a  [2]  float32  sum 3.5"), "\(text)")
    struct Listing: Decodable {
      struct Tensor: Decodable, Equatable { let shape: [Int], dtype: String, sum: Double }
      let format: String
      let tensors: [String: Tensor]
    }
    let json = try Command.run("import", file, "--dry-run", "--json")
    let listing = try JSONDecoder().decode(Listing.self, from: Data(json.output.utf8))
    #expect(listing.format == "pytorch")
    #expect(listing.tensors["module.b"] == .init(shape: [], dtype: "float32", sum: 3))
  }
}
