import Configuration
import Datasets
import Foundation
import Imaging

/// The section `evaluate`: how the network is scored, by `train`, `evaluate` and `compare` alike.
///
/// ```yaml
/// evaluate:
///   split: val
///   limit: 50                   # images, evenly spread; 0 for all
///   imageSize: 1024x512
///   window: 512x512             # none for whole images
///   overlap: 0.33
///   windowWeights: gaussian
///   scales: [0.75, 1, 1.25]
///   flip: true
///   average: probabilities
///   pad: zero
/// ```
public struct EvaluationSettings: Sendable {
  /// The part of the data that is scored.
  public let split: String
  /// Whether the configuration names that part itself.
  package let isSplitGiven: Bool
  /// The most images that are scored; nil for all.
  public let limit: Int?
  /// The size to which images are resized for the network; nil for their own.
  public let imageSize: SeenSize?
  /// How images go through the network.
  public let mode: InferenceMode
  /// What images are extended by at the right and at the bottom.
  public var padding: Padding { mode.padding ?? .unchanged }

  package init(_ section: Section) throws {
    split = try section.string("split", default: "val")
    isSplitGiven = section.has("split")
    let limit = try section.optionalInt("limit", in: 0...Int.max)
    self.limit = limit == 0 ? nil : limit
    let exact = try Self.size(section, "imageSize")
    let keepsRatio = try section.bool("keepAspectRatio", default: false)
    let multiple = try section.optionalInt("multipleOf", in: 1...4096)
    if keepsRatio, exact == nil {
      throw section.invalid(
        "keepAspectRatio", "true without 'imageSize'", expected: "imageSize beside it")
    }
    if multiple != nil, !keepsRatio {
      throw section.invalid(
        "multipleOf", "given without 'keepAspectRatio'", expected: "keepAspectRatio: true beside it"
      )
    }
    let short = try section.optionalInt("shortSide", in: 1...16_384).map(SeenSize.shortSide)
    if exact != nil, short != nil {
      throw section.invalid(
        "shortSide", "given beside 'imageSize'", expected: "only one of imageSize and shortSide")
    }
    imageSize =
      exact.map { keepsRatio ? .near($0, multiple: multiple ?? 1) : .exact($0) } ?? short
    mode = try Self.mode(section)
  }

  /// The images of `dataset` that are scored, and what a protocol says of those that are not.
  package func part(of dataset: any Dataset) -> (dataset: any Dataset, subset: String?) {
    let cut = dataset.windows.map {
      "images cut into windows of \($0.width)×\($0.height), each scored as one"
    }
    guard let limit, limit < dataset.count else { return (dataset, cut) }
    let part =
      "\(limit) of \(dataset.count) \(cut == nil ? "images" : "windows"), evenly spread, as"
      + " evaluate.limit says"
    return (dataset.spread(to: limit), [cut, part].compactMap { $0 }.joined(separator: "; "))
  }

  private static func size(_ section: Section, _ key: String) throws -> Size? {
    guard section.has(key) else { return nil }
    let size = try section.size(key)
    return Size(width: size.width, height: size.height)
  }

  private static func mode(_ section: Section) throws -> InferenceMode {
    var mode = InferenceMode(padding: try section.choice("pad", default: .unchanged))
    mode.scales = try section.doubles("scales", default: [1])
    mode.flip = try section.bool("flip", default: false)
    mode.averaging = try section.choice(
      "average", InferenceMode.Averaging.self, default: .probabilities)
    var window = InferenceMode.Window(Size(width: 8, height: 8))
    window.overlap = try section.double("overlap", default: window.overlap)
    window.weights = try section.choice(
      "windowWeights", InferenceMode.Window.Weights.self, default: window.weights)
    section.declare("window", as: .size, default: "none")
    section.declare("window", as: .word(["none"]), default: "none")
    if (try? section.string("window")) != "none", let size = try size(section, "window") {
      window.size = size
      mode.window = window
    }
    do {
      try mode.check()
    } catch let error as ScoringError {
      guard case .setting(let name, let value, let expected) = error else { throw error }
      throw section.invalid(
        name.replacingOccurrences(of: "the ", with: ""), value, expected: expected)
    }
    return mode
  }
}
