import Datasets
import Files
import Foundation
import Imaging

/// Scores label files against label files, without a network.
///
/// Files are read and counted on all cores, one pair a core at a time, so memory does not grow with
/// their number.
public struct LabelFileScoring: Sendable {
  /// The files of one image.
  public struct Pair: Sendable, Equatable {
    /// The image's name.
    public var name: String
    /// The truth and the prediction.
    public var truth, prediction: String
    /// The picture itself and the truth's instances, where they are.
    public var image, instances: String?
    /// Whether the prediction holds the indices of classes instead of the truth's values.
    public var holdsClasses = false
  }

  /// The pairs in the order of their names.
  public let pairs: [Pair]
  /// What the files' values mean.
  public let map: LabelMap
  /// For labels that are RGB pictures, the value of each colour.
  let labelColors: [Color: UInt16]?
  /// Whether files are Cityscapes' label ids, whose categories and instances are scored too.
  public let isCityscapes: Bool
  /// What the folders hold that is not read, for a person.
  public let notes: [String]
  /// The width of the strips of boundary IoU as a share of the diagonal; nil leaves it out.
  public var boundaryRatio: Double?
  /// The classes by their indices.
  private let indices: LabelMap

  init(
    pairs: [Pair], map: LabelMap, labelColors: [Color: UInt16]? = nil,
    isCityscapes: Bool = false, notes: [String] = []
  ) throws {
    self.pairs = pairs
    self.map = map
    self.labelColors = labelColors
    self.isCityscapes = isCityscapes
    self.notes = notes
    indices = try .identity(map.count)
  }

  /// What a core has counted.
  private struct Part: Sendable {
    var matrix: ConfusionMatrix
    var boundary: BoundaryCounts
    var images: [(index: Int, counts: ImageCounts)] = []
    var cityscapes = CityscapesCounts()
    var weights: [(index: Int, weights: CityscapesCounts.Weights)] = []
  }

  /// The scores, and what each image contributes to them.
  ///
  /// - Parameters:
  ///   - dataset: What the result calls the files.
  ///   - threads: The number of threads; 0 for one a core.
  /// - Throws: `ImageError`, `DatasetError.valueOutsideMap`, ``ScoringError``.
  public func run(dataset: String = "label files", threads: Int = 0) throws
    -> (result: EvaluationResult, images: [ImageCounts])
  {
    let start = ContinuousClock.now
    let ratio = boundaryRatio ?? 0.02
    var part = try reduceInParallel(
      count: pairs.count, threads: threads,
      initial: Part(
        matrix: ConfusionMatrix(classes: map.count),
        boundary: BoundaryCounts(classes: map.count, ratio: ratio))
    ) { part, index in
      try count(pairs[index], index, into: &part)
    } merge: { all, part in
      all.cityscapes.merge(part.cityscapes)
      all.weights += part.weights
      all.matrix.merge(part.matrix)
      all.boundary.merge(part.boundary)
      all.images += part.images
    }
    let images = part.images.sorted { $0.index < $1.index }.map(\.counts)
    var result = EvaluationResult(
      dataset: dataset, model: "label files", images: images.count,
      seconds: (ContinuousClock.now - start) / .seconds(1),
      scoring: ScoringProtocol(
        classes: map.count, ignored: map.ignoredText, mode: "label files against label files",
        precision: "no network"),
      matrix: part.matrix, names: map.classes.map(\.name), perImage: ImageMeans(images))
    result.foreground = ForegroundScores(map, images)
    if boundaryRatio != nil { result.boundary = BoundaryScores(part.boundary) }
    if isCityscapes {
      // Weights are no whole numbers: their sum would depend on the order.
      for image in part.weights.sorted(by: { $0.index < $1.index }) {
        part.cityscapes.weights.add(image.weights)
      }
      result.cityscapes = part.cityscapes.scores
    }
    return (result, images)
  }

  /// Writes tables, pictures and the page into a folder.
  ///
  /// - Throws: `ImageError` if a file cannot be read or written.
  public func write(_ result: EvaluationResult, _ images: [ImageCounts], to folder: String) throws {
    let folder = try ResultFolder(folder)
    defer { folder.discard() }
    try folder.write(result, images: images, map: map, labelColors: labelColors) { index in
      let pair = pairs[index]
      var shown = ResultFolder.Shown(
        image: nil, truth: try truth(pair, map), prediction: try prediction(pair, map))
      shown.image = try pair.image.flatMap { try Self.picture($0, of: shown.truth.size) }
      try folder.keep(shown.prediction, name: pair.name, colors: map.palette)
      return shown
    }
  }

  /// The picture of a size, turned as EXIF says or as it is stored; nil if neither is of that size.
  private static func picture(_ file: String, of size: Size) throws -> Image? {
    let turned = try Image(contentsOf: file)
    guard turned.size != size else { return turned }
    let stored = try Image(contentsOf: file, orientation: .stored)
    return stored.size == size ? stored : nil
  }

  /// What looks wrong with the first true labels, in sentences; files that cannot be read are left to
  /// ``run(dataset:threads:)``.
  public func warnings(of limit: Int = 16) -> [String] {
    var histogram = ValueHistogram()
    for pair in pairs.prefix(limit) {
      if let label = try? LabelImage(contentsOf: pair.truth, colors: labelColors) {
        histogram.add(label)
      }
    }
    return map.warnings(for: histogram).filter { !$0.contains("does not list") }
  }

  private func count(_ pair: Pair, _ index: Int, into part: inout Part) throws {
    let reading = isCityscapes ? Cityscapes.allRows : map
    var own: ConfusionMatrix
    let (predicted, rows): ([UInt8], [UInt8])
    let size: Size
    if boundaryRatio == nil, !pair.holdsClasses, let (truth, prediction) = try bytes(pair),
      let matrix = ValuePairs(truth.values, prediction.values).confusion(reading)
    {
      own = matrix
      (size, predicted, rows) = (truth.size, prediction.values, CityscapesCounts.rowOfValue)
    } else {
      let (truth, prediction) = try masks(pair, reading)
      own = ConfusionMatrix(classes: reading.count)
      own.add(truth: truth, prediction: prediction)
      if boundaryRatio != nil {
        part.boundary.add(truth: evaluated(truth), prediction: evaluated(prediction))
      }
      (size, predicted, rows) = (truth.size, prediction.classes, Array(0...255))
    }
    if isCityscapes {
      var counts = CityscapesCounts(own)
      if let file = pair.instances {
        let instances = try LabelImage(contentsOf: file)
        guard instances.size == size else {
          throw ScoringError.sizes(
            file: file, size: instances.size, truth: pair.truth, truthSize: size)
        }
        try counts.add(instances, predicted, rows: rows, file)
      }
      own = counts.evaluated
      if counts.hasInstances { part.weights.append((index, counts.weights)) }
      counts.weights = .init()
      part.cityscapes.merge(counts)
    }
    part.matrix.merge(own)
    part.images.append(
      (index, ImageCounts(own, name: pair.name, image: pair.image ?? "", label: pair.truth)))
  }

  /// Both files as they stand; nil if one is no plain PNG of 8 bits.
  private func bytes(_ pair: Pair) throws -> (truth: ByteLabels, prediction: ByteLabels)? {
    guard let truth = try ByteLabels(contentsOf: pair.truth),
      let prediction = try ByteLabels(contentsOf: pair.prediction)
    else { return nil }
    try check(truth.size, prediction.size, pair)
    return (truth, prediction)
  }

  /// Both files in classes.
  private func masks(_ pair: Pair, _ map: LabelMap) throws
    -> (truth: ClassMask, prediction: ClassMask)
  {
    let (truth, prediction) = (try truth(pair, map), try prediction(pair, map))
    try check(truth.size, prediction.size, pair)
    return (truth, prediction)
  }

  private func truth(_ pair: Pair, _ map: LabelMap) throws -> ClassMask {
    try map.classes(
      of: LabelImage(contentsOf: pair.truth, colors: labelColors), file: pair.truth)
  }

  /// A prediction in the classes of `reading`, which are those of the truth or parts of them.
  private func prediction(_ pair: Pair, _ reading: LabelMap) throws -> ClassMask {
    let labels = try LabelImage(contentsOf: pair.prediction, colors: labelColors)
    guard pair.holdsClasses else {
      return try reading.classes(of: labels, file: pair.prediction)
    }
    let mask = try indices.classes(of: labels, file: pair.prediction)
    guard reading.count != map.count else { return mask }
    let table = (0...255).map { index in
      map.value(of: UInt8(index)).flatMap { reading.index(of: $0) } ?? LabelMap.ignored
    }
    return ClassMask(
      width: mask.width, height: mask.height, classes: mask.classes.map { table[Int($0)] })
  }

  private func check(_ truth: Size, _ prediction: Size, _ pair: Pair) throws {
    guard truth == prediction else {
      throw ScoringError.sizes(
        file: pair.prediction, size: prediction, truth: pair.truth, truthSize: truth,
        reason: reason(truth, prediction, pair))
    }
  }

  /// Why the sizes of a pair are each other's, turned, if it is a photograph that a camera turned.
  private func reason(_ truth: Size, _ prediction: Size, _ pair: Pair) -> String? {
    guard truth == Size(width: prediction.height, height: prediction.width) else { return nil }
    guard let image = pair.image else {
      return "One is the other turned, as where EXIF turns the photograph: `atrous predict --set"
        + " data.orientation=stored` takes photographs as they are stored"
    }
    guard let info = try? ImageInfo(contentsOf: image), info.orientation > 4 else { return nil }
    let setting = info.size == prediction ? "stored" : "applied"
    return "Orientation \(info.orientation) in the EXIF of \(image) turns it: `atrous predict --set"
      + " data.orientation=\(setting)` gives predictions of the truth's size"
  }

  /// Rows of Cityscapes as the classes that count.
  private func evaluated(_ mask: ClassMask) -> ClassMask {
    guard isCityscapes else { return mask }
    let table =
      Cityscapes.labels.map { $0.ignoredInEvaluation ? LabelMap.ignored : UInt8($0.trainId) }
      + [UInt8](repeating: LabelMap.ignored, count: 256)
    return ClassMask(
      width: mask.width, height: mask.height, classes: mask.classes.map { table[Int($0)] })
  }
}

extension LabelMap {
  /// The values that count nowhere, as text.
  var ignoredText: String {
    let values = rows.filter { $0.index == nil }.map { "\($0.value)" }
    return values.isEmpty ? "nothing" : values.joined(separator: ", ")
  }
}
