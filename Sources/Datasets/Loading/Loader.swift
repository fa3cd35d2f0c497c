import Imaging

/// Batches of a data set: reads, transforms and normalises samples on several threads, ahead of use.
///
/// What a batch holds is a function of (seed, epoch, step) and the settings; the number of threads
/// and the order in which they finish do not matter.
public struct Loader: Sendable {
  /// The part of every batch that one of several processes takes.
  public struct Shard: Sendable, Hashable {
    /// Which of the processes this is, from 0.
    public let index: Int
    /// The number of processes.
    public let count: Int

    /// Process `index` of `count`.
    public init(index: Int, count: Int) {
      self.index = index
      self.count = count
    }

    /// One process alone.
    public static let whole = Shard(index: 0, count: 1)
  }

  /// The data set.
  public let dataset: any Dataset
  /// What is done to every sample.
  public let pipeline: Pipeline
  /// What turns levels into numbers.
  public let encoding: InputEncoding
  /// The samples of a batch; with several processes, of each process.
  public let batchSize: Int
  /// Whether each epoch has an order of its own.
  public let shuffle: Bool
  /// Which samples are visited how often, and where they are cut.
  public let sampling: Sampling
  /// Which samples hold which class, where that was needed.
  public let occurrence: ClassOccurrence?
  /// Whether a last batch that is not full is left out.
  public let dropLast: Bool
  /// What order and transforms are drawn from.
  public let seed: UInt64
  /// The part of this process.
  public let shard: Shard
  /// The number of threads.
  public let threads: Int
  /// The most batches that are made before they are asked for.
  public let prefetch: Int
  /// How often each sample is visited, in proportion to the others; nil for once an epoch.
  private let weights: [Double]?
  /// For each transform that pastes, the classes that it takes and that there are.
  private let pasted: [(paste: CopyPaste, classes: [Int])]
  /// Where decoded samples are kept, if anywhere.
  package let cache: SampleCache?
  /// The memory of batches that are done with; kept over epochs.
  let pool: BufferPool

  /// A loader of a data set.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - pipeline: What is done to every sample; batches above 1 need it to end in one size.
  ///   - encoding: What turns levels into numbers.
  ///   - batchSize: The samples of a batch; with several processes, of each process.
  ///   - shuffle: Whether each epoch has an order of its own.
  ///   - sampling: Which samples are visited how often, and where they are cut; whatever `shuffle` is. All labels
  ///     are read once for it, unless it is uniform and nothing is pasted.
  ///   - dropLast: Whether a last batch that is not full is left out. Batch statistics of a single sample
  ///     are none, so that training wants this on and evaluation off.
  ///   - seed: What order and transforms are drawn from.
  ///   - shard: The part of this process. The processes' batches of one step together are the batch that
  ///     one process would take with `batchSize * shard.count`.
  ///   - threads: The number of threads; 0 for one a core.
  ///   - prefetch: The most batches that are made before they are asked for, at least 1.
  ///   - cacheBytes: The memory for decoded samples; 0 for none.
  /// - Throws: `DatasetError.invalidSetting`, `.tooFewSamples` if no batch can be made, and what reading labels
  ///   throws where they are counted.
  public init(
    _ dataset: any Dataset, pipeline: Pipeline = .none,
    encoding: InputEncoding = .imageNet, batchSize: Int = 1, shuffle: Bool = false,
    sampling: Sampling = .uniform, dropLast: Bool = false, seed: UInt64 = 0, shard: Shard = .whole,
    threads: Int = 0,
    prefetch: Int = 2, cacheBytes: Int = 0
  ) throws {
    func check(_ good: Bool, _ name: String, _ value: Int, _ expected: String) throws {
      guard good else {
        throw DatasetError.invalidSetting(name: name, value: "\(value)", expected: expected)
      }
    }
    try check(batchSize > 0, "the batch size", batchSize, "at least 1")
    try check(threads >= 0, "the number of loader threads", threads, "at least 0")
    try check(prefetch > 0, "the number of batches fetched ahead", prefetch, "at least 1")
    try check(shard.count > 0, "the number of processes", shard.count, "at least 1")
    try check(
      (0..<shard.count).contains(shard.index), "the process's number", shard.index,
      "0 to \(shard.count - 1)")
    try check(
      dataset.count > 0, "the number of samples of \(dataset.name)", dataset.count, "at least 1")
    self.dataset = dataset
    let pastes = pipeline.pastes
    let occurrence =
      sampling.needsOccurrence || !pastes.isEmpty
      ? try ClassOccurrence(of: dataset, threads: threads) : nil
    self.sampling = sampling
    self.occurrence = occurrence
    weights = try occurrence.flatMap(sampling.weights)
    pasted = try pastes.map { ($0, try $0.classes(of: dataset.labelMap)) }
    self.pipeline = pipeline.focusingCrops(sampling.focus(occurrence))
    self.encoding = encoding
    self.batchSize = batchSize
    self.shuffle = shuffle
    self.dropLast = dropLast
    self.seed = seed
    self.shard = shard
    self.threads = threadCount(threads)
    self.prefetch = prefetch
    // One batch with the consumer, one just taken, and those ahead; two buffers each.
    pool = BufferPool(limit: 2 * (prefetch + 2))
    cache = cacheBytes > 0 ? SampleCache(bytes: cacheBytes) : nil
    if steps == 0, dropLast {
      throw DatasetError.tooFewSamples(
        dataset: dataset.name, count: dataset.count, batchSize: batchSize * shard.count)
    }
  }

  /// The number of batches of an epoch.
  public var steps: Int {
    let whole = batchSize * shard.count
    let full = dataset.count / whole
    guard !dropLast else { return full }
    return dataset.count % whole > batchSize * shard.index ? full + 1 : full
  }

  /// The visits of the sample that is visited least and of that visited most, on an average epoch; nil where each
  /// is visited once.
  public var visits: ClosedRange<Double>? {
    guard let weights, let low = weights.min(), let high = weights.max() else { return nil }
    let share = Double(weights.count) / weights.reduce(0, +)
    return low * share...high * share
  }

  /// The samples of each batch of an epoch.
  public func plan(epoch: Int) -> [[Int]] {
    draws(epoch: epoch).map { $0.map(index) }
  }

  /// The sample of a draw.
  func index(of draw: Int) -> Int { draw % dataset.count }

  /// The draws of each batch of an epoch: the samples' places, and as many times their number more as an epoch has
  /// visited them before, so that each visit has random numbers of its own.
  func draws(epoch: Int) -> [[Int]] {
    let order =
      weights.map { SampleRandom.draws(weights: $0, seed: seed, epoch: epoch) }
      ?? (shuffle
        ? SampleRandom.order(count: dataset.count, seed: seed, epoch: epoch)
        : Array(0..<dataset.count))
    return (0..<steps).map { step in
      let start = (step * shard.count + shard.index) * batchSize
      return Array(order[start..<min(start + batchSize, order.count)])
    }
  }

  /// The batches of an epoch, made from now on, ahead of their use.
  ///
  /// - Parameters:
  ///   - epoch: The epoch's number, from 0.
  ///   - step: The first batch wanted; what comes before is not read. It is the batch that an
  ///     uninterrupted epoch has at this place.
  public func batches(epoch: Int, from step: Int = 0) -> Batches {
    Batches(self, epoch: epoch, from: step)
  }

  /// One sample as the batches of an epoch have it, before normalisation.
  ///
  /// - Parameters:
  ///   - draw: The sample's place, as many times ``Dataset/count`` more as the epoch has visited it before.
  ///   - epoch: The epoch's number, from 0.
  /// - Throws: What reading it throws.
  public func sample(_ draw: Int, epoch: Int) throws -> Sample {
    let index = index(of: draw)
    var sample = try read(index)
    guard !pipeline.transforms.isEmpty else { return sample }
    var random = SampleRandom(seed: seed, epoch: epoch, index: draw)
    for (paste, classes) in pasted {
      guard random.chance(paste.probability),
        let (label, donor) = donor(of: classes, for: index, &random)
      else { continue }
      sample = sample.pasting(label, from: try read(donor), by: paste, &random)
    }
    let (image, mask) = pipeline(
      sample.image, sample.mask, random: &random, mean: encoding.meanColor,
      meanLevels: encoding.meanLevels)
    return sample.with(image, mask)
  }

  private func read(_ index: Int) throws -> Sample {
    try cache?.sample(index, load: dataset.load) ?? dataset.load(index)
  }

  /// A class, and another sample that holds it; nil where there is none.
  private func donor(
    of classes: [Int], for index: Int, _ random: inout SampleRandom
  ) -> (label: UInt8, sample: Int)? {
    guard let holders = occurrence?.samples else { return nil }
    let there = classes.filter { !holders[$0].isEmpty }
    guard !there.isEmpty else { return nil }
    let label = there[random.integer(below: there.count)]
    let samples = holders[label]
    let place = random.integer(below: samples.count)
    let donor = samples[place] == index ? samples[(place + 1) % samples.count] : samples[place]
    return donor == index ? nil : (UInt8(label), donor)
  }
}
