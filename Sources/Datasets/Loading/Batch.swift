import Synchronization

/// Samples of one size side by side in plain memory, ready to become tensors.
public struct Batch: Sendable {
  /// The epoch that the batch is part of.
  public let epoch: Int
  /// The batch's place in its epoch, from 0.
  public let step: Int
  /// The samples' places in the data set.
  public let indices: [Int]
  /// The samples' names.
  public let names: [String]
  /// The number of rows of every image.
  public let height: Int
  /// The number of columns of every image.
  public let width: Int
  /// The number of bands of every image.
  public let bands: Int
  let storage: BatchStorage

  /// The number of samples, N.
  public var count: Int { indices.count }
  /// The normalised images, (N, H, W, bands), copied.
  public var images: [Float] { withImages { [Float]($0) } }
  /// The classes, (N, H, W), ``LabelMap/ignored`` where nothing counts; copied.
  public var masks: [UInt8] { withMasks { [UInt8]($0) } }

  /// Calls `body` with the normalised images, (N, H, W, bands), which are valid during the call.
  public func withImages<Result>(
    _ body: (UnsafeBufferPointer<Float>) throws -> Result
  ) rethrows -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(
      UnsafeBufferPointer(start: storage.images, count: count * height * width * bands))
  }

  /// Calls `body` with the classes, (N, H, W), which are valid during the call.
  public func withMasks<Result>(
    _ body: (UnsafeBufferPointer<UInt8>) throws -> Result
  ) rethrows -> Result {
    defer { withExtendedLifetime(storage) {} }
    return try body(UnsafeBufferPointer(start: storage.masks, count: count * height * width))
  }
}

/// The memory of a batch.
///
/// Unchecked: while it is filled each thread writes to the part of its own sample; afterwards nobody
/// writes.
final class BatchStorage: @unchecked Sendable {
  let images: UnsafeMutablePointer<Float>
  let masks: UnsafeMutablePointer<UInt8>
  private let pixels: Int, bands: Int
  private let pool: BufferPool

  /// Memory for `pixels` pixels of so many bands over all samples.
  init(pixels: Int, bands: Int, pool: BufferPool) {
    self.pixels = pixels
    self.bands = bands
    self.pool = pool
    images = pool.take(bytes: pixels * 4 * bands)
      .bindMemory(to: Float.self, capacity: pixels * bands)
    masks = pool.take(bytes: pixels).bindMemory(to: UInt8.self, capacity: pixels)
  }

  deinit {
    pool.give(images, bytes: pixels * 4 * bands)
    pool.give(masks, bytes: pixels)
  }
}

/// Buffers that batches leave behind for those to come: memory fresh from the system costs a page
/// fault every 4 KiB.
final class BufferPool: @unchecked Sendable {
  private struct Free {
    let bytes: Int
    let memory: UnsafeMutableRawPointer
  }
  private struct State: @unchecked Sendable {
    var free: [Free] = []
  }

  private let limit: Int
  private let state = Mutex(State())

  /// A pool that keeps at most `limit` buffers.
  init(limit: Int) {
    self.limit = limit
  }

  deinit {
    for buffer in state.withLock({ $0.free }) { buffer.memory.deallocate() }
  }

  func take(bytes: Int) -> UnsafeMutableRawPointer {
    let found = state.withLock { state -> Free? in
      guard let at = state.free.firstIndex(where: { $0.bytes == bytes }) else { return nil }
      return state.free.remove(at: at)
    }
    return found?.memory ?? .allocate(byteCount: bytes, alignment: 64)
  }

  func give(_ memory: UnsafeMutableRawPointer, bytes: Int) {
    let surplus = state.withLock { state -> Free? in
      state.free.append(Free(bytes: bytes, memory: memory))
      return state.free.count > limit ? state.free.removeFirst() : nil
    }
    surplus?.memory.deallocate()
  }
}
