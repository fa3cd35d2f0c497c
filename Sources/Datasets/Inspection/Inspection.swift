import Foundation
import Imaging

/// What one pass over the files of a data set found.
///
/// Every file is decoded whole, on all cores. Errors are what a run would stumble over: files that
/// cannot be read, values that the label map does not list, sizes that disagree, missing partners.
public struct Inspection: Sendable, Encodable {
  /// A part of the data set, such as the training images.
  public struct Part: Sendable, Encodable {
    /// What the part is called.
    public var name: String
    /// The images found, those without a label among them.
    public var images = 0
    /// The sizes of the images, most frequent first.
    public var sizes: [SizeCount] = []
    /// The classes in the map's order.
    public var classes: [ClassCount] = []
    /// The pixels that are ignored.
    public var ignoredPixels: Int64 = 0
    /// The pixels of images of which nothing was measured.
    public var missingPixels: Int64 = 0
    /// The mean and the deviation of the levels of red, green and blue, or of each band, in 0 to 1.
    public var mean: [Double] = [], deviation: [Double] = []
  }

  /// How many images have a size.
  public struct SizeCount: Sendable, Encodable {
    /// The size, and the images that have it.
    public var width: Int, height: Int, images: Int
  }

  /// The pixels of a class.
  public struct ClassCount: Sendable, Encodable {
    /// The class's name.
    public var name: String
    /// The pixels that have it.
    public var pixels: Int64
    /// The share of the labelled pixels, 0 to 1.
    public var share: Double
    /// The images that hold the class.
    public var images: Int
  }

  /// Something that a run would stumble over.
  public struct Problem: Sendable, Encodable {
    /// What is wrong.
    public enum Kind: String, Sendable, Encodable {
      case unreadable, valueOutsideMap, sizeMismatch, missingPartner
    }
    /// What is wrong.
    public var kind: Kind
    /// The file that it is wrong with.
    public var file: String
    /// What was found and what was expected, in a sentence.
    public var message: String
    /// The value that the map does not list, how many pixels have it, and the first of these.
    public var value: Int?, pixels: Int64?, x: Int?, y: Int?
  }

  /// The parts in the order in which they were asked for.
  public var parts: [Part] = []
  /// What a run would stumble over.
  public var errors: [Problem] = []
  /// Images of equal pixels, by their files.
  public var duplicates: [[String]] = []
  /// What looks wrong but can be meant.
  public var warnings: [String] = []
  /// The files that were read now; the others were known from an earlier pass.
  public var filesRead = 0

  /// Looks through the parts of a data set.
  ///
  /// - Parameters:
  ///   - datasets: The parts by name.
  ///   - path: A file that keeps what was found, by modification time; nil for none.
  ///   - threads: The number of threads; 0 for one a core.
  public init(
    _ datasets: [(name: String, dataset: FileDataset)], cache path: String? = nil, threads: Int = 0
  ) throws {
    let known = InspectionCache(contentsOf: path)
    var kept = known
    var pictures: [[UInt64]: [String]] = [:]
    var seen: [Seen] = []
    for (name, dataset) in datasets {
      let found = try Findings(dataset, known, threads)
      filesRead += found.filesRead
      kept.merge(found.cache)
      parts.append(Part(name, dataset, found))
      errors += found.problems(in: dataset)
      warnings += (dataset.notes + found.warnings(for: dataset, isTraining: name == "train")).map {
        "\(name): \($0)"
      }
      if let drawn = dataset.drawn {
        warnings += try drawn.oddities(of: dataset, threads: threads).map { "\(name): \($0)" }
      }
      for (item, image) in zip(dataset.items, found.images) where image.failure == nil {
        pictures[image.digest, default: []].append(item.imagePath)
      }
      seen.append(
        Seen(
          name,
          zip(dataset.items, found.images).filter { $1.failure == nil }
            .map { ($0.imagePath, $1.digest) }))
    }
    warnings += Self.overlaps(seen)
    duplicates = pictures.values.map { Array(Set($0)).sorted() }.filter { $0.count > 1 }
      .sorted { $0.lexicographicallyPrecedes($1) }
    if let path { kept.write(to: path) }
  }
}

/// What is in the files of one data set.
private struct Findings: Sendable {
  var images: [ImageFacts]
  var labels: [LabelFacts?]
  var cache = InspectionCache()
  var filesRead = 0

  /// What one thread found.
  private struct Share: Sendable {
    var images: [Int: ImageFacts] = [:]
    var labels: [Int: LabelFacts] = [:]
    var cache = InspectionCache()
    var filesRead = 0
  }

  init(_ dataset: FileDataset, _ known: InspectionCache, _ threads: Int) throws {
    let all = try reduceInParallel(
      count: dataset.count, threads: threads, initial: Share(),
      step: { share, index in
        let item = dataset.item(index)
        share.images[index] = dataset.imageFacts(
          item.imagePath, known, keeping: &share.cache, &share.filesRead)
        guard let path = item.labelPath else { return }
        share.labels[index] = dataset.labelFacts(
          path, known, keeping: &share.cache, &share.filesRead)
      },
      merge: { total, share in
        total.images.merge(share.images) { $1 }
        total.labels.merge(share.labels) { $1 }
        total.cache.merge(share.cache)
        total.filesRead += share.filesRead
      })
    images = (0..<dataset.count).compactMap { all.images[$0] }
    labels = (0..<dataset.count).map { all.labels[$0] }
    (cache, filesRead) = (all.cache, all.filesRead)
  }

  func problems(in dataset: FileDataset) -> [Inspection.Problem] {
    var problems = dataset.unpaired.map { unpaired in
      Inspection.Problem(
        kind: .missingPartner, file: unpaired.file, message: unpaired.error.description)
    }
    for (index, item) in dataset.items.enumerated() {
      let (image, label) = (images[index], labels[index])
      if let failure = image.failure {
        problems.append(.init(kind: .unreadable, file: item.imagePath, message: failure))
      }
      guard let label, let path = item.labelPath else { continue }
      if let failure = label.failure {
        problems.append(.init(kind: .unreadable, file: path, message: failure))
        continue
      }
      let (size, other) = (
        Size(width: image.width, height: image.height),
        Size(width: label.width, height: label.height)
      )
      if image.failure == nil {
        do {
          try checkSizes(
            image: item.imagePath, size, label: path, other, orientation: dataset.orientation,
            origin: dataset.labelMap.origin)
        } catch {
          problems.append(.init(kind: .sizeMismatch, file: path, message: "\(error)"))
        }
      }
      for entry in label.values where dataset.labelMap.index(of: UInt16(entry.value)) == nil {
        let (x, y) = (entry.first % label.width, entry.first / label.width)
        let error = DatasetError.valueOutsideMap(
          file: path, x: x, y: y, value: entry.value, map: dataset.labelMap.name,
          allowed: dataset.labelMap.values)
        let mend = dataset.labelMap.mend(for: label.values.map(\.value)).map { ". \($0)" }
        problems.append(
          .init(
            kind: .valueOutsideMap, file: path,
            message: "\(error.description); \(entry.count) pixels have it" + (mend ?? ""),
            value: entry.value,
            pixels: entry.count, x: x, y: y))
      }
    }
    return problems
  }

  func warnings(for dataset: FileDataset, isTraining: Bool) -> [String] {
    var histogram = ValueHistogram()
    for label in labels {
      for entry in label?.values ?? [] { histogram.add(entry.value, entry.count) }
    }
    let map = dataset.labelMap
    let all =
      isTraining
      ? map.trainingWarnings(for: histogram, of: "the training labels")
      : map.warnings(for: histogram)
    // Values that are not listed are errors already.
    return all.filter { !$0.contains("does not list") } + turned(in: dataset)
  }

  /// What there is to say of photographs that their camera has turned, where the sizes agree both ways.
  private func turned(in dataset: FileDataset) -> [String] {
    guard dataset.orientation == .applied else { return [] }
    let files = zip(dataset.items, zip(images, labels)).compactMap { item, found -> String? in
      let (image, label) = found
      guard image.failure == nil, image.orientation > 1, let label, label.failure == nil,
        (label.width, label.height) == (image.width, image.height),
        image.orientation < 5 || image.width == image.height
      else { return nil }
      return item.imagePath
    }
    guard let first = files.first else { return [] }
    return [
      "\(files.count) photographs are turned or mirrored as EXIF says, such as \(first), and their"
        + " labels, whose sizes fit both ways, may not be: `atrous data browse` shows it, and"
        + " \(dataset.labelMap.origin.orientation(.stored)) reads photographs as they are stored"
    ]
  }
}

extension FileDataset.Unpaired {
  /// The file that is there.
  var file: String {
    if case .missingPartner(let file, _) = error { return file }
    return name
  }
}

extension Inspection.Part {
  fileprivate init(_ name: String, _ dataset: FileDataset, _ found: Findings) {
    self.name = name
    images = dataset.count
    var sizes: [Size: Int] = [:]
    var (pixels, sums, squares) = (0.0, [0.0, 0, 0], [0.0, 0, 0])
    var levels = LevelSums()
    for image in found.images where image.failure == nil {
      sizes[Size(width: image.width, height: image.height), default: 0] += 1
      if let counts = image.levelCounts {
        levels.merge(
          LevelSums(
            counts: counts, sums: image.levelSums ?? [], squares: image.levelSquares ?? []))
        missingPixels += image.missing ?? 0
        continue
      }
      pixels += Double(image.width * image.height)
      for channel in 0..<3 {
        sums[channel] += Double(image.sums[channel])
        squares[channel] += Double(image.squares[channel])
      }
    }
    self.sizes = sizes.map {
      Inspection.SizeCount(width: $0.key.width, height: $0.key.height, images: $0.value)
    }.sorted { ($1.images, $0.width, $0.height) < ($0.images, $1.width, $1.height) }
    if !levels.counts.isEmpty {
      (mean, deviation) = levels.statistics
    } else if pixels > 0 {
      mean = sums.map { $0 / pixels / 255 }
      deviation = (0..<3).map {
        max(squares[$0] / pixels / 65_025 - mean[$0] * mean[$0], 0).squareRoot()
      }
    }
    let map = dataset.labelMap
    var counts = [Int64](repeating: 0, count: map.count)
    var holders = [Int](repeating: 0, count: map.count)
    for label in found.labels {
      var present: Set<Int> = []
      for entry in label?.values ?? [] {
        guard let index = map.index(of: UInt16(entry.value)) else { continue }
        if index == LabelMap.ignored {
          ignoredPixels += entry.count
        } else {
          counts[Int(index)] += entry.count
          present.insert(Int(index))
        }
      }
      for index in present { holders[index] += 1 }
    }
    let labelled = counts.reduce(0, +)
    classes = map.classes.enumerated().map { index, entry in
      Inspection.ClassCount(
        name: entry.name, pixels: counts[index],
        share: labelled == 0 ? 0 : Double(counts[index]) / Double(labelled), images: holders[index])
    }
  }
}
