import Foundation
import TestSupport
import Testing

@testable import Imaging

/// Images of any bands that GDAL, tifffile, NumPy and libpng wrote, and what GDAL and NumPy read of them;
/// `Fixtures/rasters.py` made both.
@Suite("Images of any bands")
struct RasterTests {
  struct Fixture: Decodable {
    var size: [Int], bands: Int, page: Int
    var samples: [Float?]
    var transform: [Double]?, epsg: Int?, noData: Double?
  }

  static let folder = FixtureTests.folder?.appendingPathComponent("rasters").path ?? ""

  static let all: [String: Fixture] = {
    guard let data = FileManager.default.contents(atPath: "\(folder)/values.json") else {
      return [:]
    }
    // A test counts what was read.
    return (try? JSONDecoder().decode([String: Fixture].self, from: data)) ?? [:]  // may fail: so
  }()

  @Test("there are files of all kinds")
  func complete() {
    #expect(Self.all.count == 31)
    #expect(Set(Self.all.keys.map { ($0 as NSString).pathExtension }) == ["tif", "npy", "png"])
  }

  private func numbers(_ raster: Raster) -> [Float?] {
    switch raster.samples {
    case .uint8(let values): values.map { Float($0) }
    case .uint16(let values): values.map { Float($0) }
    case .float(let values): values.map { $0.isNaN ? nil : $0 }
    }
  }

  @Test("every sample is that of the other reader", arguments: all.keys.sorted())
  func whole(name: String) throws {
    let fixture = try #require(Self.all[name])
    let file = try RasterFile("\(Self.folder)/\(name)", page: fixture.page)
    #expect(file.size == Size(width: fixture.size[0], height: fixture.size[1]))
    #expect(file.bands == fixture.bands)
    #expect(numbers(try file.read(PixelWindow(file.size))) == fixture.samples)
    #expect(file.noData == fixture.noData)
  }

  @Test(
    "a window is that part of the whole, whatever is kept decoded", arguments: all.keys.sorted())
  func windows(name: String) throws {
    let fixture = try #require(Self.all[name])
    var random = Noise(5)
    // Room for no more than one tile, and for all.
    for cache in [1, 1 << 20] {
      let file = try RasterFile("\(Self.folder)/\(name)", page: fixture.page, cacheBytes: cache)
      for _ in 0..<12 {
        let x = random.integer(below: file.size.width), y = random.integer(below: file.size.height)
        let size = Size(
          width: 1 + random.integer(below: file.size.width - x),
          height: 1 + random.integer(below: file.size.height - y))
        let bands = (0..<3).map { _ in random.integer(below: file.bands) }
        let found = numbers(try file.read(PixelWindow(x: x, y: y, size: size), bands: bands))
        var expected: [Float?] = []
        for row in y..<y + size.height {
          for column in x..<x + size.width {
            for band in bands {
              expected.append(
                fixture.samples[(row * file.size.width + column) * file.bands + band])
            }
          }
        }
        #expect(found == expected)
      }
    }
  }

  @Test("a place on earth is GDAL's", arguments: all.keys.sorted())
  func place(name: String) throws {
    let fixture = try #require(Self.all[name])
    let path = "\(Self.folder)/\(name)"
    let place = try RasterFile(path, page: fixture.page).place
    #expect(try GeoReference.of(path, page: fixture.page) == place)
    guard let transform = fixture.transform else { return #expect(place == nil) }
    let found = try #require(place)
    for (a, b) in zip(found.transform, transform) { #expect(abs(a - b) <= 1e-9 * max(1, abs(b))) }
    #expect(found.system?.epsg == fixture.epsg)
  }

  @Test("what is not there is refused with what was expected")
  func refused() throws {
    let file = try RasterFile("\(Self.folder)/u1-tiles.tif")
    let band = #expect(throws: ImageError.self) {
      try file.read(PixelWindow(x: 0, y: 0, size: Size(width: 1, height: 1)), bands: [4])
    }
    #expect("\(try #require(band))".contains("of 4 bands, expected a band 5"))
    for window in [
      PixelWindow(x: 20, y: 0, size: Size(width: 4, height: 1)),
      PixelWindow(x: -1, y: 0, size: Size(width: 1, height: 1)),
      PixelWindow(x: .max, y: .max, size: Size(width: .max, height: .max)),
    ] {
      #expect(throws: ImageError.self) { try file.read(window) }
    }
    let page = #expect(throws: ImageError.self) {
      try RasterFile("\(Self.folder)/pages.tif", page: 4)
    }
    #expect("\(try #require(page))".contains("a TIFF of 3 pages, expected a page 4"))
    #expect(throws: ImageError.self) { try RasterFile("\(Self.folder)/pages-u1.npy", page: 3) }
    #expect(throws: ImageError.self) { try RasterFile("\(Self.folder)/rgb.png", page: 2) }
  }

  @Test("labels are read by windows of TIFFs of one band alone")
  func labels() throws {
    let sparse = try RasterFile("\(Self.folder)/sparse.tif")
    let labels = try #require(
      try sparse.labels(PixelWindow(x: 14, y: 14, size: Size(width: 4, height: 3))))
    #expect(labels.values == [5, 5, 0, 0, 5, 5, 0, 0, 0, 0, 0, 0])
    for name in ["u2-strips.tif", "i2.tif", "u4.tif", "hw-u1.npy"] {
      let file = try RasterFile("\(Self.folder)/\(name)")
      #expect(try file.labels(PixelWindow(file.size)) == nil)
    }
  }
}

/// Files that nobody should have to cope with: they are refused or read, and nothing crashes.
@Suite("Damaged images of any bands")
struct DamagedRasterTests {
  @Test("mutations are read or refused by name", arguments: RasterTests.all.keys.sorted())
  func mutated(name: String) throws {
    let fixture = try #require(RasterTests.all[name])
    let bytes = try #require(FileManager.default.contents(atPath: "\(RasterTests.folder)/\(name)"))
    let folder = try TemporaryFolder()
    var random = Noise(17)
    let path = "\(folder.path)/changed.bin"
    for round in 0..<mutationCount(120) {
      var changed = [UInt8](bytes)
      for _ in 0..<(1 + random.integer(below: 4)) {
        // Headers and directories more often than pixels.
        let span = round % 2 == 0 ? min(changed.count, 400) : changed.count
        let at =
          round % 4 == 1
          ? changed.count - 1 - random.integer(below: span) : random.integer(below: span)
        changed[at] = round % 3 == 0 ? 0xFF : UInt8(random.integer(below: 256))
      }
      if round % 10 == 0 { changed.removeLast(random.integer(below: changed.count)) }
      try Data(changed).write(to: URL(fileURLWithPath: path))
      do {
        let file = try RasterFile(path, page: fixture.page, budget: 1 << 22)
        guard file.size.width < 4096, file.size.height < 4096 else { continue }
        let part = Size(width: min(40, file.size.width), height: min(40, file.size.height))
        _ = try file.read(PixelWindow(x: 0, y: 0, size: part), bands: [file.bands - 1])
        _ = file.place?.system?.isGeographic
        if let place = file.place { _ = place.geoTags }
      } catch let error as ImageError {
        #expect(error.description.hasPrefix(path))
      }
    }
  }

  @Test("a system described by a file opens no other file")
  func systems() {
    for text in [
      "+proj=utm +zone=33 +nadgrids=@/etc/passwd", "+init=/tmp/x:1",
      "+proj=pipeline +step +proj=utm",
      "PROJCS[\"x\",EXTENSION[\"PROJ4\",\"+proj=merc +nadgrids=x\"]]", "EPSG:4326", "", "nonsense",
    ] { #expect(CoordinateSystem(definition: text) == nil, "\(text)") }
    #expect(CoordinateSystem(definition: "+proj=utm +zone=33 +datum=WGS84 +type=crs") != nil)
  }
}
