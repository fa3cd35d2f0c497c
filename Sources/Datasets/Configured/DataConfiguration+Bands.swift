import Configuration
import Imaging

// The keys `bands`, `range`, `shown`, `page`, `noData` and `windows` of the section `data`.
extension DataConfiguration {
  /// How the range of each band is given.
  package enum RangeSetting: Sendable, Equatable {
    /// All that 8 or 16 bits can hold.
    case whole
    /// These samples become the levels 0 and 255.
    case given([ClosedRange<Double>])
    /// The smallest and the largest sample of the training images.
    case measured
    /// Of the samples of the training images so many percent lie below and above.
    case percentiles(low: Double, high: Double)
  }

  /// The band plan of the section; nil where it names no bands.
  ///
  /// Ranges that have to be measured are not known here; see ``measured(_:)``.
  /// - Throws: `ConfigurationError` naming what is wrong.
  package static func bandPlan(_ section: Section) throws -> BandPlan? {
    let numbers =
      section.has("bands")
      ? try section.ints("bands", in: 1...65_535) : try section.absentInts("bands")
    let range = try rangeSetting(section, count: numbers.count)
    let page = try section.optionalInt("page", in: 1...Int(Int32.max))
    let noData = try section.optionalDouble("noData")
    let shown =
      section.has("shown")
      ? try section.ints("shown", in: 1...65_535) : try section.absentInts("shown")
    guard !numbers.isEmpty else {
      let given = ["range", "page", "noData", "shown"].first { section.has($0) }
      if let given {
        throw ConfigurationError.missing(
          place: section.place, key: "bands",
          expected: "the bands that the network sees, such as [4, 3, 2], beside \(given)")
      }
      return nil
    }
    guard numbers.count <= 64 else {
      throw section.invalid("bands", "\(numbers)", expected: "at most 64 bands")
    }
    let places = try shown.map { band -> Int in
      guard let place = numbers.firstIndex(of: band) else {
        throw section.invalid("shown", "\(shown)", expected: "three of the bands \(numbers)")
      }
      return place
    }
    guard places.isEmpty || places.count == 3 || places.count == 1 else {
      throw section.invalid(
        "shown", "\(shown)", expected: "the bands of red, green and blue, or one for grey")
    }
    var ranges: [ClosedRange<Double>]?
    if case .given(let given) = range { ranges = given }
    return BandPlan(
      bands: numbers.map { $0 - 1 }, ranges: ranges,
      shown: places.isEmpty ? nil : places.count == 1 ? places + places + places : places,
      page: page ?? 1, noData: noData)
  }

  /// How the section says the range of `count` bands is found.
  package static func rangeSetting(_ section: Section, count: Int) throws -> RangeSetting {
    section.declare("range", as: .word(["measured"]))
    section.declare("range", as: .mapping)
    section.declare("range", as: .numbers)
    guard section.has("range") else { return .whole }
    if let word = try? section.string("range") {
      guard word == "measured" else {
        throw section.invalid(
          "range", "'\(word)'",
          expected: "[low, high], one for each band, {percentiles: [2, 98]} or measured")
      }
      return .measured
    }
    if let inner = try? section.section("range"), !inner.keys.isEmpty {
      let percentiles = try inner.doubles("percentiles")
      guard percentiles.count == 2, percentiles[0] >= 0, percentiles[1] <= 100,
        percentiles[0] < percentiles[1]
      else {
        throw inner.invalid(
          "percentiles", "\(percentiles)", expected: "two numbers from 0 to 100, the lower first")
      }
      return .percentiles(low: percentiles[0], high: percentiles[1])
    }
    let lists = try section.doubleLists("range")
    let all =
      lists.count == 1 ? lists + Array(repeating: lists[0], count: max(0, count - 1)) : lists
    let isSound = all.allSatisfy { list in
      list.count == 2 && list[0].isFinite && list[1].isFinite && list[0] < list[1]
    }
    guard isSound, all.count == max(1, count) else {
      throw section.invalid(
        "range", "\(lists)",
        expected: "[low, high] with the lower first, or a list of \(max(1, count)) of those")
    }
    return .given(all.map { $0[0]...$0[1] })
  }

  /// The windows that images are read by; nil for whole images.
  static func windows(_ section: Section) throws -> Size? {
    section.declare("windows", as: .size)
    guard section.has("windows") else { return nil }
    let size = try section.size("windows")
    guard size.width >= 16, size.height >= 16 else {
      throw section.invalid(
        "windows", "\(size.width)x\(size.height)", expected: "windows of at least 16x16 pixels")
    }
    return Size(width: size.width, height: size.height)
  }

  /// Overrides that give what the section leaves to be measured of the training images.
  ///
  /// Ranges of bands come first, then the statistics of levels. Files that have not changed since an earlier look are not read again.
  ///
  /// - Parameter read: Reads the configuration with further overrides; only some of its keys are looked at.
  /// - Throws: As ``dataset(_:)``; `DatasetError.invalidSetting` for images all of one level.
  package static func measured(_ read: ([String]) throws -> Section) throws -> [String] {
    var overrides: [String] = []
    let section = try read([]).section("data")
    let bands = section.has("bands") ? try section.ints("bands", in: 1...65_535) : []
    let setting = try rangeSetting(section, count: bands.count)
    switch bands.isEmpty ? .whole : setting {
    case .whole, .given: break
    case .measured, .percentiles:
      let data = try DataConfiguration(read([]).section("data"))
      let ranges = try BandRanges(of: data.listing("train").paired()).ranges(setting)
      overrides.append(
        "data.range=["
          + ranges.map { "[\($0.lowerBound), \($0.upperBound)]" }.joined(separator: ", ")
          + "]")
    }
    if let normalization = try measuredNormalization(read(overrides)) {
      overrides.append(normalization)
    }
    return overrides
  }
}

extension Section {
  /// No numbers, for a key that is not there; the reference is told of it.
  fileprivate func absentInts(_ key: String) throws -> [Int] {
    try ints(key, default: [], in: 1...65_535)
  }
}
