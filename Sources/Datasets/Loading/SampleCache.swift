import Synchronization

/// Decoded samples kept in memory, as 8-bit image and mask, within a number of bytes.
///
/// A small data set is decoded once and not once an epoch: CamVid's 367 training images take 254 MB.
/// When the budget is spent, what is kept stays and the rest is read each time: every epoch visits
/// every sample once, so that whatever were thrown out for a newcomer would be needed just as soon.
package final class SampleCache: Sendable {
  /// The most bytes of pixels and classes that are kept.
  package let budget: Int
  private let state = Mutex(State())

  private struct State {
    var samples: [Int: Sample] = [:]
    var bytes = 0
  }

  /// An empty cache of a budget in bytes.
  package init(bytes budget: Int) {
    self.budget = budget
  }

  /// The bytes of pixels and classes kept now.
  package var bytes: Int { state.withLock { $0.bytes } }
  /// The number of samples kept now.
  package var count: Int { state.withLock { $0.samples.count } }

  /// The sample kept under an index, or the one that `load` reads, which is kept if it fits.
  func sample(_ index: Int, load: (Int) throws -> Sample) rethrows -> Sample {
    if let sample = state.withLock({ $0.samples[index] }) { return sample }
    let sample = try load(index)
    state.withLock { state in
      guard state.samples[index] == nil, state.bytes + sample.bytes <= budget else { return }
      state.samples[index] = sample
      state.bytes += sample.bytes
    }
    return sample
  }
}
