import Imaging

/// What turns an image's samples into a network's input: (level / scale − mean) / deviation for each band.
public struct InputEncoding: Sendable, Hashable {
  /// For each band the level that counts as 1: 255 for 8 bits.
  public let scale: [Double]
  /// The mean of each band, in multiples of its scale.
  public let mean: [Double]
  /// The standard deviation of each band, in multiples of its scale.
  public let deviation: [Double]
  /// For each band the level that stands for nothing, which becomes 0 like the mean; nil for none.
  public let missing: [Double?]

  /// The level that counts as 1 where nothing else is said.
  package static let usualScale = 255.0

  /// An encoding of red, green and blue of 8 bits.
  ///
  /// - Throws: `DatasetError.invalidSetting` unless there are three finite numbers of each and every
  ///   deviation is above 0.
  public init(mean: [Double], deviation: [Double]) throws {
    try self.init(
      mean: mean, deviation: deviation, scale: [Double](repeating: Self.usualScale, count: 3),
      missing: [nil, nil, nil])
  }

  /// An encoding of as many bands as there are means, of levels up to 255.
  ///
  /// - Throws: As ``init(mean:deviation:)``.
  package init(levelsWithMean mean: [Double], deviation: [Double]) throws {
    let bands = max(1, mean.count)
    try self.init(
      mean: mean, deviation: deviation, scale: [Double](repeating: Self.usualScale, count: bands),
      missing: [Double?](repeating: nil, count: bands))
  }

  /// An encoding of as many bands as there are scales.
  ///
  /// - Throws: `DatasetError.invalidSetting` unless there are as many finite numbers of each and every
  ///   deviation and scale is above 0.
  package init(
    mean: [Double], deviation: [Double], scale: [Double], missing: [Double?]
  ) throws {
    func check(_ name: String, _ values: [Double], isAboveZero: Bool = false) throws {
      guard values.count == scale.count,
        values.allSatisfy({ $0.isFinite && (!isAboveZero || $0 > 0) })
      else {
        throw DatasetError.invalidSetting(
          name: "the normalisation's \(name)", value: "\(values)",
          expected: (scale.count == 3 ? "three" : "\(scale.count)") + " finite numbers"
            + (isAboveZero ? " above 0" : ""))
      }
    }
    try check("mean", mean)
    try check("deviation", deviation, isAboveZero: true)
    try check("scale", scale, isAboveZero: true)
    try check("missing values", missing.map { $0 ?? 0 })
    (self.mean, self.deviation, self.scale, self.missing) = (mean, deviation, scale, missing)
  }

  private init(_ mean: [Double], _ deviation: [Double]) {
    (self.mean, self.deviation) = (mean, deviation)
    (scale, missing) = (mean.map { _ in Self.usualScale }, mean.map { _ in nil })
  }

  /// The statistics of ImageNet, which torchvision's networks were trained with.
  public static let imageNet = InputEncoding([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])

  /// The statistics of Cityscapes that the official DenseASPP code of 2018 uses.
  public static let denseASPP = InputEncoding(
    [0.290101, 0.328081, 0.286964], [0.182954, 0.186566, 0.184475])

  /// Levels in 0 to 1, nothing else.
  public static let unit = InputEncoding([0, 0, 0], [1, 1, 1])

  /// The 8-bit colour nearest to the mean: what fills the outside of a picture.
  public var meanColor: Color {
    let levels = mean.map { UInt8(min(max($0 * 255, 0), 255).rounded()) }
    let shown = Levels.shown(of: levels.count)
    return Color(levels[shown[0]], levels[shown[1]], levels[shown[2]])
  }

  /// The mean of each band as levels: what fills the outside of images of levels.
  public var meanLevels: [Float] { zip(mean, scale).map { Float($0 * $1) } }

  /// The number of bands.
  public var bands: Int { mean.count }

  /// The statistics of a data set's images: over all pixels, on all cores, summed exactly.
  ///
  /// - Parameters:
  ///   - dataset: The data set.
  ///   - threads: The number of threads; 0 for one a core.
  /// - Throws: What reading a sample throws, and `DatasetError.invalidSetting` for a data set whose
  ///   images are all of one colour.
  public static func measured(from dataset: some Dataset, threads: Int = 0) throws -> InputEncoding
  {
    let sums = try reduceInParallel(
      count: dataset.count, threads: threads, initial: LevelSums(),
      step: { sums, index in sums.add(try dataset.load(index).image) },
      merge: { $0.merge($1) })
    return try sums.encoding()
  }

  /// Writes an image as numbers (H, W, bands) in the order of its samples, row by row: the one place
  /// where levels become a network's input.
  ///
  /// - Parameters:
  ///   - raster: The image, of as many bands as the encoding.
  ///   - output: Room for all numbers; what no row or column is named for is not written.
  ///   - rows: For each row of the output the one of the image that it shows; nil for the image's own.
  ///   - columns: The same for the columns beyond the image's last.
  package func encode(
    _ raster: Raster, into output: UnsafeMutablePointer<Float>, rows: [Int?]? = nil,
    columns: ArraySlice<Int?> = []
  ) {
    let bands = raster.bands
    precondition(bands == mean.count, "the encoding is for \(mean.count) bands")
    let line = (raster.size.width + columns.count) * bands
    func rowByRow(_ write: (_ from: Int, _ to: UnsafeMutablePointer<Float>, _ count: Int) -> Void) {
      let width = raster.size.width
      for (y, source) in (rows ?? Array(0..<raster.size.height)).enumerated() {
        guard let source else { continue }
        let (start, row) = (source * width * bands, output + y * line)
        write(start, row, width)
        for (place, column) in zip(width..., columns) {
          if let column { write(start + column * bands, row + place * bands, 1) }
        }
      }
    }
    switch raster.samples {
    case .uint8(let samples):
      let table = (0..<256 * bands).map { encoded(Double($0 & 255), band: $0 >> 8) }
      samples.withUnsafeBufferPointer { samples in
        table.withUnsafeBufferPointer { table in
          rowByRow { from, to, count in
            if bands == 3 {
              for i in stride(from: 0, to: 3 * count, by: 3) {
                to[i] = table[Int(samples[from + i])]
                to[i + 1] = table[256 + Int(samples[from + i + 1])]
                to[i + 2] = table[512 + Int(samples[from + i + 2])]
              }
            } else {
              for i in 0..<count * bands {
                to[i] = table[256 * (i % bands) + Int(samples[from + i])]
              }
            }
          }
        }
      }
    case .uint16(let samples):
      rowByRow { from, to, count in
        for i in 0..<count * bands { to[i] = encoded(Double(samples[from + i]), band: i % bands) }
      }
    case .float(let samples):
      rowByRow { from, to, count in
        for i in 0..<count * bands { to[i] = encoded(Double(samples[from + i]), band: i % bands) }
      }
    }
  }

  /// What a level of a band becomes.
  private func encoded(_ level: Double, band: Int) -> Float {
    level == missing[band] || level.isNaN
      ? 0 : Float((level / scale[band] - mean[band]) / deviation[band])
  }
}
