import Imaging

/// What stands in the way of scoring label files.
public enum ScoringError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A file cannot be used.
  case unreadable(file: String, reason: String)
  /// An image of the truth has no prediction.
  case missingPrediction(image: String, expected: String)
  /// More than one prediction answers to an image.
  case severalPredictions(image: String, files: [String])
  /// Prediction and truth differ in size; `reason` says why, where that is known.
  case sizes(file: String, size: Size, truth: String, truthSize: Size, reason: String? = nil)
  /// A segment and its description do not agree.
  case segment(file: String, id: Int, reason: String)
  /// Results that were computed differently cannot be compared.
  case incomparable(first: String, second: String, what: String)
  /// A setting is impossible.
  case setting(name: String, value: String, expected: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be used: \(reason)"
    case .missingPrediction(let image, let expected):
      "\(image): has no prediction; expected \(expected)"
    case .severalPredictions(let image, let files):
      "\(image): \(files.count) predictions answer to it (\(files.joined(separator: ", ")));"
        + " expected one"
    case .sizes(let file, let size, let truth, let truthSize, let reason):
      "\(file) is \(size.width)×\(size.height) but its truth \(truth) is"
        + " \(truthSize.width)×\(truthSize.height); expected equal sizes"
        + (reason.map { ". \($0)" } ?? "")
    case .segment(let file, let id, let reason): "\(file): segment \(id) \(reason)"
    case .incomparable(let first, let second, let what):
      "\(first) and \(second) cannot be compared: \(what)"
    case .setting(let name, let value, let expected):
      "\(name) is \(value), expected \(expected)"
    }
  }
}
