import Foundation
import Imaging
import TestSupport
import Testing

@Suite("What commands give")
struct ResultTests {
  private func photograph(_ width: Int, _ height: Int) -> Image {
    Image(
      width: width, height: height,
      pixels: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ $0 / 97) })
  }

  @Test("predict takes images of any size; labels have the photograph's")
  func sizes() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let sizes = [(1, 1), (1, 7), (33, 17), (97, 131)]
    try FileManager.default.createDirectory(
      atPath: "\(folder.path)/in", withIntermediateDirectories: true)
    for (width, height) in sizes {
      try photograph(width, height).write(to: "\(folder.path)/in/\(width)x\(height).png")
    }
    try photograph(20, 10).write(to: "\(folder.path)/in/photo.JPG")

    // The whole folder at once, and one image alone.
    let all = try Command.run(
      "predict", run.path, "\(folder.path)/in", "--output", "\(folder.path)/all")
    #expect(all.status == 0, "\(all)")
    let one = try Command.run(
      "predict", run.path, "\(folder.path)/in/33x17.png", "--output", "\(folder.path)/one",
      "--opacity", "1", "--panel")
    #expect(one.status == 0, "\(one)")

    for (width, height) in sizes + [(20, 10)] {
      let name = width == 20 ? "photo" : "\(width)x\(height)"
      let labels = try LabelImage(contentsOf: "\(folder.path)/all/\(name)_labels.png")
      #expect(labels.size == Size(width: width, height: height))
      #expect(labels.values.allSatisfy { $0 < 2 })
      let overlay = try Image(contentsOf: "\(folder.path)/all/\(name)_overlay.png")
      #expect(overlay.width >= width && overlay.height > height, "a legend lies below")
      #expect(all.output.contains("\(width)×\(height)"))
    }
    #expect(all.output.contains("%  ground") || all.output.contains("%  thing"))
    #expect(
      try LabelImage(contentsOf: "\(folder.path)/one/33x17_labels.png")
        == LabelImage(contentsOf: "\(folder.path)/all/33x17_labels.png"))
    let panel = try Image(contentsOf: "\(folder.path)/one/33x17_panel.png")
    #expect(panel.width >= 3 * 33)
  }

  @Test("evaluate prints the table with its protocol, writes three files and speaks JSON")
  func evaluate() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let table = try Command.run("evaluate", run.path, "--output", "\(folder.path)/scores")
    #expect(table.status == 0, "\(table)")
    for part in [
      "class", "ground", "thing", "mean IoU", "pixel accuracy", "2 classes, ignored: 255",
      "size of the ground truth", "best.safetensors",
    ] { #expect(table.output.contains(part), "\(part)") }
    let names = try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/scores")
    #expect(
      names.sorted() == [
        "classes.json", "classes.png", "confusion.png", "evaluation.csv", "evaluation.json",
        "evaluation.md", "evaluation.txt", "images.json", "index.html", "panels", "predictions",
      ])

    struct Result: Decodable, Equatable {
      struct Scores: Decodable, Equatable { let meanIoU: Double }
      let images: Int, pixels: Int64, ignoredPixels: Int64
      let scores: Scores
      let confusion: [[Int64]]
    }
    func result(_ data: Data) throws -> Result { try JSONDecoder().decode(Result.self, from: data) }
    let json = try Command.run("evaluate", run.path, "--split", "train", "--json")
    let printed = try result(Data(json.output.utf8))
    let file = try #require(
      FileManager.default.contents(atPath: "\(folder.path)/scores/evaluation.json"))
    #expect(try result(file) == printed)
    #expect(printed.images == 6)
    // The first column of every label is ignored.
    #expect(printed.ignoredPixels == 6 * 40 && printed.pixels == 6 * 47 * 40)
    #expect(printed.confusion.joined().reduce(0, +) == printed.pixels)
    #expect(printed.scores.meanIoU > 0 && printed.scores.meanIoU <= 1)
  }

  @Test("a run leaves its checkpoints, record, configuration and log")
  func files() throws {
    let run = try Run.finished()
    let names = try FileManager.default.contentsOfDirectory(atPath: run.path)
    // TensorBoard's files carry the time; each start of the run adds one.
    let events = names.filter { $0.hasPrefix("events.out.tfevents.") }
    #expect(!events.isEmpty)
    #expect(
      Set(names).subtracting(events) == [
        "best.safetensors", "config.yaml", "index.html", "last.safetensors", "log.jsonl",
        "record.json",
      ])
    #expect(Run.loggedStep(run.path) == Run.steps)
    #expect(Run.savedStep(run.path) == Run.steps)
    // The configuration it kept is one to train with.
    let folder = try TemporaryFolder()
    let again = try Command.run(
      "train", "\(run.path)/config.yaml", "--output", "\(folder.path)/run")
    #expect(again.status == 0, "\(again)")
    #expect(Run.checkpoint("\(folder.path)/run") == Run.checkpoint(run.path))
  }

  @Test("every command explains itself")
  func help() throws {
    let all = try Command.run("--help")
    #expect(all.status == 0)
    for name in ["train", "evaluate", "predict", "scenes", "summary", "parity", "doctor"] {
      #expect(all.output.contains("  \(name)"))
      let one = try Command.run(name, "--help")
      #expect(one.status == 0 && one.output.contains("USAGE: atrous \(name)"), "\(one)")
    }
    #expect(try Command.run("--version").output.contains("."))
  }

  @Test("doctor finds what it needs")
  func doctor() throws {
    let outcome = try Command.run("doctor")
    #expect(outcome.status == 0, "\(outcome)")
    for part in [
      "libtorch", "threads", "CUDA", "PNG", "JPEG", "libdeflate", "Cairo", "cminpack",
      "Nothing is missing.",
    ] {
      #expect(outcome.output.contains(part), "\(part)")
    }
  }
}
