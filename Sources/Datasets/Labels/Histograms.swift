import Foundation
import Imaging

/// How many pixels each class has, and in how many images it occurs.
public struct ClassHistogram: Sendable, Equatable {
  /// The pixels of each class.
  public private(set) var counts: [Int64]
  /// The pixels that are ignored.
  public private(set) var ignored: Int64 = 0
  /// The images that hold a class.
  public private(set) var images: [Int64]
  /// The labelled pixels of the images that hold a class.
  public private(set) var imagePixels: [Int64]
  /// The number of images looked at.
  public private(set) var imageCount: Int64 = 0

  /// An empty histogram of `classes` classes.
  public init(classes: Int) {
    counts = [Int64](repeating: 0, count: classes)
    images = counts
    imagePixels = counts
  }

  /// The histogram of a data set's masks, one at a time on all cores.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - threads: The number of threads; 0 for one a core.
  /// - Throws: What reading a label file throws, for the first sample that cannot be read.
  public init(of dataset: some Dataset, threads: Int = 0) throws {
    self = try reduceInParallel(
      count: dataset.count, threads: threads,
      initial: ClassHistogram(classes: dataset.labelMap.count),
      step: { part, index in
        if let mask = try dataset.loadMask(index) { part.add(mask) }
      },
      merge: { $0.merge($1) })
  }

  /// The labelled pixels.
  public var labelled: Int64 { counts.reduce(0, +) }
  /// All pixels, ignored ones among them.
  public var total: Int64 { labelled + ignored }
  /// Each class's share of the labelled pixels, 0 to 1; zeros if there are none.
  public var shares: [Double] {
    let all = labelled
    return counts.map { all == 0 ? 0 : Double($0) / Double(all) }
  }
  /// The classes that no pixel has.
  public var absent: [Int] { counts.indices.filter { counts[$0] == 0 } }

  /// Counts a mask's pixels.
  public mutating func add(_ mask: ClassMask) {
    let found = countClasses(mask, x: Axis(mask.width), y: Axis(mask.height))
    let present = counts.indices.filter { found[$0] > 0 }
    let labelled = Int64(present.reduce(0) { $0 + found[$1] })
    precondition(
      Int(labelled) + found[Int(LabelMap.ignored)] == mask.classes.count,
      "the mask holds a class beyond the histogram's \(counts.count)")
    for index in present {
      counts[index] += Int64(found[index])
      images[index] += 1
      imagePixels[index] += labelled
    }
    ignored += Int64(found[Int(LabelMap.ignored)])
    imageCount += 1
  }

  /// Adds another histogram of as many classes.
  public mutating func merge(_ other: ClassHistogram) {
    precondition(counts.count == other.counts.count, "histograms of different class counts")
    for i in counts.indices {
      counts[i] += other.counts[i]
      images[i] += other.images[i]
      imagePixels[i] += other.imagePixels[i]
    }
    ignored += other.ignored
    imageCount += other.imageCount
  }

  /// Weights by median-frequency balancing: median frequency / frequency.
  ///
  /// A class's frequency is its pixels over the labelled pixels of the images that hold it; the median
  /// is over the classes that occur. A class that never occurs has weight 0. Eigen and Fergus,
  /// "Predicting Depth, Surface Normals and Semantic Labels", ICCV 2015, section 6.3.2.
  public var medianFrequencyWeights: [Double] {
    let frequencies = counts.indices.map { i in
      imagePixels[i] == 0 ? 0 : Double(counts[i]) / Double(imagePixels[i])
    }
    let sorted = frequencies.filter { $0 > 0 }.sorted()
    guard !sorted.isEmpty else { return frequencies }
    let middle = sorted.count / 2
    let median =
      sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    return frequencies.map { $0 == 0 ? 0 : median / $0 }
  }

  /// Weights in inverse proportion to the share, with mean 1 over the classes that occur.
  ///
  /// A class that never occurs has weight 0.
  public var inverseFrequencyWeights: [Double] {
    let raw = shares.map { $0 == 0 ? 0 : 1 / $0 }
    let present = raw.filter { $0 > 0 }
    guard !present.isEmpty else { return raw }
    let mean = present.reduce(0, +) / Double(present.count)
    return raw.map { $0 / mean }
  }
}

/// How many pixels of label files hold each value, before any label map.
public struct ValueHistogram: Sendable, Equatable {
  private var table = [Int64](repeating: 0, count: 65_536)

  /// An empty histogram.
  public init() {}

  /// The histogram of one label file's values.
  public init(of label: LabelImage) {
    add(label)
  }

  /// The histogram of all label files of a data set, whatever its label map says.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - threads: The number of threads; 0 for one a core.
  /// - Throws: What reading a label file throws.
  public init(of dataset: some Dataset, threads: Int = 0) throws {
    self = try reduceInParallel(
      count: dataset.count, threads: threads, initial: ValueHistogram(),
      step: { part, index in
        let item = dataset.item(index)
        if let path = item.labelPath { part.add(try dataset.readLabel(path)) }
      },
      merge: { $0.merge($1) })
  }

  /// The pixels of each value that occurs, ascending.
  public var counts: [(value: Int, count: Int64)] {
    table.indices.compactMap { table[$0] > 0 ? ($0, table[$0]) : nil }
  }
  /// The values that occur, ascending.
  public var values: [Int] { table.indices.filter { table[$0] > 0 } }
  /// All pixels.
  public var total: Int64 { table.reduce(0, +) }

  /// Each value with its share of all pixels, the largest first, as text: `0 (93.1 %), 255 (6.9 %)`.
  public func sharesText(_ limit: Int = 8) -> String {
    let all = counts.sorted { ($1.count, $0.value) < ($0.count, $1.value) }
    let shown = all.prefix(limit).map { entry in
      let percent = Double(entry.count) / Double(max(total, 1)) * 100
      return "\(entry.value) (\(String(format: percent < 0.1 ? "%.3f" : "%.1f", percent)) %)"
    }
    return shown.joined(separator: ", ")
      + (all.count > limit ? " and \(all.count - limit) other values" : "")
  }

  /// The pixels of one value.
  public subscript(value: Int) -> Int64 { table.indices.contains(value) ? table[value] : 0 }

  /// Counts a label file's pixels.
  public mutating func add(_ label: LabelImage) {
    table.withUnsafeMutableBufferPointer { table in
      label.values.withUnsafeBufferPointer { values in
        for i in 0..<values.count { table[Int(values[i])] &+= 1 }
      }
    }
  }

  /// Counts `count` more pixels of a value from 0 to 65,535.
  mutating func add(_ value: Int, _ count: Int64) { table[value] += count }

  /// Adds another histogram.
  public mutating func merge(_ other: ValueHistogram) {
    for i in table.indices where other.table[i] > 0 { table[i] += other.table[i] }
  }
}
