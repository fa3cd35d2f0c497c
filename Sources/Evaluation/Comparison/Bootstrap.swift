import Datasets

/// Scores of a data set from counts that images contribute: what a bootstrap computes again and again.
struct CountSums {
  var truth, predicted, correct: [Int64]

  init(classes: Int) {
    truth = [Int64](repeating: 0, count: classes)
    predicted = truth
    correct = truth
  }

  init(_ images: [ImageCounts], classes: Int) {
    self.init(classes: classes)
    for image in images { add(image) }
  }

  mutating func add(_ image: ImageCounts) {
    for i in truth.indices {
      truth[i] += image.truth[i]
      predicted[i] += image.predicted[i]
      correct[i] += image.correct[i]
    }
  }

  func iou(_ index: Int) -> Double? {
    ratioOf(correct[index], truth[index] + predicted[index] - correct[index])
  }

  func dice(_ index: Int) -> Double? {
    ratioOf(2 * correct[index], truth[index] + predicted[index])
  }

  var meanDice: Double? { meanOf(truth.indices.compactMap { dice($0) }) }
  var meanIoU: Double? { meanOf(truth.indices.compactMap { iou($0) }) }
  var pixelAccuracy: Double? { ratioOf(correct.reduce(0, +), truth.reduce(0, +)) }
  var jaccardMicro: Double? {
    let hits = correct.reduce(0, +)
    return ratioOf(hits, truth.reduce(0, +) + predicted.reduce(0, +) - hits)
  }
  var jaccardWeighted: Double? {
    let total = truth.reduce(0, +)
    guard total > 0 else { return nil }
    return truth.indices.reduce(0.0) {
      $0 + Double(truth[$1]) / Double(total) * (iou($1) ?? 0)
    }
  }
}

/// A difference of two scores on the same images, with the interval in which 95 % of those lie that
/// resampled images give.
public struct PairedDifference: Sendable, Encodable, Equatable {
  /// What is compared.
  public let score: String
  /// The second score minus the first.
  public let difference: Double?
  /// The interval's ends; nil where no resampling has the score.
  public let low, high: Double?

  /// Whether the interval leaves out 0.
  public var isClear: Bool {
    guard let low, let high else { return false }
    return low > 0 || high < 0
  }
}

/// The percentile bootstrap over images: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
enum Bootstrap {
  /// The scores of sums: of the whole set, then the IoU and the Dice of each class.
  private static func scores(_ sums: CountSums, _ means: Means, _ draw: [Int]) -> [Double?] {
    [
      sums.meanIoU, meanOf(draw.compactMap { means.iou[$0] }), sums.pixelAccuracy,
      sums.jaccardMicro, sums.jaccardWeighted,
    ] + sums.truth.indices.map { sums.iou($0) } + [
      sums.meanDice, meanOf(draw.compactMap { means.dice[$0] }),
    ] + sums.truth.indices.map { sums.dice($0) }
  }

  /// What ``scores(_:_:_:)`` are called.
  private static func titles(_ names: [String]) -> [String] {
    ["mean IoU", "mean IoU per image", "pixel accuracy", "Jaccard micro", "Jaccard weighted"]
      + names + ["mean Dice", "mean Dice per image"] + names.map { diceTitle($0) }
  }

  /// What the Dice of a class is called.
  static func diceTitle(_ name: String) -> String { "Dice of \(name)" }

  /// The images' own scores.
  private struct Means {
    let iou, dice: [Double?]

    init(_ images: [ImageCounts]) {
      iou = images.map(\.meanIoU)
      dice = images.map(\.meanDice)
    }
  }

  /// The differences of `second` from `first`, whose images are the same in the same order.
  static func differences(
    _ first: [ImageCounts], _ second: [ImageCounts], names: [String], repeats: Int, seed: UInt64
  ) -> [PairedDifference] {
    let classes = names.count
    let own = (Means(first), Means(second))
    func difference(_ draw: [Int]) -> [Double?] {
      var sums = (CountSums(classes: classes), CountSums(classes: classes))
      for i in draw {
        sums.0.add(first[i])
        sums.1.add(second[i])
      }
      let a = scores(sums.0, own.0, draw)
      let b = scores(sums.1, own.1, draw)
      return zip(a, b).map { a, b in
        guard let a, let b else { return nil }
        return b - a
      }
    }
    let count = first.count
    let whole = difference(Array(0..<count))
    var samples = [[Double]](repeating: [], count: whole.count)
    for index in 0..<repeats {
      var random = SampleRandom(seed: seed, epoch: 0, index: index)
      let values = difference((0..<count).map { _ in random.integer(below: count) })
      for (i, value) in values.enumerated() {
        if let value { samples[i].append(value) }
      }
    }
    let titles = titles(names)
    return titles.indices.map { i in
      let sorted = samples[i].sorted()
      return PairedDifference(
        score: titles[i], difference: whole[i], low: quantile(sorted, 0.025),
        high: quantile(sorted, 0.975))
    }
  }

  /// The value below which a share of sorted values lies, between neighbours by straight lines.
  static func quantile(_ sorted: [Double], _ share: Double) -> Double? {
    guard let last = sorted.last else { return nil }
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    guard below + 1 < sorted.count else { return last }
    return sorted[below] + (sorted[below + 1] - sorted[below]) * (place - Double(below))
  }
}
