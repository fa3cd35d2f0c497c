import Imaging

extension AnnotationWriter {
  /// GeoJSON for each image: x and y in pixels, y down.
  mutating func writeGeoJSON() throws {
    for index in set.images.indices {
      let (_, outlines) = try outlines(index)
      let part = set.images[index].part
      try write(geoJSON(outlines), to: "\(part.isEmpty ? "" : "\(part)/")\(names[index]).geojson")
      progress(index)
    }
  }

  /// Objects as features: polygons with holes, or several of them.
  ///
  /// - Parameter map: Where the image lies on earth; nil for pixels.
  func geoJSON(_ outlines: [Outline], on map: OutlineMap? = nil) throws -> String {
    func text(_ ring: [Point], isHole: Bool) throws -> String {
      guard let map else { return JSONText.pairs(ring + [ring[0]]) }
      var places = try ring.map { try map.place($0.x, $0.y) }
      // Outlines run against the clock, and holes with it (RFC 7946, 3.1.6).
      let area = zip(places, places.dropFirst() + places.prefix(1)).reduce(0) {
        $0 + ($1.0.x * $1.1.y - $1.1.x * $1.0.y)
      }
      if (area < 0) != isHole { places.reverse() }
      return "["
        + (places + [places[0]]).map { "[\(map.text($0.x)), \(map.text($0.y))]" }
        .joined(separator: ", ") + "]"
    }
    let features = try outlines.map { outline -> String in
      let polygons = try outline.regions.map { region -> String in
        let (outer, holes) = simplified(region)
        let rings = try [text(outer, isHole: false)] + holes.map { try text($0, isHole: true) }
        return "[" + rings.joined(separator: ", ") + "]"
      }
      let geometry =
        polygons.count == 1
        ? "{\"type\": \"Polygon\", \"coordinates\": \(polygons[0])}"
        : "{\"type\": \"MultiPolygon\", \"coordinates\": [\(polygons.joined(separator: ", "))]}"
      let score = outline.score.map { ", \"score\": \($0.rounded(digits: 4))" } ?? ""
      return
        "{\"type\": \"Feature\", \"properties\": {\"class\": \(JSONText.quoted(set.classes[outline.label].name)), \"index\": \(outline.label), \"area\": \(outline.area)\(score)}, \"geometry\": \(geometry)}"
    }
    let system =
      map?.system.map {
        "\"crs\": {\"type\": \"name\", \"properties\": {\"name\": \(JSONText.quoted($0))}}, "
      } ?? ""
    return
      "{\"type\": \"FeatureCollection\", \(system)\"features\": [\n\(features.joined(separator: ",\n"))\n]}\n"
  }
}

/// Where outlines of an image lie on a map.
public struct OutlineMap: Sendable {
  /// The place of a point, in pixels from the image's upper left corner.
  let place: @Sendable (_ column: Double, _ row: Double) throws -> (x: Double, y: Double)
  /// The system that the coordinates are of, as GeoJSON's first version named it; nil for longitude and latitude
  /// on WGS 84, which is RFC 7946's only one.
  let system: String?
  /// The digits after a coordinate's point: a millimetre, or what comes to a tenth of that in degrees.
  private let digits: Int

  /// The map of an image: in longitude and latitude, or in the image's own system.
  ///
  /// - Throws: `GeographicError` for longitude and latitude of an unknown system.
  public init(_ reference: GeoReference, isProjected: Bool) throws {
    guard !isProjected else {
      place = { (column, row) in reference.coordinates(column: column, row: row) }
      system = reference.system.map { system in
        system.epsg.map { "urn:ogc:def:crs:EPSG::\($0)" } ?? system.description
      }
      digits = reference.system?.isGeographic == true ? 9 : 3
      return
    }
    let transform = try reference.geographic()
    place = { (column, row) in
      let found = try transform(column, row)
      return (found.longitude, found.latitude)
    }
    (system, digits) = (nil, 9)
  }

  func text(_ coordinate: Double) -> String { JSONText.number(coordinate.rounded(digits: digits)) }
}
