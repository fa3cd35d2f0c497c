import Configuration
import Datasets
import Foundation
import Torch

/// The processes of a run as the trainer needs them: one alone works the same, without a group.
public struct Processes: Sendable {
  /// The group; nil for one process.
  public let group: ProcessGroup?
  /// The processes on this machine, as far as is known.
  public let localSize: Int

  /// One process alone.
  public static let one = Processes(group: nil, localSize: 1)

  /// The processes of a group, `localSize` of them on this machine.
  public init(group: ProcessGroup?, localSize: Int) {
    self.group = group
    self.localSize = max(1, localSize)
  }

  /// Meets the other processes of a job.
  ///
  /// - Throws: `TorchError` naming the place if they do not come.
  package init(_ job: Job, backend: ProcessGroup.Backend = .gloo, timeout: Double = 600) throws {
    self.init(
      group: try ProcessGroup(
        rank: job.rank, size: job.size, at: job.meeting, backend: backend, timeout: timeout),
      localSize: job.localSize ?? 1)
  }

  /// The number of processes.
  public var count: Int { group?.size ?? 1 }
  /// Which of them this is.
  public var rank: Int { group?.rank ?? 0 }
  /// Whether this is the process that writes files and tells people.
  public var isFirst: Bool { rank == 0 }

  /// Runs `body`, which may fail in some processes, in all; if it did, every process throws.
  ///
  /// - Throws: What `body` threw here, or ``PeerError/failed(rank:)``.
  func together<R>(_ body: () throws -> R) throws -> R {
    guard let group else { return try body() }
    let result = Result { try attempt(body) }
    var failed = [Double](repeating: 0, count: group.size)
    if case .failure = result { failed[group.rank] = 1 }
    let all = try attempt { group.allReduce(failed) }
    let value = try result.get()
    if let rank = all.firstIndex(where: { $0 > 0 }) { throw PeerError.failed(rank: rank) }
    return value
  }

  /// The sums of all processes' numbers.
  func sum(_ numbers: [Double]) -> [Double] { group?.allReduce(numbers) ?? numbers }

  /// Gives the buffers of process 0, such as running statistics, to all.
  func shareBuffers(of module: Module) {
    group?.broadcast(module.state.map(\.tensor).filter { $0 is Buffer })
  }

  /// Gives the weights of process 0 to all, and has their gradients averaged; nil for one process.
  ///
  /// - Throws: ``PeerError/otherStep(_:)`` if the processes did not find the same checkpoint, and
  ///   `TorchError`.
  func prepare(
    _ model: Module, step: Int, _ settings: TrainingSettings
  ) throws -> GradientAveraging? {
    guard let group else { return nil }
    let steps = try attempt { group.allGather(Tensor([Int64(step)])).map { Int($0.item) } }
    guard Set(steps).count == 1 else { throw PeerError.otherStep(steps) }
    try attempt { withoutGradients { group.broadcast(model.state.map(\.tensor)) } }
    if settings.synchronizesBatchNorm { model.synchronizeBatchNorm(over: group) }
    // Several batches a step are averaged once, unless parts of the graph run twice. With a frozen
    // backbone a pass of another kind finds out which of its maps the heads use.
    let isVarying =
      settings.freeze.backbone || (settings.accumulation > 1 && !settings.recomputesActivations)
    return try GradientAveraging(
      of: model.parameters.map(\.parameter).filter(\.requiresGrad), over: group,
      graph: isVarying ? .varying : .fixed)
  }

  /// The threads of this process where its settings name none: its part of this machine's cores, or 0
  /// for libtorch's choice.
  var threads: Int {
    let isChosen = ProcessInfo.processInfo.environment["OMP_NUM_THREADS"] != nil
    guard localSize > 1, !isChosen else { return 0 }
    return max(1, ProcessInfo.processInfo.activeProcessorCount / localSize)
  }

  /// The threads that prepare images; 0 for one a core.
  func loaderThreads(_ setting: Int) -> Int {
    guard setting == 0, localSize > 1 else { return setting }
    return max(1, ProcessInfo.processInfo.activeProcessorCount / localSize)
  }

  /// This process's part of the samples of every batch.
  var shard: Loader.Shard { Loader.Shard(index: rank, count: count) }

  /// The images that this process takes of a batch of all.
  ///
  /// - Throws: `ConfigurationError` for a batch that cannot be shared evenly.
  func share(of batchSize: Int) throws -> Int {
    guard batchSize % count == 0 else {
      throw ConfigurationError.invalid(
        place: "train", key: "batchSize", value: "\(batchSize)",
        expected: "a multiple of \(count), the processes that share each batch")
    }
    return batchSize / count
  }

  /// The seed of a step's random numbers in this process: no state that a checkpoint would have to
  /// keep for each process.
  func seed(_ seed: UInt64, step: Int) -> UInt64 {
    // The finalizer of SplitMix64 (Steele et al., 2014), as libtorch takes 32 bits only.
    var z = seed &+ 0x9E37_79B9_7F4A_7C15 &* UInt64(step * count + rank + 1)
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Whether any process says so.
  func any(_ isSo: Bool) -> Bool {
    guard let group else { return isSo }
    return group.allReduce([isSo ? 1.0 : 0], .largest)[0] > 0
  }
}

/// The end of a process because of another.
public enum PeerError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Another process met an error and told so.
  case failed(rank: Int)
  /// The processes do not see the same files; the iterations that each found done.
  case otherStep([Int])
  /// Another process is gone, or does not answer.
  case lost(rank: Int, of: Int, timeout: Double, reason: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .failed(let rank): "the process of rank \(rank) failed, which ends all"
    case .otherStep(let steps):
      "the processes would go on after iterations \(steps.map { "\($0)" }.joined(separator: ", "));"
        + " expected the run's folder on a file system that all of them see"
    case .lost(let rank, let size, let timeout, let reason):
      "rank \(rank) of \(size) lost another process, or waited for it for more than"
        + " \(timeout.formatted()) s: \(reason). The last checkpoint is whole; --resume goes on"
    }
  }

  /// What `error` is about, if it is about another process: libtorch tells it in words only.
  public static func explained(_ error: any Error, in processes: Processes) -> any Error {
    guard let group = processes.group, let error = error as? TorchError else { return error }
    let signs = [
      "gloo", "Connection closed", "Connection reset", "Timed out", "timed out", "Broken pipe",
      "c10d", "NCCL", "Socket",
    ]
    guard signs.contains(where: error.message.contains) else { return error }
    let line = error.message.split(separator: "\n").first.map(String.init) ?? error.message
    // Without the place in libtorch's sources.
    let reason = line.hasPrefix("[") ? line.drop { $0 != "]" }.dropFirst(2).description : line
    return PeerError.lost(
      rank: group.rank, of: group.size, timeout: group.timeout,
      reason: reason.trimmingCharacters(in: CharacterSet(charactersIn: ". ")))
  }
}
