import Configuration
import Datasets
import Evaluation
import Foundation

/// What is done with the classes that a network found before they are written and counted, in this order: the
/// threshold of two classes, small regions, classes that are not asked for.
public struct MaskRefinement: Sendable, Equatable {
  /// From which probability on a pixel is the foreground of two classes; nil for the more probable class.
  public let threshold: Double?
  /// The pixels that a region has to have; smaller ones are given to the class around them.
  public let minimumArea: Int
  /// The classes that are asked for; nil for all.
  public let classes: [Int]?
  private let foreground: UInt8

  /// Whether classes stay as the network found them.
  public var isNone: Bool { threshold == nil && minimumArea <= 1 && classes == nil }
  /// What has to be computed beside the classes.
  var wanted: InferenceSession.Wanted { threshold == nil ? [] : .confidence }

  /// What leaves classes as they are.
  public init() {
    (threshold, minimumArea, classes, foreground) = (nil, 0, nil, 1)
  }

  /// What is done with classes of a label map.
  ///
  /// - Throws: `ScoringError.setting` for a class that there is not, for none, and for a threshold with other
  ///   than two classes.
  public init(
    _ map: LabelMap, classes names: [String]? = nil, threshold: Double? = nil, minimumArea: Int = 0
  ) throws {
    let all = map.classes.map(\.name)
    if let threshold {
      guard map.foreground != nil else {
        throw ScoringError.setting(
          name: "the threshold", value: "\(threshold)",
          expected: "none, as the network has \(map.count) classes and a threshold is for two")
      }
      guard threshold >= 0, threshold <= 1 else {
        throw ScoringError.setting(
          name: "the threshold", value: "\(threshold)", expected: "a probability from 0 to 1")
      }
    }
    classes = try names.map { names in
      guard !names.isEmpty else {
        throw ScoringError.setting(
          name: "the list of classes", value: "empty",
          expected: "some of \(all.joined(separator: ", "))")
      }
      return try names.map { name in
        // As commands that take one class read it.
        let own = name.trimmingCharacters(in: .whitespaces)
        let near = all.indices.filter { all[$0].lowercased() == own.lowercased() }
        guard let index = all.firstIndex(of: own) ?? (near.count == 1 ? near[0] : nil) else {
          let near = ConfigurationError.nearest(name, all).map { "; did you mean \($0)?" } ?? ""
          throw ScoringError.setting(
            name: "a class", value: "'\(name)'",
            expected: "one of \(all.joined(separator: ", "))\(near)")
        }
        return index
      }
    }
    (self.threshold, self.minimumArea) = (threshold, minimumArea)
    foreground = UInt8(map.foreground ?? 1)
  }

  /// The classes in words that differ for different settings.
  var description: String {
    "threshold \(threshold.map { "\($0)" } ?? "none") area \(minimumArea) classes"
      + " \(classes.map { "\($0)" } ?? "all")"
  }

  /// What chooses classes by the threshold; nil without one.
  ///
  /// - Parameter temperature: What the probabilities are softened by.
  /// - Returns: What gives pixels the foreground from the threshold on, and the probability of the class that they get.
  func choosing(
    _ temperature: Temperature?
  ) -> ((_ classes: inout [UInt8], _ confidence: inout [Float]) -> Void)? {
    threshold.map { threshold in
      // It is one of the probabilities as the network gives them, so that a temperature changes no class.
      let own = Float(
        temperature?.softened(threshold, foreground: Int(foreground)) ?? threshold)
      return { [foreground] classes, confidence in
        ClassMask.apply(
          threshold: own, foreground: foreground, to: &classes, confidence: &confidence)
      }
    }
  }

  /// Ignores the pixels of classes that are not asked for.
  func keepAsked(_ found: inout [UInt8]) {
    guard let classes else { return }
    var isKept = [Bool](repeating: false, count: 256)
    for index in classes { isKept[index] = true }
    for i in found.indices where !isKept[Int(found[i])] { found[i] = LabelMap.ignored }
  }

  /// A prediction with the classes as they are asked for.
  ///
  /// Its confidence is the probability of the class that the threshold gives, and stays where a region is given
  /// away.
  func callAsFunction(_ prediction: Prediction, _ map: LabelMap) -> Prediction {
    guard !isNone else { return prediction }
    var mask = prediction.mask
    var confidence = prediction.confidence
    if let choose = choosing(prediction.temperature), var own = confidence {
      choose(&mask.classes, &own)
      confidence = own
    }
    if minimumArea > 1 { mask = mask.withoutRegions(below: minimumArea) }
    var measured = prediction.measured
    if classes != nil {
      measured = mask.classes.count { $0 != LabelMap.ignored }
      keepAsked(&mask.classes)
    }
    return Prediction(
      mask, map, confidence: confidence, probabilities: prediction.probabilities,
      disagreement: prediction.disagreement, temperature: prediction.temperature,
      measured: measured)
  }
}
