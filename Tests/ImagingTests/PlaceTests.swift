import Foundation
import TestSupport
import Testing

@testable import Imaging

/// Coordinates as pyproj 3.7 (PROJ 9) gives them.
@Suite("Places on earth")
struct PlaceTests {
  @Test(
    "longitude and latitude are PROJ's",
    arguments: [
      (32_633, 500_000.0, 5_000_000.0, 14.999999999999982, 45.153477183356024),
      (32_633, 500_230, 4_999_810, 15.002925949894518, 45.15176682562754),
      (3857, 1000, 2000, 0.008983152841195215, 0.017966305387961942),
      (4326, 13.3, 52.5, 13.3, 52.5),
    ])
  func geographic(
    epsg: Int, x: Double, y: Double, longitude: Double, latitude: Double
  ) throws {
    let found = try GeographicTransform(from: CoordinateSystem(epsg: epsg))(x, y)
    #expect(abs(found.longitude - longitude) < 1e-9)
    #expect(abs(found.latitude - latitude) < 1e-9)
  }

  @Test("a system of the file's own parameters is understood")
  func custom() throws {
    let path = "\(RasterTests.folder)/custom.tif"
    let place = try #require(try GeoReference.of(path))
    let system = try #require(place.system)
    #expect(system.epsg == nil)
    let found = try GeographicTransform(from: system)(500_000, 5_000_000)
    #expect(abs(found.longitude - 27.401212437931868) < 1e-7)
    #expect(abs(found.latitude - 56.195944616754524) < 1e-7)
  }

  @Test("a place in the image has longitude and latitude")
  func image() throws {
    let place = try #require(try GeoReference.of("\(RasterTests.folder)/u4.tif"))
    let found = try place.geographic()(23, 19)
    #expect(abs(found.longitude - 15.002925949894518) < 1e-9)
    #expect(abs(found.latitude - 45.15176682562754) < 1e-9)
  }

  @Test("what has no place is refused")
  func refused() throws {
    #expect(throws: GeographicError.self) {
      try GeographicTransform(from: CoordinateSystem(epsg: 999_999))
    }
    let transform = try GeographicTransform(from: CoordinateSystem(epsg: 32_633))
    #expect(throws: GeographicError.noPlace(x: 1e9, y: 1e9)) { try transform(1e9, 1e9) }
    let nowhere = GeoReference(transform: [0, 1, 0, 0, 0, -1])
    #expect(throws: GeographicError.self) { _ = try nowhere.geographic() }
  }

  @Test("world files speak of the first pixel's centre", arguments: ["pgw", "pngw", "wld", "PGW"])
  func worldFile(suffix: String) throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/map.png"
    try Image(width: 4, height: 3, pixels: [UInt8](repeating: 9, count: 36)).write(to: file)
    try "2.0\n0.25\n0.5\n-3.0\n100.0\n200.0\n".write(
      toFile: "\(folder.path)/map.\(suffix)", atomically: true, encoding: .utf8)
    let place = try #require(try GeoReference.of(file))
    // GDAL: x = 98.75 + 2 column + 0.5 row, y = 201.375 + 0.25 column - 3 row.
    #expect(place.transform == [98.75, 2, 0.5, 201.375, 0.25, -3])
    #expect(place.system == nil)
    try
      "GEOGCS[\"WGS 84\",DATUM[\"WGS_1984\",SPHEROID[\"WGS 84\",6378137,298.257223563]],PRIMEM[\"Greenwich\",0],UNIT[\"degree\",0.0174532925199433]]"
      .write(toFile: "\(folder.path)/map.prj", atomically: true, encoding: .utf8)
    #expect(try #require(try GeoReference.of(file)).system?.isGeographic == true)
    try "2.0\nfive\n".write(
      toFile: "\(folder.path)/map.\(suffix)", atomically: true, encoding: .utf8)
    #expect(try GeoReference.of(file) == nil)
  }
}

@Suite("Results in tiles")
struct TiledResultTests {
  private let size = Size(width: 700, height: 530)

  private func labels(_ size: Size) -> [UInt8] {
    (0..<size.width * size.height).map { UInt8(($0 % size.width / 50 + $0 / size.width / 70) % 5) }
  }

  private func result(_ path: String, resumes: Bool = false, subject: String = "a") throws
    -> TiledResult
  {
    try TiledResult(
      path, size: size,
      content: .labels(palette: [Color(1, 2, 3), Color(200, 100, 50)], missing: 255),
      place: GeoReference(
        transform: [500_000, 10, 0, 5_000_000, 0, -10], system: CoordinateSystem(epsg: 32_633)),
      subject: subject, isResumed: resumes)
  }

  private func append(_ result: TiledResult, _ rows: Range<Int>) throws {
    let all = labels(size)
    for row in rows {
      let from = row * 256 * size.width
      try result.append(Array(all[from..<min(from + 256 * size.width, all.count)]))
    }
  }

  @Test("what was written is read, with its place, and reduced copies inside")
  func written() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.tif"
    let result = try result(path)
    try append(result, 0..<3)
    try result.finish()
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["a.tif"])
    let read = try LabelImage(contentsOf: path)
    #expect(read.size == size)
    #expect(read.values == labels(size).map(UInt16.init))
    let file = try RasterFile(path)
    #expect(file.noData == 255)
    #expect(file.place?.transform == [500_000, 10, 0, 5_000_000, 0, -10])
    #expect(file.place?.system?.epsg == 32_633)
    // A copy of half the size, and one of a quarter.
    for (page, size) in [(2, Size(width: 350, height: 265)), (3, Size(width: 175, height: 133))] {
      let copy = try RasterFile(path, page: page)
      #expect(copy.size == size)
    }
    #expect(throws: ImageError.self) { try RasterFile(path, page: 4) }
    // Blocks of 50 columns and 70 rows are even, so that every copied pixel is one of a whole block.
    let half = try RasterFile(path, page: 2)
    let copied = try #require(try half.labels(PixelWindow(half.size)))
    for y in 0..<265 {
      for x in 0..<350 {
        #expect(copied.values[y * 350 + x] == UInt16((x / 25 + y / 35) % 5))
      }
    }
  }

  @Test("shares of 16 bits are read, and copies of them are means")
  func wide() throws {
    let folder = try TemporaryFolder()
    let (path, size) = ("\(folder.path)/a.tif", Size(width: 301, height: 270))
    func value(_ x: Int, _ y: Int, _ band: Int) -> UInt16 {
      UInt16(truncatingIfNeeded: 20_000 * band + 97 * x + 31 * y)
    }
    let result = try TiledResult(
      path, size: size, content: .shares(bands: 2, bits: 16), place: nil, subject: "",
      isResumed: false)
    for rows in [0..<256, 256..<270] {
      try result.append(
        rows.flatMap { y in (0..<301).flatMap { x in [value(x, y, 0), value(x, y, 1)] } })
    }
    try result.finish()
    let file = try RasterFile(path)
    #expect(file.kind == .uint16 && file.bands == 2 && file.size == size)
    guard
      case .uint16(let samples) = try file.read(PixelWindow(size)).samples,
      case .uint16(let copy) = try RasterFile(path, page: 2).read(
        PixelWindow(Size(width: 151, height: 135))
      ).samples
    else {
      Issue.record("no samples of 16 bits")
      return
    }
    for y in 0..<270 {
      for x in 0..<301 where samples[2 * (y * 301 + x) + 1] != value(x, y, 1) {
        Issue.record("\(x), \(y)")
        return
      }
    }
    // Of the last column there is no right one.
    for (x, y) in [(0, 0), (3, 7), (150, 134)] {
      let columns = [2 * x, min(2 * x + 1, 300)]
      let sum = columns.reduce(0) {
        $0 + Int(value($1, 2 * y, 0)) + Int(value($1, 2 * y + 1, 0))
      }
      #expect(Int(copy[2 * (y * 151 + x)]) == (sum + 2) / 4)
    }
  }

  @Test("reduced copies of labels hold no class that the result has not")
  func reducedClasses() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.tif"
    let result = try result(path)
    // Three classes side by side without order; GDAL 3.10.3 would make others of them, as findings/ shows.
    let all = (0..<size.width * size.height).map { [0, 3, 9][$0 * 7919 % 1009 % 3] as UInt8 }
    for top in stride(from: 0, to: size.height, by: 256) {
      try result.append(
        Array(all[top * size.width..<min(top + 256, size.height) * size.width]))
    }
    try result.finish()
    for page in [2, 3] {
      let copy = try RasterFile(path, page: page)
      let values = try #require(try copy.labels(PixelWindow(copy.size))).values
      #expect(Set(values) == [0, 3, 9])
    }
  }

  @Test("a result that was stopped anywhere ends with the same bytes")
  func resumed() throws {
    let folder = try TemporaryFolder()
    let whole = try result("\(folder.path)/whole.tif")
    try append(whole, 0..<3)
    try whole.finish()
    let expected = try #require(FileManager.default.contents(atPath: "\(folder.path)/whole.tif"))
    let path = "\(folder.path)/b.tif"
    do { try append(try result(path), 0..<2) }
    let part = try #require(FileManager.default.contents(atPath: "\(path).part"))
    var seen: Set<Int> = []
    for cut in stride(from: part.count, through: 0, by: -max(1, part.count / 40)) {
      try part.prefix(cut).write(to: URL(fileURLWithPath: "\(path).part"))
      let result = try result(path, resumes: true)
      seen.insert(result.finishedRows)
      try append(result, result.finishedRows..<3)
      try result.finish()
      #expect(FileManager.default.contents(atPath: path) == expected)
    }
    #expect(seen == [0, 1, 2])
    // A damaged block is written again.
    var damaged = part
    damaged[part.count - 20] ^= 1
    try damaged.write(to: URL(fileURLWithPath: "\(path).part"))
    #expect(try result(path, resumes: true).finishedRows == 1)
    // What is of something else is not gone on with.
    try part.write(to: URL(fileURLWithPath: "\(path).part"))
    #expect(try result(path, resumes: true, subject: "b").finishedRows == 0)
  }
}
