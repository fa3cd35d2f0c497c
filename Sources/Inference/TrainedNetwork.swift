import Checkpoints
import Configuration
import Datasets
import Evaluation
import Files
import Graphs
import Imaging
import Segmentation
import Torch

/// A network that can be run, with what belongs to it: the one way from any kind of file to it.
public struct TrainedNetwork {
  /// The file that it comes from.
  public let file: String
  /// The network, in evaluation mode.
  public let model: SegmentationModel
  /// What turns levels into the network's input.
  public let encoding: InputEncoding
  /// The classes; nil for a configuration that does not name them.
  public let labelMap: LabelMap?
  /// How label files of photographs are read; nil where there is no ``labelMap``.
  public let labels: LabelReader?
  /// Whether photographs are turned as EXIF says.
  public let orientation: ImageOrientation
  /// Whose levels images take where they are resized for it.
  public let imageResizing: ImageResizing
  /// How photographs are resized for it.
  public let seen: SeenScale
  /// Which bands of images it sees; nil for pictures in red, green and blue.
  public let bandPlan: BandPlan?
  /// The type that convolutions were computed in while training; nil for float32.
  public let precision: DType?
  /// Where the network runs.
  public let device: Device
  /// The checkpoint's record; nil for a configuration, whose weights are drawn at random.
  public let record: CheckpointRecord?
  /// The configuration.
  public let configuration: NetworkConfiguration
  /// What another program's file says of itself; nil for files of this one.
  public let pretrained: PretrainedNetwork?
  /// What an ONNX file does not say and photographs need; nil for nothing, and for other files.
  let missing: ONNXError?

  /// Reads a checkpoint file, the best checkpoint of a run's folder, an ONNX file, or a network of another
  /// program that says itself what it is.
  ///
  /// Data need not be there: classes and normalization are part of the record, or stand where
  /// docs/onnx.md says.
  /// - Parameters:
  ///   - path: The checkpoint file, or the run's folder.
  ///   - overrides: Changes of the configuration, of the form `key.path=value`.
  ///   - device: Where the network is to run.
  /// - Throws: ``CheckpointError``, `WeightFileError`, `ConfigurationError`, `DatasetError`, `ONNXError`,
  ///   ``PretrainedError``.
  public init(checkpoint path: String, overrides: [String] = [], device: Device = .cpu) throws {
    guard !ONNXNetwork.isFile(path) else {
      try self.init(onnx: path, overrides: overrides, device: device)
      return
    }
    let checkpoint: Checkpoint
    switch try Self.stored(path) {
    case .checkpoint(let own): checkpoint = own
    case .pretrained(let network):
      try self.init(network, overrides: overrides, device)
      return
    }
    let record = checkpoint.record
    try self.init(
      checkpoint.file, NetworkConfiguration(of: checkpoint, overrides: overrides), record,
      map: { try record.map(background: $0.background()) },
      encoding: record.encoding(), device
    ) { configuration in
      let model = try Initialization.skipped {
        try configuration.buildModel(classes: record.classes.count, pretrained: false)
      }
      try checkpoint.load(into: model)
      return model
    }
  }

  /// Builds the network of a file ending in .yaml or .yml with weights drawn from `seed`, or reads a
  /// checkpoint file or the best checkpoint of a run's folder.
  ///
  /// - Throws: As ``init(checkpoint:overrides:device:)``.
  public init(
    _ path: String, overrides: [String] = [], seed: UInt64 = 0, device: Device = .cpu
  ) throws {
    guard Self.isConfiguration(path) else {
      try self.init(checkpoint: path, overrides: overrides, device: device)
      return
    }
    let configuration = try NetworkConfiguration(contentsOf: path, overrides: overrides)
    let (map, encoding) = try configuration.described()
    try self.init(
      path, configuration, nil, map: { _ in map }, encoding: encoding, device
    ) {
      Engine.seed(seed)
      return try $0.buildModel(classes: map?.count, pretrained: true)
    }
  }

  /// Reads an ONNX file.
  private init(onnx path: String, overrides: [String], device: Device) throws {
    let model = try ONNXModel(ONNXNetwork(path))
    let description = try ONNXDescription(model, overrides: overrides)
    try self.init(
      path, description.configuration, description.record, map: { _ in description.map },
      encoding: description.encoding ?? .imageNet, missing: description.missing, device
    ) { _ in model }
  }

  /// Builds a network of another program.
  private init(
    _ network: PretrainedNetwork, overrides: [String], _ device: Device
  ) throws {
    let configuration = try network.configuration(overrides: overrides)
    let (map, encoding) = try configuration.described()
    try self.init(
      network.source.path, configuration, nil, map: { _ in map }, encoding: encoding,
      pretrained: network, device
    ) { configuration in
      let model = try Initialization.skipped {
        try configuration.buildModel(classes: map?.count, pretrained: false)
      }
      try network.load(into: model, configuration)
      return model
    }
  }

  /// What a path that is no ONNX file holds.
  enum Stored {
    case checkpoint(Checkpoint)
    case pretrained(PretrainedNetwork)
  }

  /// The checkpoint at a path, or the network of another program.
  ///
  /// - Throws: As ``init(checkpoint:overrides:device:)``; the checkpoint's error where nothing is
  ///   recognised.
  static func stored(_ path: String) throws -> Stored {
    do {
      return .checkpoint(try Checkpoint(path))
    } catch let error as CheckpointError {
      let isOther =
        switch error {
        case .noRecord: true
        case .notFound: FileSystem.isFolder(path)
        default: false
        }
      guard isOther else { throw error }
      do {
        if let network = try PretrainedNetwork(path) { return .pretrained(network) }
      } catch WeightFileError.notCheckpoint, WeightFileError.noTensors {
        // A folder without weights is more likely one that should have been a run's.
        throw error
      }
      throw error
    }
  }

  private init(
    _ file: String, _ configuration: NetworkConfiguration, _ record: CheckpointRecord?,
    map: (NetworkConfiguration) throws -> LabelMap?, encoding: InputEncoding,
    missing: ONNXError? = nil, pretrained: PretrainedNetwork? = nil, _ device: Device,
    build: (NetworkConfiguration) throws -> SegmentationModel
  ) throws {
    let threads = try configuration.threads()
    if threads > 0 { Engine.threads = threads }
    Engine.setFlushDenormal(true)
    (self.file, self.configuration, self.record) = (file, configuration, record)
    (self.encoding, self.device, self.missing) = (encoding, device, missing)
    self.pretrained = pretrained
    labelMap = try map(configuration)
    orientation = try configuration.orientation()
    bandPlan = try configuration.bandPlan()
    imageResizing = try configuration.imageResizing()
    seen = SeenScale(
      try configuration.seenSize(), rule: imageResizing, isTrained: configuration.trains)
    precision = try configuration.precision()
    let orientation = orientation
    labels = labelMap.map {
      // The file that names the colours may be gone.
      LabelReader(
        map: $0, colors: (try? configuration.data())?.labelColors, orientation: orientation)
    }
    model = try build(configuration)
    try Self.checkBands(bandPlan, encoding, model, file)
    model.train(false)
    // The processor's kernels are packed from weights as they lie in the file.
    if !(model is ONNXModel && device == .cpu) { model.useChannelsLast() }
    model.move(to: device)
  }

  /// Refuses a network of another number of channels than the images that it is given.
  private static func checkBands(
    _ plan: BandPlan?, _ encoding: InputEncoding, _ model: SegmentationModel, _ file: String
  ) throws {
    let channels = model.inputChannels
    guard let plan, plan.bands.count != channels || encoding.bands != channels else { return }
    throw ConfigurationError.invalid(
      place: file, key: "model.backbone.inputChannels", value: "\(channels)",
      expected: "\(plan.bands.count), the bands that data.bands and"
        + " data.normalization name")
  }

  /// Whether a path names an ONNX file.
  package static func isONNX(_ path: String) -> Bool { ONNXNetwork.isFile(path) }

  /// Refuses an ONNX file where a network's parts are needed.
  ///
  /// - Throws: `ONNXError`.
  package static func refuseONNX(_ path: String, for command: String) throws {
    guard isONNX(path) else { return }
    throw ONNXError.unsupported(
      file: path, found: "operators alone",
      expected:
        "a backbone and a head, as a checkpoint or a configuration has, for atrous \(command)")
  }

  /// Whether a path names a configuration, whose weights are drawn, and no trained network.
  package static func isConfiguration(_ path: String) -> Bool {
    ["yaml", "yml"].contains(path.fileSuffix)
  }
}

extension TrainedNetwork {
  /// The network alone without memory for its weights, for use inside of `shapesOnly`.
  ///
  /// - Throws: As ``init(_:overrides:seed:device:)``.
  public static func shapes(_ path: String, overrides: [String] = []) throws -> SegmentationModel {
    if ONNXNetwork.isFile(path) { return try ONNXModel(ONNXNetwork(path)) }
    guard isConfiguration(path) else {
      switch try stored(path) {
      case .pretrained(let network):
        return try network.configuration(overrides: overrides).buildModel(pretrained: false)
      case .checkpoint(let checkpoint):
        return try NetworkConfiguration(of: checkpoint, overrides: overrides)
          .buildModel(classes: checkpoint.record.classes.count, pretrained: false)
      }
    }
    // The number of classes is the label map's where the configuration names data.
    return try NetworkConfiguration(contentsOf: path, overrides: overrides)
      .buildModel(pretrained: false)
  }

  /// Refuses an ONNX file that does not say what photographs need.
  ///
  /// - Throws: `ONNXError`, which says where classes and normalization may stand.
  public func checkDescribed() throws { if let missing { throw missing } }

  /// The image in a file as the network sees it.
  ///
  /// - Parameters:
  ///   - file: The file.
  ///   - orientation: Whether a photograph is turned; nil as the network's configuration says.
  /// - Throws: `ImageError`.
  public func image(_ file: String, orientation: ImageOrientation? = nil) throws -> Image {
    let orientation = orientation ?? self.orientation
    if let bandPlan {
      return try Image(contentsOf: file, plan: bandPlan, orientation: orientation)
    }
    return try Image(contentsOf: file, orientation: orientation).rgb
  }

  /// The names of the classes, where they have any.
  public var classNames: [String] { labelMap?.classes.map(\.name) ?? [] }

  /// The place of a class given by its name or number.
  ///
  /// - Throws: `ConfigurationError` for a class that the network does not have.
  public func classIndex(_ label: String) throws -> Int {
    let names = classNames
    if let index = names.firstIndex(where: { $0.lowercased() == label.lowercased() }) {
      return index
    }
    if let index = Int(label), (0..<model.classes).contains(index) { return index }
    let known = names.isEmpty ? "a number below \(model.classes)" : names.joined(separator: ", ")
    throw ConfigurationError.invalid(
      place: "--class", key: "class", value: "'\(label)'", expected: known)
  }

  /// The data that the configuration names: a split, or the one that it is scored on.
  ///
  /// - Throws: `DatasetError`; `ConfigurationError` for a network without data.
  public func dataset(_ split: String? = nil, limit: Int? = nil) throws -> any Dataset {
    guard configuration.trains else {
      throw ConfigurationError.missing(
        place: "the network", key: "data", expected: "a configuration with sections data and train")
    }
    let data = try configuration.data()
    let all = try data.dataset(split ?? data.scoredPart(configuration.evaluation().split))
    return limit.map { all.spread(to: $0) } ?? all
  }

  /// The classes of a label file that belongs to a photograph.
  ///
  /// - Throws: What reading it throws, `DatasetError` for another size than the photograph's, and
  ///   `ConfigurationError` for a network whose classes are not known.
  public func mask(_ label: String, for image: Image, _ file: String) throws -> ClassMask {
    guard let labels else {
      throw ConfigurationError.missing(
        place: "the network", key: "data", expected: "a configuration that names the classes")
    }
    return try labels.mask(label, image: file, image.size)
  }
}

/// Reads label files of photographs.
public struct LabelReader: Sendable {
  /// What their values mean.
  let map: LabelMap
  /// For coloured labels the value of each colour.
  let colors: [Color: UInt16]?
  /// Whether the photographs are turned as EXIF says.
  let orientation: ImageOrientation

  /// The classes in a label file that belongs to the photograph `image` of `size`.
  ///
  /// - Throws: What reading it throws, `DatasetError` for another size than the photograph's.
  func mask(_ label: String, image: String, _ size: Size) throws -> ClassMask {
    let mask = try map.classes(of: LabelImage(contentsOf: label, colors: colors), file: label)
    try checkSizes(image: image, size, label: label, mask.size, orientation: orientation)
    return mask
  }
}

extension TrainedNetwork {
  /// The names of the classes of a checkpoint or an ONNX file, without its weights.
  ///
  /// - Throws: As ``init(checkpoint:overrides:device:)``.
  static func classNames(of path: String, overrides: [String]) throws -> [String] {
    guard ONNXNetwork.isFile(path) else {
      switch try stored(FoldRuns.checkpoints(path)[0]) {
      case .checkpoint(let checkpoint): return checkpoint.record.classes.map(\.name)
      case .pretrained(let network):
        return try network.configuration(overrides: overrides).described().map?.classes.map(\.name)
          ?? []
      }
    }
    return try shapesOnly {
      try ONNXDescription(ONNXModel(ONNXNetwork(path)), overrides: overrides).map?.classes.map(
        \.name)
        ?? []
    }
  }
}
