import Datasets
import Files
import Foundation

/// The networks that `atrous train --folds` left in a folder, each of which was trained without one fold of the images.
///
/// A network is that of the end of its run: the best of a run was chosen by the very images that are held out.
public struct FoldRuns: Sendable, Equatable {
  /// The folder that holds the runs.
  public let folder: String
  /// The number of folds.
  public let count: Int

  /// The file that says that a folder holds such runs.
  package static let fileName = "folds.json"
  /// The file of a run that is finished.
  package static let finishedName = "result.json"

  /// What is read of the file.
  private struct Form: Decodable { let count: Int }

  /// The runs in a folder; nil if it holds none.
  public init?(_ folder: String) {
    guard let data = FileSystem.contents("\(folder)/\(Self.fileName)"),
      // may fail: another file of this name is none of ours.
      let form = try? JSONDecoder().decode(Form.self, from: data),
      Fold(1, of: form.count) != nil
    else { return nil }
    (self.folder, count) = (folder, form.count)
  }

  /// The folds.
  public var folds: [Fold] { Fold.all(count) }

  /// The folder of the run that holds a fold out.
  package static func run(_ fold: Fold, in folder: String) -> String {
    "\(folder)/fold-\(fold.number)"
  }

  /// The checkpoints of all runs, in the order of the folds.
  ///
  /// - Throws: ``CheckpointError/unfinishedFolds(folder:missing:count:)`` where a run is not finished.
  public func checkpoints() throws -> [String] {
    let runs = folds.map { Self.run($0, in: folder) }
    let missing = zip(folds, runs).filter { !FileSystem.exists("\($1)/\(Self.finishedName)") }
    guard missing.isEmpty else {
      throw CheckpointError.unfinishedFolds(
        folder: folder, missing: missing.map(\.0.number), count: count)
    }
    return runs.map { "\($0)/\(Checkpoint.Name.last)" }
  }

  /// The checkpoints that a path stands for: all of a folder of folds, or itself.
  ///
  /// - Throws: As ``checkpoints()``.
  public static func checkpoints(_ path: String) throws -> [String] {
    try FoldRuns(path)?.checkpoints() ?? [path]
  }
}
