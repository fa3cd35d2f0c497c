import Foundation

extension GeoReference {
  /// The area on the ground in square metres of the pixel at a column and a row, on the ellipsoid of WGS 84; nil
  /// where the coordinate system is not known.
  ///
  /// It is the parallelogram of the pixel's sides on the ground, so that also systems that stretch areas, such as
  /// that of web maps, give what lies there.
  /// - Throws: ``GeographicError`` for a system that PROJ does not know, or a place that it does not have.
  package func groundArea(column: Double, row: Double) throws -> Double? {
    guard let system else { return nil }
    let toGround = try GeographicTransform(from: system)
    func place(_ column: Double, _ row: Double) throws -> (longitude: Double, latitude: Double) {
      let (x, y) = coordinates(column: column, row: row)
      return try toGround(x, y)
    }
    let centre = try place(column + 0.5, row + 0.5)
    let (left, right) = (try place(column, row + 0.5), try place(column + 1, row + 0.5))
    let (top, bottom) = (try place(column + 0.5, row), try place(column + 0.5, row + 1))
    // The radii of curvature along the meridian and across it.
    let (a, e2) = (6_378_137.0, 0.006_694_379_990_141_3)
    let sine = sin(centre.latitude * .pi / 180)
    let across = a / (1 - e2 * sine * sine).squareRoot()
    let along = across * (1 - e2) / (1 - e2 * sine * sine)
    func metres(
      _ from: (longitude: Double, latitude: Double), _ to: (longitude: Double, latitude: Double)
    ) -> (east: Double, north: Double) {
      // Over the date line the shorter way.
      let longitude = (to.longitude - from.longitude).remainder(dividingBy: 360)
      return (
        longitude * .pi / 180 * across * cos(centre.latitude * .pi / 180),
        (to.latitude - from.latitude) * .pi / 180 * along
      )
    }
    let (u, v) = (metres(left, right), metres(top, bottom))
    let area = abs(u.east * v.north - u.north * v.east)
    return area.isFinite ? area : nil
  }
}
