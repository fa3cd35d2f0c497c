import ArgumentParser
import Evaluation
import Imaging

/// What images are extended by.
struct PaddingOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Extend images to multiples of the network's stride: none, zero or reflect.",
      discussion: """
        By default as the configuration's evaluate.pad says, or not at all: networks take images of \
        any size, and do themselves what their originals do to sides that do not fit.
        """))
  var pad: Padding?

  /// What the option changes in the section `evaluate`.
  var overrides: [String] { pad.map { ["evaluate.pad=\($0.rawValue)"] } ?? [] }
}

extension Padding: ExpressibleByArgument {}

/// How an image goes through the network: at which scales, mirrored or not, in windows.
///
/// Without an option the section `evaluate` of the configuration decides.
struct ViewOptions: ParsableArguments {
  @Option(help: "The factors by which images are resized, such as 0.75,1,1.25.")
  var scales: String?

  @Flag(inversion: .prefixedNo, help: "See each image mirrored, too.")
  var flip: Bool?

  @Option(help: "What is averaged: probabilities or logProbabilities.")
  var average: InferenceMode.Averaging?

  @Option(
    help: ArgumentHelp(
      "Slide a window of WIDTHxHEIGHT over the image, or none.",
      discussion: "By default as the configuration's evaluate.window says."))
  var window: String?

  @Option(
    help: ArgumentHelp(
      "The share of a side that windows have in common.",
      discussion:
        "In predict, where an image is segmented block by block: over which blocks are blended."))
  var overlap: Double?

  @Option(help: "How pixels of a window count: uniform or gaussian.")
  var windowWeights: InferenceMode.Window.Weights?

  /// Whether windows are asked for.
  var hasWindow: Bool { size != nil }

  func validate() throws {
    let parts = (scales ?? "1").split(separator: ",", omittingEmptySubsequences: false)
    guard parts.allSatisfy({ Double($0) != nil }) else {
      throw ValidationError(
        "--scales is '\(scales ?? "")', expected numbers such as 0.75,1,1.25.")
    }
    guard window == nil || window == "none" || size != nil else {
      throw ValidationError(
        "--window is '\(window ?? "")', expected WIDTHxHEIGHT such as 512x512, or none.")
    }
  }

  private var size: Size? { window.flatMap { Size(text: $0) } }

  /// What the options change in the section `evaluate`.
  ///
  /// - Parameter ofBlocks: Whether `--overlap` without `--window` is of blocks, not of the configuration's window.
  /// - Throws: `ScoringError` for what cannot be done.
  func overrides(ofBlocks: Bool = false) throws -> [String] {
    let overlap = ofBlocks && !hasWindow ? nil : overlap
    var mode = InferenceMode()
    set(&mode)
    if mode.window == nil {
      mode.window = InferenceMode.Window(Size(width: 8, height: 8), overlap: overlap ?? 0)
    }
    try mode.check()
    let settings: [(String, String?)] = [
      ("scales", scales.map { "[\($0)]" }), ("flip", flip.map { "\($0)" }),
      ("average", average?.rawValue), ("window", self.window),
      ("overlap", overlap.map { "\($0)" }), ("windowWeights", windowWeights?.rawValue),
    ]
    return settings.compactMap { key, value in value.map { "evaluate.\(key)=\($0)" } }
  }

  private func set(_ mode: inout InferenceMode) {
    if let scales { mode.scales = scales.split(separator: ",").compactMap { Double($0) } }
    if let flip { mode.flip = flip }
    if let average { mode.averaging = average }
    if let size {
      var window = InferenceMode.Window(size)
      if let overlap { window.overlap = overlap }
      if let windowWeights { window.weights = windowWeights }
      mode.window = window
    }
  }
}

/// Which images are scored and how they go through the network.
///
/// Without an option the section `evaluate` of the configuration decides.
struct InferenceOptions: ParsableArguments {
  @OptionGroup var views: ViewOptions

  @Option(help: "The most images that are scored, evenly spread; 0 for all.")
  var limit: Int?

  @OptionGroup var padding: PaddingOptions

  func validate() throws {
    guard limit.map({ $0 >= 0 }) ?? true else {
      throw ValidationError("--limit is \(limit ?? 0), expected a number of images, or 0 for all.")
    }
  }

  /// What the options change in the section `evaluate`.
  ///
  /// - Throws: `ScoringError` for what cannot be done.
  func overrides() throws -> [String] {
    try views.overrides() + padding.overrides
      + (limit.map { ["evaluate.limit=\($0)"] } ?? [])
  }
}

extension InferenceMode.Averaging: ExpressibleByArgument {}
extension InferenceMode.Window.Weights: ExpressibleByArgument {}
