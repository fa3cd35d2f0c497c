import Configuration
import Evaluation

/// What the best checkpoint is the best by, and what early stopping and the plateau schedule follow.
///
/// ```yaml
/// best: meanIoU               # pixelAccuracy, meanAccuracy, meanDice, loss
/// best: {iou: pedestrian}
/// ```
public enum Metric: Sendable, Equatable, CustomStringConvertible {
  /// The mean IoU of the classes that occur.
  case meanIoU
  /// The share of pixels predicted right.
  case pixelAccuracy
  /// The mean recall of the classes that occur.
  case meanAccuracy
  /// The mean Dice coefficient of the classes that occur.
  case meanDice
  /// The loss on the images that are scored; the lower the better.
  case loss
  /// The IoU of the class of this name.
  case iou(String)

  /// What logs and messages call it.
  public var description: String {
    switch self {
    case .meanIoU: "mean IoU"
    case .pixelAccuracy: "pixel accuracy"
    case .meanAccuracy: "mean accuracy"
    case .meanDice: "mean Dice"
    case .loss: "loss"
    case .iou(let name): "IoU of \(name)"
    }
  }

  /// Whether a smaller value is a better one.
  public var lowerIsBetter: Bool { self == .loss }

  /// Reads the value at `key`; a class must be one of `classes`.
  init(_ section: Section, _ key: String, classes: [String]) throws {
    let named: [String: Metric] = [
      "meanIoU": .meanIoU, "pixelAccuracy": .pixelAccuracy, "meanAccuracy": .meanAccuracy,
      "meanDice": .meanDice, "loss": .loss,
    ]
    section.declare(key, as: .word(named.keys.sorted()))
    section.declare(key, as: .mapping)
    if let inner = try? section.section(key), inner.has("iou") {
      let name = try inner.string("iou")
      guard classes.contains(name) else {
        throw inner.invalid(
          "iou", "'\(name)'", expected: "a class: \(classes.joined(separator: ", "))")
      }
      self = .iou(name)
      return
    }
    let name = try section.string(key, default: "meanIoU")
    guard let metric = named[name] else {
      throw section.invalid(
        key, "'\(name)'",
        expected: "one of \(named.keys.sorted().joined(separator: ", ")), or {iou: class}"
          + (ConfigurationError.nearest(name, Array(named.keys)).map {
            " (did you mean '\($0)'?)"
          } ?? ""))
    }
    self = metric
  }

  /// The value, if there is one: a class that does not occur has no IoU.
  func value(_ scores: Scores, loss: Double?) -> Double? {
    switch self {
    case .meanIoU: scores.meanIoU
    case .pixelAccuracy: scores.pixelAccuracy
    case .meanAccuracy: scores.meanAccuracy
    case .meanDice: scores.meanDice
    case .loss: loss
    case .iou(let name): scores.classes.first { $0.name == name }?.iou
    }
  }

  /// Whether `value` is better than `other` by more than `change`.
  func isBetter(_ value: Double, than other: Double, by change: Double = 0) -> Bool {
    lowerIsBetter ? value < other - change : value > other + change
  }
}

/// The end of a run whose score no longer gets better.
public struct EarlyStopping: Sendable, Equatable {
  /// The evaluations without a better score that are put up with.
  public let patience: Int
  /// The change that makes a score a better one.
  public let minimumChange: Double

  /// What a run remembers of its scores.
  struct State: Sendable, Equatable, Codable {
    /// The score that the next is compared with.
    private(set) var best: Double?
    /// The evaluations since then.
    private(set) var waited = 0

    /// Takes note of a score, and says whether patience is at its end.
    mutating func observe(_ value: Double, _ metric: Metric, _ rule: EarlyStopping) -> Bool {
      if best.map({ metric.isBetter(value, than: $0, by: rule.minimumChange) }) ?? true {
        best = value
        waited = 0
      } else {
        waited += 1
      }
      return waited >= rule.patience
    }
  }

  /// An end after `patience` scores that are not better by more than `minimumChange`.
  public init(patience: Int, minimumChange: Double = 0) {
    (self.patience, self.minimumChange) = (patience, minimumChange)
  }

  init?(_ section: Section?) throws {
    guard let section else { return nil }
    patience = try section.int("patience", in: 1...longest)
    minimumChange = try section.double("minimumChange", default: 0, in: 0...1e12)
  }
}

/// Checkpoints that stay beside the last and the best.
public struct Snapshots: Sendable, Equatable {
  /// How often one is taken.
  public let every: Interval
  /// How many stay, the newest; nil for all.
  public let keep: Int?

  init?(_ section: Section?) throws {
    guard let section else { return nil }
    every = try Interval(section, "every", default: .epochs(1))
    keep = try section.optionalInt("keep", in: 1...longest)
  }
}
