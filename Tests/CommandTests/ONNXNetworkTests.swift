import Foundation
import Imaging
import TestSupport
import Testing

@Suite("ONNX files stand where checkpoints may")
struct ONNXNetworkTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }
  private var file: String { "\(path)/model.onnx" }

  init() throws { folder = try TemporaryFolder() }

  private struct Result: Decodable, Equatable { let confusion: [[Int64]] }

  private func confusion(_ network: String) throws -> Result {
    let outcome = try Command.run("evaluate", network, "--json")
    #expect(outcome.status == 0, "\(outcome)")
    return try JSONDecoder().decode(Result.self, from: Data(outcome.output.utf8))
  }

  @Test(
    "and score as the run that they were exported from, whatever they take and give",
    arguments: [("normalized", "logits"), ("rgb", "labels")])
  func scores(takes: String, gives: String) throws {
    let run = try Run.finished()
    let exported = try Command.run(
      "export", run.path, "--onnx", file, "--dynamic", "--takes", takes, "--gives", gives)
    #expect(exported.status == 0, "\(exported)")
    #expect(try confusion(file) == confusion(run.path))
    let compared = try Command.run("compare", run.path, file, "--output", "\(path)/compared")
    #expect(compared.status == 0 && compared.output.contains("model"), "\(compared)")
  }

  /// A network of drawn weights for images of 40×30, of which nothing is known beside.
  private func written(_ options: String...) throws {
    let text = """
      model:
        classes: 3
        backbone: {name: unet, widths: [4, 8, 8]}
        head: {name: linear}

      """
    try text.write(toFile: "\(path)/network.yaml", atomically: true, encoding: .utf8)
    let outcome = try Command(
      ["export", "\(path)/network.yaml", "--onnx", file, "--size", "40x30"] + options
    ).wait()
    #expect(outcome.status == 0, "\(outcome)")
  }

  @Test("ask for classes by keys and options that there are, and see larger images by windows")
  func described() throws {
    try written()
    let image = Image(width: 90, height: 50, pixels: [UInt8](repeating: 99, count: 90 * 50 * 3))
    try image.write(to: "\(path)/photo.png")
    func predict(_ more: String...) throws -> Command.Outcome {
      try Command(["predict", file, "\(path)/photo.png", "--output", "\(path)/out"] + more).wait()
    }
    let asked = try predict()
    #expect(asked.status == 1)
    #expect(
      asked.errors.contains(
        "does not say what its 3 classes are, expected the key data.classes in \(path)/model.yaml, or"
          + " --set 'data.classes=[road, sky, …]'"), "\(asked)")
    let told = try predict("--set", "data.classes=[a, b, c]")
    #expect(told.status == 0 && told.output.contains("90×50"), "\(told)")
    try "data: {classes: [a, b]}\n".write(
      toFile: "\(path)/model.yaml", atomically: true, encoding: .utf8)
    let wrong = try predict()
    #expect(wrong.status == 1)
    let message = "has scores of 3 classes, expected 2, as many as are named: a, b"
    #expect(wrong.errors.contains(message), "\(wrong)")
  }

  @Test("are looked at by the analyses, at their own size where they have one")
  func analyses() throws {
    try written("--example", "\(path)/example")
    for command in ["summary", "receptive-field"] {
      let outcome = try Command.run(command, file)
      #expect(outcome.status == 0 && outcome.output.contains("40x30"), "\(outcome)")
      let other = try Command.run(command, file, "--size", "64x64")
      #expect(other.status == 1)
      #expect(other.errors.contains("was given the size 64x64, expected 40x30"), "\(other)")
    }
    let field = try Command.run("erf", file, "--noise", "--count", "1")
    #expect(field.status == 0, "\(field)")
    let compared = try Command.run("benchmark", file, "--example", "\(path)/example")
    #expect(compared.status == 0, "\(compared)")
    #expect(compared.output.contains("equal          100.0000 %"), "\(compared)")
    for command in [["ablate"], ["similarity", "\(path)/photo.png", "--at", "1,1"], ["rates"]] {
      let outcome = try Command([command[0], file] + command.dropFirst()).wait()
      #expect(outcome.status != 0 && outcome.output.isEmpty, "\(outcome)")
    }
  }

  @Test("are refused where they are none")
  func damaged() throws {
    try Data("no network".utf8).write(to: URL(fileURLWithPath: file))
    let outcome = try Command.run("summary", file)
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("model.onnx: is no sound ONNX file"), "\(outcome)")
  }
}
