import Foundation

/// Values made in order on a thread of their own, a few ahead of their use.
///
/// What making a value throws is kept for the turn of that value, and the rest goes on. Letting go
/// of the object ends the thread after the value that it is at.
package final class Prefetch<Value: Sendable>: Sendable {
  private let line: Line

  /// The values that `make` gives for 0 ..< `count`, at most `depth` of them waiting.
  package init(count: Int, depth: Int = 2, _ make: @escaping @Sendable (Int) throws -> Value) {
    line = Line(count: count, depth: max(depth, 1))
    let line = line
    let thread = Thread { line.work(make) }
    thread.name = "read ahead"
    // Decoders keep rows on the stack.
    thread.stackSize = 8 << 20
    thread.start()
  }

  deinit { line.stop() }

  /// Ends the thread and waits until it has.
  package func finish() { line.finish() }

  /// Ends the thread after the value that it is at; whoever waits for a value gets nil.
  package func stop() { line.stop() }

  /// The next value, or what making it threw; nil after the last, and where the thread was stopped before it.
  package func next() -> Result<Value, any Error>? { line.next() }

  /// Unchecked: everything that changes is guarded by `condition`.
  private final class Line: @unchecked Sendable {
    private let count: Int, depth: Int
    private let condition = NSCondition()
    private var ready: [Result<Value, any Error>] = []
    private var taken = 0
    private var isStopped = false
    private var isDone = false

    init(count: Int, depth: Int) {
      self.count = count
      self.depth = depth
    }

    func work(_ make: @Sendable (Int) throws -> Value) {
      defer {
        condition.withLock {
          isDone = true
          condition.broadcast()
        }
      }
      for index in 0..<count {
        let goesOn = condition.withLock {
          while ready.count >= depth && !isStopped { condition.wait() }
          return !isStopped
        }
        guard goesOn else { return }
        let value = Result { try make(index) }
        condition.withLock {
          ready.append(value)
          condition.broadcast()
        }
      }
    }

    func next() -> Result<Value, any Error>? {
      condition.withLock {
        guard taken < count else { return nil }
        while ready.isEmpty && !isStopped { condition.wait() }
        guard !ready.isEmpty else { return nil }
        taken += 1
        defer { condition.broadcast() }
        return ready.removeFirst()
      }
    }

    func finish() {
      stop()
      condition.withLock { while !isDone { condition.wait() } }
    }

    func stop() {
      condition.withLock {
        isStopped = true
        condition.broadcast()
      }
    }
  }
}
