import Datasets
import Evaluation
import Files
import Foundation
import Imaging
import Torch

/// One network, or several whose probabilities are averaged.
public final class Ensemble: Sendable {
  /// The networks.
  public let sessions: [InferenceSession]
  /// What each counts; together 1.
  public let weights: [Double]

  /// The first network, whose classes, bands and label files are those of all.
  public var first: InferenceSession { sessions[0] }

  /// One network.
  public init(_ session: InferenceSession) { (sessions, weights) = ([session], [1]) }

  /// Several networks.
  ///
  /// - Parameters:
  ///   - sessions: The networks, at least one.
  ///   - names: What messages call them.
  ///   - weights: What each counts beside the others; nil for all the same.
  /// - Throws: ``EnsembleError`` where they have other classes or see other images;
  ///   `ScoringError.setting` for weights of another number, below 0 or all 0.
  public init(_ sessions: [InferenceSession], names: [String], weights: [Double]? = nil) throws {
    precondition(!sessions.isEmpty && sessions.count == names.count, "an ensemble has networks")
    let weights = try Self.shares(weights, of: sessions.count)
    try Self.check(sessions.map { $0.labelMap.classes.map(\.name) }, names)
    for (name, session) in zip(names, sessions) {
      let (own, other) = (session.bandPlan, sessions[0].bandPlan)
      guard own == other, session.orientation == sessions[0].orientation else {
        throw EnsembleError.images(file: name, first: names[0])
      }
    }
    (self.sessions, self.weights) = (sessions, weights)
  }

  /// What each of several networks counts, together 1; all the same without weights.
  ///
  /// - Throws: `ScoringError.setting` for weights of another number, below 0 or all 0.
  static func shares(_ weights: [Double]?, of count: Int) throws -> [Double] {
    let weights = weights ?? [Double](repeating: 1, count: count)
    let total = weights.reduce(0, +)
    guard weights.count == count, weights.allSatisfy({ $0 >= 0 && $0.isFinite }), total > 0 else {
      throw ScoringError.setting(
        name: "the weights of networks", value: weights.map { "\($0)" }.joined(separator: ","),
        expected: "\(count) numbers from 0, of which one is above 0")
    }
    return weights.map { $0 / total }
  }

  /// Refuses networks of other classes than the first.
  ///
  /// - Throws: ``EnsembleError/classes(file:_:first:_:)``.
  static func check(_ classes: [[String]], _ names: [String]) throws {
    for (name, own) in zip(names, classes) where own != classes[0] {
      throw EnsembleError.classes(file: name, own, first: names[0], classes[0])
    }
  }

  /// A text that differs for other weights and settings.
  var settings: String {
    zip(sessions, weights).map { "\($1)\n\($0.fingerprint)" }.joined(separator: "\n")
  }

  /// The image in a file, refused by its header if a network would need more memory for it than there is.
  ///
  /// - Throws: `ImageError`, `PredictionError.tooLarge`.
  public func image(_ file: String) throws -> Image {
    let image = try first.image(file)
    for session in sessions.dropFirst() { try session.admit(image.size, file: file) }
    return image
  }

  /// What the networks find in an image: the most probable class by the weighted mean of their probabilities.
  ///
  /// One network alone answers as its ``InferenceSession`` does. The probabilities of several are averaged as the networks
  /// give them, whatever temperatures their checkpoints have: a mean is softer than what it is of, and its classes would
  /// be others. Of several one runs after the other, and two
  /// images' worth of probabilities are held.
  /// - Throws: What ``InferenceSession/predict(_:file:wanted:)`` throws.
  public func predict(
    _ image: Image, file: String = "image", wanted: InferenceSession.Wanted = []
  ) throws -> Prediction {
    guard sessions.count > 1 else { return try first.predict(image, file: file, wanted: wanted) }
    var sum = MeanProbabilities()
    var entropies: [Float]?
    for (session, weight) in zip(sessions, weights) where weight > 0 {
      guard
        let own = try session.predict(
          image, file: file, wanted: [.probabilities, .uncalibrated]
        ).probabilities
      else { continue }
      if wanted.contains(.disagreement) {
        let entropy = own.entropy
        entropies =
          entropies.map { zip($0, entropy).map { $0 + Float(weight) * $1 } }
          ?? entropy.map { Float(weight) * $0 }
      }
      sum.add(own, weight: weight)
    }
    guard let mean = sum.mean else { preconditionFailure("a weight is above 0") }
    let disagreement = entropies.map { own in zip(mean.entropy, own).map { max(0, $0 - $1) } }
    return Prediction(
      mean.mask, first.labelMap,
      confidence: wanted.contains(.confidence) ? mean.confidence : nil,
      probabilities: wanted.contains(.probabilities) ? mean : nil, disagreement: disagreement)
  }
}

/// Why networks cannot answer together.
public enum EnsembleError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Two networks have other classes.
  case classes(file: String, [String], first: String, [String])
  /// Two networks see other bands of images, or turn or resize photographs otherwise.
  case images(file: String, first: String)
  /// Two networks see images of other sizes where they are scored.
  case sizes(file: String, first: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .classes(let file, let own, let first, let others):
      "\(file): has other classes than \(first): \(Self.list(own)) instead of"
        + " \(Self.list(others)); expected networks of the same classes in the same order"
    case .images(let file, let first):
      "\(file): sees other bands of an image than \(first), or turns or resizes photographs otherwise;"
        + " expected networks that see the same"
    case .sizes(let file, let first):
      "\(file): sees images of another size than \(first), expected one evaluate.imageSize"
    }
  }

  private static func list(_ names: [String]) -> String {
    "\(names.count) (\(names.joined(separator: ", ")))"
  }
}
