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
  func geoJSON(_ outlines: [Outline]) -> String {
    let features = outlines.map { outline -> String in
      let polygons = outline.regions.map { region -> String in
        let (outer, holes) = simplified(region)
        return "["
          + ([outer] + holes).map { JSONText.pairs($0 + [$0[0]]) }.joined(separator: ", ") + "]"
      }
      let geometry =
        polygons.count == 1
        ? "{\"type\": \"Polygon\", \"coordinates\": \(polygons[0])}"
        : "{\"type\": \"MultiPolygon\", \"coordinates\": [\(polygons.joined(separator: ", "))]}"
      let score = outline.score.map { ", \"score\": \($0.rounded(digits: 4))" } ?? ""
      return
        "{\"type\": \"Feature\", \"properties\": {\"class\": \(JSONText.quoted(set.classes[outline.label].name)), \"index\": \(outline.label), \"area\": \(outline.area)\(score)}, \"geometry\": \(geometry)}"
    }
    return
      "{\"type\": \"FeatureCollection\", \"features\": [\n\(features.joined(separator: ",\n"))\n]}\n"
  }
}
