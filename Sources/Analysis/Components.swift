import Datasets

/// How large an object is, by COCO's limits on its area: below 32², below 96², and above.
public enum ObjectSize: Int, Sendable, Codable, CaseIterable {
  case small, medium, large

  /// The size of an object of `area` pixels.
  public init(area: Int) {
    self = area < 32 * 32 ? .small : area < 96 * 96 ? .medium : .large
  }

  /// The word for it.
  public var name: String { "\(self)" }
}

extension Components {
  /// The size of the object that a pixel belongs to; nil where the mask is ignored.
  public func size(at pixel: Int) -> ObjectSize? {
    parts[pixel] < 0 ? nil : ObjectSize(area: areas[Int(parts[pixel])])
  }
}

/// Pixels and those found, by class and size of object.
public struct SizeScores: Sendable, Codable {
  /// The pixels of the truth, and those predicted right: by class, then by size.
  public private(set) var truth: [[Int64]], correct: [[Int64]]

  /// Counts of nothing yet.
  public init(classes: Int) {
    let none = [[Int64]](
      repeating: [Int64](repeating: 0, count: ObjectSize.allCases.count), count: classes)
    (truth, correct) = (none, none)
  }

  /// Counts an image.
  public mutating func add(truth mask: ClassMask, prediction: ClassMask) {
    let parts = Components(mask)
    let sizes = parts.areas.map { ObjectSize(area: $0).rawValue }
    for (pixel, label) in mask.classes.enumerated() {
      guard parts.parts[pixel] >= 0, Int(label) < truth.count else { continue }
      let size = sizes[Int(parts.parts[pixel])]
      truth[Int(label)][size] += 1
      if prediction.classes[pixel] == label { correct[Int(label)][size] += 1 }
    }
  }

  /// The share of the pixels of objects of this size that is found, of one class or of all; nil
  /// where there is no such object.
  public func recall(_ size: ObjectSize, of label: Int? = nil) -> Double? {
    let rows = label.map { [$0] } ?? Array(truth.indices)
    let all = rows.reduce(0) { $0 + truth[$1][size.rawValue] }
    let found = rows.reduce(0) { $0 + correct[$1][size.rawValue] }
    return all == 0 ? nil : Double(found) / Double(all)
  }
}
