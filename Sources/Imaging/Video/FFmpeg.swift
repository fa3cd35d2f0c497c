import Files
import Foundation
import Synchronization

/// The system's ffmpeg, which decodes and encodes videos as a process of its own.
public enum FFmpeg {
  /// How ffmpeg comes onto a system that lacks it.
  public static let installation =
    "'apt install ffmpeg', 'dnf install ffmpeg' or 'brew install ffmpeg'"

  /// The version of the program that is found on `PATH`; nil if there is none.
  public static var version: String? {
    guard let text = try? output("ffmpeg", ["-hide_banner", "-version"]) else { return nil }
    let words = text.split(separator: " ")
    guard words.count > 2, words[1] == "version" else { return nil }
    return String(words[2])
  }

  /// Whether the program has an encoder.
  static func hasEncoder(_ name: String) -> Bool {
    let text = (try? output("ffmpeg", ["-hide_banner", "-encoders"])) ?? ""
    return text.split(whereSeparator: \.isNewline).contains { line in
      line.split(separator: " ").dropFirst().first.map { $0 == name } ?? false
    }
  }

  /// What a program writes.
  package static func output(_ program: String, _ arguments: [String]) throws -> String {
    let process = try ChildProcess(program, arguments, pipes: [.output])
    let bytes = process.rest()
    try process.wait()
    return String(decoding: bytes, as: UTF8.self)
  }

  /// An error of a video as a person should see it.
  static func explained(_ error: any Error, _ file: String) -> any Error {
    guard let failure = error as? ChildProcess.Failure else { return error }
    return VideoError(
      file: file,
      reason: failure.isMissing
        ? "\(failure.program), which decodes and encodes videos, is not on PATH; expected it there, by"
          + " \(installation)" : failure.description)
  }
}

/// A video that cannot be read or written.
public struct VideoError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The video's file.
  public let file: String
  /// Why, in ffmpeg's own words where it said so.
  public let reason: String

  /// The message for a person.
  public var description: String { "\(file): \(reason)" }

  /// A failure.
  package init(file: String, reason: String) { (self.file, self.reason) = (file, reason) }
}

/// A frame of a video.
package struct VideoFrame: Sendable {
  /// The picture, upright.
  package let image: Image
  /// When it is shown, in microseconds after the file's beginning.
  package let time: Int

  /// A frame.
  package init(image: Image, time: Int) { (self.image, self.time) = (image, time) }
}

/// Frames of a video file, decoded by the system's ffmpeg and turned as the file says, with their times.
package final class VideoReader: Sendable {
  /// The endings of files that are taken for videos.
  package static let suffixes: Set<String> = [
    "mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "wmv", "flv",
    "ogv",
    "3gp",
  ]

  /// Whether a path is a video's by its ending.
  package static func isVideo(_ path: String) -> Bool { suffixes.contains(path.fileSuffix) }

  /// The file.
  package let file: String
  /// About how many frames there are; nil where the file does not tell.
  package let count: Int?
  /// About how many frames a second there are; nil where the file does not tell.
  package let rate: Double?
  private let process: ChildProcess
  /// The frames so far, and why there are no more of them.
  private let state = Mutex((frames: 0, failure: String?.none))

  /// Begins to decode a file.
  ///
  /// - Throws: ``VideoError``.
  package init(_ file: String) throws {
    self.file = file
    guard FileSystem.exists(file) else {
      throw VideoError(file: file, reason: "there is no such file, expected a video")
    }
    // A name is no option and no protocol of ffmpeg's.
    let path = "file:\(file)"
    do {
      let text = try FFmpeg.output(
        "ffprobe",
        [
          "-v", "error", "-select_streams", "v:0", "-show_entries",
          "stream=nb_frames,avg_frame_rate:format=duration", "-of", "json", path,
        ])
      let facts = JSON(Data(text.utf8))
      guard let stream = facts?["streams"]?.list?.first else {
        throw VideoError(file: file, reason: "holds no video, expected one")
      }
      rate = Self.rate(stream)
      count = Self.count(stream, rate, duration: facts?["format"]?["duration"]?.string)
      process = try ChildProcess(
        "ffmpeg",
        [
          "-v", "error", "-nostdin", "-i", path, "-map", "0:v:0", "-vf",
          // A line with its time goes ahead of each frame.
          "settb=AVTB,metadata=mode=add:key=a:value=1,metadata=mode=print:file=pipe\\\\:3:direct=1",
          "-fps_mode", "passthrough", "-f", "image2pipe", "-c:v", "ppm", "pipe:1",
        ], pipes: [.output, .extra])
    } catch {
      throw FFmpeg.explained(error, file)
    }
  }

  private static func rate(_ stream: JSON) -> Double? {
    let parts = (stream["avg_frame_rate"]?.string ?? "").split(separator: "/").compactMap {
      Double($0)
    }
    guard parts.count == 2, parts[0] > 0, parts[1] > 0 else { return nil }
    return parts[0] / parts[1]
  }

  private static func count(_ stream: JSON, _ rate: Double?, duration: String?) -> Int? {
    if let count = stream["nb_frames"]?.string.flatMap({ Int($0) }), count > 0 { return count }
    guard let rate, let seconds = duration.flatMap({ Double($0) }) else { return nil }
    let count = (seconds * rate).rounded()
    return count.isFinite && count >= 1 && count < 1e12 ? Int(count) : nil
  }

  /// The next frame; nil after the last that can be decoded, see ``failure``.
  ///
  /// - Throws: ``VideoError`` for a video of which ffmpeg cannot decode a frame.
  package func next() throws -> VideoFrame? {
    guard let magic = process.line(.output) else {
      try end()
      return nil
    }
    let numbers = (process.line(.output) ?? "").split(separator: " ").compactMap { Int($0) }
    guard magic == "P6", numbers.count == 2, process.line(.output) == "255",
      numbers.allSatisfy({ $0 > 0 && $0 < 1 << 15 })
    else { throw VideoError(file: file, reason: "ffmpeg gave no frame where one was expected") }
    let length = numbers[0] * numbers[1] * 3
    var got = 0
    let pixels = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      let bytes = UnsafeMutableRawBufferPointer(buffer)
      got = process.read(into: UnsafeMutableRawBufferPointer(rebasing: bytes[..<length]))
      if got < length { bytes[got..<length].initializeMemory(as: UInt8.self, repeating: 0) }
      count = length
    }
    guard got == length else {
      try end()
      throw VideoError(file: file, reason: "ffmpeg gave \(got) of a frame's \(length) bytes")
    }
    state.withLock { $0.frames += 1 }
    var time: Int?
    while time == nil, let line = process.line(.extra) {
      guard line.hasPrefix("frame:"), let at = line.firstRange(of: "pts:") else { continue }
      time = Int(line[at.upperBound...].prefix { $0 == "-" || $0.isNumber })
    }
    return VideoFrame(
      image: Image(width: numbers[0], height: numbers[1], pixels: pixels), time: time ?? 0)
  }

  /// Waits for ffmpeg's end: what came before it failed is a video all the same.
  private func end() throws {
    do {
      try process.wait()
    } catch {
      guard state.withLock({ $0.frames > 0 }) else { throw FFmpeg.explained(error, file) }
      state.withLock { $0.failure = "\(error)" }
    }
  }

  /// Why the frames ended before the video, of which some were decoded; nil where they did not.
  package var failure: String? { state.withLock { $0.failure } }

  /// What ffmpeg said last of a video that it decoded, such as that it is cut off; nil where it said nothing.
  package var complaint: String? { process.lastLine }

  /// Ends the decoding.
  package func stop() { process.send(SIGTERM) }
}

/// Writes a video file by the system's ffmpeg; the file takes its name when it is whole.
package final class VideoWriter {
  /// The muxers by the file's ending.
  private static let muxers = [
    "mp4": "mp4", "m4v": "mp4", "mov": "mov", "mkv": "matroska", "webm": "webm", "avi": "avi",
  ]

  /// Whether a file of this ending can be written.
  package static func isWritten(_ path: String) -> Bool { muxers[path.fileSuffix] != nil }
  /// The endings of files that can be written.
  package static var suffixes: String { muxers.keys.sorted().joined(separator: ", ") }

  private let path: String, part: String, size: Size, start: Int
  private let process: ChildProcess
  private var isPlaced = false

  /// Begins a file.
  ///
  /// - Parameters:
  ///   - size: The frames' size; an odd side gets a row or column of black, as most players want even ones.
  ///   - start: The first frame's time.
  ///   - rate: About how many frames a second there are, by which the last frame is shown; others by their times.
  ///   - sound: A file whose sound is copied; nil for none.
  /// - Throws: ``VideoError``.
  package init(
    _ path: String, _ size: Size, start: Int, rate: Double? = nil, sound: String?
  ) throws {
    (self.path, self.size, self.start) = (path, size, start)
    let number = UInt32.random(in: 0 ... .max)
    part = "\(path).\(String(number, radix: 36))\(AtomicFile.suffix)"
    guard let muxer = Self.muxers[path.fileSuffix] else {
      throw VideoError(file: path, reason: "is no video's name, expected one of \(Self.suffixes)")
    }
    // ffmpeg would tell of a folder that is not there in its own words.
    do { try FileSystem.makeOutputFolder(of: path) } catch let error as FolderError {
      throw VideoError(file: path, reason: "cannot be written: \(error.reason)")
    }
    let codec: [String]
    if muxer == "webm" {
      codec = [
        "-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-crf", "30", "-b:v", "0",
      ]
    } else if FFmpeg.hasEncoder("libx264") {
      codec = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "18", "-bf", "0"]
    } else {
      codec = ["-c:v", "mpeg4", "-q:v", "3"]
    }
    let input = ["-itsoffset", "\(Double(start) / 1e6)", "-f", "matroska", "-i", "pipe:0"]
    let maps =
      sound.map {
        ["-i", "file:\($0)", "-map", "0:v", "-map", "1:a?", "-c:a", "copy", "-map_metadata", "1"]
      } ?? ["-map", "0:v"]
    let picture = [
      "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,scale=out_color_matrix=bt709:out_range=tv",
      "-pix_fmt", "yuv420p", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc",
      "bt709",
    ]
    do {
      process = try ChildProcess(
        "ffmpeg",
        ["-v", "error", "-nostdin", "-y"] + input + maps
          + ["-fps_mode", "passthrough", "-enc_time_base", "1:90000"] + codec + picture
          + ["-f", muxer, "file:\(part)"], pipes: [.input])
    } catch {
      throw FFmpeg.explained(error, path)
    }
    try send(Matroska.header(size, rate: rate ?? 25))
  }

  deinit { if !isPlaced { FileSystem.remove(part) } }

  private func send(_ bytes: [UInt8]) throws {
    guard bytes.withUnsafeBytes({ process.write($0) }) else { throw failure() }
  }

  /// Why ffmpeg does not read any more.
  private func failure() -> any Error {
    process.close(.input)
    do { try process.wait() } catch { return FFmpeg.explained(error, path) }
    return VideoError(
      file: path, reason: "ffmpeg ended early" + (process.lastLine.map { ": \($0)" } ?? ""))
  }

  /// Appends a frame of the video's size.
  ///
  /// - Throws: ``VideoError``.
  package func append(_ frame: VideoFrame) throws {
    guard frame.image.size == size else {
      throw VideoError(
        file: path,
        reason: "a frame is \(frame.image.width)×\(frame.image.height), expected"
          + " \(size.width)×\(size.height) as the first")
    }
    let pixels = frame.image.rgb.pixels
    try send(Matroska.frame(time: max(0, frame.time - start), bytes: pixels.count))
    try send(pixels)
  }

  /// Ends the file and gives it its name.
  ///
  /// - Throws: ``VideoError``, `WriteError`.
  package func finish() throws {
    process.close(.input)
    do { try process.wait() } catch { throw FFmpeg.explained(error, path) }
    let descriptor = FileSystem.open(part, O_RDONLY)
    if descriptor >= 0 {
      fsync(descriptor)
      close(descriptor)
    }
    guard FileSystem.rename(part, to: path) == 0 else { throw WriteError(path) }
    isPlaced = true
  }
}

/// A stream of Matroska with uncompressed frames, each with its time: what ffmpeg reads raw frames of any times from.
///
/// RFC 9559, "Matroska Media Container Format Specification".
private enum Matroska {
  private static func element(_ id: [UInt8], _ body: [UInt8]) -> [UInt8] {
    id + length(body.count) + body
  }
  private static func length(_ count: Int) -> [UInt8] { [1] + number(count).dropFirst() }
  private static func number(_ value: Int) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * $0)) }
  }

  /// What goes ahead of frames.
  ///
  /// - Parameter rate: The frames a second, without which a single frame would last no time and not be shown.
  static func header(_ size: Size, rate: Double) -> [UInt8] {
    let nanoseconds = Int((1e9 / min(max(rate, 0.01), 1000)).rounded())
    let kind =
      element([0x42, 0x86], number(1)) + element([0x42, 0xF7], number(1))
      + element([0x42, 0xF2], number(4)) + element([0x42, 0xF3], number(8))
      + element([0x42, 0x82], Array("matroska".utf8)) + element([0x42, 0x87], number(4))
      + element([0x42, 0x85], number(2))
    // Times count microseconds.
    let info =
      element([0x2A, 0xD7, 0xB1], number(1000)) + element([0x4D, 0x80], Array("Atrous".utf8))
      + element([0x57, 0x41], Array("Atrous".utf8))
    let video =
      element([0xB0], number(size.width)) + element([0xBA], number(size.height))
      + element([0x2E, 0xB5, 0x24], Array("RGB".utf8) + [24])
    let track =
      element([0xD7], number(1)) + element([0x73, 0xC5], number(1)) + element([0x83], number(1))
      + element([0x9C], number(0)) + element([0x23, 0xE3, 0x83], number(nanoseconds))
      + element([0x86], Array("V_UNCOMPRESSED".utf8))
      + element([0xE0], video)
    // The segment's length is not known.
    return element([0x1A, 0x45, 0xDF, 0xA3], kind) + [0x18, 0x53, 0x80, 0x67, 1]
      + [UInt8](repeating: 0xFF, count: 7) + element([0x15, 0x49, 0xA9, 0x66], info)
      + element([0x16, 0x54, 0xAE, 0x6B], element([0xAE], track))
  }

  /// What goes ahead of a frame's bytes: a cluster with a block of its own.
  static func frame(time: Int, bytes: Int) -> [UInt8] {
    let clock = element([0xE7], number(time))
    let block = [0xA3] + length(bytes + 4) + [0x81, 0, 0, 0x80]
    return [0x1F, 0x43, 0xB6, 0x75] + length(clock.count + block.count + bytes) + clock + block
  }
}
