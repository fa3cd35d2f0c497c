import Foundation
import Synchronization
import Torch

/// The one thread on which networks run.
///
/// Each thread that computes has helpers of its own in OpenMP's pool, so that networks that run on several
/// threads would have more of them than there are cores.
final class NetworkThread: Sendable {
  /// What is to be run.
  private final class Line: Sendable {
    private let work = Mutex<[@Sendable () -> Void]>([])
    private let count = DispatchSemaphore(value: 0)

    func append(_ body: @escaping @Sendable () -> Void) {
      work.withLock { $0.append(body) }
      count.signal()
    }

    func end() { count.signal() }

    /// The next, which is waited for; nil at the end.
    func next() -> (@Sendable () -> Void)? {
      count.wait()
      return work.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    }
  }

  private let line = Line()

  init() {
    let thread = Thread { [line] in
      Engine.setFlushDenormal(true)
      while let body = line.next() { body() }
    }
    thread.name = "atrous.network"
    thread.stackSize = 64 << 20
    thread.start()
  }

  deinit { line.end() }

  /// Runs `body` after what was given before.
  func run(_ body: @escaping @Sendable () -> Void) { line.append(body) }
}
