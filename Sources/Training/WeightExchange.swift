import Checkpoints
import Datasets
import Files
import Foundation
import Inference
import Segmentation
import Torch

extension Checkpoint {
  /// Writes weights from elsewhere as a checkpoint that can be scored and used, not resumed from.
  ///
  /// - Throws: `WriteError`; `DatasetError` for more classes than label files can have.
  public static func write(
    _ path: String, imported model: SegmentationModel, for network: NetworkConfiguration
  ) throws {
    let (named, encoding) = try network.described()
    // Classes that the configuration does not name are called by their numbers.
    let map =
      try named ?? .identity(model.classes, names: (0..<model.classes).map { "\($0)" })
    // No step of a run is done.
    let record = CheckpointRecord(configuration: network.yaml, step: 0, map, encoding)
    try RunRecord(record).write(path, model.state)
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
    var record = RunRecord(record, try run())
    record.network.configuration = try configuration(overrides: overrides).yaml
    let tensors = try averaged.entries.map { entry in
      let tensor = try averaged.tensor(entry.name)
      let isLarge = tensor.shape.count > 1 && tensor.dtype == .float32
      return (entry.name, half && isLarge ? tensor.to(.float16) : tensor)
    }
    try record.write(path, tensors)
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
    let model = try TrainedNetwork(checkpoint: path).model
    let known = NamingConvention.conventions(of: model)
    guard let names = known.first(where: { $0.name == convention }) else {
      throw CheckpointError.unknownConvention(name: convention, known: known.map(\.name))
    }
    return names.state(of: model)
  }
}
