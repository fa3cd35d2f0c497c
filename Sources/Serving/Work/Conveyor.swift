import Dispatch
import Synchronization

/// The way of requests that need a network: decoding, the network, encoding.
///
/// A few are on it at once, so that the next image is decoded and the answer before is encoded while the network
/// runs. The others wait in a queue with an end.
final class Conveyor: Sendable {
  /// The last step, which makes the answer.
  typealias Encoding = @Sendable () throws -> Answer
  /// The step on the network's thread.
  typealias Computation = @Sendable () throws -> Encoding
  /// The first step.
  typealias Decoding = @Sendable () throws -> Computation

  /// The time that each step of a request took.
  struct Times: Sendable {
    var decode = Duration.zero, network = Duration.zero, encode = Duration.zero
  }

  private struct Entry: Sendable {
    let ticket: Ticket
    let decode: Decoding
    let done: @Sendable (Result<Answer, any Error>, Times) -> Void
  }

  private struct State {
    var waiting: [Entry] = []
    var inside = 0
    /// The seconds that one request takes where others wait for the network, as a sliding mean.
    var pace = 0.05
  }

  /// The requests that are being decoded, computed and encoded at once.
  private static let depth = 4

  private let capacity: Int
  private let state = Mutex(State())
  private let codecs = DispatchQueue(
    label: "atrous.codecs", qos: .userInitiated, attributes: .concurrent)
  private let network = NetworkThread()

  /// A conveyor before which `capacity` requests may wait.
  init(capacity: Int) { self.capacity = capacity }

  /// The requests that wait, and those on their way.
  var load: (waiting: Int, inside: Int) {
    state.withLock { ($0.waiting.count, $0.inside) }
  }

  /// The seconds after which there will be room again, about.
  var retryAfter: Int {
    state.withLock { max(1, Int((Double($0.waiting.count) * $0.pace).rounded(.up))) }
  }

  /// Takes a request; false if too many wait.
  ///
  /// - Parameters:
  ///   - ticket: Says whether anybody still waits for the answer; if not, steps are left out.
  ///   - done: Is called once, on any thread.
  func take(
    _ ticket: Ticket, _ decode: @escaping Decoding,
    done: @escaping @Sendable (Result<Answer, any Error>, Times) -> Void
  ) -> Bool {
    let isTaken = state.withLock { state in
      guard state.waiting.count < capacity || state.inside < Self.depth else { return false }
      state.waiting.append(Entry(ticket: ticket, decode: decode, done: done))
      return true
    }
    if isTaken { advance() }
    return isTaken
  }

  private func advance() {
    let next = state.withLock { state -> Entry? in
      guard state.inside < Self.depth, !state.waiting.isEmpty else { return nil }
      state.inside += 1
      return state.waiting.removeFirst()
    }
    guard let next else { return }
    codecs.async { self.decode(next) }
  }

  private func decode(_ entry: Entry) {
    step(entry, Times(), \.decode, entry.decode) { computation, times in
      self.network.run {
        self.step(entry, times, \.network, computation) { encoding, times in
          self.state.withLock { $0.pace += 0.1 * (times.network / .seconds(1) - $0.pace) }
          self.codecs.async {
            self.step(entry, times, \.encode, encoding) { answer, times in
              self.finish(entry, .success(answer), times)
            }
          }
        }
      }
    }
  }

  /// Does a step and goes on with what it gives.
  private func step<Value>(
    _ entry: Entry, _ times: Times, _ part: WritableKeyPath<Times, Duration>,
    _ body: () throws -> Value, then next: (Value, Times) -> Void
  ) {
    var times = times
    let value: Value
    do {
      guard !entry.ticket.isCancelled else { throw CancellationError() }
      let start = ContinuousClock.now
      value = try body()
      times[keyPath: part] = ContinuousClock.now - start
    } catch {
      return finish(entry, .failure(error), times)
    }
    next(value, times)
  }

  private func finish(_ entry: Entry, _ result: Result<Answer, any Error>, _ times: Times) {
    state.withLock { $0.inside -= 1 }
    advance()
    entry.done(result, times)
  }
}
