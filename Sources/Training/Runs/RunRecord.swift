import Checkpoints
import Configuration
import Evaluation
import Foundation
import Inference
import Torch

/// What a checkpoint says of the run that it was taken from, beside its network.
public struct RunState: Sendable, Codable, Equatable {
  /// The iterations of the whole run.
  public var steps = 0
  /// The epoch that comes next, and how many of its batches are done.
  public var epoch = 0, position = 0
  /// The images that have been seen.
  public var images = 0
  /// The best score so far, and what follows from the scores.
  public var standing = Standing()
  /// What the loss is multiplied by, where gradients are those of half precision.
  var gradientScale: GradientScaler.State?
  /// The version of libtorch, which the last bits depend on.
  public var libtorch = Engine.version
  /// The number of threads of the network, which the last bits depend on.
  public var threads = Engine.threads
  /// The number of processes, if there was more than one.
  public var processes: Int?
  /// The images that the run trains on; older records do not tell.
  public var trainingImages: TrainingImages?
}

/// A checkpoint's whole record: one JSON object with what is said of the network and of the run.
struct RunRecord: Codable {
  var network: CheckpointRecord
  var run: RunState

  init(_ network: CheckpointRecord, _ run: RunState = RunState()) {
    (self.network, self.run) = (network, run)
  }

  init(from decoder: any Decoder) throws {
    network = try CheckpointRecord(from: decoder)
    run = try RunState(from: decoder)
  }

  func encode(to encoder: any Encoder) throws {
    try network.encode(to: encoder)
    try run.encode(to: encoder)
  }

  /// The record as JSON with sorted keys.
  func json() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return try encoder.encode(self)
  }

  /// Writes the record with tensors as a checkpoint, or leaves the one that stood there.
  ///
  /// - Throws: `WriteError`.
  func write(_ path: String, _ tensors: [(name: String, tensor: Tensor)]) throws {
    let text = String(decoding: try json(), as: UTF8.self)
    try WeightFile.write(
      tensors, metadata: [Checkpoint.metadataKey: text, "format": "pt"], to: path)
  }

  /// Writes everything that a run goes on from as a checkpoint, or leaves the one that stood there.
  ///
  /// - Throws: `WriteError`.
  func write(
    _ path: String, model: Module, optimizer: Optimizer, average: MovingAverage?
  ) throws {
    var tensors = model.state
    tensors += optimizer.state.map { ("optimizer/\($0.name)", $0.tensor) }
    tensors += (average?.state ?? []).map { ("ema/\($0.name)", $0.tensor) }
    tensors.append(("random/state", Engine.randomState))
    try write(path, tensors)
  }
}

extension Checkpoint {
  /// What the checkpoint says of its run.
  ///
  /// - Throws: ``CheckpointError/unreadable(file:reason:)``.
  public func run() throws -> RunState {
    try Self.decoded(RunState.self, from: recordText, file: file)
  }

  /// Puts everything that changes from step to step back where it was.
  ///
  /// - Throws: ``CheckpointError``.
  func restore(_ model: Module, _ optimizer: Optimizer, _ average: MovingAverage?) throws {
    try load(into: model, averaged: false)
    do {
      try optimizer.load(part("optimizer/").tensors)
    } catch let error as LoadError {
      throw CheckpointError.incomplete(
        file: file, reason: "the optimizer's state does not fit: \(error.report)")
    }
    if let average {
      let stored = part("ema/")
      for (name, tensor) in average.state {
        guard stored.entry(name)?.shape == tensor.shape else {
          throw CheckpointError.incomplete(file: file, reason: "the moving average lacks '\(name)'")
        }
        tensor.assign(try stored.tensor(name))
      }
    }
    guard weights.entry("random/state") != nil else {
      throw CheckpointError.incomplete(file: file, reason: "the state of random numbers is missing")
    }
    Engine.randomState = try weights.tensor("random/state")
  }

  /// The configuration of the run, with overrides of the form `key.path=value`.
  ///
  /// A network that was imported without a run has none; its training is one iteration then, which
  /// nothing asks for, so that it can be scored on data that the overrides name.
  /// - Throws: `ConfigurationError` naming what is wrong.
  public func configuration(overrides: [String] = []) throws -> TrainingConfiguration {
    let section = try Section(yaml: record.configuration, named: file, overrides: overrides)
    let run =
      section.has("train")
      ? [] : ["train={iterations: 1, optimizer: {name: sgd, learningRate: 0.01}}"]
    return try TrainingConfiguration(
      yaml: record.configuration, named: file, overrides: overrides + run)
  }
}
