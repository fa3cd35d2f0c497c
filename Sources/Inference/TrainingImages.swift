import Checkpoints
import Configuration
import Datasets

/// What a checkpoint says of the images that its run trains on.
public struct TrainingImages: Sendable, Codable, Equatable {
  /// How many they are.
  public let count: Int
  /// A number that tells lists of names apart; folders may change.
  public let names: String

  /// Those of a data set.
  package init(_ dataset: any Dataset) {
    var key = RunningFingerprint()
    for index in 0..<dataset.count { key.add(dataset.item(index).name) }
    (count, names) = (dataset.count, key.text)
  }
}

extension Checkpoint {
  private struct Form: Decodable { let trainingImages: TrainingImages? }

  /// The fold that the network was trained without; nil where nothing was held out by folds.
  ///
  /// - Throws: `ConfigurationError`.
  package func heldOutFold() throws -> Fold? {
    let section = try Section(yaml: record.configuration, named: file).section("data")
    return try section.optionalString("fold").flatMap { Fold(text: $0) }
  }

  /// Refuses to take images for held out that the network may have been trained on.
  ///
  /// - Parameter data: The data that it is to be scored on, by its part `val`.
  /// - Throws: ``CheckpointError/trainedOn(file:fold:asked:)`` for another fold,
  ///   ``CheckpointError/otherFolds(file:fold:reason:)`` where the images that folds are made of have changed.
  package func checkHeldOut(in data: DataConfiguration) throws {
    guard let own = try heldOutFold(), let asked = data.fold else { return }
    guard own == asked else {
      throw CheckpointError.trainedOn(file: file, fold: "\(own)", asked: "\(asked)")
    }
    let form = try Self.decoded(Form.self, from: recordText, file: file)
    guard let before = form.trainingImages else { return }
    let now = TrainingImages(try data.dataset("train"))
    guard before != now else { return }
    throw CheckpointError.otherFolds(
      file: file, fold: "\(own)",
      reason: before.count == now.count
        ? "\(now.count) of other names are left to train on"
        : "it was trained on \(before.count), and \(now.count) are left to train on")
  }
}
