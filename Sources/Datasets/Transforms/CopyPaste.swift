import Imaging

/// Regions of rare classes of one sample pasted into another, with their labels.
///
/// Ghiasi et al., "Simple Copy-Paste is a Strong Data Augmentation Method for Instance Segmentation", CVPR 2021,
/// for labels without instances: in their place are the connected regions of a class. A class is drawn of those
/// named, then a sample that holds it, then some of its regions. Each is scaled and put where it was in its own
/// image, shifted at random; what reaches over the border is cut off. There is no blending at the edges, as the
/// paper found no use in it.
public struct CopyPaste: Sendable, Equatable {
  /// The names of the classes.
  public var classes: [String]
  /// How often something is pasted, 0 to 1.
  public var probability: Double
  /// The most regions at once; how many is drawn.
  public var regions: Int
  /// The smallest and the largest share of their image that regions have.
  public var area: ClosedRange<Double>
  /// The factors between which regions are scaled.
  public var scale: ClosedRange<Double>
  /// How far regions are moved at most, as a share of the image's width and height.
  public var shift: Double

  /// The numbers of regions that can be asked for.
  package static let counts = 1...100

  /// Regions of these classes.
  public init(
    classes: [String], probability: Double = 0.5, regions: Int = 5,
    area: ClosedRange<Double> = 0.0002...0.05, scale: ClosedRange<Double> = 0.7...1.4,
    shift: Double = 0.2
  ) {
    (self.classes, self.probability, self.regions) = (classes, probability, regions)
    (self.area, self.scale, self.shift) = (area, scale, shift)
  }

  /// The numbers of the classes.
  ///
  /// - Throws: `DatasetError.invalidSetting` for a name that the map does not have.
  func classes(of map: LabelMap) throws -> [Int] {
    try classes.map { name in
      guard let index = map.classes.firstIndex(where: { $0.name == name }) else {
        throw DatasetError.invalidSetting(
          name: "a class of copyPaste", value: "'\(name)'",
          expected: "one of \(map.classes.map(\.name).joined(separator: ", "))")
      }
      return index
    }
  }
}

extension Sample {
  /// The sample with regions of a class of another one in it; itself where that has none of a fitting area, or
  /// other bands.
  func pasting(
    _ label: UInt8, from donor: Sample, by paste: CopyPaste, _ random: inout SampleRandom
  ) -> Sample {
    guard donor.image.bands == image.bands, (donor.image.levels == nil) == (image.levels == nil)
    else { return self }
    let found = ClassRegions(of: label, in: donor.mask)
    let pixels = Double(donor.mask.classes.count)
    var left = found.regions.indices.filter {
      paste.area.contains(Double(found.regions[$0].area) / pixels)
    }
    guard !left.isEmpty else { return self }
    var patch = Patchwork(image, mask)
    for _ in 0...random.integer(below: min(paste.regions, left.count)) {
      let number = left.remove(at: random.integer(below: left.count))
      let factor = random.uniform(paste.scale)
      let shift = (
        x: random.uniform(-paste.shift...paste.shift), y: random.uniform(-paste.shift...paste.shift)
      )
      patch.add(number, of: found, label, donor.image, factor, shift)
    }
    return with(patch.image, patch.mask)
  }
}

/// The connected regions of a class, by eight neighbours, so that a leaning pole is one.
struct ClassRegions {
  /// A region's pixels and the rectangle around them.
  struct Region {
    let area: Int
    var left: Int, right: Int, top: Int, bottom: Int
  }

  /// For each pixel the number of its region; -1 for other classes.
  let parts: [Int32]
  /// The regions in the order of their first pixels.
  let regions: [Region]

  init(of label: UInt8, in mask: ClassMask) {
    let components = Components(mask, of: label, diagonals: true)
    var regions: [Region] = []
    for (pixel, part) in components.parts.enumerated() where part >= 0 {
      let (x, y) = (pixel % mask.width, pixel / mask.width)
      // Regions are numbered by their first pixels, which are the uppermost.
      if part == regions.count {
        regions.append(
          Region(area: components.areas[Int(part)], left: x, right: x, top: y, bottom: y))
      }
      let number = Int(part)
      regions[number].left = min(regions[number].left, x)
      regions[number].right = max(regions[number].right, x)
      regions[number].bottom = y
    }
    (parts, self.regions) = (components.parts, regions)
  }
}

/// An image and a mask that regions of others are painted into.
private struct Patchwork {
  private var pixels: [UInt8]
  private var levels: [Float]
  private let original: Image
  private(set) var mask: ClassMask

  init(_ image: Image, _ mask: ClassMask) {
    (pixels, levels) = (image.levels == nil ? image.pixels : [], image.levels?.values ?? [])
    (original, self.mask) = (image, mask)
  }

  var image: Image {
    if let own = original.levels {
      return Image(Levels(size: own.size, bands: own.bands, values: levels, shown: own.shown))
    }
    return Image(width: original.width, height: original.height, pixels: pixels)
  }

  /// Paints one region, scaled and moved by shares of this image's sides.
  mutating func add(
    _ number: Int, of found: ClassRegions, _ label: UInt8, _ donor: Image, _ factor: Double,
    _ shift: (x: Double, y: Double)
  ) {
    let region = found.regions[number]
    let x = Self.axis(donor.width, region.left...region.right, factor)
    let y = Self.axis(donor.height, region.top...region.bottom, factor)
    /// Where the region begins: its middle lies at the same share of the sides, but for the shift.
    func start(_ low: Int, _ high: Int, _ side: Int, _ count: Int, _ own: Int, _ shift: Double)
      -> Int
    {
      let middle = Double(low + high + 1) / Double(2 * side) + shift
      return Int((middle * Double(own) - Double(count) / 2).rounded())
    }
    let left = start(region.left, region.right, donor.width, x.count, mask.width, shift.x)
    let top = start(region.top, region.bottom, donor.height, y.count, mask.height, shift.y)
    let (columns, rows) = (x.nearest(), y.nearest())
    let picture =
      donor.levels == nil
      ? resampled(donor, x: x, y: y, antialias: true, fill: Color(0, 0, 0)).pixels : []
    let values = donor.levels.map { levels in
      resampled(
        levels, x: x, y: y, antialias: true, fill: [Float](repeating: .nan, count: levels.bands)
      ).values
    }
    for (i, row) in rows.enumerated() where (0..<mask.height).contains(top + i) {
      for (k, column) in columns.enumerated() where (0..<mask.width).contains(left + k) {
        guard found.parts[row * donor.width + column] == Int32(number) else { continue }
        let (from, to) = (i * x.count + k, (top + i) * mask.width + left + k)
        if let values, let bands = donor.levels?.bands {
          let sample = values[from * bands..<(from + 1) * bands]
          guard !sample.contains(where: \.isNaN) else { continue }
          levels.replaceSubrange(to * bands..<(to + 1) * bands, with: sample)
        } else {
          for channel in 0..<3 { pixels[to * 3 + channel] = picture[from * 3 + channel] }
        }
        mask.classes[to] = label
      }
    }
  }

  /// The samples of a range of a side that is scaled.
  private static func axis(_ side: Int, _ range: ClosedRange<Int>, _ factor: Double) -> Axis {
    let scaled = max(Int((Double(side) * factor).rounded()), 1)
    let exact = Double(scaled) / Double(side)
    let low = min(Int(Double(range.lowerBound) * exact), scaled - 1)
    let high = min(max(Int((Double(range.upperBound + 1) * exact).rounded(.up)), low + 1), scaled)
    var axis = Axis(side, scaledTo: scaled)
    axis.crop(at: low, count: high - low)
    return axis
  }
}
