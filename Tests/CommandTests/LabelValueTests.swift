import Foundation
import Imaging
import TestSupport
import Testing

/// Labels whose values are not what a configuration says: what is said, and whether it helps.
@Suite("Values of labels")
struct LabelValueTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  /// Bright and dark halves with labels of 0 and 255.
  init() throws {
    folder = try TemporaryFolder()
    for name in ["images", "labels"] {
      try FileManager.default.createDirectory(
        atPath: "\(path)/\(name)", withIntermediateDirectories: true)
    }
    for index in 0..<5 {
      let isBright = (0..<32 * 24).map { ($0 % 32 + index) % 32 < 16 }
      try Image(
        width: 32, height: 24,
        pixels: isBright.flatMap { Array(repeating: $0 ? 220 : 30, count: 3) }
      ).write(to: "\(path)/images/\(index).png")
      try LabelImage(width: 32, height: 24, values: isBright.map { $0 ? 255 : 0 })
        .writePNG(to: "\(path)/labels/\(index).png")
    }
    let pairs = "{images: \(path)/images, labels: \(path)/labels}"
    let yaml = """
      data: {layout: folders, train: \(pairs), val: \(pairs), classes: [ground, thing]}
      model: {backbone: {name: unet, widths: [4, 8]}, head: {name: linear}}
      train: {iterations: 2, batchSize: 2, optimizer: {name: adamW, learningRate: 0.01}}
      """
    try Data(yaml.utf8).write(to: URL(fileURLWithPath: "\(path)/c.yaml"))
  }

  /// The text between backticks after `before` in a message, which a person would copy.
  private func proposal(_ text: String, _ before: String) -> String? {
    text.range(of: "`\(before)").flatMap { start in
      text[start.upperBound...].firstIndex(of: "`").map { String(text[start.upperBound..<$0]) }
    }
  }

  @Test("masks of 0 and 255 are told of before the first iteration, and the line given mends it")
  func masks() throws {
    let first = try Command.run("train", "\(path)/c.yaml", "--output", "\(path)/first")
    #expect(first.status == 0, "\(first)")
    let begin = try #require(first.errors.range(of: "iteration 2"))
    let before = String(first.errors[..<begin.lowerBound])
    #expect(before.contains("warning: the files hold only 0 and 255, 0 (50.0 %), 255 (50.0 %)"))
    let line = try #require(proposal(before, "data.values: "))
    let mended = try Command.run(
      "train", "\(path)/c.yaml", "--output", "\(path)/second", "--set", "data.values=\(line)")
    #expect(mended.status == 0 && !mended.errors.contains("warning"), "\(mended)")

    let found = try Command.run(
      "data", "inspect", "\(path)/c.yaml", "--cache", "\(path)/cache.json")
    #expect(proposal(found.output, "data.values: ") == line, "\(found)")
  }

  @Test("commands without a configuration propose their own option, and it mends it")
  func options() throws {
    func inspect(_ classes: String) throws -> Command.Outcome {
      try Command.run(
        "data", "inspect", "\(path)/images", "--labels", "\(path)/labels", "--classes", classes,
        "--cache", "\(path)/cache.json")
    }
    let found = try inspect("ground,thing")
    let classes = try #require(proposal(found.output, "--classes "), "\(found)")
    #expect(try inspect(classes).output.contains("0 warnings"))
    func score(_ classes: String) throws -> Command.Outcome {
      try Command.run("score", "\(path)/labels", "\(path)/labels", "--classes", classes)
    }
    let scored = try score("ground,thing")
    #expect(scored.status == 0 && scored.errors.contains("warning: "), "\(scored)")
    #expect(proposal(scored.errors, "--classes ") == classes)
    let whole = try score(classes)
    #expect(whole.status == 0 && whole.errors.isEmpty && whole.output.contains("thing"), "\(whole)")
  }

  @Test("a batch larger than the data set names the key that is too large")
  func batch() throws {
    let outcome = try Command.run(
      "train", "\(path)/c.yaml", "--output", "\(path)/run", "--set", "train.batchSize=8")
    outcome.expectRefusal("has 5 samples, fewer than one batch of 8", "`train.batchSize`")
    #expect(!outcome.errors.contains("dropLast"))
  }

  @Test("from two folders to a trained network in one command, which its configuration repeats")
  func twoFolders() throws {
    let run = "\(path)/run"
    let outcome = try Command.run(
      "train", "--images", "\(path)/images", "--labels", "\(path)/labels", "--classes",
      "ground,thing", "--output", run, "--set", "train.iterations=30", "--set",
      "model.backbone.widths=[4, 8]")
    #expect(outcome.status == 0 && !outcome.errors.contains("warning"), "\(outcome)")
    #expect(outcome.errors.contains("5 images with labels, 4 to train on and 1 to score"))
    #expect(outcome.errors.contains("0 is ground, 255 is thing"))
    #expect(outcome.output.contains("thing"))
    let predicted = try Command.run(
      "predict", run, "\(path)/images/0.png", "--output", "\(path)/out")
    #expect(predicted.status == 0, "\(predicted)")
    let ended = try Command.run("train", "\(run)/config.yaml", "--resume")
    #expect(ended.status == 0, "its configuration names the run's folder: \(ended)")
    for part in [
      "all 30 iterations are done already", "--set train.startFrom=\(run) --output OTHER",
    ] {
      #expect(ended.errors.contains(part), "\(ended)")
    }
    let again = try Command.run("train", "\(run)/config.yaml", "--output", "\(path)/again")
    #expect(again.status == 0, "\(again)")
    #expect(Run.checkpoint(run) != nil && Run.checkpoint("\(path)/again") != nil)
  }

  @Test(
    "folders and a configuration exclude each other",
    arguments: [
      [], ["--images", "a"], ["c.yaml", "--images", "a", "--labels", "b"],
      ["c.yaml", "--classes", "a,b"], ["--images", "a", "--labels", "b", "--repeats", "2"],
    ])
  func commandLine(arguments: [String]) throws {
    #expect(try Command(["train"] + arguments).wait().status == 64)
  }

  @Test("a photograph that EXIF turns, and a label of the stored size")
  func turned() throws {
    let size = Size(width: 32, height: 24)
    for index in 0..<5 {
      try FileManager.default.removeItem(atPath: "\(path)/images/\(index).png")
      try writePicture(
        "\(path)/images/\(index).tif", size, [UInt16](repeating: 90, count: 32 * 24), orientation: 6
      )
    }
    let values = ["--set", "data.values={0: ground, 255: thing}"]
    let train = ["train", "\(path)/c.yaml", "--output", "\(path)/run"] + values
    try Command(train).wait().expectRefusal(
      "images/", "EXIF", "`data.orientation: stored`")
    let stored = try Command(train + ["--set", "data.orientation=stored"]).wait()
    #expect(stored.status == 0, "\(stored)")
    // The network's own setting decides for single photographs, too.
    let predict = ["predict", "\(path)/run", "\(path)/images/1.tif", "--output", "\(path)/out"]
    #expect(try Command(predict).wait().output.contains("1.tif: 32×24"))
    #expect(
      try Command(predict + ["--set", "data.orientation=applied"]).wait().output
        .contains("1.tif: 24×32"))
    try Command(predict + ["--truth", "\(path)/labels", "--set", "data.orientation=applied"]).wait()
      .expectRefusal("labels/1.png", "`data.orientation: stored`")
    // The prediction is turned now, the truth is not.
    try FileManager.default.createDirectory(
      atPath: "\(path)/predicted", withIntermediateDirectories: true)
    try FileManager.default.createDirectory(
      atPath: "\(path)/truth", withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: "\(path)/labels/1.png", toPath: "\(path)/truth/1.png")
    try LabelImage(width: 24, height: 32, values: [UInt16](repeating: 0, count: 24 * 32))
      .writePNG(to: "\(path)/predicted/1.png")
    let score = ["score", "\(path)/truth", "\(path)/predicted", "--classes", "0=a,255=b"]
    try Command(score).wait().expectRefusal("data.orientation=stored")
    try Command(score + ["--images", "\(path)/images"]).wait()
      .expectRefusal("Orientation 6 in the EXIF", "data.orientation=stored")
  }
}
