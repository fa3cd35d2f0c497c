/// The pixels whose middles lie within rings, even-odd across all of them: the rule of maps and of GeoJSON.
enum CenterRaster {
  /// Fills rings together; a middle on a side belongs to what lies to the right of it or below.
  static func fill(_ rings: [[Point]], on canvas: inout PixelCanvas, _ value: UInt16) {
    var crossings: [[Double]] = Array(repeating: [], count: canvas.height)
    for ring in rings {
      guard var previous = ring.last else { continue }
      for corner in ring {
        let (upper, lower) = previous.y < corner.y ? (previous, corner) : (corner, previous)
        let first = max((upper.y - 0.5).rounded(.up).truncated, 0)
        let last = min((lower.y - 0.5).rounded(.up).truncated, canvas.height)
        if first < last {
          for row in first..<last {
            let share = (Double(row) + 0.5 - upper.y) / (lower.y - upper.y)
            crossings[row].append(upper.x + (lower.x - upper.x) * share)
          }
        }
        previous = corner
      }
    }
    for (row, unsorted) in crossings.enumerated() where !unsorted.isEmpty {
      let xs = unsorted.sorted()
      for i in stride(from: 1, to: xs.count, by: 2) {
        canvas.fillRow(
          row, (xs[i - 1] - 0.5).rounded(.up).truncated, (xs[i] - 0.5).rounded(.up).truncated - 1,
          value)
      }
    }
  }
}
