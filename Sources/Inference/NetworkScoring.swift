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
    /// Whether is counted how well probabilities fit what is found.
    public var reliability: Bool
    /// From which probability on a pixel is the foreground of two classes; nil for the more probable class.
    public var threshold: Double?

    /// The usual options.
    public init(
      split: String? = nil, labelSize: Size? = nil, boundaryRatio: Double? = nil,
      threshold: Double? = nil, reliability: Bool = false
    ) {
      (self.split, self.labelSize, self.boundaryRatio) = (split, labelSize, boundaryRatio)
      (self.threshold, self.reliability) = (threshold, reliability)
    }
  }

  /// A network with the images that it is scored on.
  private struct Part {
    var name: String
    var evaluator: Evaluator
    let dataset: any Dataset
    /// What the network finds and sees, which others that answer with it have to as well.
    let classes: [String], bands: BandPlan?, orientation: ImageOrientation
  }

  /// The networks, of which each but the first is read when its turn comes.
  private var first: Part
  private let others: [() throws -> Part]
  /// What the result calls the images and the network where there are several.
  private let titles: (dataset: String, model: String)?

  /// Gets everything ready.
  ///
  /// Of a folder of folds each network is scored on the images that it was trained without, and the counts are added
  /// up: every image is scored once, by a network that has not seen it.
  /// - Parameters:
  ///   - path: A checkpoint file, the folder of a run, or a folder of folds.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - options: What is scored.
  ///   - inference: How the network is run; how images go through it says the configuration.
  ///   - device: Where the network runs.
  /// - Throws: As ``TrainedNetwork``; `DatasetError`, `UnsupportedPrecision`, ``CalibrationError``.
  public init(
    _ path: String, overrides: [String] = [], _ options: Options = Options(),
    inference: InferenceSession.Options = .init(), device: Device = .cpu
  ) throws {
    guard let runs = FoldRuns(path) else {
      first = try Self.part(path, overrides, options, inference, device)
      (others, titles) = ([], nil)
      return
    }
    let checkpoints = try runs.checkpoints()
    first = try Self.part(checkpoints[0], overrides, options, inference, device)
    others = checkpoints.dropFirst().map { file in
      { try Self.part(file, overrides, options, inference, device) }
    }
    let images = try NetworkConfiguration(of: Checkpoint(checkpoints[0]), overrides: overrides)
      .data().foldedImages()
    titles = ("\(images.name), out of \(runs.count) folds", "\(runs.count) networks of \(path)")
  }

  private static func part(
    _ path: String, _ overrides: [String], _ options: Options,
    _ inference: InferenceSession.Options, _ device: Device
  ) throws -> Part {
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
    // What an ONNX file keeps of the record says nothing of folds.
    if options.split == nil, network.record != nil, !TrainedNetwork.isONNX(path) {
      try Checkpoint(path).checkHeldOut(in: data)
    }
    let scored: (dataset: any Dataset, subset: String?) = try settings.part(
      of: data.dataset(options.split ?? data.scoredPart(settings.split)))
    var evaluator = Evaluator(
      try network.predictor(inference), imageSize: settings.imageSize,
      labelSize: options.labelSize)
    (evaluator.imageRule, evaluator.labelRule) = (data.imageResizing, data.labelResizing)
    evaluator.boundaryRatio = options.boundaryRatio
    evaluator.computesCurves = true
    evaluator.computesReliability = options.reliability
    // Refused where there are other than two classes.
    evaluator.threshold = try MaskRefinement(
      scored.dataset.labelMap, threshold: options.threshold
    ).threshold
    evaluator.subset = scored.subset
    return Part(
      name: name(of: network), evaluator: evaluator, dataset: scored.dataset, classes: own,
      bands: network.bandPlan, orientation: network.orientation)
  }

  /// What results call a network.
  private static func name(of network: TrainedNetwork) -> String {
    network.record.map { "\(network.file), iteration \($0.step)" } ?? network.file
  }

  /// The classes.
  package var labelMap: LabelMap { first.dataset.labelMap }
  /// The windows that images are cut into; nil where they are whole.
  package var windows: Size? { first.dataset.windows }
  /// What the network is called.
  package var model: String { titles?.model ?? first.name }
  /// What the images are called.
  package var title: String { titles?.dataset ?? first.dataset.name }

  /// Predicts every image, of a folder of folds by the network that was trained without it, with the probabilities of
  /// all classes as the networks give them.
  ///
  /// - Parameter visit: Is given the images of a network, each sample with what is said of it, and how many of these
  ///   images are done.
  /// - Throws: As ``run(output:submission:progress:counted:)``, and what `visit` throws.
  package func predict(
    _ visit: (_ part: any Dataset, _ scored: Evaluator.Scored, _ done: Int) throws -> Void
  ) throws {
    for number in 0...others.count {
      let part = number == 0 ? first : try others[number - 1]()
      try part.evaluator.predict(part.dataset, probabilities: true) {
        try visit(part.dataset, $0, $1)
      }
    }
  }

  /// Gets several networks ready that answer together by the weighted mean of their probabilities, on the data of
  /// the first.
  ///
  /// - Parameters:
  ///   - paths: Checkpoint files, or folders of runs; at least one.
  ///   - weights: What each counts beside the others; nil for all the same.
  ///   - overrides: Changes of each configuration, of the form `key.path=value`.
  ///   - options: What is scored.
  ///   - inference: How the networks are run; how images go through each says its configuration.
  ///   - device: Where they run.
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
    guard others.isEmpty else {
      throw ScoringError.setting(
        name: "what is scored together", value: "a folder of folds", expected: "checkpoints")
    }
    let weights = try Ensemble.shares(weights, of: paths.count)
    first.evaluator.weight = weights[0]
    for (path, weight) in zip(paths, weights).dropFirst() {
      let network = try TrainedNetwork(checkpoint: path, overrides: overrides, device: device)
      try network.checkDescribed()
      try Ensemble.check([first.classes, network.classNames], [paths[0], path])
      guard network.bandPlan == first.bands, network.orientation == first.orientation,
        network.imageResizing == first.evaluator.imageRule
      else {
        throw EnsembleError.images(file: path, first: paths[0])
      }
      guard try network.configuration.evaluation().imageSize == first.evaluator.imageSize else {
        throw EnsembleError.sizes(file: path, first: paths[0])
      }
      first.evaluator.companions.append((try network.predictor(inference), weight))
      first.name += " + " + Self.name(of: network)
    }
  }

  /// The scores beside those of `other`, the same checkpoint in another precision; `progress` is told
  /// how many images of how many are done.
  ///
  /// - Throws: What reading an image throws, `PredictionError`; `ScoringError.setting` for a folder of folds.
  public func compared(
    with other: NetworkScoring, progress: (_ done: Int, _ count: Int) -> Void = { _, _ in }
  ) throws -> PrecisionComparison {
    guard others.isEmpty else {
      throw ScoringError.setting(
        name: "what is compared in two precisions", value: "a folder of folds",
        expected: "one network")
    }
    return try PrecisionComparison(
      first.evaluator, against: other.first.evaluator, on: first.dataset, model: first.name
    ) {
      progress($0, first.dataset.count)
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
    // Where the pictures of each image come from.
    var sources: [(dataset: any Dataset, index: Int)] = []
    let (map, evaluator) = (first.dataset.labelMap, first.evaluator)
    let palette = map.palette
    var tally = EvaluationTally(evaluator, map)
    // How many there are in all is known when the last network is read.
    let folds = others.count + 1
    for number in 0..<folds {
      let part = number == 0 ? first : try others[number - 1]()
      try part.evaluator.count(part.dataset, into: &tally) { sample, prediction, done in
        try folder?.keep(prediction, name: sample.name, colors: palette)
        if let submission {
          try CityscapesSubmission.write(prediction, name: sample.name, map: map, to: submission)
        }
        sources.append((part.dataset, done - 1))
        progress(number * part.dataset.count + done, folds * part.dataset.count)
      } counted: {
        if output != nil { images.append($0) }
        counted($0)
      }
    }
    var scoring = evaluator.scoring(for: map)
    if titles != nil {
      scoring.subset = [scoring.subset, "each image by the network that was trained without it"]
        .compactMap { $0 }.joined(separator: "; ")
    }
    let result = tally.result(
      dataset: title, model: titles?.model ?? first.name, scoring,
      map)
    if let folder {
      try folder.write(
        result, images: images, map: map, labelColors: first.dataset.labelColors
      ) { index in
        try folder.shown(
          sources[index].dataset.load(sources[index].index), labelSize: evaluator.labelSize,
          labelRule: evaluator.labelRule)
      }
    }
    return result
  }
}
