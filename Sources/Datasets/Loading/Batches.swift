import Foundation
import Imaging

/// The batches of one epoch, in order.
///
/// Threads make batches ahead of the consumer, at most the loader's `prefetch` of them. A failure in a
/// thread is thrown by ``next()`` when its batch's turn comes. Letting go of the object, or
/// ``cancel()``, ends the threads and waits for them.
public final class Batches {
  private let line: AssemblyLine
  /// How long ``next()`` has waited, in seconds: what the loader was too slow by.
  public private(set) var secondsWaited = 0.0

  init(_ loader: Loader, epoch: Int, from step: Int) {
    line = AssemblyLine(loader, epoch: epoch, from: step)
    line.start()
  }

  deinit { line.stop() }

  /// The next batch, or nil after the last or after ``cancel()``.
  ///
  /// - Throws: The error of the first of the batch's samples that failed, again at every later call;
  ///   `DatasetError.unevenBatch` if the samples differ in size.
  public func next() throws -> Batch? {
    let start = ContinuousClock.now
    defer { secondsWaited += (ContinuousClock.now - start) / .seconds(1) }
    return try line.next()
  }

  /// Ends the threads and waits for them; each finishes at most the sample that it is at.
  public func cancel() { line.stop() }
}

/// The threads of an epoch and what they share.
///
/// Unchecked: everything that changes is guarded by `condition`.
private final class AssemblyLine: @unchecked Sendable {
  private let loader: Loader
  private let epoch: Int
  /// The draws of each batch.
  private let plan: [[Int]]

  private let condition = NSCondition()
  private var benches: [Int: Bench] = [:]
  /// The next sample to be made: a step and a place in its batch.
  private var step: Int
  private var place = 0
  /// The step that the consumer takes next.
  private var due: Int
  private var isStopped = false
  private var running = 0
  private var failure: (any Error)?

  /// A batch in the making.
  private final class Bench {
    let draws: [Int]
    var samples: [(name: String, file: String, size: Size)?]
    var failures: [Int: any Error] = [:]
    var storage: BatchStorage?
    var size: Size?
    var left: Int

    init(_ draws: [Int]) {
      self.draws = draws
      samples = Array(repeating: nil, count: draws.count)
      left = draws.count
    }
  }

  init(_ loader: Loader, epoch: Int, from step: Int) {
    self.loader = loader
    self.epoch = epoch
    plan = loader.draws(epoch: epoch)
    self.step = max(step, 0)
    due = self.step
  }

  func start() {
    guard step < plan.count else { return }
    let samples = plan[step...].reduce(0) { $0 + $1.count }
    running = min(loader.threads, samples)
    for number in 0..<running {
      let thread = Thread { [self] in work() }
      thread.name = "loader \(number)"
      thread.start()
    }
  }

  func stop() {
    condition.withLock {
      isStopped = true
      condition.broadcast()
      while running > 0 { condition.wait() }
      benches = [:]
    }
  }

  func next() throws -> Batch? {
    let bench: Bench? = try condition.withLock {
      if let failure { throw failure }
      guard due < plan.count else { return nil }
      while !isStopped, benches[due]?.left != 0 { condition.wait() }
      guard !isStopped else { return nil }
      let bench = benches.removeValue(forKey: due)
      due += 1
      condition.broadcast()
      return bench
    }
    guard let bench else { return nil }
    do {
      return try batch(of: bench, step: due - 1)
    } catch {
      condition.withLock { failure = error }
      stop()
      throw error
    }
  }

  private func batch(of bench: Bench, step: Int) throws -> Batch {
    if let first = bench.failures.min(by: { $0.key < $1.key }) { throw first.value }
    let samples = bench.samples.compactMap { $0 }
    guard let first = samples.first, let storage = bench.storage else {
      throw DatasetError.tooFewSamples(
        dataset: loader.dataset.name, count: samples.count, batchSize: loader.batchSize)
    }
    if let odd = samples.first(where: { $0.size != first.size }) {
      throw DatasetError.unevenBatch(
        file: odd.file, size: odd.size, other: first.file, otherSize: first.size)
    }
    return Batch(
      epoch: epoch, step: step, indices: bench.draws.map(loader.index), names: samples.map(\.name),
      height: first.size.height, width: first.size.width, bands: loader.encoding.bands,
      storage: storage)
  }

  /// What each thread does until there is nothing left.
  private func work() {
    while let (bench, place) = take() {
      do {
        let sample = try loader.sample(bench.draws[place], epoch: epoch)
        guard sample.image.bands == loader.encoding.bands else {
          throw DatasetError.otherBands(
            file: sample.file, count: sample.image.bands, expected: loader.encoding.bands)
        }
        if let storage = reserve(bench, place, sample) {
          let pixels = sample.mask.classes.count
          loader.encoding.encode(
            sample.image.raster, into: storage.images + place * pixels * loader.encoding.bands)
          sample.mask.classes.withUnsafeBufferPointer { classes in
            guard let classes = classes.baseAddress else { return }
            (storage.masks + place * pixels).update(from: classes, count: pixels)
          }
        }
        finish(bench, place, nil)
      } catch {
        finish(bench, place, error)
      }
    }
    condition.withLock {
      running -= 1
      condition.broadcast()
    }
  }

  /// The next sample to be made, as soon as its batch is near enough to be due.
  private func take() -> (Bench, Int)? {
    condition.withLock {
      while true {
        guard !isStopped, step < plan.count else { return nil }
        if step < due + loader.prefetch { break }
        condition.wait()
      }
      let bench = benches[step] ?? Bench(plan[step])
      benches[step] = bench
      let taken = place
      place += 1
      if place == bench.draws.count {
        place = 0
        step += 1
      }
      return (bench, taken)
    }
  }

  /// The batch's memory, or nil if the sample is of another size than the one that came first.
  private func reserve(_ bench: Bench, _ place: Int, _ sample: Sample) -> BatchStorage? {
    condition.withLock {
      let size = sample.image.size
      bench.samples[place] = (sample.name, sample.file, size)
      let storage =
        bench.storage
        ?? BatchStorage(
          pixels: bench.draws.count * size.width * size.height, bands: loader.encoding.bands,
          pool: loader.pool)
      if bench.storage == nil {
        bench.storage = storage
        bench.size = size
      }
      return bench.size == size ? storage : nil
    }
  }

  private func finish(_ bench: Bench, _ place: Int, _ error: (any Error)?) {
    condition.withLock {
      if let error { bench.failures[place] = error }
      bench.left -= 1
      if bench.left == 0 { condition.broadcast() }
    }
  }
}
