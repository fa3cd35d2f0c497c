import Files
import Imaging

/// The tracks of CVAT's XML "for video 1.1", whose frames are pictures of a folder.
///
/// A shape that is `outside` is not there until the next one of its track; `occluded` ones are drawn. Frames
/// that the file does not list lie between those that it does, as CVAT computes them; CVAT's own export lists
/// every frame. After the last one a shape stays. Pixels of a mask are of their own frame alone.
struct CVATTracks {
  /// A shape of a track at a frame.
  private struct Moment {
    let frame: Int
    let outline: CVATOutline
    let isOutside: Bool
    let layer: Int
    let line: Int
  }

  /// An object that moves.
  private struct Track {
    let label: Int, line: Int
    let task: String
    var moments: [Moment] = []

    /// The shape at a frame; nil where there is none.
    func shape(at frame: Int) -> Shape? {
      var (low, high) = (0, moments.count)
      while low < high {
        let middle = (low + high) / 2
        if moments[middle].frame <= frame { low = middle + 1 } else { high = middle }
      }
      guard low > 0, !moments[low - 1].isOutside else { return nil }
      let last = moments[low - 1]
      var outline: CVATOutline? = last.outline
      if last.frame < frame {
        if low < moments.count {
          let next = moments[low]
          outline = last.outline.between(
            next.outline, at: Double(frame - last.frame) / Double(next.frame - last.frame))
        } else if case .pixels = last.outline {
          outline = nil
        }
      }
      return outline.map {
        Shape(label, $0.form, place: "frame \(frame), line \(last.line)", layer: last.layer)
      }
    }
  }

  /// All tracks of a file.
  private final class Tracks: Sendable {
    let tracks: [Track]
    init(_ tracks: [Track]) { self.tracks = tracks }
    func shapes(at frame: Int) -> [Shape] { tracks.compactMap { $0.shape(at: frame) } }
  }

  /// The most frames of a video.
  private static let mostFrames = 200_000

  private let file: String
  private var tracks: [Track] = []
  /// The subset of the task in its project.
  private var subset = ""
  /// What the file says of the task: the first and last frame, every how many of them there is one, the size.
  private var (start, stop, step): (Int?, Int?, Int) = (nil, nil, 1)
  private var (width, height): (Int?, Int?) = (nil, nil)

  /// The tracks of a file.
  init(_ file: String) { self.file = file }

  /// Whether there are none.
  var isEmpty: Bool { tracks.isEmpty }

  // MARK: Reading

  private func error(_ line: Int, _ found: String, _ expected: String) -> AnnotationError {
    AnnotationError(file, "line \(line) (<track>)", found: found, expected: expected)
  }

  /// Takes what the file says of its task.
  mutating func note(_ name: String, _ text: String) {
    let number = Int(text).flatMap { (0...1 << 31).contains($0) ? $0 : nil }
    switch name {
    case "start_frame": start = number
    case "stop_frame": stop = number
    case "width": width = number
    case "height": height = number
    case "frame_filter":
      step = text.split(separator: "=").last.flatMap { Int($0) } ?? 1
      if !(1...1 << 20).contains(step) { step = 1 }
    default: break
    }
  }

  /// Begins a track.
  mutating func begin(_ element: XMLReading.Element, _ label: Int) {
    if let subset = element.attributes["subset"] { self.subset = subset }
    tracks.append(
      Track(label: label, line: element.line, task: element.attributes["task_id"] ?? ""))
  }

  /// Adds a shape to the last track.
  ///
  /// - Throws: ``AnnotationError`` for a frame that is none.
  mutating func add(
    _ element: XMLReading.Element, _ outline: CVATOutline, layer: Int
  ) throws {
    guard let frame = element.attributes["frame"].flatMap({ Int($0) }),
      (0...1 << 31).contains(frame)
    else {
      throw error(
        element.line, "has the frame \(quoted(element.attributes["frame"] ?? ""))",
        "the number of a frame")
    }
    tracks[tracks.count - 1].moments.append(
      Moment(
        frame: frame, outline: outline, isOutside: element.attributes["outside"] == "1",
        layer: layer, line: element.line))
  }

  /// Ends the last track.
  ///
  /// - Throws: ``AnnotationError`` for frames that are given twice, and kinds of shapes that change.
  mutating func end() throws {
    var track = tracks[tracks.count - 1]
    track.moments.sort { $0.frame < $1.frame }
    for (last, next) in zip(track.moments, track.moments.dropFirst()) {
      guard last.frame < next.frame else {
        throw error(next.line, "has the frame \(next.frame) again", "each frame once")
      }
      guard last.isOutside || last.outline.isKin(of: next.outline) else {
        throw error(next.line, "is of another kind than the shape before", "one kind a track")
      }
    }
    tracks[tracks.count - 1] = track
  }

  // MARK: Frames

  /// The frames as images.
  ///
  /// - Throws: ``AnnotationError`` where frames and pictures do not fit.
  func images(_ part: String, _ options: ReadingOptions) throws -> [AnnotationSet.Image] {
    if let other = tracks.first(where: { $0.task != tracks[0].task }) {
      throw error(
        other.line, "is of the task \(other.task), others are of \(tracks[0].task)",
        "tracks of one task, as frames of several have the same numbers")
    }
    let size = width.flatMap { width in height.map { Size(width: width, height: $0) } }
    let all = Tracks(tracks)
    return try frames(options).map { frame, path in
      .init(
        name: path.lastPart.withoutEnding, path: path, part: part.isEmpty ? self.part : part,
        size: size.flatMap { $0.width > 0 && $0.height > 0 ? $0 : nil }, file: file,
        content: .deferred { all.shapes(at: frame) })
    }
  }

  private var part: String { Annotations.part(of: subset) }

  /// The frames' numbers and pictures: `frame_000017.png` as CVAT names those of a video, or as many pictures as
  /// there are frames, in the order of their names.
  private func frames(_ options: ReadingOptions) throws -> [(Int, String)] {
    let listed = tracks.flatMap { $0.moments.map(\.frame) }
    let first = min(start ?? listed.min() ?? 0, listed.min() ?? .max)
    let last = max(stop ?? 0, listed.max() ?? 0)
    let numbers = stride(from: first, through: last, by: step)
    guard (last - first) / step < Self.mostFrames else {
      throw AnnotationError(
        file, found: "has frames from \(first) to \(last)",
        expected: "at most \(Self.mostFrames) of them")
    }
    let folders =
      (options.images.map { [$0] } ?? [])
      + (subset.isEmpty ? [] : ["\(file.folder)/images/\(subset)"])
      + ["\(file.folder)/images", file.folder]
    func name(_ frame: Int) -> String {
      "frame_" + String(repeating: "0", count: max(0, 6 - "\(frame)".count)) + "\(frame)"
    }
    for folder in folders {
      let pictures = ImageFinder.pictures(in: folder)
      guard !pictures.isEmpty else { continue }
      let named = Dictionary(pictures.map { ($0.withoutEnding, $0) }) { first, _ in first }
      let found = numbers.compactMap { frame in
        named[name(frame)].map { (frame, "\(folder)/\($0)") }
      }
      if !found.isEmpty { return found }
      let count = (last - first) / step + 1
      if stop == nil, pictures.count > count {
        return pictures.enumerated().map { (first + $0 * step, "\(folder)/\($1)") }
      }
      guard pictures.count == count else {
        throw AnnotationError(
          file,
          found: "has the frames \(first) to \(last)\(step > 1 ? ", every \(step)th" : ""),"
            + " and \(folder) has \(pictures.count) pictures",
          expected: "a picture for each frame, or pictures named \(name(first)) and so on")
      }
      return zip(numbers, pictures).map { ($0, "\(folder)/\($1)") }
    }
    return numbers.map { ($0, "\(file.folder)/images/\(name($0)).png") }
  }
}
