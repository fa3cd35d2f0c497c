/// Which bands of an image a network sees, and what range of each.
public struct BandPlan: Sendable, Hashable {
  /// The bands, from 0, in the order in which the network sees them.
  public let bands: [Int]
  /// The samples that become the levels 0 and 255, for each band; nil for all that 8 or 16 bits can hold.
  public let ranges: [ClosedRange<Double>]?
  /// The places among `bands` that a picture shows as red, green and blue.
  public let shown: [Int]
  /// The page of a TIFF, or of an array of four dimensions, from 1.
  public let page: Int
  /// The sample that stands for nothing, beside NaN; nil for the one that a file notes.
  public let noData: Double?

  /// A plan of as many ranges as there are bands.
  public init(
    bands: [Int], ranges: [ClosedRange<Double>]? = nil, shown: [Int]? = nil, page: Int = 1,
    noData: Double? = nil
  ) {
    precondition(!bands.isEmpty && (ranges ?? []).count == (ranges == nil ? 0 : bands.count))
    (self.bands, self.ranges, self.page, self.noData) = (bands, ranges, page, noData)
    self.shown = shown ?? Levels.shown(of: bands.count)
  }

  /// The levels of samples that were read of the plan's bands.
  ///
  /// - Throws: ``ImageError/unsupported(file:found:)`` for floating-point samples without ranges.
  public func levels(of raster: Raster, noData own: Double?, file: String) throws -> Levels {
    let missing = (noData ?? own).map { Float($0) }
    let highest: Double
    switch raster.samples {
    case .uint8: highest = 255
    case .uint16: highest = 65_535
    case .float:
      guard ranges != nil else {
        throw ImageError.unsupported(
          file: file,
          found:
            "of numbers that may be any, expected their range in data.range, such as [0, 10000],"
            + " {percentiles: [2, 98]} or measured")
      }
      highest = 1
    }
    let ranges = ranges ?? bands.map { _ in 0...highest }
    let factors = ranges.map { Float(255 / ($0.upperBound - $0.lowerBound)) }
    let lows = ranges.map { Float($0.lowerBound) }
    func made<Sample>(_ samples: [Sample], _ number: (Sample) -> Float) -> [Float] {
      [Float](unsafeUninitializedCapacity: samples.count) { out, count in
        samples.withUnsafeBufferPointer { samples in
          var band = 0
          for i in 0..<samples.count {
            let sample = number(samples[i])
            // NaN passes both comparisons.
            let level = (sample - lows[band]) * factors[band]
            let clipped = level < 0 ? 0 : level > 255 ? 255 : level
            out.initializeElement(at: i, to: sample == missing ? .nan : clipped)
            band = band + 1 == bands.count ? 0 : band + 1
          }
        }
        count = samples.count
      }
    }
    let values: [Float]
    switch raster.samples {
    case .uint8(let samples): values = made(samples) { Float($0) }
    case .uint16(let samples): values = made(samples) { Float($0) }
    case .float(let samples): values = made(samples) { $0 }
    }
    return Levels(size: raster.size, bands: bands.count, values: values, shown: shown)
  }
}

extension Image {
  /// Reads the bands of a plan of the file at `path`.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - plan: The bands, and what their samples mean.
  ///   - budget: What the levels may take in bytes.
  ///   - orientation: Whether the picture is turned as its file notes.
  ///   - admit: Is given the size that the image will have, and may refuse it.
  /// - Throws: ``ImageError`` for a file that is no image, lacks a band or the page, or passes the budget.
  public init(
    contentsOf path: String, plan: BandPlan, budget: Int = defaultImageBudget,
    orientation: ImageOrientation = .applied, admit: (Size) throws -> Void = { _ in }
  ) throws {
    let file = try RasterFile(path, page: plan.page, budget: budget, orientation: orientation)
    try self.init(file, plan, budget, admit)
  }

  /// Reads the bands of a plan of a file's bytes; `name` is what messages call it.
  ///
  /// - Throws: As ``init(contentsOf:plan:budget:orientation:admit:)``.
  package init(
    decoding bytes: [UInt8], named name: String, plan: BandPlan, budget: Int = defaultImageBudget,
    orientation: ImageOrientation = .applied, admit: (Size) throws -> Void = { _ in }
  ) throws {
    let file = try RasterFile(
      decoding: bytes, named: name, page: plan.page, budget: budget, orientation: orientation)
    try self.init(file, plan, budget, admit)
  }

  private init(
    _ file: RasterFile, _ plan: BandPlan, _ budget: Int, _ admit: (Size) throws -> Void
  ) throws {
    try admit(file.size)
    try file.size.check(4 * plan.bands.count, budget, file.path)
    self = try file.image(PixelWindow(file.size), plan: plan)
  }
}

extension RasterFile {
  /// For each pixel of a window whether nothing was measured there; nil where all is there.
  ///
  /// In a picture that is read without a plan these are pixels without opacity, or all of whose bands have the
  /// value that the file notes as standing for nothing.
  public func missing(_ window: PixelWindow, in image: Image) throws -> [Bool]? {
    guard image.levels == nil else { return image.missing }
    var found: [Bool]?
    if let opacity {
      found = try read(window, bands: [opacity]).isEverywhere { $0 == 0 }
    } else if let noData {
      let value = Float(noData)
      found = try read(window, bands: bands >= 3 ? [0, 1, 2] : [0]).isEverywhere { $0 == value }
    }
    return found.flatMap { $0.contains(true) ? $0 : nil }
  }

  /// A window as a network sees it by a plan; without one as a picture in red, green and blue.
  ///
  /// - Throws: ``ImageError``, also for a file that is no picture, where there is no plan.
  public func image(_ window: PixelWindow, plan: BandPlan?) throws -> Image {
    if let plan {
      let raster = try read(window, bands: plan.bands)
      return Image(try plan.levels(of: raster, noData: noData, file: path))
    }
    guard isPicture else {
      throw ImageError.unsupported(
        file: path,
        found:
          "of \(bands) bands that are no picture, expected data.bands to say which a network sees")
    }
    let raster = try read(window, bands: bands >= 3 ? [0, 1, 2] : [0])
    let pixels: [UInt8]
    switch raster.samples {
    case .uint8(let samples): pixels = samples
    case .uint16(let samples): pixels = samples.map { UInt8($0 >> 8) }
    case .float:
      throw ImageError.unsupported(
        file: path, found: "of floating-point samples, which are no picture")
    }
    return Image(
      width: window.size.width, height: window.size.height, channels: raster.bands, pixels: pixels
    ).rgb
  }
}

extension Raster {
  /// For each pixel whether all of its samples are so.
  fileprivate func isEverywhere(_ condition: (Float) -> Bool) -> [Bool] {
    func each<Sample>(_ values: [Sample], _ number: (Sample) -> Float) -> [Bool] {
      stride(from: 0, to: values.count, by: bands).map { at in
        (at..<at + bands).allSatisfy { condition(number(values[$0])) }
      }
    }
    switch samples {
    case .uint8(let values): return each(values) { Float($0) }
    case .uint16(let values): return each(values) { Float($0) }
    case .float(let values): return each(values) { $0 }
    }
  }
}
