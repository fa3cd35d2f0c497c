import ArgumentParser
import Files
import Foundation
import Imaging
import Inference
import Training

/// What is made of a video or a stream of frames.
struct VideoOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For '-' as the image: read raw frames of this size, RGB of 8 bits, from the standard input and write to the standard output.",
      valueName: "WIDTHxHEIGHT"))
  var raw: String?

  @Option(
    help: ArgumentHelp(
      "What is written for each of these frames: labels (a byte a pixel) or overlay (RGB).",
      valueName: "form"))
  var rawOutput: VideoRun.RawOutput?

  @Option(
    help: ArgumentHelp(
      "The share of the frames before in the probabilities of pixels that hardly change, 0 to below 1; 0.5 halves flicker.",
      valueName: "share"))
  var smooth: Double?

  @Option(
    help: ArgumentHelp(
      "Write a video's label files NAME_000001_labels.png into this folder, too.",
      valueName: "folder"))
  var frameLabels: String?

  private var size: Size? { raw.flatMap { Size(text: $0) } }

  /// Whether a path is that of a video or of a stream.
  func isMeant(_ path: String) -> Bool {
    path == "-" || VideoReader.isVideo(path) && !FileSystem.isFolder(path)
  }

  /// Refuses what does not fit to what the path leads to.
  func validate(_ path: String, others: [(isGiven: Bool, name: String)]) throws {
    guard isMeant(path) else {
      if let name = [
        (raw != nil, "--raw"), (rawOutput != nil, "--raw-output"), (smooth != nil, "--smooth"),
        (frameLabels != nil, "--frame-labels"),
      ].first(where: \.0)?.1 {
        throw ValidationError(
          "\(name) is for a video, or for '-', found '\(path)'; videos end in \(VideoReader.suffixes.sorted().joined(separator: ", "))."
        )
      }
      return
    }
    if let other = others.first(where: \.isGiven) {
      throw ValidationError("\(other.name) is for images, expected none for a video.")
    }
    if path == "-" {
      guard size != nil else {
        throw ValidationError(
          "'-' expects --raw with the size of frames such as 480x360\(raw.map { ", found '\($0)'" } ?? "")."
        )
      }
      guard frameLabels == nil else {
        throw ValidationError(
          "--frame-labels is for a video, expected --raw-output labels for '-'.")
      }
    } else {
      guard raw == nil, rawOutput == nil else {
        throw ValidationError("--raw and --raw-output expect '-' as the image.")
      }
    }
    guard smooth.map({ (0..<1).contains($0) }) ?? true else {
      throw ValidationError("--smooth is \(smooth ?? 0), expected a number from 0 to below 1.")
    }
  }

  /// Where the video goes: the output itself if that is a video's name, else a file in it.
  private func output(_ path: String, _ output: String) -> String {
    VideoReader.isVideo(output) && !FileSystem.isFolder(output)
      ? output : "\(output)/\(path.fileStem)_overlay.mp4"
  }

  /// Segments a video or a stream.
  func run(
    _ path: String, _ networks: Ensemble, to folder: String, opacity: Double,
    refinement: MaskRefinement
  ) throws {
    var options = VideoRun.Options()
    (options.opacity, options.smoothing) = (opacity, smooth ?? 0)
    (options.refinement, options.labels) = (refinement, frameLabels)
    options.clearsOthers = refinement.classes != nil
    let run = try VideoRun(networks, options)
    let monitor = ConsoleMonitor()
    func progress(_ done: Int, _ count: Int, _ rate: Double) {
      monitor.progress(done, count, String(format: "frames, %.1f/s", rate))
    }
    func stops() -> Bool { Interruption.signalNumber != nil }
    // The first Ctrl-C ends with a whole file, the second at once.
    Interruption.watch()
    let report: VideoRun.Report
    if let size, path == "-" {
      report = try run.run(
        raw: size, from: STDIN_FILENO, to: STDOUT_FILENO, as: rawOutput ?? .labels,
        shouldStop: stops, progress: progress)
      monitor.finish()
      // The standard output holds frames.
      monitor.message(report.text)
    } else {
      let output = output(path, folder)
      report = try run.run(path, to: output, shouldStop: stops, progress: progress)
      monitor.finish()
      if let complaint = report.complaint {
        let text = "\(path): was not decoded as a whole: \(complaint)"
        if report.isCut { complain(text) } else { warn(text) }
      }
      print(report.text)
      print("written to \(output.shown)")
      if let frameLabels { print("labels in \(frameLabels.shown)") }
    }
    if report.isCut { throw ExitCode(1) }
    if report.isStopped, let signal = Interruption.signalNumber { throw ExitCode(128 + signal) }
  }
}

extension VideoRun.RawOutput: ExpressibleByArgument {}
