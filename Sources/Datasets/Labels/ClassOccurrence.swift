/// Which samples of a data set hold each class, and how many pixels it has in all of them.
public struct ClassOccurrence: Sendable {
  /// The pixels of each class.
  public let histogram: ClassHistogram
  /// For each class the samples that hold it, ascending.
  public let samples: [[Int]]
  /// The number of samples, those without a label among them.
  public let count: Int

  /// Looks at the masks of a data set, one at a time on all cores.
  ///
  /// - Parameters:
  ///   - dataset: The data set; windows of images are samples of their own.
  ///   - threads: The number of threads; 0 for one a core.
  /// - Throws: What reading a label file throws, for the first sample that cannot be read.
  public init(of dataset: some Dataset, threads: Int = 0) throws {
    let classes = dataset.labelMap.count
    let found = try reduceInParallel(
      count: dataset.count, threads: threads,
      initial: (
        histogram: ClassHistogram(classes: classes), samples: [[Int]](repeating: [], count: classes)
      ),
      step: { part, index in
        guard let mask = try dataset.loadMask(index) else { return }
        let before = part.histogram.images
        part.histogram.add(mask)
        for (label, images) in part.histogram.images.enumerated() where images > before[label] {
          part.samples[label].append(index)
        }
      },
      merge: { all, part in
        all.histogram.merge(part.histogram)
        for label in 0..<classes { all.samples[label] += part.samples[label] }
      })
    histogram = found.histogram
    samples = found.samples.map { $0.sorted() }
    count = dataset.count
  }
}
