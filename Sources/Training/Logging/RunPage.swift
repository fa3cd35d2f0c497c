import Checkpoints
import Datasets
import Evaluation
import Files
import Foundation
import Imaging

/// The page of a run, `index.html` in its folder, written anew while it trains.
///
/// It has curves, the scores of each class and a few predictions, and needs no other file and no network.
final class RunPage {
  /// How far the run is.
  enum Status: Equatable {
    case training(secondsLeft: Double)
    case interrupted, finished, stoppedEarly
  }

  /// The page's name in the folder of the run.
  static let name = "index.html"

  private let path: String
  let title: String
  let map: LabelMap
  private(set) var lines: [LogLine]
  private(set) var pictures: [(caption: String, jpeg: [UInt8])] = []
  private var written: ContinuousClock.Instant?
  /// The seconds between two pages of the same run, which cost a few hundredths of one each.
  static let pause = 15

  /// The page of the run in `folder`, which has logged `lines` before.
  init(in folder: String, title: String, _ map: LabelMap, lines: [LogLine]) {
    path = "\(folder)/\(Self.name)"
    self.title = title
    self.map = map
    self.lines = lines
  }

  /// Takes in a line of the log.
  func add(_ line: LogLine) { lines.append(line) }

  /// Takes in an image beside its truth and its prediction; the first of an evaluation takes the earlier
  /// ones' place.
  func add(_ panel: Image, _ caption: String, isFirst: Bool) throws {
    if isFirst { pictures = [] }
    pictures.append((caption, try panel.jpeg(quality: 85)))
  }

  /// Writes the page if it is due: at once when the run does not go on, else now and then.
  ///
  /// - Throws: `WriteError`.
  func write(
    _ status: Status, step: Int, of steps: Int, best: Standing.Best?, _ yaml: String
  ) throws {
    if case .training = status, let written, ContinuousClock.now - written < .seconds(Self.pause) {
      return
    }
    written = .now
    let text = try html(status, step: step, of: steps, best: best, yaml)
    try AtomicFile.write(path, Data(text.utf8))
  }
}
