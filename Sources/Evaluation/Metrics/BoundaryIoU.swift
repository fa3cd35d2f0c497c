import Datasets
import Imaging

/// Intersection over union of the strips along the borders of classes.
///
/// Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021. A
/// pixel belongs to the strip of its class if a pixel of another class, or the image's edge, lies
/// within a distance of it, counted as the larger of the two coordinates' differences. The distance
/// is a share of the image's diagonal. Where the truth is ignored the prediction is ignored too,
/// before strips are drawn, so that nothing predicted there counts.
public struct BoundaryCounts: Sendable, Equatable {
  /// The share of the diagonal that strips are wide; the paper's is 0.02.
  public let ratio: Double
  /// For each class the pixels of the truth's strip, of the prediction's, and of both.
  public private(set) var truth, predicted, both: [Int64]

  /// No counts yet of `classes` classes.
  public init(classes: Int, ratio: Double = 0.02) {
    self.ratio = ratio
    truth = [Int64](repeating: 0, count: classes)
    predicted = truth
    both = truth
  }

  /// The strips' width in pixels for an image of this size, at least 1.
  public static func distance(_ size: Size, ratio: Double) -> Int {
    let (width, height) = (Double(size.width), Double(size.height))
    return max(1, Int((ratio * (width * width + height * height).squareRoot()).rounded()))
  }

  /// Counts one image; both masks must be of one size.
  public mutating func add(truth mask: ClassMask, prediction: ClassMask) {
    precondition(mask.size == prediction.size, "truth and prediction differ in size")
    var predictedClasses = prediction.classes
    for i in mask.classes.indices where mask.classes[i] == LabelMap.ignored {
      predictedClasses[i] = LabelMap.ignored
    }
    let distance = Self.distance(mask.size, ratio: ratio)
    let first = Self.interior(mask.classes, mask.size, distance)
    let second = Self.interior(predictedClasses, mask.size, distance)
    let classes = truth.count
    for i in mask.classes.indices {
      let (a, b) = (Int(mask.classes[i]), Int(predictedClasses[i]))
      guard a < classes else { continue }
      if !first[i] { truth[a] += 1 }
      guard b < classes, !second[i] else { continue }
      predicted[b] += 1
      if a == b && !first[i] { both[a] += 1 }
    }
  }

  /// Adds the counts of another set of images.
  public mutating func merge(_ other: BoundaryCounts) {
    for i in truth.indices {
      truth[i] += other.truth[i]
      predicted[i] += other.predicted[i]
      both[i] += other.both[i]
    }
  }

  /// The boundary IoU of each class; nil for one without a strip.
  public var iou: [Double?] {
    truth.indices.map { ratioOf(both[$0], truth[$0] + predicted[$0] - both[$0]) }
  }

  /// The mean over the classes that have a strip.
  public var mean: Double? { meanOf(iou.compactMap { $0 }) }

  /// Whether a pixel of another class lies within the strips' width of each pixel, counted as for strips; the image's
  /// edge is no border here.
  static func nearBorders(_ mask: ClassMask, ratio: Double) -> [Bool] {
    let distance = Self.distance(mask.size, ratio: ratio)
    // Continued beyond its edges, so that these border on nothing.
    let size = Size(width: mask.width + 2 * distance, height: mask.height + 2 * distance)
    var continued = [UInt8](repeating: 0, count: size.width * size.height)
    for y in 0..<size.height {
      let row = min(max(y - distance, 0), mask.height - 1) * mask.width
      for x in 0..<size.width {
        continued[y * size.width + x] =
          mask.classes[row + min(max(x - distance, 0), mask.width - 1)]
      }
    }
    let inside = interior(continued, size, distance)
    return (0..<mask.height).flatMap { y in
      let start = (y + distance) * size.width + distance
      return inside[start..<start + mask.width].map { !$0 }
    }
  }

  /// Whether a square of `distance` around each pixel is of the pixel's class and inside the image.
  static func interior(_ classes: [UInt8], _ size: Size, _ distance: Int) -> [Bool] {
    var interior = [Bool](repeating: false, count: classes.count)
    // Along rows first: how far the run of a class reaches on both sides. Then down the columns: how
    // many rows in a line had that.
    var rows = [Int](repeating: 0, count: size.width)
    for y in 0..<size.height {
      let row = y * size.width
      var start = 0
      while start < size.width {
        let value = classes[row + start]
        var end = start + 1
        while end < size.width && classes[row + end] == value { end += 1 }
        for x in start..<end {
          guard x >= start + distance && x + distance < end else {
            rows[x] = 0
            continue
          }
          let continues = y > 0 && classes[row - size.width + x] == value
          rows[x] = (continues ? rows[x] : 0) + 1
          if rows[x] > 2 * distance { interior[row - distance * size.width + x] = true }
        }
        start = end
      }
    }
    return interior
  }
}
