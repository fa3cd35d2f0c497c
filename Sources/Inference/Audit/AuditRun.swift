import Annotations
import Datasets
import Evaluation
import Files
import Imaging
import Torch

/// Looks for wrong labels with a trained network, and writes what it finds.
///
/// | file | what it is |
/// |---|---|
/// | `index.html` | the least believed regions with pictures, images and classes, in one page |
/// | `audit.json` | all of them, each region with its pixels |
/// | `predictions/NAME.png` | the classes that the network finds, indexed |
/// | `annotations/` | labels for a tool, where they are asked for |
public struct AuditRun {
  /// How labels are looked at.
  public struct Options: Sendable {
    /// The part of the data; nil for the one that is scored.
    public var split: String?
    /// The pixels that a region has to have.
    public var minimumArea = 30
    /// How many regions the page shows.
    public var shown = 100
    /// The tool that labels are written for; nil for none.
    public var annotations: ConversionTarget?
    /// How many regions are marked in them, the least believed.
    public var marked = 200

    /// The usual options.
    public init() {}
  }

  private let scoring: NetworkScoring
  private let options: Options

  /// Gets everything ready.
  ///
  /// - Parameters:
  ///   - path: A checkpoint file, the folder of a run, or a folder of folds, of which each network looks at the images
  ///     that it was trained without.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - options: How labels are looked at.
  ///   - inference: How the network is run; how images go through it says the configuration.
  ///   - device: Where the network runs.
  /// - Throws: As `NetworkScoring`; `DatasetError.invalidSetting` for data that is cut into windows.
  public init(
    _ path: String, overrides: [String] = [], _ options: Options = .init(),
    inference: InferenceSession.Options = .init(), device: Device = .cpu
  ) throws {
    scoring = try NetworkScoring(
      path, overrides: overrides, .init(split: options.split), inference: inference,
      device: device)
    self.options = options
    if let windows = scoring.windows {
      throw DatasetError.invalidSetting(
        name: "data.windows", value: "\(windows.width)x\(windows.height)",
        expected: "whole images to look for wrong labels in")
    }
  }

  /// Looks at all labels and writes what was found.
  ///
  /// - Parameters:
  ///   - output: The folder; nil to write nothing.
  ///   - progress: Is told how many images of how many are done.
  /// - Throws: What reading an image throws, `PredictionError`, and what writing throws.
  public func run(
    output: String? = nil, progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> LabelAudit {
    // Before anything is computed that could not be kept.
    let folder = try output.map { try AuditFolder($0) }
    let map = scoring.labelMap
    var tally = AuditTally(map, minimumArea: options.minimumArea)
    var sources: [(dataset: any Dataset, index: Int)] = []
    try scoring.predict { part, scored, done in
      guard let probabilities = scored.probabilities else { return }
      tally.add(scored.sample, scored.prediction, probabilities)
      sources.append((part, done - 1))
      try folder?.keep(scored.prediction, name: scored.sample.name, map)
      progress(done, part.count)
    }
    let audit = tally.audit(dataset: scoring.title, model: scoring.model)
    if let folder {
      try folder.write(audit, map, shown: options.shown) { index in
        try sources[index].dataset.load(sources[index].index)
      }
      if let target = options.annotations {
        try folder.writeAnnotations(audit, map, target, marked: options.marked, sources)
      }
    }
    return audit
  }
}
