import Dispatch
import Foundation
import Synchronization

/// The number of threads meant by a setting: 0 stands for one a core.
package func threadCount(_ setting: Int) -> Int {
  setting > 0 ? setting : ProcessInfo.processInfo.activeProcessorCount
}

/// Folds the numbers 0 ..< `count` on several threads; `merge` must not care about order.
///
/// - Throws: The error of the smallest number that failed, whichever thread met it first.
package func reduceInParallel<Part: Sendable>(
  count: Int, threads: Int, initial: Part,
  step: @Sendable (inout Part, Int) throws -> Void,
  merge: @Sendable (inout Part, Part) -> Void
) throws -> Part {
  let state = Mutex(Reduction(total: initial))
  DispatchQueue.concurrentPerform(iterations: max(min(threadCount(threads), count), 1)) { _ in
    var part = initial
    while true {
      let index = state.withLock { state -> Int? in
        guard state.next < count, state.failure == nil else { return nil }
        state.next += 1
        return state.next - 1
      }
      guard let index else { break }
      do {
        try step(&part, index)
      } catch {
        state.withLock { state in
          if index < state.failure?.index ?? .max { state.failure = (index, error) }
        }
      }
    }
    let finished = part
    state.withLock { merge(&$0.total, finished) }
  }
  let end = state.withLock { $0 }
  if let failure = end.failure { throw failure.error }
  return end.total
}

/// Does the numbers 0 ..< `count` on all cores, in no order.
package func inParallel(_ count: Int, _ body: @Sendable (Int) -> Void) {
  DispatchQueue.concurrentPerform(iterations: count, execute: body)
}

/// What the threads of a reduction share.
private struct Reduction<Part: Sendable>: Sendable {
  var next = 0
  var total: Part
  var failure: (index: Int, error: any Error)?
}
