import Foundation
import Imaging

/// What the label files of a data set hold, looked at before they are trained on.
///
/// Few files are all looked at. Of many, those that an inspection has seen already are, and a number
/// that is spread evenly over the set; what is read is kept for the next time.
public struct LabelSurvey: Sendable {
  /// The pixels of each value.
  public let histogram: ValueHistogram
  /// The label files that were looked at, and those that there are.
  public let looked: Int, count: Int
  /// The label files that were read now; the others were known from an earlier look.
  public let filesRead: Int
  private let labelMap: LabelMap

  /// The most label files that are read if nobody says otherwise.
  public static let usualLimit = 256
  /// Looks at fewer files than this are not worth a note in the cache.
  private static let worthKeeping = 64

  /// What one thread found.
  private struct Part: Sendable {
    var histogram = ValueHistogram()
    var looked = 0, filesRead = 0
    var cache = InspectionCache()
    /// The samples that cannot be read, or whose values the label map does not list.
    var spoilt: [Int] = []
  }

  /// Looks at the labels of a data set.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - limit: The most label files that are read; nil for all.
  ///   - path: A file with what is known of files from earlier looks, as ``Inspection`` keeps it.
  ///   - refuses: Whether values that the label map does not list are an error.
  ///   - threads: The number of threads; 0 for one a core.
  /// - Throws: What reading a label file throws, and `DatasetError.valueOutsideMap`, for the first file
  ///   looked at that training would stop at.
  public init(
    _ dataset: any Dataset, limit: Int? = Self.usualLimit, cache path: String? = nil,
    refuses: Bool = true, threads: Int = 0
  ) throws {
    // Windows of one image share their files.
    var paths: Set<String> = []
    let labelled = (0..<dataset.count).filter {
      dataset.item($0).labelPath.map { paths.insert($0).inserted } ?? false
    }
    let chosen = Set(
      limit.map { limit in
        let limit = min(limit, labelled.count)
        return (0..<limit).map { labelled[$0 * labelled.count / limit] }
      } ?? labelled)
    let known = InspectionCache(contentsOf: path)
    let found = try reduceInParallel(
      count: labelled.count, threads: threads, initial: Part(),
      step: { part, place in
        let index = labelled[place]
        guard let path = dataset.item(index).labelPath else { return }
        let isKnown = known.labelFacts(path, in: dataset) != nil
        guard isKnown || chosen.contains(index) else { return }
        let facts = dataset.labelFacts(path, known, keeping: &part.cache, &part.filesRead)
        part.looked += 1
        for entry in facts.values { part.histogram.add(entry.value, entry.count) }
        let isSound = facts.values.allSatisfy {
          !refuses || dataset.labelMap.index(of: UInt16($0.value)) != nil
        }
        if facts.failure != nil || !isSound { part.spoilt.append(index) }
      },
      merge: { all, part in
        all.histogram.merge(part.histogram)
        all.looked += part.looked
        all.filesRead += part.filesRead
        all.cache.merge(part.cache)
        all.spoilt += part.spoilt
      })
    if let path, found.filesRead >= Self.worthKeeping {
      var all = known
      all.merge(found.cache)
      all.write(to: path)
    }
    // Read again, as an error says more than what is kept of it.
    for index in found.spoilt.sorted().prefix(8) {
      if refuses { _ = try dataset.loadMask(index) }
      if let path = dataset.item(index).labelPath { _ = try dataset.readLabel(path) }
    }
    histogram = found.histogram
    (looked, count, filesRead) = (found.looked, labelled.count, found.filesRead)
    labelMap = dataset.labelMap
  }

  /// What keeps a network from learning from these labels, in sentences.
  public var warnings: [String] {
    guard looked > 0 else { return [] }
    let files =
      looked == count
      ? "the \(count) training labels"
      : "the \(looked) of \(count) training labels looked at (`atrous data inspect` looks at all)"
    return labelMap.trainingWarnings(for: histogram, of: files)
  }
}
