import Datasets
import Imaging

/// The counts of the official Cityscapes evaluation: all label rows, and single instances.
///
/// Agrees with `evalPixelLevelSemanticLabeling` of cityscapesScripts 2.3. Cordts et al., "The
/// Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016, section 4.1.
public struct CityscapesCounts: Sendable {
  /// How often each official row was predicted as each, in the order of `Cityscapes.labels`.
  public private(set) var matrix = ConfusionMatrix(classes: Cityscapes.labels.count)
  /// For each official row the weighted pixels of its instances.
  var weights = Weights()
  /// Whether instances were counted.
  public private(set) var hasInstances = false

  /// The mean size of an instance in the training set, in pixels: what weights are relative to.
  static let meanSize: [String: Double] = [
    "bicycle": 4672.3249222261, "caravan": 36771.8241758242, "motorcycle": 6298.7200839748,
    "rider": 3930.4788056518, "bus": 35732.1511111111, "train": 67583.7075812274,
    "car": 12794.0202738185, "person": 3462.4756337644, "truck": 27855.1264367816,
    "trailer": 16926.9763313609,
  ]

  /// No counts yet.
  public init() {}

  /// The counts of one image's pixels in the classes of `Cityscapes.allRows`.
  init(_ matrix: ConfusionMatrix) { self.matrix = matrix }

  /// Counts the pixels of one image, both masks in the classes of `Cityscapes.allRows`.
  public mutating func add(truth: ClassMask, prediction: ClassMask) {
    matrix.add(truth: truth, prediction: prediction)
  }

  /// Counts the instances of one image.
  ///
  /// - Parameters:
  ///   - instances: As in `instanceIds` files: id · 1000 + number for single things.
  ///   - prediction: In the classes of `Cityscapes.allRows`, of the same size.
  ///   - file: What messages call the instances.
  /// - Throws: `DatasetError.valueOutsideMap` for an instance of a label that has none.
  public mutating func add(instances: LabelImage, prediction: ClassMask, file: String) throws {
    precondition(instances.size == prediction.size, "instances and prediction differ in size")
    try add(instances, prediction.classes, rows: Array(0...255), file)
  }

  /// Counts the instances of one image against bytes whose rows a table gives: those of
  /// ``rowOfValue`` for a label file.
  mutating func add(
    _ instances: LabelImage, _ predicted: [UInt8], rows: [UInt8], _ file: String
  ) throws {
    precondition(instances.values.count == predicted.count, "instances and prediction differ")
    hasInstances = true
    let width = Cityscapes.labels.count
    let first = Self.instanceIDs.lowerBound * 1000
    // For each value of a single thing: pixels, those predicted as the class, as the category.
    var slots = [Int32](repeating: 0, count: Self.instanceIDs.count * 1000 * 3)
    var unknown: Int?
    slots.withUnsafeMutableBufferPointer { slots in
      let found = InstanceTable(
        slots: slots, first: first, rowOf: Self.rowOfID, rows: rows, members: Self.categoryMembers,
        labels: width)
      unknown = found.count(instances.values, predicted)
    }
    if let unknown {
      throw DatasetError.valueOutsideMap(
        file: file, x: unknown % instances.width, y: unknown / instances.width,
        value: Int(instances.values[unknown]), map: "Cityscapes, instances",
        allowed: Array(0...1000) + Array(24_001...33_999))
    }
    for slot in 0..<slots.count / 3 where slots[3 * slot] > 0 {
      let row = Self.rowOfID[(first + slot) / 1000]
      let label = Cityscapes.labels[row]
      guard !label.ignoredInEvaluation, let mean = Self.meanSize[label.name] else { continue }
      let weight = mean / Double(slots[3 * slot])
      weights.all[row] += Double(slots[3 * slot]) * weight
      weights.found[row] += Double(slots[3 * slot + 1]) * weight
      weights.foundCategory[row] += Double(slots[3 * slot + 2]) * weight
    }
  }

  /// Adds the counts of other images.
  public mutating func merge(_ other: CityscapesCounts) {
    matrix.merge(other.matrix)
    weights.add(other.weights)
    hasInstances = hasInstances || other.hasInstances
  }

  /// The matrix of the 19 classes that count; other rows are ignored, other columns no class.
  public var evaluated: ConfusionMatrix {
    matrix.regrouped(
      Cityscapes.labels.map { $0.ignoredInEvaluation ? nil : $0.trainId },
      classes: Cityscapes.evaluated.count)
  }

  /// The scores of categories and of instances.
  public var scores: CityscapesScores {
    let labels = Cityscapes.labels
    let counted = labels.indices.filter { !labels[$0].ignoredInEvaluation }
    var result = CityscapesScores()
    // False positives are counted at pixels that count and belong elsewhere.
    func claimed(_ columns: [Int], notIn excluded: (Int) -> Bool) -> Int64 {
      counted.filter { !excluded($0) }.reduce(0) { sum, row in
        columns.reduce(sum) { $0 + matrix[row, $1] }
      }
    }
    for label in Cityscapes.evaluated where label.hasInstances && hasInstances {
      guard let row = labels.firstIndex(of: label) else { continue }
      let whole = weights.all[row] + Double(claimed([row]) { $0 == row })
      result.instanceClasses.append(
        .init(label.name, whole == 0 ? nil : weights.found[row] / whole))
    }
    var categories: [String] = []
    for label in labels where !categories.contains(label.category) {
      categories.append(label.category)
    }
    for category in categories {
      let members = labels.indices.filter { labels[$0].category == category }
      let own = members.filter { !labels[$0].ignoredInEvaluation }
      guard !own.isEmpty else { continue }
      let inside: (Int) -> Bool = { labels[$0].category == category }
      let hits = own.reduce(Int64(0)) { sum, row in own.reduce(sum) { $0 + matrix[row, $1] } }
      let truth = own.reduce(Int64(0)) { $0 + matrix.truth($1) }
      result.categories.append(
        .init(category, ratioOf(hits, truth + claimed(own, notIn: inside))))
      // A category has instances if all of its labels do; labels that are left out are claimed too.
      let official = members.filter { labels[$0].id >= 0 }
      guard hasInstances, official.allSatisfy({ labels[$0].hasInstances }) else { continue }
      let whole =
        own.reduce(0.0) { $0 + weights.all[$1] } + Double(claimed(official, notIn: inside))
      let part = own.reduce(0.0) { $0 + weights.foundCategory[$1] }
      result.instanceCategories.append(.init(category, whole == 0 ? nil : part / whole))
    }
    return result
  }

  /// For each value of a label file its row; 255 for what is none.
  static let rowOfValue: [UInt8] = (0...255).map { Cityscapes.allRows.index(of: $0) ?? 255 }

  /// The ids of labels that have instances, and those between.
  private static let instanceIDs: ClosedRange<Int> = {
    let ids = Cityscapes.labels.filter { $0.id >= 0 && $0.hasInstances }.map(\.id)
    return (ids.min() ?? 0)...(ids.max() ?? 0)
  }()

  /// For each label id the row of a label that has instances, or -1.
  private static let rowOfID: [Int] = {
    var rows = [Int](repeating: -1, count: 66)
    for (row, label) in Cityscapes.labels.enumerated() where label.id >= 0 && label.hasInstances {
      rows[label.id] = row
    }
    return rows
  }()

  /// Whether a row belongs to the category of another, as a square table.
  private static let categoryMembers: [Bool] = Cityscapes.labels.flatMap { row in
    Cityscapes.labels.map { $0.id >= 0 && $0.category == row.category }
  }
}

extension CityscapesCounts {
  /// Weighted pixels by official row: of all instances, those found as the class, as its category.
  struct Weights: Sendable {
    var all = [Double](repeating: 0, count: Cityscapes.labels.count)
    var found = [Double](repeating: 0, count: Cityscapes.labels.count)
    var foundCategory = [Double](repeating: 0, count: Cityscapes.labels.count)

    mutating func add(_ other: Weights) {
      for row in all.indices {
        all[row] += other.all[row]
        found[row] += other.found[row]
        foundCategory[row] += other.foundCategory[row]
      }
    }
  }
}

/// The pixels of single things by their value, counted against a prediction.
private struct InstanceTable {
  /// Three for each value from `first`: pixels, predicted as the class, predicted as the category.
  let slots: UnsafeMutableBufferPointer<Int32>
  let first: Int
  /// For each label id its row, or -1 for one without instances.
  let rowOf: [Int]
  /// For each byte of the prediction its row, or 255.
  let rows: [UInt8]
  /// (labels, labels): whether a row belongs to the category of another.
  let members: [Bool]
  let labels: Int

  /// Counts an image; the first pixel of a label that has no instances, if there is one.
  func count(_ instances: [UInt16], _ predicted: [UInt8]) -> Int? {
    var unknown: Int?
    func add(_ i: Int, _ value: Int, _ guess: UInt8, _ pixels: Int32) {
      let row = rowOf[value / 1000]
      guard row >= 0 else {
        unknown = unknown ?? i
        return
      }
      let slot = 3 &* (value &- first)
      slots[slot] &+= pixels
      let guess = Int(rows[Int(guess)])
      guard guess < labels else { return }
      if guess == row { slots[slot &+ 1] &+= pixels }
      if members[row &* labels &+ guess] { slots[slot &+ 2] &+= pixels }
    }
    instances.withUnsafeBytes { values in
      predicted.withUnsafeBytes { predicted in
        func single(_ from: Int, _ to: Int) {
          for i in from..<to {
            let value = values.loadUnaligned(fromByteOffset: 2 &* i, as: UInt16.self)
            if value > 1000 { add(i, Int(value), predicted[i], 1) }
          }
        }
        // In lanes of 16 bits: 23 more than a value up to 1000 stays below 1024. A lane beyond
        // 65,512 spills into its neighbour, and shows itself.
        let (lanes, high): (UInt64, UInt64) = (0x0001_0001_0001_0001, 0xFC00_FC00_FC00_FC00)
        let last = instances.count
        var i = 0
        while i &+ 4 <= last {
          let block = values.loadUnaligned(fromByteOffset: 2 &* i, as: UInt64.self)
          if (block | (block &+ 23 &* lanes)) & high != 0 {
            let guesses = predicted.loadUnaligned(fromByteOffset: i, as: UInt32.self)
            let (value, guess) = (block & 0xFFFF, guesses & 0xFF)
            if value > 1000, block == value &* lanes, guesses == guess &* 0x0101_0101 {
              add(i, Int(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: guess), 4)
            } else {
              single(i, i &+ 4)
            }
          }
          i &+= 4
        }
        single(i, last)
      }
    }
    return unknown
  }
}

/// What Cityscapes reports beside the IoU of classes.
public struct CityscapesScores: Sendable, Codable, Equatable {
  /// A name with its score; nil where there is nothing to score.
  public struct Entry: Sendable, Codable, Equatable {
    /// The class's or the category's name.
    public let name: String
    /// The score, 0 to 1.
    public let score: Double?

    init(_ name: String, _ score: Double?) {
      self.name = name
      self.score = score
    }
  }

  /// The IoU of categories.
  public internal(set) var categories: [Entry] = []
  /// The instance-weighted iIoU of the classes that have instances; empty without instance files.
  public internal(set) var instanceClasses: [Entry] = []
  /// The instance-weighted iIoU of the categories that have instances.
  public internal(set) var instanceCategories: [Entry] = []

  /// The mean IoU of categories.
  public var meanCategoryIoU: Double? { meanOf(categories.compactMap(\.score)) }
  /// The mean iIoU of classes.
  public var meanInstanceIoU: Double? { meanOf(instanceClasses.compactMap(\.score)) }
  /// The mean iIoU of categories.
  public var meanCategoryInstanceIoU: Double? { meanOf(instanceCategories.compactMap(\.score)) }
}
