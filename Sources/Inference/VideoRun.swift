import Datasets
import Evaluation
import Files
import Foundation
import Imaging

/// Segments the frames of a video, or of a stream: while the network runs, the next frame is decoded and the one
/// before is drawn and encoded.
public struct VideoRun: Sendable {
  /// What is made of a video.
  public struct Options: Sendable {
    /// How much the overlay's colours cover, 0 to 1.
    public var opacity = 0.5
    /// The share of the probabilities of the frames before in a frame's, from 0 to below 1.
    ///
    /// Where a pixel hardly changes from frame t − 1 to t (``Flicker/stillness``), its probabilities are `smoothing`
    /// times those of frame t − 1 after smoothing, plus the rest times the network's own: the exponential mean.
    /// Elsewhere they are the network's own, so that nothing lags behind what moves.
    public var smoothing = 0.0
    /// What is done with the classes that were found.
    public var refinement = MaskRefinement()
    /// A folder for the label file of each frame, `NAME_000001_labels.png`; nil for none.
    public var labels: String?
    /// Whether pixels of no class are left clear.
    public var clearsOthers = false

    /// The usual options.
    public init() {}
  }

  /// What raw frames are written as.
  public enum RawOutput: String, Sendable, CaseIterable {
    /// A byte for each pixel: its class, 255 for none.
    case labels
    /// Red, green and blue of the frame under the colours of classes.
    case overlay
  }

  /// What a run did.
  public struct Report: Sendable {
    /// The frames that were written.
    public var frames = 0
    /// The seconds of all of it, and those that the network ran.
    public var seconds = 0.0, network = 0.0
    /// Whether the run was stopped.
    public var isStopped = false
    /// What ffmpeg said of a video that is cut off or damaged; nil where it said nothing.
    public var complaint: String?
    /// Whether ffmpeg failed after the frames that were written.
    public var isCut = false
    /// How often classes change where the image does not, as written.
    public var flicker = Flicker()
    /// The same of the network's own classes, where probabilities were smoothed.
    public var unsmoothed: Flicker?

    /// Frames a second of all of it.
    public var rate: Double { seconds > 0 ? Double(frames) / seconds : 0 }

    /// The report in lines.
    public var text: String {
      var lines = [
        "\(frames) frames in \(String(format: "%.1f", seconds)) s, \(String(format: "%.1f", rate))"
          + " frames/s; the network took \(String(format: "%.1f", network)) s"
      ]
      if let share = flicker.share {
        var text = String(
          format: "flicker: %.3f %% of pixels change class where the image does not", share * 100)
        if let before = unsmoothed?.share {
          text += String(format: "; %.3f %% without --smooth", before * 100)
        }
        lines.append(text)
      }
      return lines.joined(separator: "\n")
    }
  }

  private let ensemble: Ensemble
  private let options: Options

  /// A run with networks.
  ///
  /// - Throws: `ScoringError.setting` for a factor that is no share.
  public init(_ ensemble: Ensemble, _ options: Options = Options()) throws {
    guard options.smoothing >= 0, options.smoothing < 1 else {
      throw ScoringError.setting(
        name: "the smoothing", value: "\(options.smoothing)", expected: "a number from 0 to below 1"
      )
    }
    (self.ensemble, self.options) = (ensemble, options)
    guard ensemble.first.bandPlan == nil else {
      throw ScoringError.setting(
        name: "the network", value: "one of bands of images",
        expected: "one for pictures in red, green and blue, as frames of videos are")
    }
  }

  /// Segments a video file into another one, with its sound and its frames' times.
  ///
  /// - Parameters:
  ///   - file: The video.
  ///   - output: The video that is written; its ending says the form.
  ///   - shouldStop: Whether the run ends with the frame that it is at: the file is whole all the same.
  ///   - progress: Is told how many frames of about how many are done, and the frames a second; 0 for a
  ///     number that is not known.
  /// - Throws: `VideoError`, also where ffmpeg is missing; `WriteError`, and what predictions throw.
  public func run(
    _ file: String, to output: String, shouldStop: () -> Bool = { false },
    progress: (_ done: Int, _ count: Int, _ rate: Double) -> Void = { _, _, _ in }
  ) throws -> Report {
    guard VideoWriter.isWritten(output) else {
      throw VideoError(
        file: output, reason: "is no name of a video, expected an ending of \(VideoWriter.suffixes)"
      )
    }
    if let folder = options.labels { try FileSystem.makeOutputFolder(folder) }
    // The file would be gone.
    if let own = FileSystem.status(file), let other = FileSystem.status(output),
      own.st_ino == other.st_ino, own.st_dev == other.st_dev
    {
      throw VideoError(file: output, reason: "is the video itself, expected another name")
    }
    let reader = try VideoReader(file)
    let (map, palette) = (ensemble.first.labelMap, palette)
    var writer: VideoWriter?
    var report = try process(
      next: { try reader.next() }, stop: { reader.stop() }, count: reader.count ?? 0, name: file,
      shouldStop: shouldStop, progress: progress
    ) { frame, mask, index in
      let to =
        try writer
        ?? VideoWriter(
          output, frame.image.size, start: frame.time, rate: reader.rate, sound: file)
      writer = to
      try to.append(
        VideoFrame(
          image: frame.image.overlaid(
            classes: mask.classes, palette: palette, opacity: options.opacity, clear: map.background
          ), time: frame.time))
      if let folder = options.labels {
        let number = String(format: "%06d", index + 1)
        try mask.writePNG(
          to: "\(folder)/\(file.fileStem)_\(number)_labels.png", palette: map.palette)
      }
    }
    guard let writer else {
      throw VideoError(file: file, reason: "has no frame that can be decoded, expected some")
    }
    try writer.finish()
    if !report.isStopped {
      report.complaint = reader.failure ?? reader.complaint
      report.isCut = reader.failure != nil
    }
    return report
  }

  /// Segments raw frames, red, green and blue of 8 bits each, until the input ends.
  ///
  /// - Parameters:
  ///   - size: The frames' size.
  ///   - input: The descriptor that frames are read from.
  ///   - output: The descriptor that each frame's labels or overlay is written to as soon as it is there.
  ///   - kind: What is written.
  ///   - shouldStop: Whether the run ends with the frame that it is at.
  ///   - progress: Is told how many frames are done, and the frames a second; how many there will be is not
  ///     known (0).
  /// - Throws: `VideoError` for a frame that is cut off, or an output that nobody reads; what predictions throw.
  public func run(
    raw size: Size, from input: Int32, to output: Int32, as kind: RawOutput,
    shouldStop: () -> Bool = { false },
    progress: (_ done: Int, _ count: Int, _ rate: Double) -> Void = { _, _, _ in }
  ) throws -> Report {
    let (map, palette) = (ensemble.first.labelMap, palette)
    let length = size.width * size.height * 3
    return try process(
      next: {
        var got = 0
        let pixels = [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
          while got < length, let base = buffer.baseAddress {
            let more = read(input, base + got, length - got)
            if more < 0 && errno == EINTR { continue }
            guard more > 0 else { break }
            got += more
          }
          buffer[got..<length].initialize(repeating: 0)
          count = length
        }
        guard got > 0 else { return nil }
        guard got == length else {
          throw VideoError(
            file: "standard input",
            reason:
              "ends with \(got) bytes of a frame, expected \(length), \(size.width)×\(size.height)×3"
          )
        }
        return VideoFrame(
          image: Image(width: size.width, height: size.height, pixels: pixels), time: 0)
      }, stop: {}, count: 0, name: "standard input", shouldStop: shouldStop, progress: progress
    ) { frame, mask, _ in
      let bytes =
        kind == .labels
        ? mask.classes
        : frame.image.overlaid(
          classes: mask.classes, palette: palette, opacity: options.opacity, clear: map.background
        ).pixels
      try bytes.withUnsafeBytes { bytes in
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
          let count = write(output, base + done, bytes.count - done)
          if count < 0 && errno == EINTR { continue }
          guard count > 0 else {
            throw VideoError(
              file: "standard output", reason: "cannot be written: \(FileSystem.reason(errno))")
          }
          done += count
        }
      }
    }
  }

  private var palette: [Color] {
    let map = ensemble.first.labelMap
    return options.clearsOthers ? map.colors : map.palette
  }

  /// A frame with what was found in it.
  private struct Found: Sendable {
    let frame: VideoFrame
    let mask: ClassMask
    /// The network's own classes, where others are written.
    let own: ClassMask?
    let seconds: Double
  }

  private func process(
    next: @escaping @Sendable () throws -> VideoFrame?, stop: () -> Void, count: Int, name: String,
    shouldStop: () -> Bool, progress: (Int, Int, Double) -> Void,
    write: (VideoFrame, ClassMask, Int) throws -> Void
  ) throws -> Report {
    let clock = ContinuousClock()
    let start = clock.now
    let frames = Prefetch(count: .max, depth: 2) { _ in try next() }
    let smoother = Smoother(options.smoothing)
    let predictions = Prefetch<Found?>(count: .max, depth: 2) { [ensemble, options] _ in
      guard let frame = try frames.next()?.get() else { return nil }
      let map = ensemble.first.labelMap
      let before = clock.now
      var prediction = try ensemble.predict(
        frame.image, file: name,
        wanted: options.refinement.wanted
          .union(smoother.isNeeded ? [.probabilities, .uncalibrated] : []))
      let seconds = (clock.now - before) / .seconds(1)
      var own: ClassMask?
      if smoother.isNeeded {
        own = options.refinement(prediction, map).mask
        prediction = smoother.smoothed(prediction, of: frame.image, map, options.refinement.wanted)
      }
      return Found(
        frame: frame, mask: options.refinement(prediction, map).mask, own: own, seconds: seconds)
    }
    // The network must not run on when the caller goes on, whose thread may wait for a frame.
    defer {
      stop()
      frames.stop()
      predictions.finish()
    }
    var report = Report()
    if smoother.isNeeded { report.unsmoothed = Flicker() }
    var last: Found?
    while let found = try predictions.next()?.get() {
      try write(found.frame, found.mask, report.frames)
      if let last {
        report.flicker.add(
          (last.frame.image, last.mask), (found.frame.image, found.mask))
        if let before = last.own, let own = found.own {
          report.unsmoothed?.add((last.frame.image, before), (found.frame.image, own))
        }
      }
      last = found
      report.frames += 1
      report.network += found.seconds
      report.seconds = (clock.now - start) / .seconds(1)
      progress(report.frames, max(count, report.frames), report.rate)
      if shouldStop() {
        report.isStopped = true
        break
      }
    }
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }
}

/// How often the class of a pixel changes from one frame to the next where the image hardly does.
public struct Flicker: Sendable, Equatable {
  /// A pixel hardly changes where no channel changes by more levels of 255.
  public static let stillness = 8
  /// Pixels that hardly changed, and those of them whose class did.
  public private(set) var still = 0, changed = 0

  /// The share of the pixels that hardly changed whose class did; nil without such pixels.
  public var share: Double? { still == 0 ? nil : Double(changed) / Double(still) }

  /// Nothing yet.
  public init() {}

  /// Whether pixel `i` hardly changes between two images' pixels in red, green and blue.
  @inline(__always)
  fileprivate static func isStill(
    _ a: UnsafeBufferPointer<UInt8>, _ b: UnsafeBufferPointer<UInt8>, _ i: Int
  ) -> Bool {
    func differs(_ channel: Int) -> Bool {
      let (x, y) = (a[3 &* i &+ channel], b[3 &* i &+ channel])
      return (x > y ? x &- y : y &- x) > stillness
    }
    return !differs(0) && !differs(1) && !differs(2)
  }

  /// Counts two frames that follow each other; those of different sizes count nothing.
  mutating func add(
    _ before: (image: Image, mask: ClassMask), _ now: (image: Image, mask: ClassMask)
  ) {
    guard before.image.pixels.count == now.image.pixels.count,
      now.image.pixels.count == 3 * now.mask.classes.count
    else { return }
    var (still, changed) = (0, 0)
    before.image.pixels.withUnsafeBufferPointer { a in
      now.image.pixels.withUnsafeBufferPointer { b in
        before.mask.classes.withUnsafeBufferPointer { first in
          now.mask.classes.withUnsafeBufferPointer { second in
            for i in 0..<second.count where Self.isStill(a, b, i) {
              still &+= 1
              if first[i] != second[i] { changed &+= 1 }
            }
          }
        }
      }
    }
    self.still += still
    self.changed += changed
  }
}

/// The exponential mean of probabilities along frames, of pixels that hardly change.
///
/// Unchecked: the network's thread alone uses it.
private final class Smoother: @unchecked Sendable {
  private let factor: Float
  private var mean: ClassProbabilities?
  private var last: Image?

  init(_ factor: Double) { self.factor = Float(factor) }

  var isNeeded: Bool { factor > 0 }

  func smoothed(
    _ prediction: Prediction, of image: Image, _ map: LabelMap, _ wanted: InferenceSession.Wanted
  ) -> Prediction {
    guard var own = prediction.probabilities else { return prediction }
    if let mean, mean.size == own.size, let last, last.pixels.count == image.pixels.count {
      own.blend(with: mean, shares: shares(last, image))
    }
    (mean, last) = (own, image)
    return Prediction(
      own.mask, map, confidence: wanted.contains(.confidence) ? own.confidence : nil,
      probabilities: own)
  }

  /// What the frames before count at each pixel.
  private func shares(_ before: Image, _ now: Image) -> [Float] {
    [Float](unsafeUninitializedCapacity: now.pixels.count / 3) { shares, count in
      count = now.pixels.count / 3
      before.pixels.withUnsafeBufferPointer { a in
        now.pixels.withUnsafeBufferPointer { b in
          for i in 0..<count { shares[i] = Flicker.isStill(a, b, i) ? factor : 0 }
        }
      }
    }
  }
}
