import Foundation
import TestSupport
import Testing
import Torch

@testable import Imaging

/// What a user can do wrong: each ends in one message that says where and what, with status 1.
@Suite("Wrong input")
struct WrongInputTests {
  private let folder: TemporaryFolder
  private var path: String { folder.path }

  init() throws { folder = try TemporaryFolder() }

  /// A photograph as the bytes of a PNG.
  private func photograph(_ width: Int = 40, _ height: Int = 30) throws -> [UInt8] {
    try Image(
      width: width, height: height,
      pixels: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    ).png()
  }

  private func write(_ bytes: [UInt8], _ name: String) throws -> String {
    let file = "\(path)/\(name)"
    try Data(bytes).write(to: URL(fileURLWithPath: file))
    return file
  }

  private func predict(_ image: String, _ more: String...) throws -> Command.Outcome {
    try Command(["predict", Run.finished().path, image, "--output", "\(path)/out"] + more).wait()
  }

  /// Trains on files of its own, of which one is spoilt.
  private func train(_ more: String..., spoil: (Run) throws -> Void) throws -> Command.Outcome {
    let run = try Run(in: path)
    try spoil(run)
    return try Command(run.training(nil) + more).wait()
  }

  // MARK: The command line

  @Test(
    "predict tells images in a network's place, folders that it does not look into, and classes by any case"
  )
  func stumbles() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let images = "\(run.folder)/images"
    let glob = try Command.run("predict", "\(images)/0.png", "\(images)/1.png")
    glob.expectRefusal("0.png: is a PNG image, expected networks before one image or a folder")
    try Command.run("predict", run.path, run.folder, "--output", folder.path)
      .expectRefusal("found no files to use", "such as images, are not looked into")
    let cased = try Command.run(
      "predict", run.path, "\(images)/0.png", "--classes", "THING, Ground", "--output", folder.path)
    #expect(cased.status == 0, "\(cased)")
    try Command.run("predict", run.path, "\(images)/0.png", "--classes", "thin")
      .expectRefusal("'thin'", "did you mean thing?")
    // Long beside its height, so that the network would see it far larger.
    let thin = "\(folder.path)/thin.png"
    try Image(width: 3000, height: 2, pixels: [UInt8](repeating: 9, count: 18_000)).write(to: thin)
    try Command.run(
      "predict", run.path, thin, "--set", "evaluate.shortSide=2000", "--output", folder.path
    ).expectRefusal("thin.png: 3000×2 pixels, which the network sees at 3000000×2000")
  }

  @Test("what is told names what to write, or what is there")
  func told() throws {
    let run = try Run.finished()
    try Command(run.training("\(path)/run", "--set", "train.loss=dice")).wait()
      .expectRefusal("'loss' is 'dice'", "a mapping of keys to values, such as {name: dice}")
    try Command.run("train", run.path)
      .expectRefusal(
        "\(run.path): cannot be read: it is a folder", "such as \(run.path)/config.yaml")
    try Command.run("data", "inspect", path).expectRefusal("not to be guessed from an empty folder")
    try Command.run("compare", run.path, "\(path)/none", "--output", "\(path)/compared")
      .expectRefusal("\(path)/none: is not there")
    #expect(
      !FileManager.default.fileExists(atPath: "\(path)/compared"), "before anything is scored")
    let crop = try Command.run("help", "configuration", "randomCrop").output
    #expect(crop.components(separatedBy: "Example: randomCrop").count == 2, "told once: \(crop)")
    let alpha = try Command.run("help", "configuration", "alpha").output
    #expect(alpha.contains("focal") && alpha.contains("tversky"), "of each case: \(alpha)")
  }

  // MARK: Images

  @Test("a PNG that was cut off")
  func truncated() throws {
    let whole = try photograph()
    let file = try write(Array(whole.prefix(whole.count / 2)), "half.png")
    try predict(file).expectRefusal("\(file): this PNG image is damaged or cut short")
    let inTraining = try train { run in
      let image = "\(run.folder)/images/3.png"
      let bytes = try #require(FileManager.default.contents(atPath: image))
      try bytes.prefix(bytes.count - 40).write(to: URL(fileURLWithPath: image))
    }
    inTraining.expectRefusal("images/3.png: this PNG image is damaged or cut short")
  }

  @Test("a text that is called .jpg")
  func text() throws {
    let file = try write(Array("I am a text.\n".utf8), "photo.jpg")
    try predict(file).expectRefusal("\(file): is a text file, expected a PNG, JPEG")
  }

  @Test("in a folder what cannot be read is reported and the rest goes on")
  func oneOfMany() throws {
    try FileManager.default.createDirectory(atPath: "\(path)/in", withIntermediateDirectories: true)
    _ = try write(photograph(), "in/a.png")
    _ = try write(Array("text".utf8), "in/b.jpg")
    _ = try write(photograph(9, 5), "in/c.png")
    let outcome = try predict("\(path)/in")
    outcome.expectRefusal("in/b.jpg: is a text file")
    for name in ["a", "c"] { #expect(outcome.output.contains("in/\(name).png: ")) }
    #expect(FileManager.default.fileExists(atPath: "\(path)/out/c_labels.png"))
    _ = try write(photograph(), "in/a.webp")
    try predict("\(path)/in").expectRefusal("a.png", "a.webp", "expected one")
  }

  @Test("an image that is not there")
  func absent() throws {
    try predict("\(path)/none.png").expectRefusal("none.png", "there is no such file")
  }

  @Test("20,000×20,000 pixels beyond the memory budget, refused before they are decoded")
  func large() throws {
    let row = [UInt8](repeating: 0, count: 2500 * 20_000)
    let bytes = try row.withUnsafeBytes {
      try PNG.encoded($0, Size(width: 20_000, height: 20_000), colorType: 0, depth: 1, file: "")
    }
    let file = try write(bytes, "huge.png")
    try predict(file, "--memory-budget", "2G")
      .expectRefusal("\(file): 20000×20000 pixels would need about", "the budget is 2.0 GiB")
    try FileManager.default.createDirectory(atPath: "\(path)/in", withIntermediateDirectories: true)
    try FileManager.default.moveItem(atPath: file, toPath: "\(path)/in/huge.png")
    try predict("\(path)/in", "--memory-budget", "500M").expectRefusal("huge.png", "20000")
  }

  // MARK: Labels

  @Test("a label of another size than its image")
  func labelSize() throws {
    let outcome = try train { run in
      try LabelImage(width: 47, height: 40, values: [UInt16](repeating: 0, count: 47 * 40))
        .writePNG(to: "\(run.folder)/labels/2.png")
    }
    outcome.expectRefusal("images/2.png is 48×40", "labels/2.png is 47×40")
  }

  @Test("a label value outside of the map, with file, pixel and value")
  func labelValue() throws {
    let outcome = try train { run in
      var values = [UInt16](repeating: 1, count: 48 * 40)
      values[5 * 48 + 17] = 9
      try LabelImage(width: 48, height: 40, values: values)
        .writePNG(to: "\(run.folder)/labels/4.png")
    }
    outcome.expectRefusal(
      "labels/4.png: pixel (x 17, y 5) has the value 9", "allowed are 0–1, 255")
  }

  @Test("a label that is missing")
  func labelMissing() throws {
    let outcome = try train { run in
      try FileManager.default.removeItem(atPath: "\(run.folder)/labels/1.png")
    }
    outcome.expectRefusal("images/1.png: its partner is missing", "labels/1.*")
  }

  // MARK: Folders

  @Test("an empty folder")
  func empty() throws {
    try FileManager.default.createDirectory(atPath: "\(path)/in", withIntermediateDirectories: true)
    try predict("\(path)/in").expectRefusal("\(path)/in: found no files to use; expected images")
    let outcome = try train { run in
      for name in ["images", "labels"] {
        try FileManager.default.removeItem(atPath: "\(run.folder)/\(name)")
        try FileManager.default.createDirectory(
          atPath: "\(run.folder)/\(name)", withIntermediateDirectories: true)
      }
    }
    outcome.expectRefusal("\(path)/images: found no files to use")
    #expect(!FileManager.default.fileExists(atPath: "\(path)/run"))
  }

  @Test("no permission to write, and places where nothing can be written")
  func permission() throws {
    let run = try Run.finished()
    let photo = try write(photograph(), "photo.png")
    let file = try write([], "file")
    var places = [("\(file)/below", "a part of the path is no folder")]
    if FileManager.default.fileExists(atPath: "/proc/self") { places.append(("/proc/out", "")) }
    let locked = "\(path)/locked"
    if getuid() == 0 {
      print("run as root, to whom nothing is forbidden: the folder without permission is skipped")
    } else {
      try FileManager.default.createDirectory(
        atPath: locked, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o555])
      places.append((locked, "permission is denied"))
    }
    for (place, reason) in places {
      for arguments in [
        ["predict", run.path, photo, "--output", place],
        ["evaluate", run.path, "--output", place], run.training(place),
      ] {
        try Command(arguments).wait().expectRefusal("\(place): cannot be written to: \(reason)")
      }
    }
  }

  // MARK: Checkpoints and configurations

  @Test("a checkpoint of another network, with the names and shapes that differ")
  func otherNetwork() throws {
    let run = try Run.finished()
    let photo = try write(photograph(), "photo.png")
    for arguments in [["predict", run.path, photo, "--output", path], ["evaluate", run.path]] {
      let overrides = ["--set", "model.head.dilations=[1, 2, 3]", "--set", "model.head.growth=4"]
      try Command(arguments + overrides).wait().expectRefusal(
        "best.safetensors: holds the weights of another network", "classifier.levels.2",
        "missing in the file", "of another shape", "[")
    }
    let before = Run.checkpoint(run.path)
    try Command(run.training(nil, "--resume", "--set", "model.head.growth=4")).wait()
      .expectRefusal("the run began with model.head.growth = 8", "now says 4")
    #expect(Run.checkpoint(run.path) == before)
  }

  @Test("a file that is no checkpoint, a part of one, and none at all")
  func noCheckpoint() throws {
    let run = try Run.finished()
    let photo = try write(photograph(), "photo.png")
    let half = try write(Array(try #require(Run.checkpoint(run.path)).dropLast(500)), "half")
    for (file, reason) in [
      (photo, "is a PNG image"), (half, "is truncated"),
      ("\(path)/none", "is not there"), (path, "expected a checkpoint file"),
    ] {
      try Command.run("predict", file, photo, "--output", "\(path)/out")
        .expectRefusal(path, reason)
    }
  }

  @Test("a misspelt key, a wrong type and an impossible value, before anything runs")
  func configuration() throws {
    for (override, message) in [
      ("train.batchsize=2", "train: unknown key 'batchsize', did you mean 'batchSize'?"),
      ("modle.classes=2", "unknown key 'modle', did you mean 'model'?"),
      ("train.batchSize=two", "'batchSize' is 'two', expected a whole number"),
      ("train.optimizer.learningRate=-1", "'learningRate' is -1.0, expected a number from 0"),
      ("train", "'train' is not of the form key.path=value"),
    ] {
      let outcome = try train("--set", override) { _ in }
      outcome.expectRefusal(message)
      #expect(!FileManager.default.fileExists(atPath: "\(path)/run"))
    }
    try Command.run("train", "\(path)/none.yaml")
      .expectRefusal("\(path)/none.yaml: cannot be read: there is no such file")
    let broken = try write(Array("data: [1, 2\nmodel: }".utf8), "broken.yaml")
    try Command.run("train", broken).expectRefusal(broken, "is not valid YAML")
    let list = try write(Array("[1, 2]".utf8), "list.yaml")
    try Command.run("summary", list).expectRefusal(list, "is not a mapping")
  }

  @Test("an impossible run leaves the one that is in the folder")
  func nothingLost() throws {
    let run = try Run.finished()
    func content() throws -> [String: Data?] {
      var files: [String: Data?] = [:]
      for name in try FileManager.default.contentsOfDirectory(atPath: run.path) {
        files[name] = FileManager.default.contents(atPath: "\(run.path)/\(name)")
      }
      return files
    }
    let before = try content()
    for override in ["train.batchsize=2", "data.train.images=\(path)", "model.head.name=none"] {
      let outcome = try Command(run.training(nil, "--overwrite", "--set", override)).wait()
      #expect(outcome.status == 1, "\(outcome)")
      #expect(try content() == before, "\(override)")
    }
  }

  // MARK: The command line

  @Test(
    "a wrong command line has status 64 and shows the usage",
    arguments: [
      ["train"], ["nonsense"], ["predict"], ["train", "a", "--resume", "--overwrite"],
      ["train", "a", "--repeats", "0"], ["train", "a", "--repeats", "2", "--resume"],
      ["predict", "a", "b", "--output", "c", "--opacity", "2"], ["evaluate", "a", "--none"],
      ["predict", "a", "b", "--output", "c", "--memory-budget", "much"],
      ["evaluate", "a", "--device", "toaster"], ["summary", "a", "--size", "0x5"],
    ])
  func commandLine(arguments: [String]) throws {
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.errors.contains("Error: ") && outcome.errors.contains("Usage: atrous"))
    #expect(outcome.output == "")
  }

  /// Whether no graphics processor answers, which some tests are about.
  private static let lacksGPU =
    (try? Engine.loadCUDA()) != true  // may fail: a libtorch without CUDA says so by an error

  @Test(
    "a graphics processor that is not there is named, with what it would take",
    .enabled(if: lacksGPU, "this machine has a graphics processor"))
  func device() throws {
    let outcome = try Command.run("predict", "--device", "cuda:1", "photograph.jpg")
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.errors.contains("--device cuda:1: "), "\(outcome)")
    #expect(outcome.errors.contains("or --device cpu"), "\(outcome)")
  }

  @Test(
    "options of a GPU without one are refused",
    arguments: [
      ["--tf32"], ["--no-tf32"], ["--cudnn-benchmark"], ["--cuda-graphs"],
    ])
  func deviceOptions(options: [String]) throws {
    let outcome = try Command(["predict", "photograph.jpg"] + options).wait()
    #expect(outcome.status == (options == ["--cuda-graphs"] ? 1 : 64), "\(outcome)")
    #expect(outcome.errors.contains(options[0] + " ") || outcome.errors.contains(options[0] + ":"))
    #expect(outcome.errors.contains("expected --device cuda"), "\(outcome)")
  }

  @Test(
    "options of a GPU are taken where one is asked for",
    .enabled(if: lacksGPU, "this machine has a graphics processor"))
  func takenOptions() throws {
    let outcome = try Command.run(
      "predict", "--device", "cuda", "--tf32", "--cudnn-benchmark", "--cuda-graphs",
      "photograph.jpg")
    #expect(outcome.status == 1, "\(outcome)")
    #expect(outcome.errors.contains("--device cuda: "), "\(outcome)")
  }
}
