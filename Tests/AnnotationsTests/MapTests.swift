import Foundation
import Imaging
import TestSupport
import Testing

@testable import Annotations

@Suite("Outlines on a map")
struct MapTests {
  private struct Collection: Decodable {
    struct Feature: Decodable {
      struct Geometry: Decodable { let coordinates: [[[Double]]] }
      let geometry: Geometry
    }
    struct System: Decodable {
      struct Properties: Decodable { let name: String }
      let properties: Properties
    }
    let features: [Feature]
    let crs: System?
  }

  /// What is written of a square of 10 pixels with a hole of 2, pixels of 20 metres, in UTM's zone 33 north.
  private func written(_ form: OutlineForm, placed: Bool = true) throws -> Collection {
    let folder = try TemporaryFolder()
    var values = [UInt16](repeating: AnnotationSet.ignoredValue, count: 20 * 20)
    for y in 0..<10 { for x in 0..<10 where !(4..<6 ~= x && 4..<6 ~= y) { values[y * 20 + x] = 0 } }
    var writer = OutlineWriter(
      form, in: folder.path, classes: [(name: "field", color: Color(255, 0, 0))])
    let place = GeoReference(
      transform: [500_000, 20, 0, 5_000_000, 0, -20], system: CoordinateSystem(epsg: 32633))
    let path = try writer.add(
      LabelImage(width: 20, height: 20, values: values), of: "a.tif", place: placed ? place : nil)
    return try JSONDecoder().decode(
      Collection.self, from: Data(contentsOf: URL(fileURLWithPath: path ?? "")))
  }

  private func area(_ ring: [[Double]]) -> Double {
    zip(ring, ring.dropFirst()).reduce(0) { $0 + $1.0[0] * $1.1[1] - $1.1[0] * $1.0[1] } / 2
  }

  @Test("lie in the image's own system, outlines against the clock and holes with it")
  func projected() throws {
    let found = try written(.projected)
    #expect(found.crs?.properties.name == "urn:ogc:def:crs:EPSG::32633")
    let rings = found.features[0].geometry.coordinates
    #expect(found.features.count == 1 && rings.count == 2)
    #expect(area(rings[0]) == 200 * 200 && area(rings[1]) == -40 * 40)
    let corners = Set(rings[0])
    #expect(corners.contains([500_000, 5_000_000]) && corners.contains([500_200, 4_999_800]))
  }

  @Test("or in longitude and latitude")
  func geographic() throws {
    let found = try written(.geojson)
    #expect(found.crs == nil)
    let rings = found.features[0].geometry.coordinates
    // The zone's middle is at 15 degrees; a degree of longitude is 78.9 km there, one of latitude 111.1 km.
    let longitudes = rings[0].map { $0[0] }, latitudes = rings[0].map { $0[1] }
    let (west, east) = (longitudes.min() ?? 0, longitudes.max() ?? 0)
    #expect(abs(west - 15) < 1e-8 && abs((east - west) * 78_850 - 200) < 1)
    let (south, north) = (latitudes.min() ?? 0, latitudes.max() ?? 0)
    #expect(abs(north - 45.153) < 0.001 && abs((north - south) * 111_140 - 200) < 1)
    #expect(area(rings[0]) > 0 && area(rings[1]) < 0)
  }

  @Test("and in pixels without a place")
  func pixels() throws {
    let rings = try written(.geojson, placed: false).features[0].geometry.coordinates
    #expect(Set(rings[0]) == [[0, 0], [10, 0], [10, 10], [0, 10]])
  }
}
