import Datasets
import Evaluation
import Imaging

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A connected region of an image whose label the network does not believe.
public struct SuspectRegion: Sendable, Encodable, Equatable {
  /// Pixels side by side in a row.
  public struct Run: Sendable, Encodable, Equatable {
    /// The row, the first column and the number of pixels.
    public let y, x, count: Int
  }

  /// The image's name and its place among those that were looked at.
  public let image: String, index: Int
  /// The number of the class that the label says, and of the one that the network finds.
  public let label, found: Int
  /// The region's pixels, and those of them around which all eight neighbours belong to it.
  public let pixels, inner: Int
  /// The mean probability of the label's class and of the one that is found.
  public let labelProbability, foundProbability: Double
  /// The mean of ln (probability of what is found / probability of the label).
  public let margin: Double
  /// The pixels by rows.
  public let runs: [Run]
  /// How little the label is believed; what it follows from says ``LabelAudit``.
  public internal(set) var score = 0.0

  /// The columns and rows that the region lies in.
  public var box: PixelWindow {
    let left = runs.map(\.x).min() ?? 0, right = runs.map { $0.x + $0.count }.max() ?? 0
    let top = runs.first?.y ?? 0, bottom = (runs.last?.y ?? -1) + 1
    return PixelWindow(x: left, y: top, size: Size(width: right - left, height: bottom - top))
  }

  private enum CodingKeys: String, CodingKey {
    case image, label, found, pixels, labelProbability, foundProbability, margin, score, box, runs
  }

  /// Writes the region with its box [x, y, width, height] and its runs as [row, column, count].
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(image, forKey: .image)
    try container.encode(label, forKey: .label)
    try container.encode(found, forKey: .found)
    try container.encode(pixels, forKey: .pixels)
    try container.encode(labelProbability, forKey: .labelProbability)
    try container.encode(foundProbability, forKey: .foundProbability)
    try container.encode(margin, forKey: .margin)
    try container.encode(score, forKey: .score)
    try container.encode([box.x, box.y, box.size.width, box.size.height], forKey: .box)
    try container.encode(runs.map { [$0.y, $0.x, $0.count] }, forKey: .runs)
  }
}

/// Finds the regions of an image whose labels the network does not believe.
struct SuspectFinder {
  /// How many times more probable another class has to be.
  static let ratio: Float = 4
  /// The logarithm of such a ratio counts up to this, as a network's surest numbers say little.
  static let largest: Float = 9

  private let truth: ClassMask, found: ClassMask, probabilities: ClassProbabilities
  /// For each pixel whether it is suspect, and its logarithm.
  private var margins: [Float]

  init(truth: ClassMask, found: ClassMask, _ probabilities: ClassProbabilities) {
    (self.truth, self.found, self.probabilities) = (truth, found, probabilities)
    let (pixels, classes) = (probabilities.pixels, probabilities.classes)
    let least = logf(Self.ratio)
    margins = [Float](repeating: 0, count: pixels)
    for i in 0..<pixels {
      let (own, other) = (Int(truth.classes[i]), Int(found.classes[i]))
      guard own != other, own < classes, other < classes else { continue }
      let margin = logf(
        probabilities.values[other * pixels + i]
          / max(probabilities.values[own * pixels + i], 1e-9))
      if margin >= least { margins[i] = min(margin, Self.largest) }
    }
  }

  private func isSuspect(_ i: Int) -> Bool { margins[i] > 0 }

  /// The regions of at least so many pixels: suspect pixels of one label and one found class that touch by their sides.
  func regions(image: String, index: Int, atLeast area: Int) -> [SuspectRegion] {
    let (width, height) = (truth.width, truth.height)
    var isSeen = [Bool](repeating: false, count: margins.count)
    var result: [SuspectRegion] = []
    var open: [Int] = []
    for start in margins.indices where isSuspect(start) && !isSeen[start] {
      var members: [Int] = []
      isSeen[start] = true
      open.append(start)
      while let here = open.popLast() {
        members.append(here)
        let x = here % width
        func visit(_ next: Int) {
          guard isSuspect(next), !isSeen[next], isSame(next, start) else { return }
          isSeen[next] = true
          open.append(next)
        }
        if x > 0 { visit(here - 1) }
        if x + 1 < width { visit(here + 1) }
        if here >= width { visit(here - width) }
        if here + width < width * height { visit(here + width) }
      }
      guard members.count >= area else { continue }
      result.append(region(members.sorted(), image, index))
    }
    return result
  }

  private func isSame(_ a: Int, _ b: Int) -> Bool {
    truth.classes[a] == truth.classes[b] && found.classes[a] == found.classes[b]
  }

  private func region(_ members: [Int], _ image: String, _ index: Int) -> SuspectRegion {
    let (width, height, pixels) = (truth.width, truth.height, probabilities.pixels)
    let (own, other) = (Int(truth.classes[members[0]]), Int(found.classes[members[0]]))
    var runs: [SuspectRegion.Run] = []
    var (first, count) = (members[0], 0)
    var sums = (own: 0.0, other: 0.0, margin: 0.0)
    var inner = 0
    for place in members {
      if place == first + count, place / width == first / width {
        count += 1
      } else {
        runs.append(.init(y: first / width, x: first % width, count: count))
        (first, count) = (place, 1)
      }
      sums.own += Double(probabilities.values[own * pixels + place])
      sums.other += Double(probabilities.values[other * pixels + place])
      sums.margin += Double(margins[place])
      let (x, y) = (place % width, place / width)
      if x > 0, y > 0, x + 1 < width, y + 1 < height,
        (-1...1).allSatisfy({ row in
          (-1...1).allSatisfy { column in
            let next = place + row * width + column
            return isSuspect(next) && isSame(next, place)
          }
        })
      {
        inner += 1
      }
    }
    runs.append(.init(y: first / width, x: first % width, count: count))
    let total = Double(members.count)
    return SuspectRegion(
      image: image, index: index, label: own, found: other, pixels: members.count, inner: inner,
      labelProbability: sums.own / total, foundProbability: sums.other / total,
      margin: sums.margin / total, runs: runs)
  }
}
