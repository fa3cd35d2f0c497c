import Imaging

/// One image with the class of its every pixel.
public struct Sample: Sendable, Equatable {
  /// The sample's place in its data set.
  public let index: Int
  /// The name, unique in its data set: the file's, without folder, suffix and extension.
  public let name: String
  /// Where the image was read from; empty for one that never was a file.
  public let imagePath: String
  /// Where the label was read from, if there is one.
  public let labelPath: String?
  /// The image in RGB, (H, W, 3), or of other bands as levels.
  public let image: Image
  /// The mask, (H, W); ignored everywhere if there is no label.
  public let mask: ClassMask

  /// A sample of an image and a mask.
  public init(
    index: Int, name: String, imagePath: String = "", labelPath: String? = nil, image: Image,
    mask: ClassMask
  ) {
    self.index = index
    self.name = name
    self.imagePath = imagePath
    self.labelPath = labelPath
    self.image = image
    self.mask = mask
  }

  /// The sample with another image and mask.
  func with(_ image: Image, _ mask: ClassMask) -> Sample {
    Sample(
      index: index, name: name, imagePath: imagePath, labelPath: labelPath, image: image, mask: mask
    )
  }

  /// The memory that image and mask take.
  var bytes: Int {
    image.pixels.count + mask.classes.count + 4 * (image.levels?.values.count ?? 0)
  }

  /// What messages call the sample: its file, or its name.
  var file: String { imagePath.isEmpty ? name : imagePath }
}

/// The files of one sample.
public struct Item: Sendable, Hashable {
  /// The name, unique in its data set.
  public let name: String
  /// The image file.
  public let imagePath: String
  /// The label file, if there is one.
  public let labelPath: String?

  /// An item of these files.
  public init(name: String, imagePath: String, labelPath: String? = nil) {
    self.name = name
    self.imagePath = imagePath
    self.labelPath = labelPath
  }
}

/// Images and their masks in a fixed order, readable from many threads at once.
public protocol Dataset: Sendable {
  /// The name that messages and tables show.
  var name: String { get }
  /// What the label files' values mean.
  var labelMap: LabelMap { get }
  /// For labels that are RGB pictures the value of each colour; nil for all others.
  var labelColors: [Color: UInt16]? { get }
  /// For labels that are drawn from annotations, where these are; nil for label files.
  var drawn: DrawnLabels? { get }
  /// Whether photographs are turned as the camera noted; labels never are.
  var orientation: ImageOrientation { get }
  /// Which bands of the images are seen; nil for pictures in red, green and blue.
  var bandPlan: BandPlan? { get }
  /// The windows that images are cut into, each of which is a sample; nil where images are whole.
  var windows: Size? { get }
  /// What the listing of files passed over, for a person; empty for nothing.
  var notes: [String] { get }
  /// The number of samples.
  var count: Int { get }
  /// The files of a sample, 0 ..< `count`.
  func item(_ index: Int) -> Item
  /// Reads a sample, 0 ..< `count`.
  ///
  /// - Throws: The reader's error for a file that cannot be read, `DatasetError.valueOutsideMap`, or
  ///   `DatasetError.sizeMismatch`.
  func load(_ index: Int) throws -> Sample
  /// Reads a sample's mask alone, which is cheaper; nil if the sample has no label.
  ///
  /// - Throws: As ``load(_:)`` does, but the image's size is not looked at.
  func loadMask(_ index: Int) throws -> ClassMask?
}

extension Dataset {
  /// Nothing.
  public var notes: [String] { [] }
  /// Nil: labels are values, not colours.
  public var labelColors: [Color: UInt16]? { nil }
  /// Nil: images are pictures.
  public var bandPlan: BandPlan? { nil }
  /// Nil: labels are files.
  public var drawn: DrawnLabels? { nil }
  /// Nil: images are whole.
  public var windows: Size? { nil }
  /// Photographs are turned.
  public var orientation: ImageOrientation { .applied }

  /// Reads the item's files as RGB and as values of the label map.
  public func load(_ index: Int) throws -> Sample {
    try check(index)
    let item = item(index)
    let image = try readImage(item.imagePath)
    guard let labelPath = item.labelPath else {
      return Sample(
        index: index, name: item.name, imagePath: item.imagePath, image: image,
        mask: ClassMask(size: image.size))
    }
    let label = try readLabel(labelPath)
    try checkSizes(
      image: item.imagePath, image.size, label: labelPath, label.size, orientation: orientation,
      origin: labelMap.origin)
    return Sample(
      index: index, name: item.name, imagePath: item.imagePath, labelPath: labelPath, image: image,
      mask: try labelMap.classes(of: label, file: labelPath).ignoring(image.missing))
  }

  /// Reads the item's label file.
  public func loadMask(_ index: Int) throws -> ClassMask? {
    try check(index)
    guard let labelPath = item(index).labelPath else { return nil }
    return try labelMap.classes(of: readLabel(labelPath), file: labelPath)
  }

  private func check(_ index: Int) throws {
    guard (0..<count).contains(index) else {
      throw DatasetError.indexOutOfRange(dataset: name, index: index, count: count)
    }
  }

  /// The samples at these places, in this order.
  ///
  /// - Throws: `DatasetError.indexOutOfRange`.
  public func subset(_ indices: [Int]) throws -> Subset {
    for index in indices { try check(index) }
    return Subset(self, indices: indices)
  }

  /// The first `limit` samples, or all if there are fewer.
  public func limited(to limit: Int) -> Subset {
    Subset(self, indices: Array(0..<min(max(limit, 0), count)))
  }

  /// `limit` samples spread evenly over the set, or all if there are fewer.
  ///
  /// Neighbours in a video are nearly the same image; spread out, few samples show more of the set.
  public func spread(to limit: Int) -> Subset {
    let limit = min(max(limit, 0), count)
    return Subset(self, indices: (0..<limit).map { $0 * count / limit })
  }
}

/// Some of a data set's samples, numbered anew from 0.
public struct Subset: Dataset {
  private let base: any Dataset
  private let indices: [Int]

  init(_ base: any Dataset, indices: [Int]) {
    self.base = base
    self.indices = indices
  }

  /// The whole set's name.
  public var name: String { base.name }
  /// The whole set's label map.
  public var labelMap: LabelMap { base.labelMap }
  /// What the whole set's listing passed over.
  public var notes: [String] { base.notes }
  /// The whole set's label colours.
  public var labelColors: [Color: UInt16]? { base.labelColors }
  /// The whole set's annotations.
  public var drawn: DrawnLabels? { base.drawn }
  /// The whole set's reading of orientations.
  public var orientation: ImageOrientation { base.orientation }
  /// The whole set's bands.
  public var bandPlan: BandPlan? { base.bandPlan }
  /// The whole set's windows.
  public var windows: Size? { base.windows }
  /// The number of samples chosen.
  public var count: Int { indices.count }
  /// The files of a sample.
  public func item(_ index: Int) -> Item { base.item(indices[index]) }
  /// Reads a sample's mask.
  public func loadMask(_ index: Int) throws -> ClassMask? { try base.loadMask(indices[index]) }
  /// Reads a sample; its index is its place in the subset.
  public func load(_ index: Int) throws -> Sample {
    guard indices.indices.contains(index) else {
      throw DatasetError.indexOutOfRange(dataset: name, index: index, count: count)
    }
    let sample = try base.load(indices[index])
    return Sample(
      index: index, name: sample.name, imagePath: sample.imagePath, labelPath: sample.labelPath,
      image: sample.image, mask: sample.mask)
  }
}

/// Samples held in memory: made by a program, or drawn.
public struct MemoryDataset: Dataset {
  /// The set's name.
  public let name: String
  /// What the masks' classes are.
  public let labelMap: LabelMap
  private let samples: [Sample]

  /// A set of images and masks; each image and its mask must be equal in size, and RGB.
  public init(
    name: String, labelMap: LabelMap, samples: [(name: String, image: Image, mask: ClassMask)]
  ) {
    self.name = name
    self.labelMap = labelMap
    self.samples = samples.enumerated().map { index, sample in
      precondition(sample.image.size == sample.mask.size, "image and mask differ in size")
      precondition(sample.image.channels == 3, "expected an RGB image")
      return Sample(index: index, name: sample.name, image: sample.image, mask: sample.mask)
    }
  }

  /// The number of samples.
  public var count: Int { samples.count }
  /// The sample's name, without files.
  public func item(_ index: Int) -> Item { Item(name: samples[index].name, imagePath: "") }
  /// The sample.
  public func load(_ index: Int) throws -> Sample {
    guard samples.indices.contains(index) else {
      throw DatasetError.indexOutOfRange(dataset: name, index: index, count: count)
    }
    return samples[index]
  }
  /// The sample's mask.
  public func loadMask(_ index: Int) throws -> ClassMask? { try load(index).mask }
}
