import Foundation
import Imaging
import Testing

@testable import Datasets

@Suite("Sampling")
struct SamplingTests {
  /// Four masks of 10 × 1 pixels: the first has two pixels of class 1, the third is ignored everywhere, and all other
  /// pixels are of class 0.
  private func rare() throws -> MemoryDataset {
    let image = Image(width: 10, height: 1, pixels: [UInt8](repeating: 9, count: 30))
    let plain = [UInt8](repeating: 0, count: 10)
    let masks = [plain.dropLast(2) + [1, 1], plain, [UInt8](repeating: 255, count: 10), plain]
    return MemoryDataset(
      name: "rare", labelMap: try .identity(3),
      samples: masks.enumerated().map {
        ("\($0.offset)", image, ClassMask(width: 10, height: 1, classes: Array($0.element)))
      })
  }

  @Test("which samples hold which class, and its pixels")
  func occurrence() throws {
    let found = try ClassOccurrence(of: rare(), threads: 2)
    #expect(found.samples == [[0, 1, 3], [0], []])
    #expect(found.histogram.counts == [28, 2, 0] && found.count == 4)
    #expect(try found.histogram == ClassHistogram(of: rare()))
  }

  @Test("repeat factors are LVIS's: max(1, √(t / f)), the largest over an image's classes")
  func repeatFactors() throws {
    let occurrence = try ClassOccurrence(of: rare())
    // f is 0.75 for class 0 and 0.25 for class 1; by hand √(0.5 / 0.25) = 1.4142…, and √(1 / 0.75) = 1.1547…
    func factors(_ threshold: Double) throws -> [Double]? {
      try Sampling(images: .repeatFactor(threshold: threshold)).weights(occurrence)
    }
    #expect(try factors(0.1) == [1, 1, 1, 1])
    #expect(try factors(0.5) == [Double(2).squareRoot(), 1, 1, 1])
    let all = try #require(try factors(1))
    #expect(zip(all, [2, 1.154_700_538, 1, 1.154_700_538]).allSatisfy { abs($0 - $1) < 1e-8 })
  }

  @Test("balanced images come as if a class were drawn and then an image that holds it")
  func balanced() throws {
    let occurrence = try ClassOccurrence(of: rare())
    func shares(_ classes: Sampling.Classes) throws -> [Double] {
      let weights = try #require(
        try Sampling(images: .balanced, classes: classes).weights(occurrence))
      let total = weights.reduce(0, +)
      return weights.map { $0 / total }
    }
    // Class 0 has 28 pixels, class 1 has 2, class 2 none, so that class 1 is drawn with probability p = 1/2, 28/30 and
    // √28 / (√28 + √2) = 0.789103…; image 0 then has p + (1 − p) / 3, and images 1 and 3 have (1 − p) / 3.
    for (classes, p) in [
      (Sampling.Classes.uniform, 0.5), (.inverseFrequency, 28.0 / 30),
      (.sqrtInverseFrequency, 0.789_103_278),
    ] {
      let expected = [p + (1 - p) / 3, (1 - p) / 3, 0, (1 - p) / 3]
      #expect(
        zip(try shares(classes), expected).allSatisfy { abs($0 - $1) < 1e-8 }, "\(classes)")
    }
    let empty = MemoryDataset(
      name: "empty", labelMap: try .identity(2),
      samples: [
        (
          "a", Image(width: 1, height: 1, pixels: [0, 0, 0]),
          ClassMask(width: 1, height: 1, classes: [255])
        )
      ])
    #expect(throws: DatasetError.self) { try Loader(empty, sampling: Sampling(images: .balanced)) }
  }

  @Test("an epoch visits each sample as often as its weight says, rounded down or up")
  func draws() {
    let weights = [3.0, 1, 0, 1, 0.5, 0.5]
    var visits = [Int](repeating: 0, count: 6)
    let epochs = 600
    for epoch in 0..<epochs {
      let draws = SampleRandom.draws(weights: weights, seed: 4, epoch: epoch)
      #expect(draws.count == 6 && Set(draws).count == 6)
      for (place, weight) in weights.enumerated() {
        let found = draws.filter { $0 % 6 == place }
        // The visits of a sample are numbered from its first.
        #expect(found.map { $0 / 6 }.sorted() == Array(0..<found.count))
        #expect([weight.rounded(.down), weight.rounded(.up)].contains(Double(found.count)))
        visits[place] += found.count
      }
    }
    for (count, weight) in zip(visits, weights) {
      #expect(abs(Double(count) / Double(epochs) - weight) < 0.08)
    }
    let even = SampleRandom.draws(weights: [Double](repeating: 0.7, count: 33), seed: 1, epoch: 0)
    #expect(even.sorted() == Array(0..<33) && even != Array(0..<33))
    #expect(
      even == SampleRandom.draws(weights: [Double](repeating: 0.7, count: 33), seed: 1, epoch: 0))
    #expect(
      even != SampleRandom.draws(weights: [Double](repeating: 0.7, count: 33), seed: 1, epoch: 1))
  }

  /// Twelve pictures of 40 × 30 of class 0, of which only the first has class 1, in one pixel.
  private func needle() throws -> MemoryDataset {
    MemoryDataset(
      name: "needle", labelMap: try .identity(2),
      samples: (0..<12).map { index in
        let (image, _) = picture(40, 30, seed: UInt64(index))
        var mask = ClassMask(size: image.size, filledWith: 0)
        if index == 0 { mask.classes[17 * 40 + 31] = 1 }
        return ("\(index)", image, mask)
      })
  }

  private func all(_ loader: Loader, epoch: Int = 0, from step: Int = 0) throws -> [Batch] {
    let batches = loader.batches(epoch: epoch, from: step)
    var found: [Batch] = []
    while let batch = try batches.next() { found.append(batch) }
    return found
  }

  @Test(
    "visits of one sample in an epoch are cut differently, whatever threads, processes and interruptions"
  )
  func visits() throws {
    let set = try needle()
    func loader(_ size: Int, _ shard: Loader.Shard = .whole, threads: Int = 2) throws -> Loader {
      try Loader(
        set, pipeline: Pipeline([.randomCrop(Size(width: 8, height: 8))]), batchSize: size,
        shuffle: true, sampling: Sampling(images: .balanced, classes: .uniform), dropLast: true,
        seed: 3, shard: shard, threads: threads)
    }
    let one = try loader(4)
    // The first has 1/2 + 1/24 of the visits: 6.5 of 12; the others 11/24 · 12 / 11 = 0.5.
    #expect(
      one.visits.map { abs($0.lowerBound - 0.5) < 1e-9 && abs($0.upperBound - 6.5) < 1e-9 } == true)
    let batches = try all(one)
    #expect(batches.map(\.indices) == one.plan(epoch: 0))
    let first = batches.flatMap { batch in
      batch.indices.indices.filter { batch.indices[$0] == 0 }.map {
        Array(batch.images[$0 * 192..<($0 + 1) * 192])
      }
    }
    #expect([6, 7].contains(first.count))
    #expect(Set(first).count >= 5)
    for (a, b) in zip(batches, try all(loader(4, threads: 5))) {
      #expect(a.indices == b.indices && a.images == b.images)
    }
    #expect(try all(one, from: 2).map(\.images) == Array(batches[2...]).map(\.images))
    let halves = try (0..<2).map { try all(loader(2, .init(index: $0, count: 2))) }
    for step in 0..<3 {
      #expect(halves[0][step].images + halves[1][step].images == batches[step].images)
    }
  }

  @Test("crops show the class that is drawn, wherever the pixel lies, scaled and mirrored too")
  func crops() throws {
    let set = try needle()
    let recipes: [[Transform]] = [
      [.randomCrop(Size(width: 8, height: 9))],
      [.horizontalFlip(probability: 1), .randomCrop(Size(width: 8, height: 9))],
      [.randomResize(ratio: 1.1...2), .verticalFlip(), .randomCrop(Size(width: 8, height: 9))],
      [.pad(to: Size(width: 60, height: 60)), .randomCrop(Size(width: 8, height: 9))],
    ]
    for recipe in recipes {
      // Of two classes by inverse frequency the one pixel is drawn in 14399 of 14400 crops of the first picture.
      let loader = try Loader(
        set, pipeline: Pipeline(recipe),
        sampling: Sampling(crops: 1, classes: .inverseFrequency), seed: 1)
      var places: Set<Int> = []
      for epoch in 0..<120 {
        let mask = try loader.sample(0, epoch: epoch).mask
        #expect(mask.size == Size(width: 8, height: 9))
        let place = try #require(mask.classes.firstIndex(of: 1), "\(recipe)")
        places.insert(place)
      }
      #expect(places.count > 40, "\(recipe)")
    }
    // Without it, the pixel is in (8 · 9) / (33 · 22) of all windows, a tenth; half of the time, in half and more.
    func shown(_ crops: Double) throws -> Int {
      let loader = try Loader(
        set, pipeline: Pipeline(recipes[0]),
        sampling: Sampling(crops: crops, classes: .inverseFrequency), seed: 1)
      return try (0..<400).count { try loader.sample(0, epoch: $0).mask.classes.contains(1) }
    }
    #expect((20..<70).contains(try shown(0)))
    #expect((180..<260).contains(try shown(0.5)))
  }

  @Test("where nothing is asked for, order and pictures are what they were")
  func unchanged() throws {
    let set = try needle()
    let pipeline = try Pipeline([.randomCrop(Size(width: 8, height: 8), maxClassShare: 0.9)])
    let plain = try Loader(set, pipeline: pipeline, batchSize: 3, shuffle: true, seed: 2)
    #expect(plain.occurrence == nil && plain.visits == nil)
    #expect(
      plain.plan(epoch: 1).flatMap { $0 } == SampleRandom.order(count: 12, seed: 2, epoch: 1))
    var random = SampleRandom(seed: 2, epoch: 1, index: 5)
    let sample = try set.load(5)
    let (image, mask) = pipeline(sample.image, sample.mask, random: &random)
    let found = try plain.sample(5, epoch: 1)
    #expect(found.image == image && found.mask == mask)
  }
}
