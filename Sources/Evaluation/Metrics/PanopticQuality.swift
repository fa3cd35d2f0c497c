import Datasets
import Files
import Foundation
import Imaging

/// The counts that panoptic quality is made of, for one category.
public struct PanopticCounts: Sendable, Equatable {
  /// The segments found, those predicted without one, and those missed.
  public var hits = 0, falseHits = 0, misses = 0
  /// The sum of the IoU of the segments found.
  public var iou = 0.0

  /// PQ = SQ · RQ; nil where there is nothing to find and nothing was predicted.
  public var quality: Double? { whole == 0 ? nil : iou / whole }
  /// SQ: the mean IoU of the segments found; 0 if none was.
  public var segmentation: Double? { whole == 0 ? nil : hits == 0 ? 0 : iou / Double(hits) }
  /// RQ: F1 of finding segments.
  public var recognition: Double? { whole == 0 ? nil : Double(hits) / whole }

  private var whole: Double { Double(hits) + 0.5 * Double(falseHits) + 0.5 * Double(misses) }
}

/// Panoptic label files: PNG pictures whose colours are segments, and the JSON that describes them.
///
/// The format is COCO's: a segment's id is red + 256 · green + 65,536 · blue, and 0 is void.
struct PanopticFile: Decodable, Sendable {
  struct Segment: Decodable, Sendable {
    let id: Int
    let categoryID: Int
    let isCrowd: Int?

    enum CodingKeys: String, CodingKey {
      case id
      case categoryID = "category_id"
      case isCrowd = "iscrowd"
    }
  }
  struct Annotation: Decodable, Sendable {
    let image: ImageID
    let file: String
    let segments: [Segment]

    enum CodingKeys: String, CodingKey {
      case image = "image_id"
      case file = "file_name"
      case segments = "segments_info"
    }
  }
  struct Category: Decodable, Sendable {
    let id: Int
    let name: String
    let isThing: Int?

    enum CodingKeys: String, CodingKey {
      case id, name
      case isThing = "isthing"
    }
  }
  /// A number in COCO's files, a name in Cityscapes'.
  enum ImageID: Decodable, Hashable, Sendable, CustomStringConvertible {
    case number(Int)
    case name(String)

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let number = try? value.decode(Int.self) {
        self = .number(number)
      } else {
        self = .name(try value.decode(String.self))
      }
    }

    var description: String {
      switch self {
      case .number(let number): "\(number)"
      case .name(let name): name
      }
    }
  }

  let annotations: [Annotation]
  let categories: [Category]?

  init(contentsOf path: String) throws {
    guard let data = FileSystem.contents(path) else {
      throw ScoringError.unreadable(file: path, reason: "there is no such file")
    }
    do {
      self = try JSONDecoder().decode(PanopticFile.self, from: data)
    } catch {
      throw ScoringError.unreadable(
        file: path, reason: "it is no panoptic description (annotations with segments_info)")
    }
  }
}

/// Scores panoptic label files against panoptic label files.
///
/// Kirillov et al., "Panoptic Segmentation", CVPR 2019, section 4: a predicted segment finds one of
/// the truth's if both are of one category and their IoU, without the truth's void, is above 0.5.
public struct PanopticScoring: Sendable {
  private let truth, prediction: PanopticFile
  private let truthFolder, predictionFolder: String

  /// Reads the two descriptions; pictures lie in the folder of the description's name without
  /// `.json`, unless said otherwise.
  ///
  /// - Throws: ``ScoringError``.
  public init(
    truth: String, prediction: String, truthFolder: String? = nil, predictionFolder: String? = nil
  ) throws {
    func folder(_ file: String) -> String {
      file.parentFolder.isEmpty ? file.fileStem : "\(file.parentFolder)/\(file.fileStem)"
    }
    self.truth = try PanopticFile(contentsOf: truth)
    self.prediction = try PanopticFile(contentsOf: prediction)
    self.truthFolder = truthFolder ?? folder(truth)
    self.predictionFolder = predictionFolder ?? folder(prediction)
    guard self.truth.categories != nil else {
      throw ScoringError.unreadable(file: truth, reason: "it lists no categories")
    }
  }

  /// The scores, image by image on all cores.
  ///
  /// - Throws: ``ScoringError``, `ImageError`.
  public func run(threads: Int = 0) throws -> PanopticScores {
    let predictions = Dictionary(
      prediction.annotations.map { ($0.image, $0) }, uniquingKeysWith: { first, _ in first })
    let images = try reduceInParallel(
      count: truth.annotations.count, threads: threads,
      initial: [(index: Int, counts: [Int: PanopticCounts])]()
    ) { part, index in
      let own = truth.annotations[index]
      guard let other = predictions[own.image] else {
        throw ScoringError.missingPrediction(
          image: "\(own.image)", expected: "an annotation of this image in the prediction's file")
      }
      var counts: [Int: PanopticCounts] = [:]
      try Self.count(
        own, "\(truthFolder)/\(own.file)", other, "\(predictionFolder)/\(other.file)",
        into: &counts)
      part.append((index, counts))
    } merge: {
      $0 += $1
    }
    // In the order of images, on which a sum of ratios depends.
    var counts: [Int: PanopticCounts] = [:]
    for image in images.sorted(by: { $0.index < $1.index }) {
      for (category, own) in image.counts { counts[category, default: .init()].add(own) }
    }
    return PanopticScores(
      images: truth.annotations.count,
      entries: (truth.categories ?? []).map { category in
        PanopticScores.Entry(
          name: category.name, isThing: category.isThing == 1, counts[category.id] ?? .init())
      })
  }

  private static func count(
    _ truth: PanopticFile.Annotation, _ truthFile: String, _ prediction: PanopticFile.Annotation,
    _ predictionFile: String, into counts: inout [Int: PanopticCounts]
  ) throws {
    let first = try ids(truthFile)
    let second = try ids(predictionFile)
    guard first.size == second.size else {
      throw ScoringError.sizes(
        file: predictionFile, size: second.size, truth: truthFile, truthSize: first.size)
    }
    var overlaps: [UInt64: Int] = [:]
    var (last, run) = (UInt64.max, 0)
    for i in first.ids.indices {
      let key = UInt64(first.ids[i]) << 32 | UInt64(second.ids[i])
      if key != last {
        if run > 0 { overlaps[last, default: 0] += run }
        (last, run) = (key, 0)
      }
      run += 1
    }
    if run > 0 { overlaps[last, default: 0] += run }
    var (area, predictedArea): ([Int: Int], [Int: Int]) = ([:], [:])
    for (key, pixels) in overlaps {
      area[Int(key >> 32), default: 0] += pixels
      predictedArea[Int(key & 0xFFFF_FFFF), default: 0] += pixels
    }
    let own = try table(truth.segments, area, truthFile)
    let others = try table(prediction.segments, predictedArea, predictionFile)
    func overlap(_ a: Int, _ b: Int) -> Int { overlaps[UInt64(a) << 32 | UInt64(b)] ?? 0 }
    var (isFound, isUsed): (Set<Int>, Set<Int>) = ([], [])
    // In order of ids, so that sums do not depend on the table's.
    for key in overlaps.keys.sorted() {
      let (a, b) = (Int(key >> 32), Int(key & 0xFFFF_FFFF))
      guard let segment = own[a], let other = others[b], segment.isCrowd != 1,
        segment.categoryID == other.categoryID
      else { continue }
      let common = overlap(a, b)
      let union = (area[a] ?? 0) + (predictedArea[b] ?? 0) - common - overlap(0, b)
      let iou = Double(common) / Double(max(union, 1))
      guard iou > 0.5 else { continue }
      counts[segment.categoryID, default: .init()].hits += 1
      counts[segment.categoryID, default: .init()].iou += iou
      isFound.insert(a)
      isUsed.insert(b)
    }
    var crowds: [Int: Int] = [:]
    for segment in truth.segments where !isFound.contains(segment.id) {
      if segment.isCrowd == 1 {
        crowds[segment.categoryID] = segment.id
      } else {
        counts[segment.categoryID, default: .init()].misses += 1
      }
    }
    for segment in prediction.segments where !isUsed.contains(segment.id) {
      // Segments that lie mostly on void or on a crowd of their category count nowhere.
      let excused =
        overlap(0, segment.id) + (crowds[segment.categoryID].map { overlap($0, segment.id) } ?? 0)
      if Double(excused) / Double(max(predictedArea[segment.id] ?? 0, 1)) > 0.5 { continue }
      counts[segment.categoryID, default: .init()].falseHits += 1
    }
  }

  private static func ids(_ file: String) throws -> (size: Size, ids: [UInt32]) {
    let image = try Image(contentsOf: file)
    let ids = (0..<image.width * image.height).map { i -> UInt32 in
      let (red, green) = (UInt32(image.pixels[3 * i]), UInt32(image.pixels[3 * i + 1]))
      return red | green << 8 | UInt32(image.pixels[3 * i + 2]) << 16
    }
    return (image.size, ids)
  }

  /// The segments by id, each of which must be both in the picture and in the description.
  private static func table(
    _ segments: [PanopticFile.Segment], _ areas: [Int: Int], _ file: String
  ) throws -> [Int: PanopticFile.Segment] {
    let table = Dictionary(segments.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    if let id = areas.keys.sorted().first(where: { $0 != 0 && table[$0] == nil }) {
      throw ScoringError.segment(
        file: file, id: id, reason: "is in the picture and not among its segments")
    }
    if let id = table.keys.sorted().first(where: { areas[$0] == nil }) {
      throw ScoringError.segment(
        file: file, id: id, reason: "is among its segments and not in the picture")
    }
    return table
  }
}

extension PanopticCounts {
  fileprivate mutating func add(_ other: PanopticCounts) {
    hits += other.hits
    falseHits += other.falseHits
    misses += other.misses
    iou += other.iou
  }
}

/// Panoptic quality of categories, and its means.
public struct PanopticScores: Sendable, Encodable {
  /// One category, or a mean of several.
  public struct Entry: Sendable, Encodable {
    /// The category's name.
    public let name: String
    /// Whether its segments are single things.
    public let isThing: Bool
    /// Segments found, predicted without one, and missed.
    public let hits, falseHits, misses: Int
    /// PQ, SQ and RQ; nil where there is nothing to score.
    public let pq, sq, rq: Double?

    init(name: String, isThing: Bool, _ counts: PanopticCounts) {
      self.name = name
      self.isThing = isThing
      (hits, falseHits, misses) = (counts.hits, counts.falseHits, counts.misses)
      (pq, sq, rq) = (counts.quality, counts.segmentation, counts.recognition)
    }
  }

  /// The means over the categories that have a score.
  public struct Mean: Sendable, Encodable {
    /// The means of PQ, SQ and RQ.
    public let pq, sq, rq: Double?
    /// How many categories they are of.
    public let categories: Int

    init(_ entries: [Entry]) {
      pq = meanOf(entries.compactMap(\.pq))
      sq = meanOf(entries.compactMap(\.sq))
      rq = meanOf(entries.compactMap(\.rq))
      categories = entries.count { $0.pq != nil }
    }
  }

  /// The number of images.
  public let images: Int
  /// The categories.
  public let entries: [Entry]
  /// The means over all categories, over things, and over the rest.
  public let all, things, stuff: Mean

  init(images: Int, entries: [Entry]) {
    self.images = images
    self.entries = entries
    all = Mean(entries)
    things = Mean(entries.filter(\.isThing))
    stuff = Mean(entries.filter { !$0.isThing })
  }

  /// The scores as a table for a terminal.
  public var text: String {
    var rows = [["category", "PQ %", "SQ %", "RQ %", "found", "false", "missed"]]
    rows += entries.map {
      [
        $0.name, percent($0.pq), percent($0.sq), percent($0.rq), "\($0.hits)", "\($0.falseHits)",
        "\($0.misses)",
      ]
    }
    for (name, mean) in [("all", all), ("things", things), ("stuff", stuff)] {
      rows.append([
        "\(name), \(mean.categories) categories", percent(mean.pq), percent(mean.sq),
        percent(mean.rq),
      ])
    }
    return aligned(rows, numeric: 1).joined(separator: "\n")
  }
}
