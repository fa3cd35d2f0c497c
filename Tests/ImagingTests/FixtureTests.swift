import Foundation
import Testing

@testable import Imaging

/// Files of other encoders, and what other readers find in them; `Fixtures/make.py` made both.
@Suite("Files of other encoders")
struct FixtureTests {
  struct Fixture: Decodable {
    var size: [Int]
    var labels: [UInt16]?
    var picture: [UInt8]?
  }

  static let folder = Bundle.module.resourceURL?.appendingPathComponent("Fixtures")

  static let all: [String: Fixture] = {
    guard let file = folder?.appendingPathComponent("values.json"),
      let data = try? Data(contentsOf: file)  // may fail: a test counts what was read
    else { return [:] }
    // A test counts what was read.
    return (try? JSONDecoder().decode([String: Fixture].self, from: data)) ?? [:]  // may fail: so
  }()

  static func bytes(_ name: String) throws -> [UInt8] {
    Array(try Data(contentsOf: #require(folder).appendingPathComponent(name)))
  }

  @Test("there are files of every format and kind")
  func complete() {
    #expect(Self.all.count > 80)
    let kinds = Set(Self.all.keys.map { ($0 as NSString).pathExtension })
    #expect(kinds == ["png", "tif", "bmp", "gif", "webp", "pbm", "pgm", "ppm", "jpg"])
  }

  /// What the memory held before must not matter: libspng adds to it for some kinds of PNG.
  @Test(
    "every value is that of the other reader, whatever the memory held before",
    arguments: all.keys.sorted())
  func values(name: String) throws {
    let fixture = try #require(Self.all[name])
    let bytes = try Self.bytes(name)
    for leftover in [nil, 0, 0xAA] as [UInt8?] {
      try Destination.$leftover.withValue(leftover) {
        let image = try? Image(decoding: bytes, named: name)  // may fail: labels alone
        if let picture = fixture.picture {
          #expect(try #require(image).pixels == picture)
        }
        if let labels = fixture.labels {
          let found = try LabelImage(decoding: bytes, named: name)
          #expect(found.size == Size(width: fixture.size[0], height: fixture.size[1]))
          #expect(found.values == labels)
          if let narrow = PNG.byteLabels(bytes), name.hasSuffix("png") {
            #expect(narrow.values.map(UInt16.init) == labels)
          }
        }
      }
    }
  }

  @Test("what has no values is refused as labels, and nothing calls it damaged")
  func refusals() throws {
    for (name, fixture) in Self.all where fixture.labels == nil {
      let error = #expect(throws: ImageError.self) {
        try LabelImage(decoding: Self.bytes(name), named: name)
      }
      #expect(error.map { !"\($0)".contains("damaged") } == true, "\(name)")
    }
  }
}
