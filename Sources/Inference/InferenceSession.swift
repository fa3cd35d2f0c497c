import Checkpoints
import Datasets
import Dispatch
import Evaluation
import Files
import Imaging
import Torch

extension InferenceSession {
  /// How a trained network is run on images.
  ///
  /// At which scales, mirrored or not, in which windows and extended by what they go through the network says
  /// the section `evaluate` of its configuration, so that what was scored is what runs.
  public struct Options: Sendable {
    /// The form in which the network runs.
    public var form = InferenceForm()
    /// The points that the chosen precision may lose; nil where the form says the precision.
    ///
    /// The fastest of all within it is chosen; see ``PrecisionChoice``.
    public var tolerance: Double?
    /// Is told what was chosen, in a line.
    public var note: @Sendable (String) -> Void = { _ in }
    /// How ranges for int8 are found where the form has none.
    public var calibration = Calibration()
    /// The memory that an image may take, in bytes.
    public var memoryBudget = MemoryBudget.standard
    /// Whether an image that needs more is cut into tiles.
    public var tiles = false
    /// Whether a GPU gets the work for sizes that come again as a whole; see `RecordedFunction`.
    public var graphs = false

    /// The usual options.
    public init() {}
  }
}

extension TrainedNetwork {
  /// What predicts with the network, whose weights are given back where it is prepared.
  ///
  /// - Throws: `UnsupportedPrecision`, ``CalibrationError``, `ConfigurationError`.
  func predictor(_ options: InferenceSession.Options) throws -> Predictor {
    let mode = try configuration.evaluation().mode
    var form = options.form
    if let tolerance = options.tolerance {
      guard form.prepares, device.isCPU else {
        throw ScoringError.setting(
          name: "the precision", value: "auto", expected: "a prepared network on the processor")
      }
      let choice = try PrecisionChoice.of(self, on: options.calibration, mode: mode)
      options.note(choice.text(tolerance: tolerance))
      form.precision = choice.best(tolerance: tolerance)
      form.ranges = form.precision == .int8 ? choice.ranges : nil
    }
    form = try options.calibration.completed(form, for: self)
    let predictor = Predictor(
      model, try form.applied(to: model, on: device, trained: precision), encoding: encoding,
      device: device, memoryBudget: options.memoryBudget, oversize: options.tiles ? .tile : .refuse,
      mode: mode, graphs: options.graphs)
    predictor.temperature = record?.temperature
    return predictor
  }

  /// What predicts with the network as it was trained, for analyses that change the network.
  ///
  /// - Throws: `ConfigurationError`.
  public func unpreparedPredictor() throws -> Predictor {
    var options = InferenceSession.Options()
    options.form.prepares = false
    return try predictor(options)
  }
}

/// What a network found in an image.
public struct Prediction: Sendable {
  /// The class of each pixel, at the image's size.
  public let mask: ClassMask
  /// The share of each class that occurs, the largest first.
  public let shares: [(name: String, share: Double)]
  /// The probability of each pixel's class, row-major (H, W), where it was asked for; 0 where nothing was
  /// measured.
  public let confidence: [Float]?
  /// The probability of each class at every pixel, where it was asked for.
  public let probabilities: ClassProbabilities?
  /// How much several networks disagree at each pixel, where it was asked for, in nats, row-major (H, W).
  ///
  /// It is the mutual information of the class and the network: the entropy of the mean of their probabilities
  /// less the mean of their entropies (Lakshminarayanan, Pritzel and Blundell, 2017; Depeweg and others, 2018).
  public let disagreement: [Float]?
  /// What its probabilities are softened by; nil where they are as the network gives them.
  public let temperature: Temperature?
  /// The pixels of each class.
  public let counts: [Int]
  /// The pixels in which something was measured, of which ``shares`` are shares.
  public let measured: Int

  init(
    _ mask: ClassMask, _ map: LabelMap, confidence: [Float]? = nil,
    probabilities: ClassProbabilities? = nil, disagreement: [Float]? = nil,
    temperature: Temperature? = nil, measured: Int? = nil
  ) {
    (self.mask, self.confidence, self.probabilities) = (mask, confidence, probabilities)
    (self.disagreement, self.temperature) = (disagreement, temperature)
    var histogram = ClassHistogram(classes: map.count)
    histogram.add(mask)
    let counts = histogram.counts.map { Int($0) }
    let all = measured ?? counts.reduce(0, +)
    (self.counts, self.measured) = (counts, all)
    shares = zip(map.classes, counts).filter { $0.1 > 0 }.sorted { $0.1 > $1.1 }
      .map { ($0.0.name, Double($0.1) / Double(max(1, all))) }
  }
}

/// A frozen network that any thread may ask for predictions; one image at a time goes through it.
public final class InferenceSession: Sendable {
  /// The classes.
  public let labelMap: LabelMap
  /// How label files of photographs are read.
  public let labels: LabelReader
  /// Whether photographs are turned as EXIF says.
  public let orientation: ImageOrientation
  /// Which bands of images the network sees; nil for pictures in red, green and blue.
  public let bandPlan: BandPlan?
  /// The memory that an image may take, in bytes.
  public let memoryBudget: Int
  /// The size to which images are resized for the network; nil for their own.
  public var seenSize: SeenSize? { seen.size }
  /// How images are resized for the network.
  let seen: SeenScale
  /// What its predictions follow from besides the image, in words that differ for different ones.
  let subject: String
  /// The network's file.
  public let file: String
  /// How images go through the network.
  let mode: InferenceMode
  /// What follows from the options and the configuration, in words that differ for different ones.
  private let settings: String
  /// What another program's file is, says of itself and leaves to be assumed, a line each.
  public let notes: [String]

  // Only the queue uses it, but for what never changes once it is made.
  private nonisolated(unsafe) let predictor: Predictor
  private let queue = DispatchQueue(label: "atrous.inference")

  /// A session with a checkpoint's network, which the session alone uses from here on.
  ///
  /// - Throws: As `TrainedNetwork`; `UnsupportedPrecision`, ``CalibrationError``.
  public convenience init(
    _ checkpoint: String, overrides: [String] = [], options: Options = Options(),
    device: Device = .cpu
  ) throws {
    try self.init(
      TrainedNetwork(checkpoint: checkpoint, overrides: overrides, device: device), options)
  }

  private init(_ network: TrainedNetwork, _ options: Options) throws {
    try network.checkDescribed()
    guard let map = network.labelMap, let labels = network.labels else {
      throw CheckpointError.noRecord(file: network.file)
    }
    (labelMap, self.labels, orientation) = (map, labels, network.orientation)
    bandPlan = network.bandPlan
    memoryBudget = options.memoryBudget
    notes = network.pretrained?.lines ?? []
    subject = Self.subject(network, options)
    file = network.file
    settings = [
      network.configuration.yaml, "\(options.form)", "\(options.tolerance ?? -1)",
      "\(options.tiles)",
    ].joined(separator: "\n")
    seen = network.seen
    predictor = try network.predictor(options)
    mode = predictor.mode
    // From here on what an image would need is only read, by any thread.
    try attempt { _ = predictor.memoryNeed(Size(width: 1, height: 1)) }
  }

  private static func subject(_ network: TrainedNetwork, _ options: Options) -> String {
    [
      network.file, FileSystem.stamp(network.file), network.configuration.yaml, "\(options.form)",
      "\(network.device)", Engine.version,
    ].joined(separator: "\n")
  }

  /// A text that differs for other weights and settings, whichever machine the file lies on.
  var fingerprint: String {
    // Weights of a large ONNX network lie beside it.
    let files = [file, "\(file).data", "\(file)_data"].filter(FileSystem.exists)
    return files.map { "\($0.fileName) \(Fingerprint.file($0))" }.joined(separator: "\n")
      + "\n\(settings)"
  }

  /// What `body` does with the network while nobody else uses it.
  func exclusively<Result>(_ body: (Predictor) throws -> Result) rethrows -> Result {
    try queue.sync { try body(predictor) }
  }

  /// Refuses an image by its size, before it is decoded.
  ///
  /// - Throws: `PredictionError.tooLarge`.
  public func admit(_ size: Size, file: String) throws {
    let shown = seen.size(of: size)
    do {
      try predictor.check(shown, file: file)
    } catch PredictionError.tooLarge(_, _, let need, let budget) where shown != size {
      throw PredictionError.seenTooLarge(
        file: file, size: size, seen: shown, need: need, budget: budget)
    }
  }

  /// Refuses an input of the network by its size, which is not resized any more.
  ///
  /// - Throws: `PredictionError.tooLarge`.
  package func admitInput(_ size: Size, file: String) throws {
    try predictor.check(size, file: file)
  }

  /// The image in a file, refused by its header if the network would need more memory for it than there
  /// is.
  ///
  /// - Throws: `ImageError`, `PredictionError.tooLarge`.
  public func image(_ file: String) throws -> Image {
    if let bandPlan {
      return try Image(
        contentsOf: file, plan: bandPlan, budget: memoryBudget, orientation: orientation
      ) { try admit($0, file: file) }
    }
    return try Image(contentsOf: file, budget: memoryBudget, orientation: orientation) {
      try admit($0, file: file)
    }
  }

  /// What is computed beside the class of each pixel; what is not asked for costs nothing.
  public typealias Wanted = Predictor.Wanted

  /// What the network finds in an image.
  ///
  /// The classes are the same whatever is wanted, and whatever the temperature that the checkpoint has, by which
  /// confidence and probabilities are softened.
  /// - Parameters:
  ///   - image: The image.
  ///   - file: What messages call the image.
  ///   - wanted: What is computed beside the classes: their confidence, or the probabilities of all.
  /// - Throws: `PredictionError`, also where the probabilities would not fit into the memory budget;
  ///   `TorchError` for an image that the network cannot take.
  public func predict(_ image: Image, file: String = "image", wanted: Wanted = []) throws
    -> Prediction
  {
    let seen = seen(image)
    let found = try queue.sync {
      try predictor.predict(seen, size: image.size, file: file, wanted: wanted)
    }
    var confidence = found.confidence
    if let missing = image.missing, missing.count == confidence?.count {
      for i in missing.indices where missing[i] { confidence?[i] = 0 }
    }
    return Prediction(
      found.mask.ignoring(image.missing), labelMap, confidence: confidence,
      probabilities: found.probabilities?.ignoring(image.missing),
      temperature: wanted.contains(.uncalibrated) ? nil : predictor.temperature)
  }
}
