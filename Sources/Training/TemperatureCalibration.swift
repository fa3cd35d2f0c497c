import Checkpoints
import Datasets
import Evaluation
import Foundation
import Inference
import Torch

/// Fits a temperature to a checkpoint's network on images that it was not trained on, and keeps it in the checkpoint.
public struct TemperatureCalibration {
  /// What was fitted to which images.
  public struct Result: JSONReport {
    /// The checkpoint.
    public let checkpoint: String
    /// The images that it was fitted to, and how many of their pixels.
    public let dataset: String, images: Int, pixels: Int
    /// What was fitted.
    public let temperature: Temperature
    /// How well probabilities fit these images before and after.
    public let reliability: ReliabilityScores

    /// The result for a person.
    public var text: String {
      func row(_ name: String, _ value: (Reliability) -> String?) -> [String] {
        [
          name, value(reliability.all) ?? "n/a",
          reliability.calibrated.flatMap { value($0.all) } ?? "n/a",
        ]
      }
      let lines = TextTable.lines(
        ["", "before", "after"],
        [
          row("negative log likelihood") { $0.negativeLogLikelihood.map { fixed($0, 4) } },
          row("expected calibration error %") { percent($0.expectedError) },
          row("Brier score") { $0.brier.map { fixed($0, 4) } },
        ])
      return
        (["\(temperature.text), by \(pixels) pixels of \(images) images of \(dataset)"] + lines)
        .joined(separator: "\n")
    }
  }

  /// Fits and keeps the temperature of a checkpoint.
  ///
  /// - Parameters:
  ///   - path: A checkpoint file, or the folder of a run, whose best checkpoint it is then.
  ///   - byClass: Whether each class that is found gets a temperature of its own.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`, which are not kept.
  ///   - split: The part of the data; nil for the one that is scored.
  ///   - inference: How the network is run.
  ///   - device: Where it runs.
  ///   - progress: Is told how many images of how many are done.
  /// - Throws: What scoring throws; `DatasetError.emptyFolder` for images without a labelled pixel; `WriteError`.
  public static func run(
    _ path: String, byClass: Bool = false, overrides: [String] = [], split: String? = nil,
    inference: InferenceSession.Options = .init(), device: Device = .cpu,
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> Result {
    // Before anything takes long.
    let checkpoint = try Checkpoint(path)
    let scoring = try NetworkScoring(
      checkpoint.file, overrides: overrides, .init(split: split), inference: inference,
      device: device)
    var fit: TemperatureFit?
    var images = 0
    try scoring.predict { part, scored, done in
      guard let probabilities = scored.probabilities else { return }
      if fit == nil {
        fit = TemperatureFit(classes: probabilities.classes, images: part.count)
      }
      fit?.add(truth: scored.sample.mask, found: scored.prediction, probabilities)
      images = done
      progress(done, part.count)
    }
    guard let fit, let temperature = fit.fitted(byClass: byClass) else {
      throw DatasetError.emptyFolder(
        path: scoring.title, expected: "images with labelled pixels to fit a temperature to")
    }
    try checkpoint.write(temperature: temperature)
    return Result(
      checkpoint: checkpoint.file, dataset: scoring.title, images: images, pixels: fit.pixels,
      temperature: temperature, reliability: fit.reliability(temperature))
  }
}

extension Checkpoint {
  /// Writes the checkpoint with another temperature, or none, in its place; everything else stays.
  ///
  /// - Throws: `WriteError`.
  public func write(temperature: Temperature?) throws {
    var record = RunRecord(record, try run())
    record.network.temperature = temperature
    try record.write(file, weights.entries.map { ($0.name, try weights.tensor($0.name)) })
  }
}
