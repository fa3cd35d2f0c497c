import Datasets
import Evaluation
import Foundation
import Imaging

/// Labels ranked by how little a network believes them that was not trained on them.
///
/// A region is what is labelled as one class and found as one other, connected, where the other is at least four times
/// as probable. Its score is high where the network is sure, where labels seldom say so what it finds, and where the region
/// is more than a seam along a border:
///
///     score = (m − ln q) · n / (n + n₀)
///
/// with m the mean of ln (probability of what is found / probability of the label), q the share of the label among all
/// pixels where the network finds that class, n the pixels of the region that lie inside of it, and n₀ a five-thousandth of the
/// image's. What is often confused is more likely the network's fault than the label's.
public struct LabelAudit: JSONReport {
  /// An image whose labels are not all believed.
  public struct ImageEntry: Sendable, Encodable, Equatable {
    /// Its name.
    public let name: String
    /// The highest score of its regions; 0 without one.
    public let score: Double
    /// Its regions, and the share of its labelled pixels that they have.
    public let regions: Int, share: Double
    /// The mean probability that the network gives to the labels.
    public let labelProbability: Double?
  }

  /// A class whose labels are not all believed.
  public struct ClassEntry: Sendable, Encodable, Equatable {
    /// Its name.
    public let name: String
    /// The pixels that are labelled so, and the share of them in regions that are not believed.
    public let pixels: Int64, share: Double?
    /// The mean probability that the network gives to these labels.
    public let labelProbability: Double?
    /// What the network finds in those regions, and the share of the class's pixels, the largest first.
    public let found: [Finding]
  }

  /// What is found in the place of a label.
  public struct Finding: Sendable, Encodable, Equatable {
    /// The class.
    public let name: String
    /// The share of the labelled class's pixels.
    public let share: Double
  }

  /// The images, and the network that looked at them.
  public let dataset, model: String
  /// The classes in the order of their numbers.
  public let names: [String]
  /// The regions, the least believed first.
  public let regions: [SuspectRegion]
  /// The images, the least believed first.
  public let images: [ImageEntry]
  /// The classes, the least believed first.
  public let classes: [ClassEntry]

  /// How many entries the text has of each kind.
  private static let shown = 10

  /// The least believed regions, images and classes for a terminal.
  public var text: String {
    var lines = ["\(dataset): \(images.count) images, by \(model)", ""]
    lines += TextTable.lines(
      ["image", "score", "labelled", "found", "pixels", "place"],
      regions.prefix(Self.shown).map { region in
        [
          region.image, fixed(region.score), names[region.label], names[region.found],
          "\(region.pixels)", "\(region.box.x),\(region.box.y)",
        ]
      })
    if regions.count > Self.shown {
      lines.append("and \(regions.count - Self.shown) regions more")
    }
    lines += [""]
    lines += TextTable.lines(
      ["class", "not believed %", "mean probability %", "found in its place"],
      classes.map { entry in
        [
          entry.name, percent(entry.share), percent(entry.labelProbability),
          entry.found.prefix(3).map { "\($0.name) \(percent($0.share)) %" }
            .joined(separator: ", "),
        ]
      })
    return lines.joined(separator: "\n")
  }
}

/// What an audit has counted so far.
struct AuditTally {
  private let names: [String]
  private let minimumArea: Int
  private var regions: [SuspectRegion] = []
  /// The pixels of each label (rows) that are found as each class.
  private var joint: [[Int64]]
  private var labelProbability: [Double]
  private var images: [(name: String, labelled: Int, probability: Double, pixels: Int)] = []

  init(_ map: LabelMap, minimumArea: Int) {
    names = map.classes.map(\.name)
    self.minimumArea = minimumArea
    joint = [[Int64]](
      repeating: [Int64](repeating: 0, count: map.count), count: map.count)
    labelProbability = [Double](repeating: 0, count: map.count)
  }

  /// Takes in an image.
  mutating func add(
    _ sample: Sample, _ prediction: ClassMask, _ probabilities: ClassProbabilities
  ) {
    let pixels = probabilities.pixels
    var (labelled, sum) = (0, 0.0)
    var own = [Double](repeating: 0, count: names.count)
    for i in 0..<pixels {
      let (label, found) = (Int(sample.mask.classes[i]), Int(prediction.classes[i]))
      guard label < names.count, found < names.count else { continue }
      joint[label][found] += 1
      let probability = Double(probabilities.values[label * pixels + i])
      own[label] += probability
      labelled += 1
      sum += probability
    }
    for k in own.indices { labelProbability[k] += own[k] }
    let finder = SuspectFinder(truth: sample.mask, found: prediction, probabilities)
    regions += finder.regions(image: sample.name, index: images.count, atLeast: minimumArea)
    images.append((sample.name, labelled, sum, pixels))
  }

  /// What was counted, in order.
  func audit(dataset: String, model: String) -> LabelAudit {
    let foundAs = names.indices.map { k in joint.reduce(0) { $0 + $1[k] } }
    let ranked = regions.map { region in
      var region = region
      let share =
        Double(joint[region.label][region.found]) / Double(max(1, foundAs[region.found]))
      let seam = Double(images[region.index].pixels) / 5000
      let inner = Double(region.inner)
      region.score = (region.margin - log(max(share, 1e-9))) * inner / (inner + seam)
      return region
    }.sorted { ($0.score, $1.index, $1.box.y, $1.box.x) > ($1.score, $0.index, $0.box.y, $0.box.x) }
    let byImage = Dictionary(grouping: ranked, by: \.index)
    return LabelAudit(
      dataset: dataset, model: model, names: names, regions: ranked,
      images: images.enumerated().map { index, image in
        let own = byImage[index] ?? []
        return LabelAudit.ImageEntry(
          name: image.name, score: own.first?.score ?? 0, regions: own.count,
          share: Double(own.reduce(0) { $0 + $1.pixels }) / Double(max(1, image.labelled)),
          labelProbability: image.labelled > 0
            ? image.probability / Double(image.labelled) : nil)
      }.sorted { ($0.score, $1.name) > ($1.score, $0.name) },
      classes: classes(ranked))
  }

  private func classes(_ regions: [SuspectRegion]) -> [LabelAudit.ClassEntry] {
    names.indices.map { k -> LabelAudit.ClassEntry in
      let pixels = joint[k].reduce(0, +)
      var found = [Int](repeating: 0, count: names.count)
      for region in regions where region.label == k { found[region.found] += region.pixels }
      func share(_ count: Int) -> Double { Double(count) / Double(max(1, pixels)) }
      return LabelAudit.ClassEntry(
        name: names[k], pixels: pixels, share: pixels > 0 ? share(found.reduce(0, +)) : nil,
        labelProbability: pixels > 0 ? labelProbability[k] / Double(pixels) : nil,
        found: found.indices.filter { found[$0] > 0 }.sorted { (found[$0], $1) > (found[$1], $0) }
          .map { LabelAudit.Finding(name: names[$0], share: share(found[$0])) })
    }.sorted { ($0.share ?? -1, $1.name) > ($1.share ?? -1, $0.name) }
  }
}
