import Checkpoints
import Files
import Foundation

/// A line of a run's log, one JSON object a line.
struct LogLine: Codable {
  /// `train` or `evaluate`.
  var kind: String
  var step: Int
  var epoch: Double
  var loss: Double?
  var learningRate: Double?
  var gradientNorm: Double?
  var imagesPerSecond: Double?
  /// The share of the time in which the network waited for images.
  var waiting: Double?
  var meanIoU: Double?
  var pixelAccuracy: Double?
  var classes: [String: Double]?
  /// The time since the run began or was resumed, in seconds.
  var seconds: Double
}

/// The log of a run: a file of JSON lines that begins where the checkpoint left off.
final class RunLog {
  private let path: String
  private let handle: FileHandle
  /// The lines of the steps before, which stay.
  let kept: [LogLine]

  /// Opens the log and drops the lines of steps after `step`, which will be done again.
  ///
  /// - Throws: ``WriteError``.
  init(_ path: String, keepingUpTo step: Int) throws {
    self.path = path
    let decoder = JSONDecoder()
    var (kept, entries) = (Data(), [LogLine]())
    if step > 0, let old = FileSystem.contents(path) {
      for line in old.split(separator: 10) {
        guard let entry = try? decoder.decode(LogLine.self, from: line), entry.step <= step else {
          continue
        }
        kept.append(line)
        kept.append(10)
        entries.append(entry)
      }
    }
    self.kept = entries
    try AtomicFile.write(path, kept)
    let descriptor = FileSystem.open(path, O_WRONLY)
    guard descriptor >= 0 else { throw WriteError(path) }
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try handle.seekToEnd()
  }

  deinit { try? handle.close() }

  func write(_ line: LogLine) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(line)
    data.append(10)
    do { try handle.write(contentsOf: data) } catch { throw WriteError(path) }
  }
}
