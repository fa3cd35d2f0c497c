import Files
import Foundation

/// A line for each image of a folder whose outputs are whole, so that a run that was stopped goes on, and a later
/// one skips what would become the same.
final class PredictionJournal {
  /// What is noted of an image.
  private struct Line: Codable {
    /// What the outputs follow from besides the image.
    let settings: String
    /// The stamps of the image and of each output, by the output's path below the folder.
    let image: String
    let outputs: [String: String]
    let entry: PredictionSummary.Entry
  }

  private let path: String, folder: String, settings: String
  private var lines: [String: Line] = [:]
  private let descriptor: Int32

  /// The journal `path` of the files in `folder`; what is there is read where the run is resumed, and let go
  /// otherwise.
  ///
  /// - Throws: `WriteError`.
  init(_ path: String, in folder: String, settings: String, isResumed: Bool) throws {
    (self.path, self.folder, self.settings) = (path, folder, settings)
    var old = Data()
    if isResumed {
      old = FileSystem.contents(path) ?? Data()
      // A line that was cut off is not whole.
      if let end = old.lastIndex(of: UInt8(ascii: "\n")) { old = old[...end] } else { old = Data() }
      for text in old.split(separator: UInt8(ascii: "\n")) {
        // What is no line of ours is as good as none.
        guard let line = try? JSONDecoder().decode(Line.self, from: text) else { continue }
        lines[line.entry.file] = line
      }
    }
    try AtomicFile.write(path, old)
    descriptor = FileSystem.open(path, O_WRONLY | O_APPEND)
    guard descriptor >= 0 else { throw WriteError(path) }
  }

  deinit { close(descriptor) }

  /// What was found in an image whose outputs are whole and follow from the same image and settings; nil for
  /// another.
  func entry(of image: String) -> PredictionSummary.Entry? {
    guard let line = lines[image.fileName], line.settings == settings,
      line.image == FileSystem.stamp(image),
      line.outputs.allSatisfy({ FileSystem.stamp("\(folder)/\($0.key)") == $0.value })
    else { return nil }
    return line.entry
  }

  /// Notes that an image's outputs are whole.
  ///
  /// - Throws: `WriteError`.
  func append(_ entry: PredictionSummary.Entry, image: String, outputs: [String]) throws {
    let line = Line(
      settings: settings, image: FileSystem.stamp(image),
      outputs: Dictionary(
        outputs.map { ($0.fileName, FileSystem.stamp($0)) }, uniquingKeysWith: { $1 }),
      entry: entry)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var bytes = Array(try encoder.encode(line)) + [UInt8(ascii: "\n")]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw WriteError(path) }
      bytes.removeFirst(count)
    }
  }
}
