import Configuration
import Datasets
import Evaluation
import Imaging
import Segmentation
import Torch

/// What a configuration says of a network that is run, whether it stands in a file of its own or in a
/// checkpoint.
///
/// A section `model` is enough to build a network. Of a section `data` without a section `train` only
/// `classes`, the names in order, their `colors` and `normalization` are read for it, unless it names a `layout`. Of `train`
/// only what concerns running is read: `precision` and `threads`.
public struct NetworkConfiguration {
  private let root: Section

  /// Reads a file; `overrides` are of the form `key.path=value`.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public init(contentsOf file: String, overrides: [String] = []) throws {
    func read(_ more: [String]) throws -> Section {
      try Section(contentsOf: file, overrides: overrides + more)
    }
    let root = try read([])
    let measured = root.has("train") ? try DataConfiguration.measured(read) : []
    self.root = try measured.isEmpty ? root : read(measured)
  }

  /// The configuration that stands in a checkpoint.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  public init(of checkpoint: Checkpoint, overrides: [String] = []) throws {
    root = try Section(
      yaml: checkpoint.record.configuration, named: checkpoint.file, overrides: overrides)
  }

  /// The configuration of this text; `file` is what messages call it.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  init(yaml: String, named file: String, overrides: [String]) throws {
    root = try Section(yaml: yaml, named: file, overrides: overrides)
  }

  /// The configuration as text, overrides included.
  public var yaml: String { root.yaml }
  /// Whether it says how to train.
  public var trains: Bool { root.has("train") }

  // MARK: The network

  /// The section that describes the network.
  ///
  /// - Throws: `ConfigurationError`.
  func model() throws -> Section { try root.section("model") }

  /// What the configuration calls the head.
  package var head: String? { try? root.section("model").section("head").string("name") }

  /// The network, as the model's builder makes it, for so many classes.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong; `WeightFileError` for the backbone's file.
  func buildModel(classes: Int?, pretrained: Bool) throws -> SegmentationModel {
    let section = try root.section("model")
    if let classes, let given = try section.optionalInt("classes", in: 1...65_535), given != classes
    {
      throw section.invalid(
        "classes", "\(given)", expected: "\(classes), the classes of the section 'data'")
    }
    let bands = try bandPlan()?.bands.count ?? 3
    return try attempt {
      try ModelBuilder.build(
        section, classes: classes, inputChannels: bands, pretrained: pretrained)
    }
  }

  /// The network, as the model's builder makes it.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong; `WeightFileError` for the backbone's file.
  public func buildModel(pretrained: Bool = true) throws -> SegmentationModel {
    try buildModel(classes: described().map?.count, pretrained: pretrained)
  }

  /// The type that convolutions are computed in while training; nil for float32.
  func precision() throws -> DType? { try Self.precision(root.section("train")) }

  /// The type that the section `train` says convolutions are computed in; nil for float32.
  ///
  /// - Throws: `ConfigurationError` for another word.
  package static func precision(_ train: Section) throws -> DType? {
    switch try train.choice("precision", Precision.self, default: .float32) {
    case .float32: nil
    case .bfloat16: .bfloat16
    case .float16: .float16
    }
  }

  private enum Precision: String, CaseIterable { case float32, bfloat16, float16 }

  /// The threads of the network; 0 for libtorch's choice.
  func threads() throws -> Int {
    try root.section("train").int("threads", default: 0, in: 0...4096)
  }

  // MARK: The data

  /// The classes, where the configuration names them, and what turns levels into the network's input.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public func described() throws -> (map: LabelMap?, encoding: InputEncoding) {
    let section = try root.section("data")
    if !trains, (try? section.string("normalization")) == "measured" {
      throw section.invalid(
        "normalization", "'measured'", expected: "numbers or a name, as there is no training")
    }
    if trains || section.has("layout") {
      let data = try DataConfiguration(section)
      return (data.labelMap, data.encoding)
    }
    let map = try DataConfiguration.namedClasses(section)
    let encoding = try DataConfiguration.encoding(section)
    _ = try DataConfiguration.bandPlan(section)
    _ = try DataConfiguration.imageResizing(section)
    try section.finish()
    return (map, encoding)
  }

  /// Whether it says how images are normalized.
  var saysNormalization: Bool { (try? root.section("data").has("normalization")) ?? false }

  /// The data that the configuration names.
  ///
  /// - Throws: `ConfigurationError` and `DatasetError` naming what is wrong.
  public func data() throws -> DataConfiguration { try DataConfiguration(root.section("data")) }

  /// How the network is scored.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  public func evaluation() throws -> EvaluationSettings {
    try EvaluationSettings(root.section("evaluate"))
  }

  /// The size to which photographs are resized for the network.
  ///
  /// A network of another program sees them at the size that its program gives them. One that was trained here sees
  /// them with the shorter side that it is scored with, but not at a size that it is scored at whatever their shape.
  /// - Throws: `ConfigurationError` naming what is wrong.
  func seenSize() throws -> SeenSize? {
    let size = try evaluation().imageSize
    if trains, case .exact = size { return nil }
    return size
  }

  /// Which bands of images the network sees; nil for pictures in red, green and blue.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  func bandPlan() throws -> BandPlan? { try DataConfiguration.bandPlan(root.section("data")) }

  /// Whose levels images take where they are resized.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  func imageResizing() throws -> ImageResizing {
    try DataConfiguration.imageResizing(root.section("data"))
  }

  /// Whether photographs are turned as EXIF says.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  func orientation() throws -> ImageOrientation {
    try DataConfiguration.orientation(root.section("data"))
  }

  /// The class that the configuration names as the background; nil if it names none.
  ///
  /// - Throws: `ConfigurationError` naming what is wrong.
  func background() throws -> String? { try root.section("data").optionalString("background") }
}
