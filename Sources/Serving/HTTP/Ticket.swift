import Synchronization

/// Whether anybody still waits for an answer.
final class Ticket: Sendable {
  private let cancelled = Atomic<Bool>(false)

  /// Whether the client has gone.
  var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// Notes that the client has gone.
  func cancel() { cancelled.store(true, ordering: .relaxed) }
}
