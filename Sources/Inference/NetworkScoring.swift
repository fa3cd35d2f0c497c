import Datasets
import Evaluation
import Files
import Imaging
import Torch

/// Scores a trained network, or the mean of several, on a part of the data that its configuration names.
public struct NetworkScoring {
  /// What is scored, and beside what.
  public struct Options: Sendable {
    /// The part of the data; nil for the configuration's.
    public var split: String?
    /// The size at which is scored; nil for that of the truth.
    public var labelSize: Size?
    /// The width of strips for the boundary IoU; nil leaves it out.
    public var boundaryRatio: Double?
    /// From which probability on a pixel is the foreground of two classes; nil for the more probable class.
    public var threshold: Double?

    /// The usual options.
    public init(
      split: String? = nil, labelSize: Size? = nil, boundaryRatio: Double? = nil,
      threshold: Double? = nil
    ) {
      (self.split, self.labelSize, self.boundaryRatio) = (split, labelSize, boundaryRatio)
      self.threshold = threshold
    }
  }

  private var name: String
  private var evaluator: Evaluator
  private let dataset: any Dataset
  /// What the network finds and sees, which others that answer with it have to as well.
  private let first: (classes: [String], bands: BandPlan?, orientation: ImageOrientation)

  /// Gets everything ready.
  ///
  /// - Parameters:
  ///   - path: A checkpoint file, or the folder of a run.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - options: What is scored.
  ///   - inference: How the network is run; how images go through it says the configuration.
  ///   - device: Where the network runs.
  /// - Throws: As ``TrainedNetwork``; `DatasetError`, `UnsupportedPrecision`, ``CalibrationError``.
  public init(
    _ path: String, overrides: [String] = [], _ options: Options = Options(),
    inference: InferenceSession.Options = .init(), device: Device = .cpu
  ) throws {
    let network = try TrainedNetwork(checkpoint: path, overrides: overrides, device: device)
    try network.checkDescribed()
    let data = try network.configuration.data()
    let settings = try network.configuration.evaluation()
    let (own, named) = (network.classNames, data.labelMap.classes.map(\.name))
    guard own.count == named.count, own == named || Set(own) != Set(named) else {
      throw CheckpointError.otherClassOrder(
        file: network.file, ours: named, theirs: own,
        reason: "expected the network's classes in the network's order")
    }
    let scored: (dataset: any Dataset, subset: String?) = try settings.part(
      of: data.dataset(options.split ?? settings.split))
    name = network.record.map { "\(network.file), iteration \($0.step)" } ?? network.file
    dataset = scored.dataset
    first = (own, network.bandPlan, network.orientation)
    var inference = inference
    inference.mode = settings.mode
    evaluator = Evaluator(
      try network.predictor(inference), imageSize: settings.imageSize,
      labelSize: options.labelSize)
    evaluator.labelRule = data.labelResizing
    evaluator.boundaryRatio = options.boundaryRatio
    evaluator.computesCurves = true
    // Refused where there are other than two classes.
    evaluator.threshold = try MaskRefinement(
      scored.dataset.labelMap, threshold: options.threshold
    ).threshold
    evaluator.subset = scored.subset
  }

  /// Gets several networks ready that answer together by the weighted mean of their probabilities, on the data of
  /// the first.
  ///
  /// - Parameters:
  ///   - paths: Checkpoint files, or folders of runs; at least one.
  ///   - weights: What each counts beside the others; nil for all the same.
  /// - Throws: As for one; ``EnsembleError`` where they have other classes or see other images;
  ///   `ScoringError.setting` for weights that cannot be.
  public init(
    _ paths: [String], weights: [Double]? = nil, overrides: [String] = [],
    _ options: Options = Options(), inference: InferenceSession.Options = .init(),
    device: Device = .cpu
  ) throws {
    precondition(!paths.isEmpty, "there is a network to score")
    try self.init(paths[0], overrides: overrides, options, inference: inference, device: device)
    guard paths.count > 1 else { return }
    let weights = try Ensemble.shares(weights, of: paths.count)
    evaluator.weight = weights[0]
    for (path, weight) in zip(paths, weights).dropFirst() {
      let network = try TrainedNetwork(checkpoint: path, overrides: overrides, device: device)
      try network.checkDescribed()
      try Ensemble.check([first.classes, network.classNames], [paths[0], path])
      guard network.bandPlan == first.bands, network.orientation == first.orientation else {
        throw EnsembleError.images(file: path, first: paths[0])
      }
      let settings = try network.configuration.evaluation()
      guard settings.imageSize == evaluator.imageSize else {
        throw EnsembleError.sizes(file: path, first: paths[0])
      }
      var own = inference
      own.mode = settings.mode
      evaluator.companions.append((try network.predictor(own), weight))
      name +=
        " + " + (network.record.map { "\(network.file), iteration \($0.step)" } ?? network.file)
    }
  }

  /// The scores beside those of `other`, the same checkpoint in another precision; `progress` is told
  /// how many images of how many are done.
  ///
  /// - Throws: What reading an image throws, `PredictionError`.
  public func compared(
    with other: NetworkScoring, progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> PrecisionComparison {
    try PrecisionComparison(evaluator, against: other.evaluator, on: dataset, model: name) {
      progress($0, dataset.count)
    }
  }

  /// Refuses to compare results and networks of different numbers of classes, or what is neither.
  ///
  /// It scores nothing. Names may be others by overrides, so that only results tell them.
  /// - Throws: `ScoringError.incomparable`; what reading a checkpoint throws.
  package static func checkClasses(of paths: [String], overrides: [String] = []) throws {
    let counts = try paths.map {
      try ResultFolder.holdsResults($0)
        ? ResultFolder.classes(in: $0) : TrainedNetwork.classNames(of: $0, overrides: overrides)
    }
    for (path, classes) in zip(paths, counts) where classes.count != counts[0].count {
      func list(_ names: [String]) -> String { names.joined(separator: ", ") }
      throw ScoringError.incomparable(
        first: paths[0], second: path,
        what: "their classes differ: \(list(counts[0])), and \(list(classes))")
    }
  }

  /// A folder with results: `path` itself if it is one, or the scores of the checkpoint there, written
  /// into `folder`.
  ///
  /// - Throws: What making the scoring and running it throw.
  public static func results(
    of path: String, in folder: String, overrides: [String], split: String?, device: Device,
    progress: (_ done: Int, _ count: Int) -> Void
  ) throws -> String {
    if ResultFolder.holdsResults(path) { return path }
    _ = try NetworkScoring(
      path, overrides: overrides, Options(split: split), device: device
    ).run(output: folder, progress: progress)
    return folder
  }

  /// The scores; `progress` is told how many images of how many are done.
  ///
  /// - Parameters:
  ///   - output: The folder for tables, pictures and predictions; nil for none.
  ///   - submission: The folder for label ids as the Cityscapes server takes them; nil for none.
  ///   - progress: Is told how many images of how many are done.
  ///   - counted: Is given what each image contributes to the scores.
  /// - Throws: What reading an image throws, `PredictionError`, and what writing throws.
  public func run(
    output: String? = nil, submission: String? = nil,
    progress: (_ done: Int, _ count: Int) -> Void = { _, _ in },
    counted: (ImageCounts) -> Void = { _ in }
  ) throws -> EvaluationResult {
    // Before anything is computed that could not be kept.
    for path in [output, submission] {
      if let path { try FileSystem.makeOutputFolder(path) }
    }
    let folder = try output.map { try ResultFolder($0) }
    defer { folder?.discard() }
    var images: [ImageCounts] = []
    let map = dataset.labelMap
    let palette = map.palette
    let result = try evaluator.evaluate(
      dataset, model: name
    ) { sample, prediction, done in
      try folder?.keep(prediction, name: sample.name, colors: palette)
      if let submission {
        try CityscapesSubmission.write(prediction, name: sample.name, map: map, to: submission)
      }
      progress(done, dataset.count)
    } counted: {
      if output != nil { images.append($0) }
      counted($0)
    }
    if let folder {
      try folder.write(
        result, images: images, map: map, labelColors: dataset.labelColors
      ) { index in
        try folder.shown(
          dataset.load(index), labelSize: evaluator.labelSize, labelRule: evaluator.labelRule)
      }
    }
    return result
  }
}
