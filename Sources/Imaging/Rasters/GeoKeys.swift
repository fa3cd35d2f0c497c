import CTIFF

/// What GeoTIFF's directory of keys says.
struct GeoKeys {
  private var numbers: [Int: Int] = [:]
  private var texts: [Int: String] = [:]
  private var doubles: [Int: [Double]] = [:]

  /// The keys by their numbers; what the directory says of places beyond its ends is passed over.
  init(_ tags: [GeoTag]) {
    var directory: [UInt16] = [], values: [Double] = [], text: [UInt8] = []
    for tag in tags {
      switch (tag.number, tag.value) {
      case (GeoTag.keys, .shorts(let found)): directory = found
      case (GeoTag.doubles, .doubles(let found)): values = found
      case (GeoTag.text, .text(let found)): text = Array(found.utf8)
      default: break
      }
    }
    guard directory.count >= 4 else { return }
    for entry in 1..<max(2, min(Int(directory[3]) + 1, directory.count / 4)) {
      guard 4 * entry + 3 < directory.count else { break }
      let key = Int(directory[4 * entry]), place = directory[4 * entry + 1]
      let (count, value) = (Int(directory[4 * entry + 2]), Int(directory[4 * entry + 3]))
      switch place {
      case 0: numbers[key] = value
      case GeoTag.doubles where value + count <= values.count:
        doubles[key] = Array(values[value..<value + count])
      case GeoTag.text where value + count <= text.count:
        texts[key] = String(decoding: text[value..<value + count], as: UTF8.self)
          .trimmingCharacters { $0 == "|" || $0 == "\0" }
      default: break
      }
    }
  }

  /// Whether coordinates are those of pixels' centres (GTRasterTypeGeoKey).
  var isPixelPoint: Bool { numbers[1025] == 2 }

  /// The coordinate system: of the registry of EPSG, or described by the file itself.
  var system: CoordinateSystem? {
    let custom = 32_767
    // A projected system, else one of longitude and latitude.
    for key in [3072, 2048] {
      if let code = numbers[key], code > 0, code != custom { return CoordinateSystem(epsg: code) }
      if numbers[key] == custom { break }
    }
    for citation in [3073, 1026, 2049].compactMap({ texts[$0] }) {
      // ArcGIS puts a whole description there.
      if let found = citation.firstRange(of: "ESRI PE String = ") {
        return CoordinateSystem(definition: String(citation[found.upperBound...]))
      }
    }
    return projected
  }

  /// A system of the file's own parameters: those of the most used projections.
  private var projected: CoordinateSystem? {
    guard let kind = numbers[3075] else { return nil }
    func value(_ keys: Int...) -> Double? { keys.lazy.compactMap { doubles[$0]?.first }.first }
    func term(_ name: String, _ value: Double?) -> String { value.map { " +\(name)=\($0)" } ?? "" }
    let latitude = term("lat_0", value(3081, 3085, 3089))
    let longitude = term("lon_0", value(3080, 3084, 3088, 3095))
    let parallels = term("lat_1", value(3078)) + term("lat_2", value(3079))
    let scale = term("k_0", value(3092, 3093))
    let projection: String
    switch kind {
    case 1: projection = "tmerc" + latitude + longitude + scale
    case 7: projection = "merc" + longitude + scale + term("lat_ts", value(3078))
    case 8: projection = "lcc" + latitude + longitude + parallels
    case 9: projection = "lcc" + latitude + longitude + scale + term("lat_1", value(3081))
    case 10: projection = "laea" + latitude + longitude
    case 11: projection = "aea" + latitude + longitude + parallels
    case 15: projection = "stere" + latitude + longitude + scale
    case 24: projection = "sinu" + longitude
    default: return nil
    }
    let shift = term("x_0", value(3082, 3086)) + term("y_0", value(3083, 3087))
    // Units and ellipsoids other than these would be a guess.
    let units: String
    switch numbers[3076] ?? 9001 {
    case 9001: units = " +units=m"
    case 9002: units = " +units=ft"
    case 9003: units = " +units=us-ft"
    default: return nil
    }
    let datum: String
    switch (numbers[2048], numbers[2050]) {
    case (4326, _), (_, 6326): datum = " +datum=WGS84"
    case (4269, _), (_, 6269): datum = " +datum=NAD83"
    case (4258, _), (_, 6258): datum = " +ellps=GRS80"
    default:
      guard let major = value(2057) else { return nil }
      datum =
        value(2059).map { " +a=\(major) +rf=\($0)" } ?? value(2058).map { " +a=\(major) +b=\($0)" }
        ?? " +a=\(major) +b=\(major)"
    }
    return CoordinateSystem(definition: "+proj=\(projection)\(shift)\(datum)\(units) +type=crs")
  }

  /// The tags for a system of the registry, whose pixels are areas.
  static func tags(_ system: CoordinateSystem) -> [GeoTag] {
    guard let code = system.epsg.flatMap(UInt16.init(exactly:)), code < 32_767 else { return [] }
    let isGeographic = system.isGeographic
    return [
      GeoTag(
        number: GeoTag.keys,
        value: .shorts([
          1, 1, 0, 3, 1024, 0, 1, isGeographic ? 2 : 1, 1025, 0, 1, 1,
          isGeographic ? 2048 : 3072, 0, 1, code,
        ]))
    ]
  }
}

extension String {
  /// The text without such characters at its ends.
  fileprivate func trimmingCharacters(_ isLeftOut: (Character) -> Bool) -> String {
    var part = self[...]
    while let last = part.last, isLeftOut(last) { part.removeLast() }
    while let first = part.first, isLeftOut(first) { part.removeFirst() }
    return String(part)
  }
}

extension TIFFFile {
  /// The numbers of a tag of doubles that libtiff does not know itself; nil for another type or none.
  func doubles(_ tag: UInt16) -> [Double]? { values(tag, TIFF_DOUBLE) }

  /// The numbers of a tag of 16 bits that libtiff does not know itself; nil for another type or none.
  func shorts(_ tag: UInt16) -> [UInt16]? { values(tag, TIFF_SHORT) }

  /// A text that libtiff does not know itself; nil for another type or none.
  func text(_ tag: UInt16) -> String? {
    (values(tag, TIFF_ASCII) as [UInt8]?).map {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  private func values<Number>(_ tag: UInt16, _ type: TIFFDataType) -> [Number]? {
    guard let field = TIFFFindField(handle, UInt32(tag), TIFF_NOTYPE),
      TIFFFieldDataType(field) == type, TIFFFieldPassCount(field) != 0,
      TIFFFieldReadCount(field) == -3  // TIFF_VARIABLE2: a count of 32 bits.
    else { return nil }
    var count: UInt32 = 0
    var start: UnsafePointer<Number>?
    let isThere = withUnsafeMutablePointer(to: &count) { count in
      withUnsafeMutablePointer(to: &start) { start in
        withVaList([count, start]) { TIFFVGetField(handle, UInt32(tag), $0) } == 1
      }
    }
    guard isThere, let start else { return nil }
    return Array(UnsafeBufferPointer(start: start, count: Int(count)))
  }
}
