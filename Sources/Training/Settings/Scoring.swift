import Evaluation
import Configuration
import Datasets

extension TrainingConfiguration {
  /// Whether the network is scored while it trains: the configuration names images for it, or the data
  /// set has a part for it.
  public var isScored: Bool {
    data.fold != nil || evaluate.isSplitGiven || data.has(evaluate.split)
  }

  /// The images that are scored; nil if there are none.
  ///
  /// - Throws: `DatasetError`, and `ConfigurationError` for a part that is named and not there.
  func scoredImages() throws -> (any Dataset)? {
    isScored ? try data.dataset(data.scoredPart(evaluate.split)) : nil
  }

  /// Why nothing is scored, in words.
  var unscoredReason: String {
    "there is no part '\(evaluate.split)' of the data; data.\(evaluate.split) or evaluate.split names"
      + " one"
  }

  /// Refuses what follows scores, where there are none.
  ///
  /// - Throws: `ConfigurationError` naming the key.
  func checkScores(_ section: Section) throws {
    guard !isScored else { return }
    for key in ["best", "earlyStopping"] where section.has(key) {
      throw section.invalid(key, "given", expected: "nothing, as \(unscoredReason)")
    }
    if case .plateau = train.schedule.curve {
      throw section.invalid(
        "schedule", "plateau", expected: "one that does not follow scores, as \(unscoredReason)")
    }
  }

  /// Refuses runs whose scores nobody could compare.
  ///
  /// - Throws: `ConfigurationError` naming the part that is missing.
  func requireScores() throws {
    guard !isScored else { return }
    throw ConfigurationError.missing(
      place: data.place, key: evaluate.split,
      expected: "the part of the data that runs are compared by")
  }
}
