import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import TestSupport
import Testing
import Weights

@testable import Inference

@Suite("Videos", .enabled(if: FFmpeg.version != nil, "needs ffmpeg"), .serialized)
struct VideoTests {
  private static let size = Size(width: 97, height: 64)

  /// A frame of smooth colours, of which some move.
  private func picture(_ index: Int) -> Image {
    Image(
      width: Self.size.width, height: Self.size.height,
      pixels: (0..<Self.size.width * Self.size.height * 3).map { i in
        let (x, y) = (i / 3 % Self.size.width, i / 3 / Self.size.width)
        return UInt8((y < 32 ? x * 2 : (x + 9 * index) * 2 % 200) + 20 * (i % 3))
      })
  }

  /// Times that no rate has, in microseconds.
  private let times = [0, 40_000, 80_000, 200_000, 233_333, 500_000, 540_000, 580_000]

  private func clip(_ path: String) throws {
    let writer = try VideoWriter(path, Self.size, start: 0, sound: nil)
    for (index, time) in times.enumerated() {
      try writer.append(VideoFrame(image: picture(index), time: time))
    }
    try writer.finish()
  }

  private func frames(_ path: String) throws -> [VideoFrame] {
    let reader = try VideoReader(path)
    var frames: [VideoFrame] = []
    while let frame = try reader.next() { frames.append(frame) }
    return frames
  }

  @Test("frames come back with their times and about their colours")
  func roundTrip() throws {
    let folder = try TemporaryFolder()
    for name in ["a.mp4", "a.mkv"] {
      let path = "\(folder.path)/\(name)"
      try clip(path)
      let found = try frames(path)
      #expect(found.count == times.count)
      for (index, frame) in found.enumerated() {
        // Containers count in steps of their own.
        #expect(abs(frame.time - times[index]) <= 500, "\(name) \(index)")
        // An odd side gets a column more.
        #expect(frame.image.size == Size(width: 98, height: 64))
        let (x, y) = (40, 10)
        let level = Int(frame.image.pixels[(y * 98 + x) * 3 + 1])
        #expect(abs(level - 100) < 25, "\(name) \(index): \(level)")
      }
      #expect(FileSystem.names(in: folder.path)?.contains { $0.hasSuffix(".part") } == false)
    }
  }

  @Test(
    "a video becomes one of as many frames at the same times, turned as it says, with its sound")
  func predicted() throws {
    let folder = try TemporaryFolder()
    let (plain, turned) = ("\(folder.path)/plain.mp4", "\(folder.path)/turned.mp4")
    try clip(plain)
    _ = try FFmpeg.output(
      "ffmpeg",
      [
        "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.6", "-i", plain, "-map", "1:v", "-map",
        "0:a", "-c:v", "copy", "-c:a", "aac", "-metadata:s:v", "rotate=90", turned,
      ])
    let session = try InferenceSession(PackagedNetwork.streets.file())
    var options = VideoRun.Options()
    options.labels = "\(folder.path)/labels"
    options.smoothing = 0.5
    let output = "\(folder.path)/new/out.mp4"
    var told = 0
    let report = try VideoRun(Ensemble(session), options).run(
      turned, to: output,
      progress: { done, count, _ in
        told = done
        #expect(count >= done)
      })
    #expect(report.frames == times.count && told == times.count && !report.isStopped)
    #expect(report.flicker.still > 0 && report.unsmoothed?.still == report.flicker.still)
    let streams = try FFmpeg.output(
      "ffprobe",
      ["-v", "error", "-show_entries", "stream=codec_type,codec_name", "-of", "csv", output])
    #expect(streams.contains("h264,video") && streams.contains("aac,audio"))
    let found = try frames(output)
    #expect(found.map(\.image.size) == times.map { _ in Size(width: 64, height: 98) })
    #expect(zip(found, times).allSatisfy { abs($0.time - $1) <= 500 })
    #expect(FileSystem.names(in: "\(folder.path)/labels")?.count == times.count)

    // Stopped after three frames there are three, or what was on its way.
    var done = 0
    let stopped = try VideoRun(Ensemble(session)).run(
      turned, to: output, shouldStop: { done >= 3 }, progress: { count, _, _ in done = count })
    #expect(stopped.isStopped && stopped.frames == 3)
    #expect(try frames(output).count == 3)
  }

  @Test(
    "one frame is a video, too; one that is cut off is told; a video does not take its own place")
  func few() throws {
    let folder = try TemporaryFolder()
    let (clip, one) = ("\(folder.path)/clip.mkv", "\(folder.path)/one.mp4")
    try self.clip(clip)
    _ = try FFmpeg.output("ffmpeg", ["-v", "error", "-i", clip, "-frames:v", "1", one])
    let run = try VideoRun(Ensemble(InferenceSession(PackagedNetwork.streets.file())))
    for name in ["a.mp4", "a.mkv", "a.webm"] {
      let output = "\(folder.path)/\(name)"
      let report = try run.run(one, to: output)
      #expect(report.frames == 1 && report.complaint == nil)
      #expect(try frames(output).count == 1, "\(name)")
    }
    let error = #expect(throws: VideoError.self) {
      try run.run(one, to: "\(folder.path)/./one.mp4")
    }
    #expect("\(try #require(error))".contains("is the video itself"))
    #expect(try frames(one).count == 1)
    // Every picture stands for itself, so that half of the file holds about half of them.
    let (long, cut) = ("\(folder.path)/long.mkv", "\(folder.path)/cut.mkv")
    _ = try FFmpeg.output(
      "ffmpeg",
      [
        "-v", "error", "-f", "lavfi", "-i", "testsrc=size=96x64:rate=10:duration=0.8", "-g", "1",
        long,
      ])
    let bytes = try #require(FileSystem.contents(long))
    try AtomicFile.write(cut, bytes.prefix(bytes.count / 2))
    let report = try run.run(cut, to: "\(folder.path)/out.mp4")
    #expect((1..<8).contains(report.frames))
    #expect(report.complaint != nil, "\(report)")
    #expect(try frames("\(folder.path)/out.mp4").count == report.frames)
  }

  @Test("what is no video, or cannot be encoded, leaves the old file and says why")
  func refusals() throws {
    let folder = try TemporaryFolder()
    let session = try InferenceSession(PackagedNetwork.streets.file())
    let run = try VideoRun(Ensemble(session))
    let (broken, output) = ("\(folder.path)/broken.mp4", "\(folder.path)/out.mp4")
    try AtomicFile.write(broken, Data("no video at all".utf8))
    try AtomicFile.write(output, Data("old".utf8))
    let error = #expect(throws: VideoError.self) { try run.run(broken, to: output) }
    #expect("\(try #require(error))".contains("Invalid data"))
    #expect(throws: VideoError.self) { try run.run("\(folder.path)/none.mp4", to: output) }
    #expect(throws: VideoError.self) { try run.run(broken, to: "\(folder.path)/out.txt") }
    #expect(FileSystem.contents(output) == Data("old".utf8))
    #expect(FileSystem.names(in: folder.path) == ["broken.mp4", "out.mp4"])
  }

  @Test("flicker is the share of still pixels whose class changes")
  func flicker() {
    let image = Image(width: 2, height: 2, pixels: [UInt8](repeating: 100, count: 12))
    var moved = image
    // The first pixel changes by too much, the second just not.
    (moved.pixels[1], moved.pixels[4]) = (109, 108)
    let (a, b) = (
      ClassMask(width: 2, height: 2, classes: [0, 0, 0, 0]),
      ClassMask(width: 2, height: 2, classes: [1, 1, 0, 0])
    )
    var flicker = Flicker()
    #expect(flicker.share == nil)
    flicker.add((image, a), (moved, b))
    #expect(flicker.still == 3 && flicker.changed == 1 && flicker.share == 1.0 / 3)
  }

  @Test("a program that is missing, or fails, is told with its own last line")
  func programs() throws {
    let missing = #expect(throws: ChildProcess.Failure.self) {
      try ChildProcess("atrous-no-such-program", [], pipes: [])
    }
    #expect(missing?.isMissing == true)
    let shell = try ChildProcess(
      "sh", ["-c", "cat; echo one >&2; echo two >&2; exit 3"], pipes: [.input, .output])
    #expect(Array("abc".utf8).withUnsafeBytes { shell.write($0) })
    shell.close(.input)
    #expect(shell.rest() == Array("abc".utf8))
    let failure = #expect(throws: ChildProcess.Failure.self) { try shell.wait() }
    #expect(failure?.reason == "failed with status 3: two")
  }
}
