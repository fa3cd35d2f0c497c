import Datasets
import Files
import Foundation
import Inference

extension RunFolder {
  /// Keeps other processes from training in the folder, which is made if it is not there, for as long
  /// as the value lives and the process does.
  ///
  /// - Throws: ``RunError/locked(folder:holder:)`` if another trains there,
  ///   `FolderError`; nothing in the folder has changed then.
  func lock(_ monitor: any TrainingMonitor) throws -> FolderLock {
    let lock: FolderLock
    do {
      lock = try FolderLock(path, name: ".training.lock")
    } catch FolderLockError.held(let holder) {
      throw RunError.locked(folder: path, holder: holder ?? "another process")
    } catch FolderLockError.unusable(let code) {
      throw FolderError(path, reason: FileSystem.reason(code))
    }
    if let obstacle = lock.obstacle {
      monitor.message(
        "\(path): cannot be locked (\(obstacle)); nothing keeps a second process from training"
          + " there")
    }
    return lock
  }

  /// Refuses to go on with other training images than the run began with: what is drawn for each, and
  /// the length of an epoch, would be others.
  ///
  /// - Throws: ``RunError/otherImages(folder:before:now:)``.
  func check(_ images: any Dataset, steps: Int, against record: RunState) throws {
    func words(_ count: Int) -> String { "\(count) training image\(count == 1 ? "" : "s")" }
    let now = TrainingImages(images)
    guard let before = record.trainingImages else {
      // An older record tells the iterations, which follow from the images where epochs are given.
      guard record.steps == steps else {
        throw RunError.otherImages(
          folder: path, before: "images for \(record.steps) iterations",
          now: "\(words(now.count)) for \(steps)")
      }
      return
    }
    guard before.count == now.count else {
      throw RunError.otherImages(folder: path, before: words(before.count), now: "\(now.count)")
    }
    guard before.names == now.names else {
      throw RunError.otherImages(
        folder: path, before: words(before.count), now: "as many of other names")
    }
  }
}
