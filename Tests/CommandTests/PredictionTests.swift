import Checkpoints
import Files
import Foundation
import Imaging
import Inference
import TestSupport
import Testing
import Torch
import Weights

@Suite("Prediction for use")
struct PredictionTests {
  private func bytes(_ path: String) -> Data? { FileManager.default.contents(atPath: path) }

  private func summary(_ folder: String, _ suffix: String = "") throws -> PredictionSummary {
    try JSONDecoder().decode(
      PredictionSummary.self, from: #require(bytes("\(folder)/predictions\(suffix).json")))
  }

  @Test("confidence and probabilities leave the labels as they are, and areas are counted")
  func sureness() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let (images, plain, sure) = (
      "\(run.folder)/images", "\(folder.path)/plain", "\(folder.path)/sure"
    )
    #expect(try Command.run("predict", run.path, images, "--output", plain).status == 0)
    let outcome = try Command.run(
      "predict", run.path, images, "--output", sure, "--confidence", "--probabilities-as", "npy",
      "--uncertainty")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.output.contains("% sure"))
    for index in 0..<6 {
      #expect(bytes("\(sure)/\(index)_labels.png") == bytes("\(plain)/\(index)_labels.png"))
    }
    let labels = try LabelImage(contentsOf: "\(sure)/0_labels.png").values
    let confidence = try LabelImage(contentsOf: "\(sure)/0_confidence.png").values
    let array = try WeightFile.open("\(sure)/0_probabilities.npy").tensor("0_probabilities")
    #expect(array.shape == [2, 40, 48])
    let values = array.to(.float32).floats
    for i in labels.indices {
      let own = values[Int(labels[i]) * labels.count + i]
      guard abs(own - Float(confidence[i]) / 255) < 0.003, own > 0.498 else {
        Issue.record("pixel \(i): \(own), \(confidence[i])"); break
      }
    }
    #expect(try Image(contentsOf: "\(sure)/0_uncertainty.png").width > 320)
    let found = try summary(sure)
    #expect(found.images.count == 6 && found.failed.isEmpty && found.shard == nil)
    let entry = try #require(found.images.first)
    #expect(entry.file == "0.png" && entry.pixels == 48 * 40)
    #expect(entry.classes.reduce(0) { $0 + $1.pixels } == 48 * 40)
    #expect(entry.classes.allSatisfy { $0.confidence.map { (0.5...1).contains($0) } ?? false })
    #expect(try summary(plain).images.first?.classes.first?.confidence == nil)
  }

  @Test("what is whole is skipped, and written anew with other settings or where it was changed")
  func resumed() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let images = "\(run.folder)/images"
    func predict(_ more: String...) throws -> Command.Outcome {
      try Command(["predict", run.path, images, "--output", folder.path, "--resume"] + more).wait()
    }
    let first = try predict("--shard", "1/2")
    #expect(first.status == 0 && !first.errors.contains("whole already"), "\(first)")
    let own = try summary(folder.path, "-1-of-2")
    #expect((1...5).contains(own.images.count))
    let again = try predict("--shard", "1/2")
    #expect(again.errors.contains("\(own.images.count) images are whole already"), "\(again)")
    #expect(try summary(folder.path, "-1-of-2") == own)
    // A file that somebody changed, and a line that was cut off.
    let name = try #require(own.images.first).file.fileStem
    try Data("x".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)_labels.png"))
    let mended = try predict("--shard", "1/2")
    #expect(mended.output.contains("\(name).png"), "\(mended)")
    #expect(try LabelImage(contentsOf: "\(folder.path)/\(name)_labels.png").width == 48)
    #expect(try !predict("--shard", "1/2", "--flip").errors.contains("whole already"))

    // Parts of other settings are not joined.
    #expect(try predict("--shard", "2/2").status == 0)
    try Command.run("predict", "--summarize", folder.path).expectRefusal("other settings")
    #expect(try predict("--shard", "1/2").status == 0)
    let joined = try Command.run("predict", "--summarize", folder.path)
    #expect(joined.status == 0 && joined.output.contains("6 images of 2 of 2 parts"), "\(joined)")
    #expect(try summary(folder.path).images.map(\.file) == (0..<6).map { "\($0).png" })
  }

  @Test("several networks answer together, of the same classes alone")
  func ensemble() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let image = "\(run.folder)/images/0.png"
    let one = try Command.run("predict", run.path, image, "--output", "\(folder.path)/one")
    let two = try Command.run(
      "predict", run.path, run.path, image, "--output", "\(folder.path)/two", "--weights", "2,1",
      "--uncertainty")
    #expect(two.status == 0 && two.output.hasPrefix(one.output.prefix(20)), "\(two)")
    #expect(bytes("\(folder.path)/two/0_labels.png") == bytes("\(folder.path)/one/0_labels.png"))
    #expect(bytes("\(folder.path)/two/0_disagreement.png") != nil)
    let other = try Command.run(
      "predict", run.path, PackagedNetwork.streets.file(), image, "--output", folder.path)
    other.expectRefusal("11 (sky,", "2 (ground, thing)")
  }

  @Test("what the section evaluate says holds in predict, and options change it")
  func section() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    var count = 0
    /// Probabilities of an image, which tell one way of looking at it from another.
    func seen(_ more: String...) throws -> Data {
      count += 1
      let output = "\(folder.path)/\(count)"
      let outcome = try Command(
        [
          "predict", run.path, "\(run.folder)/images/0.png", "--output", output,
          "--probabilities-as", "npy",
        ] + more
      ).wait()
      #expect(outcome.status == 0, "\(outcome)")
      return try #require(bytes("\(output)/0_probabilities.npy"))
    }
    let plain = try seen()
    let mirrored = try seen("--flip")
    let windows = try seen("--window", "32x32", "--overlap", "0.5")
    #expect(plain != mirrored && plain != windows)
    #expect(try seen("--set", "evaluate.flip=true") == mirrored)
    #expect(try seen("--set", "evaluate.flip=true", "--no-flip") == plain)
    #expect(try seen("--set", "evaluate.window=32x32", "--set", "evaluate.overlap=0.5") == windows)
    #expect(try seen("--set", "evaluate.window=32x32", "--window", "none") == plain)
    // The shorter side is that of photographs, too; one size for all, whatever their shape, is how a set is scored.
    let side = try Image(contentsOf: "\(run.folder)/images/0.png").size
    let short = min(side.width, side.height)
    #expect(try seen("--set", "evaluate.shortSide=\(short)") == plain)
    #expect(try seen("--set", "evaluate.shortSide=\(2 * short)") != plain)
    #expect(try seen("--set", "evaluate.imageSize=96x80") == plain)
    // What one option says leaves the rest of the section as it is.
    let both = try seen("--flip", "--window", "32x32", "--overlap", "0.5")
    let set = ["--set", "evaluate.window=32x32", "--set", "evaluate.overlap=0.5"]
    #expect(try seen("--flip", set[0], set[1], set[2], set[3]) == both)
    #expect(try seen("--flip", "--set", "evaluate.pad=zero") == seen("--flip", "--pad", "zero"))
  }

  @Test("a threshold moves the border of two classes, in predict and in evaluate")
  func threshold() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    func things(_ threshold: String) throws -> Int {
      let outcome = try Command.run(
        "predict", run.path, "\(run.folder)/images/0.png", "--output", folder.path, "--threshold",
        threshold, "--classes", "thing")
      #expect(outcome.status == 0, "\(outcome)")
      let values = try LabelImage(contentsOf: "\(folder.path)/0_labels.png").values
      #expect(values.allSatisfy { $0 == 1 || $0 == 255 })
      return values.count { $0 == 1 }
    }
    let (low, high) = (try things("0.05"), try things("0.95"))
    #expect(low > high && high >= 0)
    #expect(try things("0") == 48 * 40)
    let scored = try Command.run("evaluate", run.path, "--threshold", "0")
    #expect(
      scored.status == 0 && scored.output.contains("foreground from a probability of 0"),
      "\(scored)"
    )
  }

  @Test(
    "Ctrl-C leaves a video that plays so far",
    .enabled(if: FFmpeg.version != nil, "needs ffmpeg"))
  func interrupted() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let (clip, output) = ("\(folder.path)/clip.mp4", "\(folder.path)/out.mp4")
    _ = try FFmpeg.output(
      "ffmpeg",
      ["-v", "error", "-f", "lavfi", "-i", "testsrc=size=128x96:rate=25:duration=60", clip])
    let command = try Command(["predict", run.path, clip, "--output", output])
    func parts() -> [String] {
      (FileSystem.names(in: folder.path) ?? []).filter { $0.hasSuffix(".part") }
    }
    while command.isRunning, parts().isEmpty { usleep(2000) }
    usleep(500_000)
    command.send(SIGINT)
    let outcome = command.wait()
    #expect(outcome.status == 130 && outcome.output.contains("frames/s"), "\(outcome)")
    #expect(parts().isEmpty)
    let frames = try FFmpeg.output(
      "ffprobe",
      [
        "-v", "error", "-count_frames", "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0",
        output,
      ])
    let count = try #require(Int(frames.trimmingCharacters(in: .whitespacesAndNewlines)))
    #expect((1..<1500).contains(count))
    // The network without a program that decodes.
    let missing = try Command(
      "/usr/bin/env", ["PATH=\(folder.path)", Command.program, "predict", run.path, clip]
    ).wait()
    missing.expectRefusal("clip.mp4", "not on PATH", "apt install ffmpeg")
  }

  @Test("raw frames go from the standard input to the standard output")
  func raw() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let image = try Image(contentsOf: "\(run.folder)/images/0.png")
    try Data(image.rgb.pixels + image.rgb.pixels).write(
      to: URL(fileURLWithPath: "\(folder.path)/frames.rgb"))
    func shell(_ more: String) throws -> Command.Outcome {
      try Command(
        "/bin/sh",
        [
          "-c",
          "'\(Command.program)' predict '\(run.path)' - --raw 48x40 \(more) <'\(folder.path)/frames.rgb' >'\(folder.path)/out'",
        ]
      ).wait()
    }
    let labels = try shell("")
    #expect(labels.status == 0 && labels.errors.contains("2 frames in"), "\(labels)")
    #expect(
      try Command.run(
        "predict", run.path, "\(run.folder)/images/0.png", "--output", folder.path
      ).status == 0)
    let expected = try LabelImage(contentsOf: "\(folder.path)/0_labels.png").values
      .map { UInt8($0) }
    #expect(bytes("\(folder.path)/out") == Data(expected + expected))
    #expect(try shell("--raw-output overlay --smooth 0.5").status == 0)
    #expect(bytes("\(folder.path)/out")?.count == 2 * 48 * 40 * 3)
    // Half a frame more.
    try Data(image.rgb.pixels + [1, 2, 3]).write(
      to: URL(fileURLWithPath: "\(folder.path)/frames.rgb"))
    try shell("").expectRefusal("standard input", "3 bytes of a frame")
  }
}
