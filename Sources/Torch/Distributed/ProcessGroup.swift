import CTorch

/// Processes, on one machine or several, that work on one thing: PyTorch's c10d.
///
/// Every process must call the same operations in the same order. An operation fails, as any operator
/// does, when a peer is gone or does not come within ``timeout``; see ``attempt(_:)``. Connections
/// stay until the program ends.
public final class ProcessGroup: @unchecked Sendable {
  /// The library that carries tensors.
  public enum Backend: String, Sendable, CaseIterable {
    /// TCP between processors; tensors on a GPU pass through the host's memory.
    case gloo
    /// NVIDIA's library between GPUs; in builds against a libtorch that has it.
    case nccl

    /// Whether this build has it.
    public var isAvailable: Bool { ct_has_backend(rawValue) != 0 }
  }

  /// Where processes meet.
  public struct Meeting: Sendable, Equatable {
    /// The host of rank 0, and the port that it listens at.
    public var host: String
    /// The port, 1 to 65535.
    public var port: Int
    /// A socket of rank 0 that listens there already.
    public var listeningSocket: Int32?
    /// The network interfaces to use, separated by commas; nil for that of this host's name.
    public var interfaces: String?

    /// A place to meet.
    public init(
      host: String, port: Int, listeningSocket: Int32? = nil, interfaces: String? = nil
    ) {
      self.host = host
      self.port = port
      self.listeningSocket = listeningSocket
      self.interfaces = interfaces
    }
  }

  /// How elements of different processes become one.
  public enum Reduction: Int32, Sendable { case sum, largest }

  /// Which of the processes this is, from 0, and how many there are.
  public let rank, size: Int
  /// How long any operation waits for the others, in seconds.
  public let timeout: Double
  /// The library in use.
  public let backend: Backend
  let handle: ct_group

  /// Meets the other processes and connects to each.
  ///
  /// - Throws: `TorchError` if this build lacks the backend, if the place cannot be reached, and if the
  ///   others do not come within `timeout` seconds.
  public init(
    rank: Int, size: Int, at meeting: Meeting, backend: Backend = .gloo, timeout: Double = 600
  ) throws {
    let operation = "meeting at \(meeting.host):\(meeting.port) as rank \(rank) of \(size)"
    guard size > 0, (0..<size).contains(rank), (1...65_535).contains(meeting.port), timeout > 0,
      timeout < 1e9
    else {
      throw TorchError(
        operation: operation, message: "expected a rank below the size, a port, and a timeout")
    }
    guard backend.isAvailable else {
      throw TorchError(
        operation: operation,
        message: "this build has no \(backend.rawValue); expected"
          + " \(Backend.allCases.filter(\.isAvailable).map(\.rawValue).joined(separator: " or ")),"
          + " or a build against a libtorch with it")
    }
    let group = ct_group_open(
      backend.rawValue, meeting.host, Int32(meeting.port), Int32(rank), Int32(size),
      meeting.listeningSocket ?? -1, meeting.interfaces, timeout)
    guard let group else { throw TorchError(operation: operation, message: Door.message) }
    self.rank = rank
    self.size = size
    self.timeout = timeout
    self.backend = backend
    handle = group
  }

  /// Puts the sum, or the largest, of all processes' elements into `tensor` of each.
  public func allReduce(_ tensor: Tensor, _ reduction: Reduction = .sum) {
    perform("all_reduce", tensor) { ct_all_reduce(handle, $0, reduction.rawValue) }
  }

  /// The sums, or the largest, of all processes' numbers, of which each has as many.
  public func allReduce(_ numbers: [Double], _ reduction: Reduction = .sum) -> [Double] {
    reduced(numbers, reduction)
  }

  /// The sums, or the largest, of all processes' integers, of which each has as many.
  public func allReduce(_ numbers: [Int64], _ reduction: Reduction = .sum) -> [Int64] {
    reduced(numbers, reduction)
  }

  /// Gives the tensors of process `root` to all; shapes and types must be the same everywhere.
  public func broadcast(_ tensors: [Tensor], from root: Int = 0) {
    guard !hasFailed else { return }
    let handles = tensors.map(\.handle)
    guard !handles.contains(where: { $0 == nil }) else { return }
    let status = withExtendedLifetime(tensors) {
      ct_broadcast(handle, handles, Int32(handles.count), Int32(root))
    }
    Door.check(status, "broadcast of \(tensors.count) tensors")
  }

  /// The tensors of all processes, of one shape and type, in the order of their ranks.
  public func allGather(_ tensor: Tensor) -> [Tensor] {
    var results = [ct_tensor?](repeating: nil, count: size)
    perform("all_gather", tensor) { ct_all_gather(handle, $0, &results) }
    return results.map { Tensor(adopting: $0) }
  }

  /// Waits until every process is here.
  public func barrier() {
    if !hasFailed { Door.check(ct_barrier(handle), "barrier") }
  }

  private func reduced<S: Scalar>(_ numbers: [S], _ reduction: Reduction) -> [S] {
    let tensor = Tensor(numbers)
    allReduce(tensor, reduction)
    return hasFailed ? numbers : tensor.values()
  }

  /// Whether an operator failed before: nothing is sent then, as nothing else is computed.
  private var hasFailed: Bool { DoorScope.current?.catcher?.error != nil }

  private func perform(_ name: String, _ tensor: Tensor, _ body: (ct_tensor) -> Int32) {
    guard !hasFailed, let handle = tensor.handle else { return }
    Door.check(body(handle), "\(name)\(tensor.shape)")
  }
}
