import Datasets
import Imaging

/// The counts of the official Cityscapes evaluation: all label rows, and single instances.
///
/// Agrees with `evalPixelLevelSemanticLabeling` of cityscapesScripts 2.3. Cordts et al., "The
/// Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016, section 4.1.
public struct CityscapesCounts: Sendable {
  /// How often each official row was predicted as each, in the order of `Cityscapes.labels`.
  public private(set) var matrix = ConfusionMatrix(classes: Cityscapes.labels.count)
  /// For each official row the weighted pixels of its instances: found as the class, as its category,
  /// and all.
  private var found = [Double](repeating: 0, count: Cityscapes.labels.count)
  private var foundCategory = [Double](repeating: 0, count: Cityscapes.labels.count)
  private var all = [Double](repeating: 0, count: Cityscapes.labels.count)
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

  /// Counts the pixels of one image, both masks in the classes of `Cityscapes.allRows`.
  public mutating func add(truth: ClassMask, prediction: ClassMask) {
    matrix.add(truth: truth, prediction: prediction)
  }

  /// Counts the instances of one image.
  ///
  /// - Parameters:
  ///   - instances: As in `instanceIds` files: id · 1000 + number for single things.
  ///   - prediction: In the classes of `Cityscapes.allRows`, of the same size.
  /// - Throws: `DatasetError.valueOutsideMap` for an instance of a label that has none.
  public mutating func add(instances: LabelImage, prediction: ClassMask, file: String) throws {
    precondition(instances.size == prediction.size, "instances and prediction differ in size")
    hasInstances = true
    // Values above 1000, one slot each: pixels, those predicted as the class, as the category.
    var pixels = [Int32](repeating: 0, count: 65_536)
    var hits = pixels
    var categoryHits = pixels
    let rowOf = Self.rowOfID
    let members = Self.categoryMembers
    let width = Cityscapes.labels.count
    var unknown: Int?
    instances.values.withUnsafeBufferPointer { values in
      prediction.classes.withUnsafeBufferPointer { predicted in
        let raw = UnsafeRawBufferPointer(values)
        let last = values.count
        var next = 0
        while next < last {
          let i = next
          // Eight at once where none is a single thing.
          if i + 8 <= last {
            let block = raw.loadUnaligned(fromByteOffset: 2 * i, as: SIMD8<UInt16>.self)
            if block.max() <= 1000 {
              next += 8
              continue
            }
          }
          next += 1
          guard values[i] > 1000 else { continue }
          let value = Int(values[i])
          let row = rowOf[value / 1000]
          guard row >= 0 else {
            if unknown == nil { unknown = i }
            continue
          }
          pixels[value] += 1
          let guess = Int(predicted[i])
          if guess == row { hits[value] += 1 }
          if guess < width && members[row * width + guess] { categoryHits[value] += 1 }
        }
      }
    }
    if let unknown {
      throw DatasetError.valueOutsideMap(
        file: file, x: unknown % instances.width, y: unknown / instances.width,
        value: Int(instances.values[unknown]), map: "Cityscapes, instances",
        allowed: Array(0...1000) + Array(24_001...33_999))
    }
    for value in 1001..<65_536 where pixels[value] > 0 {
      let row = rowOf[value / 1000]
      let label = Cityscapes.labels[row]
      guard !label.ignoredInEvaluation, let mean = Self.meanSize[label.name] else { continue }
      let weight = mean / Double(pixels[value])
      found[row] += Double(hits[value]) * weight
      foundCategory[row] += Double(categoryHits[value]) * weight
      all[row] += Double(pixels[value]) * weight
    }
  }

  /// Adds the counts of other images.
  public mutating func merge(_ other: CityscapesCounts) {
    matrix.merge(other.matrix)
    for row in found.indices {
      found[row] += other.found[row]
      foundCategory[row] += other.foundCategory[row]
      all[row] += other.all[row]
    }
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
      let whole = all[row] + Double(claimed([row]) { $0 == row })
      result.instanceClasses.append(.init(label.name, whole == 0 ? nil : found[row] / whole))
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
        own.reduce(0.0) { $0 + all[$1] } + Double(claimed(official, notIn: inside))
      let part = own.reduce(0.0) { $0 + foundCategory[$1] }
      result.instanceCategories.append(.init(category, whole == 0 ? nil : part / whole))
    }
    return result
  }

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
