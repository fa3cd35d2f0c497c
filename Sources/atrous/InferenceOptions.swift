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
}

extension Padding: ExpressibleByArgument {}

/// How images go through the network.
struct InferenceOptions: ParsableArguments {
  @Option(help: "The factors by which images are resized, such as 0.75,1,1.25.")
  var scales = "1"

  @Flag(help: "See each image mirrored, too.")
  var flip = false

  @Option(help: "What is averaged: probabilities or logProbabilities.")
  var average = InferenceMode.Averaging.probabilities

  @Option(help: "Slide a window of WIDTHxHEIGHT over the image.")
  var window: String?

  @Option(help: "The share of a side that windows have in common.")
  var overlap = 1.0 / 3

  @Option(help: "How pixels of a window count: uniform or gaussian.")
  var windowWeights = InferenceMode.Window.Weights.uniform

  @OptionGroup var padding: PaddingOptions

  func validate() throws {
    let parts = scales.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.allSatisfy({ Double($0) != nil }) else {
      throw ValidationError("--scales is '\(scales)', expected numbers such as 0.75,1,1.25.")
    }
    guard window == nil || window.flatMap({ ImageSize($0) }) != nil else {
      throw ValidationError(
        "--window is '\(window ?? "")', expected WIDTHxHEIGHT such as 512x512.")
    }
  }

  /// The mode that the options ask for.
  var mode: InferenceMode {
    InferenceMode(
      scales: scales.split(separator: ",").compactMap { Double($0) }, flip: flip,
      averaging: average,
      window: window.flatMap { ImageSize($0) }.map {
        .init(
          Size(width: $0.width, height: $0.height), overlap: overlap, weights: windowWeights)
      }, padding: padding.pad)
  }
}

extension InferenceMode.Averaging: ExpressibleByArgument {}
extension InferenceMode.Window.Weights: ExpressibleByArgument {}
