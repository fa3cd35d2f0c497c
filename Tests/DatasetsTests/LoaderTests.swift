import Foundation
import Imaging
import Testing

@testable import Datasets

/// A data set some of whose samples cannot be read.
private struct Broken: Dataset {
  let base: MemoryDataset
  let bad: Set<Int>
  var name: String { base.name }
  var labelMap: LabelMap { base.labelMap }
  var count: Int { base.count }
  func item(_ index: Int) -> Item { base.item(index) }
  func load(_ index: Int) throws -> Sample {
    guard !bad.contains(index) else {
      throw DatasetError.missingPartner(file: "file \(index)", expected: "a label")
    }
    return try base.load(index)
  }
  func loadMask(_ index: Int) throws -> ClassMask? { try load(index).mask }
}

@Suite("Loader")
struct LoaderTests {
  private static let recipe: [Transform] = [
    .randomResize(ratio: 0.5...2), .randomCrop(Size(width: 24, height: 20), maxClassShare: 0.75),
    .horizontalFlip(), .rotation(degrees: -10...10), .photometricDistortion(),
    .colorJitter(ColorJitter(brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.1)),
    .pad(to: Size(width: 24, height: 20)),
  ]

  private func loader(
    _ set: any Dataset, batchSize: Int = 4, shuffle: Bool = true, dropLast: Bool = false,
    seed: UInt64 = 5, threads: Int = 2, prefetch: Int = 2, cacheBytes: Int = 0
  ) throws -> Loader {
    try Loader(
      set, pipeline: Pipeline(Self.recipe), batchSize: batchSize, shuffle: shuffle,
      dropLast: dropLast, seed: seed, threads: threads, prefetch: prefetch, cacheBytes: cacheBytes)
  }

  private func all(_ batches: Batches) throws -> [Batch] {
    var found: [Batch] = []
    while let batch = try batches.next() { found.append(batch) }
    return found
  }

  private func same(_ a: [Batch], _ b: [Batch]) -> Bool {
    a.count == b.count
      && zip(a, b).allSatisfy {
        $0.indices == $1.indices && $0.names == $1.names && $0.images == $1.images
          && $0.masks == $1.masks && $0.width == $1.width && $0.height == $1.height
          && $0.step == $1.step
      }
  }

  @Test("one thread and eight give the same batches")
  func threads() throws {
    let set = try scenery(count: 22)
    for epoch in 0..<2 {
      let one = try all(loader(set, threads: 1, prefetch: 1).batches(epoch: epoch))
      let eight = try all(loader(set, threads: 8, prefetch: 4).batches(epoch: epoch))
      #expect(one.count == 6 && one[5].count == 2)
      #expect(same(one, eight))
    }
  }

  @Test("a cache changes nothing and keeps within its budget")
  func cache() throws {
    let set = try scenery(count: 10)
    let plain = try loader(set)
    let sample = 40 * 30 * 4
    let cached = try loader(set, cacheBytes: sample * 6 + 100)
    for epoch in 0..<3 {
      #expect(same(try all(plain.batches(epoch: epoch)), try all(cached.batches(epoch: epoch))))
    }
    #expect(cached.cache?.count == 6 && cached.cache?.bytes == sample * 6)
  }

  @Test("seeds and epochs change order and pictures")
  func seeds() throws {
    let set = try scenery(count: 12)
    let first = try all(loader(set, seed: 1).batches(epoch: 0))
    let again = try all(loader(set, seed: 1).batches(epoch: 0))
    let other = try all(loader(set, seed: 2).batches(epoch: 0))
    let later = try all(loader(set, seed: 1).batches(epoch: 1))
    #expect(same(first, again))
    #expect(first.flatMap(\.indices) != other.flatMap(\.indices))
    #expect(first.flatMap(\.indices) != later.flatMap(\.indices))
    let still = try all(loader(set, shuffle: false, seed: 1).batches(epoch: 0))
    let stillLater = try all(loader(set, shuffle: false, seed: 1).batches(epoch: 1))
    #expect(still.flatMap(\.indices) == Array(0..<12))
    #expect(stillLater.flatMap(\.indices) == Array(0..<12))
    #expect(still[0].images != stillLater[0].images)
  }

  @Test("every sample is visited once an epoch")
  func visits() throws {
    let set = try scenery(count: 19)
    let batches = try all(loader(set).batches(epoch: 3))
    #expect(batches.flatMap(\.indices).sorted() == Array(0..<19))
    #expect(batches.allSatisfy { $0.names == $0.indices.map { "scene \($0)" } })
    let full = try loader(set, dropLast: true)
    #expect(full.steps == 4)
    #expect(try all(full.batches(epoch: 3)).allSatisfy { $0.count == 4 })
  }

  @Test("an epoch taken up in its middle goes on as if it had not been left")
  func resume() throws {
    let loader = try loader(scenery(count: 17))
    let whole = try all(loader.batches(epoch: 2))
    #expect(same(Array(whole[3...]), try all(loader.batches(epoch: 2, from: 3))))
    #expect(try loader.batches(epoch: 2, from: 5).next() == nil)
  }

  @Test("two processes' batches together are one process's")
  func shards() throws {
    let set = try scenery(count: 21)
    let one = try Loader(set, batchSize: 4, shuffle: true, dropLast: true, seed: 9)
    let parts = try (0..<2).map {
      try Loader(
        set, batchSize: 2, shuffle: true, dropLast: true, seed: 9, shard: .init(index: $0, count: 2)
      )
    }
    #expect(parts.map(\.steps) == [5, 5])
    let plans = parts.map { $0.plan(epoch: 1) }
    #expect(one.plan(epoch: 1) == (0..<5).map { plans[0][$0] + plans[1][$0] })
    // Without dropping, nothing is lost or counted twice.
    let rest = try (0..<2).flatMap {
      try Loader(set, batchSize: 4, shard: .init(index: $0, count: 2)).plan(epoch: 0).flatMap { $0 }
    }
    #expect(rest.sorted() == Array(0..<21))
  }

  @Test("batches hold normalised images and masks in order")
  func contents() throws {
    let set = try scenery(count: 3, width: 5, height: 4)
    let batch = try #require(try Loader(set, batchSize: 3).batches(epoch: 0).next())
    #expect(batch.count == 3 && batch.width == 5 && batch.height == 4)
    for n in 0..<3 {
      let sample = try set.load(n)
      #expect(Array(batch.masks[n * 20..<(n + 1) * 20]) == sample.mask.classes)
      for i in 0..<60 {
        let norm = InputEncoding.imageNet
        let expected =
          (Double(sample.image.pixels[i]) / 255 - norm.mean[i % 3]) / norm.deviation[i % 3]
        #expect(abs(Double(batch.images[n * 60 + i]) - expected) < 1e-6)
      }
    }
  }

  @Test(
    "a sample that cannot be read is that error at its batch, never a hang", arguments: [1, 2, 8])
  func failure(_ threads: Int) throws {
    let set = Broken(base: try scenery(count: 20), bad: [10, 9, 17])
    let batches = try loader(set, shuffle: false, threads: threads, prefetch: 5).batches(epoch: 0)
    #expect(try batches.next()?.indices == [0, 1, 2, 3])
    #expect(try batches.next()?.indices == [4, 5, 6, 7])
    let error = DatasetError.missingPartner(file: "file 9", expected: "a label")
    #expect(throws: error) { try batches.next() }
    #expect(throws: error) { try batches.next() }
  }

  @Test("samples of two sizes in one batch are an error that names both")
  func uneven() throws {
    let pictures = [(8, 8), (8, 8), (9, 8), (7, 7)].map { picture($0.0, $0.1) }
    let set = MemoryDataset(
      name: "uneven", labelMap: try .identity(5),
      samples: pictures.enumerated().map { ("p\($0)", $1.0, $1.1) })
    for threads in [1, 4] {
      let batches = try Loader(set, batchSize: 4, threads: threads).batches(epoch: 0)
      #expect(
        throws: DatasetError.unevenBatch(
          file: "p2", size: Size(width: 9, height: 8), other: "p0",
          otherSize: Size(width: 8, height: 8))
      ) { try batches.next() }
    }
    #expect(try all(Loader(set).batches(epoch: 0)).map(\.width) == [8, 8, 9, 7])
  }

  @Test("letting go and cancelling end the threads")
  func cancel() throws {
    let set = try scenery(count: 60)
    for i in 0..<20 {
      let batches = try loader(set, threads: 4, prefetch: 3).batches(epoch: i)
      if i % 2 == 0 { _ = try batches.next() }
      if i % 3 == 0 {
        batches.cancel()
        #expect(try batches.next() == nil)
      }
    }
  }

  @Test("no more batches are made ahead than asked for")
  func bounded() throws {
    let set = try scenery(count: 64)
    let counting = Counting(base: set)
    let batches = try Loader(counting, batchSize: 4, threads: 3, prefetch: 2).batches(epoch: 0)
    _ = try batches.next()
    Thread.sleep(forTimeInterval: 0.2)
    #expect(counting.loads.count <= 12)
    batches.cancel()
  }

  @Test("impossible settings are refused by name before anything is read")
  func refused() throws {
    let set = try scenery(count: 3)
    #expect(throws: DatasetError.self) { try Loader(set, batchSize: 0) }
    #expect(throws: DatasetError.self) { try Loader(set, prefetch: 0) }
    #expect(throws: DatasetError.self) { try Loader(set, threads: -1) }
    #expect(throws: DatasetError.self) { try Loader(set.limited(to: 0)) }
    #expect(throws: DatasetError.tooFewSamples(dataset: "scenery", count: 3, batchSize: 4)) {
      try Loader(set, batchSize: 4, dropLast: true)
    }
  }
}

/// A data set that counts what is read.
private struct Counting: Dataset {
  let base: MemoryDataset
  let loads = Tally()
  var name: String { base.name }
  var labelMap: LabelMap { base.labelMap }
  var count: Int { base.count }
  func item(_ index: Int) -> Item { base.item(index) }
  func load(_ index: Int) throws -> Sample {
    loads.add()
    return try base.load(index)
  }
  func loadMask(_ index: Int) throws -> ClassMask? { try load(index).mask }
}

private final class Tally: @unchecked Sendable {
  private let lock = NSLock()
  private var value = 0
  var count: Int { lock.withLock { value } }
  func add() { lock.withLock { value += 1 } }
}

@Suite("Randomness")
struct RandomTests {
  @Test("the stream is SplitMix64's")
  func reference() {
    var random = SampleRandom(state: 1_234_567)
    #expect(random.next() == 6_457_827_717_110_365_317)
    #expect(random.next() == 3_203_168_211_198_807_973)
    #expect(random.next() == 9_817_491_932_198_370_423)
  }

  @Test("streams of neighbouring seeds, epochs and samples have nothing in common")
  func independence() {
    var seen: Set<UInt64> = []
    for seed in 0..<8 as Range<UInt64> {
      for epoch in 0..<16 {
        for index in -1..<64 {
          var random = SampleRandom(seed: seed, epoch: epoch, index: index)
          seen.insert(random.next())
          seen.insert(random.next())
        }
      }
    }
    #expect(seen.count == 8 * 16 * 65 * 2)
  }

  @Test("numbers are uniform and orders are permutations")
  func uniform() {
    var random = SampleRandom(seed: 0, epoch: 0, index: 0)
    var counts = [Int](repeating: 0, count: 10)
    var sum = 0.0
    for _ in 0..<20_000 {
      counts[random.integer(below: 10)] += 1
      sum += random.unit()
    }
    #expect(counts.allSatisfy { abs($0 - 2000) < 200 })
    #expect(abs(sum / 20_000 - 0.5) < 0.01)
    #expect(SampleRandom.order(count: 50, seed: 1, epoch: 0).sorted() == Array(0..<50))
    #expect(random.integer(below: 0) == 0)
  }
}
