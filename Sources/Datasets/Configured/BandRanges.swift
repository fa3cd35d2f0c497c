import Foundation
import Imaging

/// The samples of a data set's bands, counted: what ranges are measured by.
///
/// Samples of 8 and 16 bits are counted exactly. Others are put into 65,536 steps between the smallest and
/// the largest, which takes a second pass.
struct BandRanges {
  private let low: [Double], high: [Double]
  private let counts: [[Int64]]

  private struct Extent: Sendable {
    var low: [Double], high: [Double]
    var isWhole = true

    init(_ bands: Int) {
      low = [Double](repeating: .infinity, count: bands)
      high = [Double](repeating: -.infinity, count: bands)
    }
  }

  /// Counts the samples of all images, on all cores; what is missing does not count.
  ///
  /// - Throws: `ImageError`; `DatasetError.invalidSetting` for a band without two different samples.
  init(of dataset: FileDataset) throws {
    guard let plan = dataset.bandPlan else { preconditionFailure("the data set names no bands") }
    let bands = plan.bands.count
    let extent = try reduceInParallel(
      count: dataset.count, threads: 0, initial: Extent(bands),
      step: { extent, index in
        try Self.forEach(dataset.item(index).imagePath, plan) { samples, missing in
          let whole = samples.add(to: &extent.low, &extent.high, missing)
          extent.isWhole = extent.isWhole && whole
        }
      },
      merge: { all, part in
        all.isWhole = all.isWhole && part.isWhole
        for band in 0..<bands {
          all.low[band] = min(all.low[band], part.low[band])
          all.high[band] = max(all.high[band], part.high[band])
        }
      })
    for band in 0..<bands where !(extent.low[band] < extent.high[band]) {
      throw DatasetError.invalidSetting(
        name: "the range of band \(plan.bands[band] + 1) of \(dataset.name)",
        value: extent.low[band] <= extent.high[band]
          ? "\(extent.low[band]) everywhere" : "of no sample that is there",
        expected: "at least two different samples")
    }
    // Whole numbers are their own steps.
    let (low, high) =
      extent.isWhole
      ? ([Double](repeating: 0, count: bands), [Double](repeating: 65_535, count: bands))
      : (extent.low, extent.high)
    counts = try reduceInParallel(
      count: dataset.count, threads: 0,
      initial: [[Int64]](repeating: [Int64](repeating: 0, count: 65_536), count: bands),
      step: { counts, index in
        try Self.forEach(dataset.item(index).imagePath, plan) { samples, missing in
          samples.count(into: &counts, low, high, missing)
        }
      },
      merge: { all, part in
        for band in 0..<bands { for i in 0..<65_536 { all[band][i] += part[band][i] } }
      })
    (self.low, self.high) = (low, high)
    (smallest, largest) = (extent.low, extent.high)
  }

  private let smallest: [Double], largest: [Double]

  /// The ranges that a setting means.
  func ranges(_ setting: DataConfiguration.RangeSetting) -> [ClosedRange<Double>] {
    counts.indices.map { band in
      guard case .percentiles(let low, let high) = setting else {
        return smallest[band]...largest[band]
      }
      let (first, last) = (percentile(low, band), percentile(high, band))
      // Half a step keeps a range of one value apart.
      return first < last ? first...last : smallest[band]...largest[band]
    }
  }

  /// The smallest sample that at least `share` percent do not exceed.
  private func percentile(_ share: Double, _ band: Int) -> Double {
    let total = counts[band].reduce(0, +)
    let wanted = max(1, Int64((Double(total) * share / 100).rounded(.up)))
    var sum: Int64 = 0
    for (step, count) in counts[band].enumerated() {
      sum += count
      if sum >= wanted {
        return low[band] + Double(step) / 65_535 * (high[band] - low[band])
      }
    }
    return high[band]
  }

  /// Reads the bands of a file strip by strip.
  private static func forEach(
    _ path: String, _ plan: BandPlan, _ body: (Raster, Float?) throws -> Void
  ) throws {
    let file = try RasterFile(path, page: plan.page)
    let missing = (plan.noData ?? file.noData).map { Float($0) }
    for window in file.strips { try body(try file.read(window, bands: plan.bands), missing) }
  }
}

extension Raster {
  /// Widens the extents of bands; tells whether the samples are whole numbers of at most 16 bits.
  fileprivate func add(to low: inout [Double], _ high: inout [Double], _ missing: Float?) -> Bool {
    forEachSample(missing) { band, sample in
      low[band] = min(low[band], sample)
      high[band] = max(high[band], sample)
    }
    if case .float = samples { return false }
    return true
  }

  /// Counts samples in the steps between two numbers of each band.
  fileprivate func count(
    into counts: inout [[Int64]], _ low: [Double], _ high: [Double], _ missing: Float?
  ) {
    forEachSample(missing) { band, sample in
      let step = (sample - low[band]) / (high[band] - low[band]) * 65_535
      counts[band][Int(min(max(step, 0), 65_535).rounded())] += 1
    }
  }

  private func forEachSample(_ missing: Float?, _ body: (Int, Double) -> Void) {
    func each<Sample>(_ values: [Sample], _ number: (Sample) -> Float) {
      values.withUnsafeBufferPointer { values in
        var band = 0
        for i in 0..<values.count {
          let sample = number(values[i])
          if sample.isFinite, sample != missing { body(band, Double(sample)) }
          band = band + 1 == bands ? 0 : band + 1
        }
      }
    }
    switch samples {
    case .uint8(let values): each(values) { Float($0) }
    case .uint16(let values): each(values) { Float($0) }
    case .float(let values): each(values) { $0 }
    }
  }
}
