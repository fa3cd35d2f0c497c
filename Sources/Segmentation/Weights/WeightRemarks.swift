import Synchronization

/// Collects what people should know of weights that a configuration names, while a network is built.
package final class WeightRemarks: Sendable {
  /// Where remarks go in this task, if anybody wants them.
  @TaskLocal package static var current: WeightRemarks?

  private let collected = Mutex<[String]>([])

  /// The remarks so far, in order.
  package var lines: [String] { collected.withLock { $0 } }

  /// An empty collection.
  package init() {}

  /// Appends remarks.
  func add(_ remarks: [String]) { collected.withLock { $0 += remarks } }
}
