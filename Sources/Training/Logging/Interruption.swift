import Foundation
import Synchronization

/// Requests from outside to stop: SIGINT (Ctrl-C) and SIGTERM.
///
/// The first is noted, so that a run can finish its step and save; the second ends the process.
package enum Interruption {
  private static let received = Atomic<Int32>(0)

  /// Begins to note the signals.
  package static func watch() {
    // Touched here, as a signal handler must not be the first to.
    received.store(0, ordering: .relaxed)
    for number in [SIGINT, SIGTERM] {
      signal(number) { number in
        Interruption.received.store(number, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
  }

  /// The number of the signal that came, if one did.
  package static var signalNumber: Int32? {
    let number = received.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }
}
