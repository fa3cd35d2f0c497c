import Datasets
import Foundation

/// How fast a loader makes batches when nothing else is done.
package struct LoaderSpeed: Sendable, Encodable {
  /// The images of an epoch, whole batches only.
  package var images = 0
  /// The images of each epoch in a second.
  package var imagesPerSecond: [Double] = []
  /// The processor time of each epoch in milliseconds an image, over all threads.
  package var processorMilliseconds: [Double] = []

  /// Runs through `epochs` epochs of a data set as training does.
  ///
  /// - Throws: What the loader throws.
  package init(
    _ dataset: some Dataset, of source: DataSource, batchSize: Int, threads: Int = 0, epochs: Int,
    cacheBytes: Int = 0
  ) throws {
    let loader = try Loader(
      dataset, pipeline: source.augmentation, encoding: source.encoding,
      batchSize: batchSize, shuffle: true, sampling: source.sampling, dropLast: true,
      seed: source.seed, threads: threads,
      cacheBytes: cacheBytes)
    for epoch in 0..<epochs {
      images = 0
      let processor = clock()
      let start = ContinuousClock.now
      let batches = loader.batches(epoch: epoch)
      while let batch = try batches.next() { images += batch.count }
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      imagesPerSecond.append(Double(images) / seconds)
      processorMilliseconds.append(
        Double(clock() - processor) / Double(CLOCKS_PER_SEC) / Double(images) * 1000)
    }
  }
}
