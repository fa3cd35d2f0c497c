import Foundation
import Inference
import TestSupport
import Testing

@testable import Imaging

@Suite("Images with a place on earth")
struct LargeImageTests {
  /// A GeoTIFF of three bands of 8 bits.
  private func write(_ path: String, _ size: Size) throws {
    let file = try TiledResult(
      path, size: size, content: .shares(bands: 3),
      place: GeoReference(
        transform: [300_000, 5, 0, 4_000_000, 0, -5], system: CoordinateSystem(epsg: 32_631)),
      subject: "", isResumed: false)
    for top in stride(from: 0, to: size.height, by: TiledResult.side) {
      let rows = min(TiledResult.side, size.height - top)
      try file.append(
        (0..<rows * size.width * 3).map { i in
          let (x, y) = (i / 3 % size.width, top + i / 3 / size.width)
          return UInt8((x / 60 + y / 45) % 2 == 0 ? 40 + x * y % 60 : 150 + (x + y) % 70)
        })
    }
    try file.finish()
  }

  private func bytes(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  @Test("labels lie on the image; a run that was killed ends with the same bytes")
  func killed() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let image = "\(folder.path)/map.tif"
    try write(image, Size(width: 900, height: 1300))
    func arguments(_ output: String, _ more: String...) -> [String] {
      ["predict", run.path, image, "--output", output, "--block", "256", "--probabilities"] + more
    }
    let whole = try Command(arguments("\(folder.path)/whole")).wait()
    #expect(whole.status == 0, "\(whole)")
    #expect(whole.output.contains("900×1300"))
    let names = ["map_labels.tif", "map_overlay.png", "map_probabilities.tif"]
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/whole").sorted() == names)
    let labels = try RasterFile("\(folder.path)/whole/map_labels.tif")
    #expect(labels.size == Size(width: 900, height: 1300))
    #expect(labels.place?.transform == [300_000, 5, 0, 4_000_000, 0, -5])
    #expect(labels.place?.system?.epsg == 32_631)

    // Killed twice, each time with another row of tiles on the disk.
    let output = "\(folder.path)/killed"
    let part = "\(output)/map_labels.tif.part"
    var seen = 0
    for round in 0..<2 {
      let command = try Command(
        round == 0 ? arguments(output) : arguments(output, "--resume"))
      while command.isRunning, (bytes(part)?.count ?? 0) <= seen { usleep(500) }
      command.send(SIGKILL)
      _ = command.wait()
      seen = bytes(part)?.count ?? seen
    }
    let resumed = try Command(arguments(output, "--resume")).wait()
    #expect(resumed.status == 0, "\(resumed)")
    #expect(
      resumed.output.split(separator: "\n").prefix(3)
        == whole.output.split(separator: "\n").prefix(3))
    #expect(try FileManager.default.contentsOfDirectory(atPath: output).sorted() == names)
    for name in names {
      #expect(bytes("\(output)/\(name)") == bytes("\(folder.path)/whole/\(name)"), "\(name)")
    }
  }

  @Test("a folder may hold both kinds, and a file that cannot be read stops nothing")
  func folder() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let images = "\(folder.path)/in"
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    try write("\(images)/map.tif", Size(width: 90, height: 60))
    try Image(width: 40, height: 30, pixels: [UInt8](repeating: 99, count: 3600))
      .write(to: "\(images)/photo.png")
    try Data("II*\0junk".utf8).write(to: URL(fileURLWithPath: "\(images)/bad.tif"))
    let outcome = try Command.run("predict", run.path, images, "--output", "\(folder.path)/out")
    #expect(outcome.status == 1)
    #expect(outcome.errors.contains("bad.tif"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: "\(folder.path)/out").sorted()
        == [
          "map_labels.tif", "map_overlay.png", "photo_labels.png", "photo_overlay.png",
          "predictions.csv", "predictions.json", "predictions.jsonl",
        ])
    let labels = try LabelImage(contentsOf: "\(folder.path)/out/map_labels.tif")
    #expect(labels.values.allSatisfy { $0 < 2 })
  }

  @Test(
    "an image with a place that is seen whole has its confidence there, and areas on the ground")
  func whole() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let (images, output) = ("\(folder.path)/in", "\(folder.path)/out")
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    try write("\(images)/map.tif", Size(width: 300, height: 280))
    let outcome = try Command.run(
      "predict", run.path, images, "--output", output, "--confidence", "--flip")
    #expect(outcome.status == 0, "\(outcome)")
    let confidence = try RasterFile("\(output)/map_confidence.tif")
    #expect(confidence.size == Size(width: 300, height: 280))
    #expect(confidence.place?.transform == [300_000, 5, 0, 4_000_000, 0, -5])
    let summary = try JSONDecoder().decode(
      PredictionSummary.self, from: #require(bytes("\(output)/predictions.json")))
    // Zone 31 is stretched by 1.0001 where it is 200 km from its middle.
    let area = summary.total.compactMap(\.squareMetres).reduce(0, +)
    #expect(abs(area / (300 * 280 * 25) - 1) < 2e-3, "\(area)")
    let refused = try Command.run(
      "predict", run.path, "\(images)/map.tif", "--output", output, "--block", "256", "--flip")
    refused.expectRefusal("map.tif", "--flip", "block by block")
  }

  @Test("the threshold and the classes that are asked for choose in blocks as in whole images")
  func chosen() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let images = "\(folder.path)/in"
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    try write("\(images)/map.tif", Size(width: 300, height: 280))
    func predicted(_ output: String, _ more: String...) throws -> (
      labels: [UInt16], confidence: [UInt16], thing: PredictionSummary.Area?
    ) {
      let path = "\(folder.path)/\(output)"
      let outcome = try Command(
        ["predict", run.path, images, "--output", path, "--confidence", "--threshold", "0.45"]
          + more
      ).wait()
      #expect(outcome.status == 0, "\(outcome)")
      let summary = try JSONDecoder().decode(
        PredictionSummary.self, from: #require(bytes("\(path)/predictions.json")))
      return (
        try LabelImage(contentsOf: "\(path)/map_labels.tif").values,
        try LabelImage(contentsOf: "\(path)/map_confidence.tif").values,
        summary.total.first { $0.name == "thing" }
      )
    }
    let whole = try predicted("whole", "--classes", "thing")
    let one = try predicted("one", "--classes", "thing", "--block", "512")
    #expect(Set(whole.labels) == [1, 255])
    #expect(one.labels == whole.labels && one.confidence == whole.confidence)
    #expect(one.thing?.pixels == whole.thing?.pixels && one.thing?.share == whole.thing?.share)
    #expect(one.thing.map { $0.share < 1 } == true)
    // Where windows are blended, few pixels become others.
    let several = try predicted("several", "--classes", "thing", "--block", "256")
    let differing = zip(several.labels, whole.labels).count { $0 != $1 }
    #expect(differing < whole.labels.count / 50, "\(differing)")
    // Blocks of other settings are not gone on with.
    let ground = try predicted("several", "--classes", "ground", "--block", "256", "--resume")
    #expect(
      zip(ground.labels, several.labels).allSatisfy {
        ($0 == 0 && $1 == 255) || ($0 == 255 && $1 == 1)
      })
  }

  @Test("confidence and uncertainty come block by block, are gone on with, and lie on the image")
  func sureness() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let images = "\(folder.path)/in"
    try FileManager.default.createDirectory(atPath: images, withIntermediateDirectories: true)
    try write("\(images)/map.tif", Size(width: 900, height: 1300))
    func arguments(_ output: String, _ more: String...) -> [String] {
      ["predict", run.path, images, "--output", output, "--block", "256", "--confidence"]
        + ["--uncertainty", "--probabilities"] + more
    }
    let output = "\(folder.path)/whole"
    let whole = try Command(arguments(output)).wait()
    #expect(whole.status == 0, "\(whole)")
    #expect(whole.output.contains("% sure"))
    let names = [
      "map_confidence.tif", "map_labels.tif", "map_overlay.png", "map_probabilities.tif",
      "map_uncertainty.png", "map_uncertainty.tif",
    ]
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: output).sorted().prefix(6) == names[...])
    let probabilities = try RasterFile("\(output)/map_probabilities.tif")
    let confidence = try RasterFile("\(output)/map_confidence.tif")
    #expect(confidence.place?.transform == [300_000, 5, 0, 4_000_000, 0, -5])
    let window = PixelWindow(x: 200, y: 230, size: Size(width: 100, height: 70))
    guard case .uint8(let shares) = try probabilities.read(window).samples,
      case .uint8(let sure) = try confidence.read(window).samples
    else {
      Issue.record("no bytes")
      return
    }
    let bands = probabilities.bands
    for (i, value) in sure.enumerated() {
      let best = shares[bands * i..<bands * (i + 1)].max() ?? 0
      #expect(abs(Int(value) - Int(best)) <= 1)
    }
    let summary = try JSONDecoder().decode(
      PredictionSummary.self, from: #require(bytes("\(output)/predictions.json")))
    #expect(summary.total.allSatisfy { (0.5...1).contains($0.confidence ?? 0) })

    let killed = "\(folder.path)/killed"
    let command = try Command(arguments(killed))
    let part = "\(killed)/map_confidence.tif.part"
    while command.isRunning, (bytes(part)?.count ?? 0) == 0 { usleep(500) }
    command.send(SIGKILL)
    _ = command.wait()
    #expect(try Command(arguments(killed, "--resume")).wait().status == 0)
    for name in names {
      #expect(bytes("\(killed)/\(name)") == bytes("\(output)/\(name)"), "\(name)")
    }
  }

  @Test(
    "probabilities of 16 bits come block by block and are gone on with, and of one block are those of the whole image",
    arguments: ["npy", "tiff16", "png"])
  func fine(form: String) throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    func predict(_ image: String, _ output: String, _ more: [String] = []) throws -> Command {
      try Command(
        ["predict", run.path, image, "--output", output, "--probabilities-as", form]
          + ["--confidence-bits", "16"] + more)
    }
    func files(_ name: String) -> [String] {
      switch form {
      case "npy": ["\(name)_probabilities.npy"]
      case "png": ["\(name)_probability_0-ground.png", "\(name)_probability_1-thing.png"]
      default: ["\(name)_probabilities.tif"]
      }
    }
    // Of one block.
    let small = "\(folder.path)/small.tif"
    try write(small, Size(width: 200, height: 150))
    let (whole, one) = ("\(folder.path)/small", "\(folder.path)/one")
    for (output, more) in [(whole, []), (one, ["--block", "256"])] {
      let outcome = try predict(small, output, more).wait()
      #expect(outcome.status == 0, "\(outcome)")
    }
    for name in files("small") + ["small_confidence.tif"] {
      guard form == "png", name.hasSuffix("png") else {
        #expect(bytes("\(one)/\(name)") == bytes("\(whole)/\(name)"), "\(name)")
        continue
      }
      // Written row by row the file is another, of the same pixels.
      let (own, expected) = (
        try LabelImage(contentsOf: "\(one)/\(name)"),
        try LabelImage(contentsOf: "\(whole)/\(name)")
      )
      #expect(own == expected && Set(own.values).count > 300)
      #expect(OutputMark.isOn("\(one)/\(name)"))
    }
    #expect(try RasterFile("\(one)/small_confidence.tif").kind == .uint16)

    // Of many, killed on the way.
    let image = "\(folder.path)/map.tif"
    try write(image, Size(width: 700, height: 1100))
    let (all, killed) = ("\(folder.path)/all", "\(folder.path)/killed")
    let blocks = ["--block", "256", "--overlap", "0.25"]
    let outcome = try predict(image, all, blocks).wait()
    #expect(outcome.status == 0 && outcome.output.contains("% sure"), "\(outcome)")
    let names = (files("map") + ["map_confidence.tif", "map_labels.tif", "map_overlay.png"])
      .sorted()
    #expect(try FileManager.default.contentsOfDirectory(atPath: all).sorted() == names)
    let part = "\(killed)/map_confidence.tif.part"
    var seen = 0
    for more in [[], ["--resume"]] {
      let command = try predict(image, killed, blocks + more)
      while command.isRunning, (bytes(part)?.count ?? 0) <= seen { usleep(500) }
      command.send(SIGKILL)
      _ = command.wait()
      seen = bytes(part)?.count ?? seen
    }
    #expect(try predict(image, killed, blocks + ["--resume"]).wait().status == 0)
    #expect(try FileManager.default.contentsOfDirectory(atPath: killed).sorted() == names)
    for name in names { #expect(bytes("\(killed)/\(name)") == bytes("\(all)/\(name)"), "\(name)") }
  }

  @Test("probabilities of the whole image are a GeoTIFF, too, of several networks or mirror images")
  func wholeProbabilities() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let image = "\(folder.path)/map.tif"
    try write(image, Size(width: 300, height: 280))
    for (form, kind, most) in [("tiff", RasterFile.Kind.uint8, 255), ("tiff16", .uint16, 65_535)] {
      let outcome = try Command.run(
        "predict", run.path, image, "--output", folder.path, "--flip", "--probabilities-as", form)
      #expect(outcome.status == 0, "\(outcome)")
      let file = try RasterFile("\(folder.path)/map_probabilities.tif")
      #expect(file.kind == kind && file.bands == 2)
      #expect(file.place?.transform == [300_000, 5, 0, 4_000_000, 0, -5])
      let samples: [Int] =
        switch try file.read(PixelWindow(file.size)).samples {
        case .uint8(let values): values.map { Int($0) }
        case .uint16(let values): values.map { Int($0) }
        case .float: []
        }
      #expect(samples.count == 2 * 300 * 280)
      #expect(
        stride(from: 0, to: samples.count, by: 2)
          .allSatisfy { abs(samples[$0] + samples[$0 + 1] - most) <= 1 })
    }
  }

  @Test("what the network has no memory for at once goes block by block, unless that cannot be")
  func memory() throws {
    let folder = try TemporaryFolder()
    let image = "\(folder.path)/map.tif"
    try write(image, Size(width: 1200, height: 1000))
    func predict(_ more: String...) throws -> Command.Outcome {
      try Command(
        [
          "predict", image, "--set", "evaluate.shortSide=null", "--memory-budget", "150M",
          "--output", folder.path,
        ] + more
      ).wait()
    }
    let blocks = try predict("--confidence", "--probabilities-as", "npy")
    #expect(blocks.status == 0, "\(blocks)")
    let length: Int = 128 + 2 * 11 * 1200 * 1000
    let array = bytes("\(folder.path)/map_probabilities.npy")
    #expect(array?.count == length)
    try predict("--flip").expectRefusal("map.tif", "--flip", "block by block", "--tiles")
  }

  @Test("impossible blocks are refused", arguments: [["--block", "10"], ["--overlap", "0.9"]])
  func refused(option: [String]) throws {
    let outcome = try Command(["predict", "network", "image.tif"] + option).wait()
    #expect(outcome.status == 64, "\(outcome)")
  }
}
