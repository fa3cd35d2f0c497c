import Datasets

/// How often each class of the truth was predicted as each class, in pixels.
///
/// Rows are the truth. Pixels whose truth is ignored are left out whatever was predicted there, so
/// row sums are the histogram of the labels. A prediction that is no class (`LabelMap.ignored` in
/// a label file) misses its pixel and claims none. Counts are 64-bit and memory does not grow with
/// the number of images.
public struct ConfusionMatrix: Sendable, Equatable {
  /// The number of classes.
  public let classes: Int
  /// The counts (classes, classes + 1), row-major; the last column is predictions that are no class.
  public private(set) var counts: [Int64]
  /// The pixels left out because their truth is ignored.
  public var ignored: Int64 { predictedOnIgnored.reduce(0, +) }
  /// For each class the pixels predicted so whose truth is ignored, and last those predicted as no class.
  public private(set) var predictedOnIgnored: [Int64]

  /// An empty matrix of `classes` classes, 1 to 255.
  public init(classes: Int) {
    precondition((1...255).contains(classes), "expected 1 to 255 classes")
    self.classes = classes
    counts = [Int64](repeating: 0, count: classes * (classes + 1))
    predictedOnIgnored = [Int64](repeating: 0, count: classes + 1)
  }

  /// A matrix of counts (classes, classes + 1), row-major, that were taken elsewhere, without what was predicted
  /// where the truth is ignored.
  public init(classes: Int, counts: [Int64], ignored: Int64) {
    self.init(classes: classes)
    precondition(counts.count == self.counts.count, "expected \(self.counts.count) counts")
    self.counts = counts
    predictedOnIgnored[classes] = ignored
  }

  /// The pixels of class `truth` that were predicted as `prediction`.
  public subscript(truth: Int, prediction: Int) -> Int64 {
    counts[truth * (classes + 1) + prediction]
  }

  /// Counts the pixels of one image; both masks must be of one size.
  public mutating func add(truth: ClassMask, prediction: ClassMask) {
    precondition(truth.size == prediction.size, "truth and prediction differ in size")
    add(truth: truth.classes, prediction: prediction.classes)
  }

  /// Counts pixels given as classes, as many of each.
  public mutating func add(truth: [UInt8], prediction: [UInt8]) {
    precondition(truth.count == prediction.count, "truth and prediction differ in size")
    let (classes, width) = (classes, classes + 1)
    var outside = predictedOnIgnored
    // Runs of one pair are long in real masks: eight pixels are counted at once where they are equal,
    // and two tables keep one count from waiting for another.
    var odd = [Int64](repeating: 0, count: counts.count)
    counts.withUnsafeMutableBufferPointer { even in
      odd.withUnsafeMutableBufferPointer { odd in
        truth.withUnsafeBufferPointer { truth in
          prediction.withUnsafeBufferPointer { prediction in
            let (truths, predictions) = (
              UnsafeRawBufferPointer(truth), UnsafeRawBufferPointer(prediction)
            )
            let ones: UInt64 = 0x0101_0101_0101_0101
            var i = 0
            func count(_ i: Int, _ pixels: Int64) {
              let row = Int(truth[i])
              if row >= classes {
                outside[min(Int(prediction[i]), classes)] += pixels
                return
              }
              let cell = row * width + min(Int(prediction[i]), classes)
              if i & 8 == 0 { even[cell] += pixels } else { odd[cell] += pixels }
            }
            while i + 8 <= truth.count {
              let a = truths.loadUnaligned(fromByteOffset: i, as: UInt64.self)
              let b = predictions.loadUnaligned(fromByteOffset: i, as: UInt64.self)
              if a == (a & 0xFF) &* ones && b == (b & 0xFF) &* ones {
                count(i, 8)
              } else {
                for k in i..<i + 8 { count(k, 1) }
              }
              i += 8
            }
            while i < truth.count {
              count(i, 1)
              i += 1
            }
          }
        }
      }
    }
    for i in counts.indices { counts[i] += odd[i] }
    predictedOnIgnored = outside
  }

  /// Counts `pixels` of one pair; classes beyond the last are ignored truth, or no prediction.
  mutating func add(_ pixels: Int64, truth: UInt8, prediction: UInt8) {
    guard Int(truth) < classes else {
      predictedOnIgnored[min(Int(prediction), classes)] += pixels
      return
    }
    counts[Int(truth) * (classes + 1) + min(Int(prediction), classes)] += pixels
  }

  /// Adds the counts of another matrix of as many classes.
  public mutating func merge(_ other: ConfusionMatrix) {
    precondition(classes == other.classes, "matrices of different class counts")
    for i in counts.indices { counts[i] += other.counts[i] }
    for i in predictedOnIgnored.indices { predictedOnIgnored[i] += other.predictedOnIgnored[i] }
  }

  /// The matrix of classes that these are parts of: class `i` becomes `map[i]`.
  ///
  /// Truth that becomes nil is ignored; a prediction that becomes nil is no class.
  package func regrouped(_ map: [Int?], classes count: Int) -> ConfusionMatrix {
    precondition(map.count == classes, "expected a group for each class")
    var result = ConfusionMatrix(classes: count)
    for column in 0...classes {
      let group = column < classes ? map[column] ?? count : count
      result.predictedOnIgnored[group] += predictedOnIgnored[column]
      for row in 0..<classes {
        let pixels = counts[row * (classes + 1) + column]
        guard let target = map[row] else {
          result.predictedOnIgnored[group] += pixels
          continue
        }
        result.counts[target * (count + 1) + group] += pixels
      }
    }
    return result
  }

  /// The pixels of the truth that have class `index`.
  public func truth(_ index: Int) -> Int64 {
    counts[index * (classes + 1)..<(index + 1) * (classes + 1)].reduce(0, +)
  }

  /// The counted pixels that were predicted as class `index`.
  public func predicted(_ index: Int) -> Int64 {
    (0..<classes).reduce(0) { $0 + self[$1, index] }
  }

  /// All pixels counted.
  public var total: Int64 { counts.reduce(0, +) }

  /// The pixels predicted right.
  public var correct: Int64 { (0..<classes).reduce(0) { $0 + self[$1, $1] } }

  /// The mean IoU over the classes that the truth or the prediction has; nil if there is none.
  public var meanIoU: Double? {
    var sum = 0.0
    var covered = 0
    for index in 0..<classes {
      let union = truth(index) + predicted(index) - self[index, index]
      if union > 0 {
        sum += Double(self[index, index]) / Double(union)
        covered += 1
      }
    }
    return covered == 0 ? nil : sum / Double(covered)
  }
}
