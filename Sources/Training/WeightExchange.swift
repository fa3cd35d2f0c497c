import Checkpoints
import Datasets
import Files
import Foundation
import Imaging
import Segmentation
import Torch

extension CheckpointRecord {
  /// The classes of a label map.
  static func classes(of map: LabelMap) -> [Class] {
    map.classes.enumerated().map { index, entry in
      Class(
        name: entry.name, color: [entry.color.red, entry.color.green, entry.color.blue],
        values: map.rows.filter { $0.index == index }.map { Int($0.value) })
    }
  }

  /// The file values that a label map ignores.
  static func ignored(by map: LabelMap) -> [Int] {
    map.rows.filter { $0.index == nil }.map { Int($0.value) }
  }

  /// The record of weights that come from elsewhere: no step of a run is done.
  ///
  /// Classes that the configuration does not name are called by their numbers.
  init(importedFor network: NetworkConfiguration, classes: Int) throws {
    let map =
      try network.labelMap ?? .identity(classes, names: (0..<classes).map { "\($0)" })
    self.init(
      configuration: network.yaml, step: 0, steps: 0, epoch: 0, position: 0, images: 0,
      labelMap: map.name, classes: Self.classes(of: map), ignored: Self.ignored(by: map),
      mean: network.normalization.mean, deviation: network.normalization.deviation,
      libtorch: Engine.version, threads: Engine.threads)
  }
}

extension Checkpoint {
  /// Writes weights from elsewhere as a checkpoint that can be scored and used, not resumed from.
  ///
  /// - Throws: `WriteError`; `DatasetError` for more classes than label files can have.
  public static func write(
    _ path: String, imported model: SegmentationModel, for network: NetworkConfiguration
  ) throws {
    try write(
      path, model.state,
      record: CheckpointRecord(importedFor: network, classes: model.classes))
  }

  /// Writes what is needed to score and use this checkpoint's network, not to resume its run.
  ///
  /// - Parameters:
  ///   - path: The safetensors file.
  ///   - half: Whether kernels and matrices are stored in half precision. Norms and biases are not.
  ///   - overrides: Values of the configuration in the record, `key.path=value`, such as places of
  ///     data that mean nothing elsewhere.
  /// - Throws: `WriteError`, `ConfigurationError`.
  public func writeForUse(_ path: String, half: Bool, overrides: [String] = []) throws {
    var record = record
    record.configuration = try configuration(overrides: overrides).yaml
    let tensors = try averaged.entries.map { entry in
      let tensor = try averaged.tensor(entry.name)
      let isLarge = tensor.shape.count > 1 && tensor.dtype == .float32
      return (entry.name, half && isLarge ? tensor.to(.float16) : tensor)
    }
    try Self.write(path, tensors, record: record)
  }

  private static func write(
    _ path: String, _ tensors: [(name: String, tensor: Tensor)], record: CheckpointRecord
  ) throws {
    let text = String(decoding: try record.json(), as: UTF8.self)
    try WeightFile.write(tensors, metadata: [metadataKey: text, "format": "pt"], to: path)
  }

  /// Puts the weights of a run, a checkpoint or any file of weights into a network before training.
  ///
  /// A classifier of another number of classes stays as drawn, and so does an auxiliary head that the
  /// file lacks. Where a checkpoint names its classes, each takes the weights of its own name.
  ///
  /// - Parameters:
  ///   - model: The network.
  ///   - path: The run's folder, the checkpoint or the file.
  ///   - classes: The names of the network's classes in order.
  ///   - build: Makes the network for another number of classes.
  /// - Returns: What was done, for a person.
  /// - Throws: ``CheckpointError``, `WeightFileError`.
  static func start(
    _ model: SegmentationModel, from path: String, classes: [String],
    build: (_ classes: Int) throws -> SegmentationModel
  ) throws -> String {
    let weights: WeightFile
    var theirs: [String] = []
    do {
      let checkpoint = try Checkpoint(path)
      weights = checkpoint.averaged
      theirs = checkpoint.record.classes.map(\.name)
    } catch CheckpointError.noRecord(let file) {
      weights = try WeightFile.open(file)
    } catch CheckpointError.notFound where FileSystem.isFolder(path) {
      // A folder that is no run's, such as one of save_pretrained.
      weights = try WeightFile.open(path)
    }
    let plan = WeightImport(weights, for: model)
    guard
      plan.report.isComplete || plan.onlyClassifierIsLeftOver || plan.lacksOnlyAuxiliary
        || plan.classCounts != nil
    else { throw CheckpointError.anotherNetwork(file: weights.path, report: "\(plan)") }
    try plan.load([])
    let notes = plan.remarks.map { "\nnote: \($0)" }.joined()
    let start = "starting from the weights of \(weights.path)"
    guard let counts = plan.classCounts else {
      guard let order = ClassOrder(ours: classes, theirs: theirs) else { return start + notes }
      if order.isChange {
        let loaded = Set(plan.names.map(\.ours))
        try order.apply(to: model, file: weights.path, only: loaded, build: build)
      }
      return "\(start)\(order.description)\(notes)"
    }
    return start
      + "; their classifier has \(counts.theirs) classes, the network's has \(counts.ours) and is new"
      + notes
  }

  /// The weights of a checkpoint, the averaged ones where there are some, for other programs.
  ///
  /// A file without a run's record gives its tensors under the names that it has.
  /// - Parameters:
  ///   - path: A run's folder, a checkpoint, or any file of weights.
  ///   - convention: The names to give them; nil for those that the file has.
  /// - Throws: `WeightFileError`, ``CheckpointError``, `ConfigurationError`.
  public static func exported(
    _ path: String, names convention: String? = nil
  ) throws -> [(name: String, tensor: Tensor)] {
    let checkpoint: Checkpoint
    do {
      checkpoint = try Checkpoint(path)
    } catch CheckpointError.noRecord(let file) where convention == nil {
      let weights = try WeightFile.open(file)
      return try weights.entries.map { ($0.name, try weights.tensor($0.name)) }
    }
    guard let convention else {
      let weights = checkpoint.averaged
      return try weights.entries.map { ($0.name, try weights.tensor($0.name)) }
    }
    let model = try checkpoint.model()
    let known = NamingConvention.conventions(of: model)
    guard let names = known.first(where: { $0.name == convention }) else {
      throw CheckpointError.unknownConvention(name: convention, known: known.map(\.name))
    }
    return names.state(of: model)
  }
}
