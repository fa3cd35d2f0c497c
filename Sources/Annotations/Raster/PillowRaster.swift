import Foundation

/// The pixels of shapes by the rule of Pillow's `ImageDraw`, which labelme draws with.
///
/// Fractions of corners are dropped, and the outline belongs to a shape: the square from 0 to 10 has 121
/// pixels. Where lines meet a row is computed in single precision, as Pillow does.
enum PillowRaster {
  /// A side of a polygon between whole pixels.
  private struct Edge {
    var startX: Int, startY: Int
    var minX: Int, maxX: Int, minY: Int, maxY: Int
    var slope: Float

    init(_ x0: Int, _ y0: Int, _ x1: Int, _ y1: Int) {
      (startX, startY) = (x0, y0)
      (minX, maxX, minY, maxY) = (min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1))
      slope = y0 == y1 ? 0 : Float(x1 - x0) / Float(y1 - y0)
    }

    /// Where the side is in a row.
    func x(in row: Int) -> Float { Float(row - startY) * slope + Float(startX) }
  }

  /// Fills a polygon.
  static func polygon(_ corners: [Point], on canvas: inout PixelCanvas, _ value: UInt16) {
    let points = corners.map { (x: $0.x.truncated, y: $0.y.truncated) }
    guard let first = points.first, let last = points.last else { return }
    var edges: [Edge] = []
    edges.reserveCapacity(points.count)
    for i in 0..<points.count - 1 {
      let (from, to) = (points[i], points[i + 1])
      if from.y == to.y, i > 0, from.y == points[i - 1].y, !edges.isEmpty {
        // A level side that goes on in the direction of the one before is a part of it.
        let before = points[i - 1].x
        if to.x > from.x, from.x > before {
          edges[edges.count - 1].maxX = to.x
          continue
        }
        if to.x < from.x, from.x < before {
          edges[edges.count - 1].minX = to.x
          continue
        }
      }
      edges.append(Edge(from.x, from.y, to.x, to.y))
    }
    if last != first { edges.append(Edge(last.x, last.y, first.x, first.y)) }
    fill(edges, on: &canvas, value)
  }

  /// Fills a rectangle, whose corners belong to it.
  static func rectangle(_ a: Point, _ b: Point, on canvas: inout PixelCanvas, _ value: UInt16) {
    let (left, right) = (min(a.x, b.x).truncated, max(a.x, b.x).truncated)
    let (top, bottom) = (min(a.y, b.y).truncated, max(a.y, b.y).truncated)
    guard bottom >= 0, top < canvas.height else { return }
    for y in max(top, 0)...min(bottom, canvas.height - 1) { canvas.fillRow(y, left, right, value) }
  }

  /// Fills an ellipse within a rectangle.
  static func ellipse(
    _ corner: Point, _ other: Point, on canvas: inout PixelCanvas, _ value: UInt16
  ) {
    let (left, top) = (corner.x.truncated, corner.y.truncated)
    let (a, b) = (other.x.truncated - left, other.y.truncated - top)
    guard a >= 0, b >= 0, a + b > 0 else { return }
    for (y, reach) in rows(a, b) {
      let (first, last) = (left + (a - reach) / 2, left + (a + reach) / 2)
      canvas.fillRow(top + (b - y) / 2, first, last, value)
      canvas.fillRow(top + (b + y) / 2, first, last, value)
    }
  }

  /// The rows of a quarter of an ellipse, whose diameters are `a` and `b`, from the middle, with how far
  /// each reaches: all in half pixels.
  ///
  /// A quarter is walked from the right to the top, by the point nearest to the curve.
  static func rows(_ a: Int, _ b: Int) -> [(y: Int, reach: Int)] {
    // Greater ones would pass what integers hold.
    guard a <= 40_000, b <= 40_000 else { return [] }
    func distance(_ x: Int, _ y: Int) -> Int { abs(a * a * y * y + b * b * x * x - a * a * b * b) }
    var (x, y) = (a, b % 2)
    var rows: [(y: Int, reach: Int)] = []
    for _ in 0...a + b + 2 {
      if y > rows.last?.y ?? -1 { rows.append((y, x)) }
      if x == a % 2, y == b { break }
      var next = (x: x, y: y + 2)
      if x > 1 {
        if distance(x - 2, y + 2) < distance(next.x, next.y) { next = (x - 2, y + 2) }
        if distance(x - 2, y) < distance(next.x, next.y) { next = (x - 2, y) }
      }
      (x, y) = next
    }
    return rows
  }

  /// Draws a line of a width of more than one pixel; its ends are square.
  static func line(
    _ a: Point, _ b: Point, width: Int, on canvas: inout PixelCanvas, _ value: UInt16
  ) {
    let (x0, y0, x1, y1) = (a.x.truncated, a.y.truncated, b.x.truncated, b.y.truncated)
    let (dx, dy) = (x1 - x0, y1 - y0)
    guard dx != 0 || dy != 0 else { return canvas.fill(x0, y0, value) }
    let (length, half) = (hypot(Double(dx), Double(dy)), Double(width - 1) / 2)
    let (most, least) = (Double(roundedUp(half)) / length, Double(roundedDown(half)) / length)
    let (right, left) = (roundedDown(most * Double(dy)), roundedDown(least * Double(dy)))
    let (down, up) = (roundedDown(most * Double(dx)), roundedDown(least * Double(dx)))
    let corners = [
      (x0 - left, y0 + down), (x1 - left, y1 + down), (x1 + right, y1 - up), (x0 + right, y0 - up),
    ]
    let edges = (0..<4).map { i in
      let (from, to) = (corners[i], corners[(i + 1) % 4])
      return Edge(from.0, from.1, to.0, to.1)
    }
    fill(edges, on: &canvas, value)
  }

  // MARK: Rows

  private static func fill(_ edges: [Edge], on canvas: inout PixelCanvas, _ value: UInt16) {
    var (top, bottom) = (canvas.height - 1, 0)
    var slanted: [Edge] = []
    for edge in edges {
      (top, bottom) = (min(top, edge.minY), max(bottom, edge.maxY))
      if edge.minY == edge.maxY {
        canvas.fillRow(edge.minY, edge.minX, edge.maxX, value)
      } else {
        slanted.append(edge)
      }
    }
    (top, bottom) = (max(top, 0), min(bottom, canvas.height))
    guard top <= bottom else { return }
    // The sides that begin in each row, so that a row looks at no others; their order is that of the shape.
    var beginning: [[Int]] = Array(repeating: [], count: bottom - top + 1)
    for (i, edge) in slanted.enumerated() where edge.maxY >= top && edge.minY <= bottom {
      beginning[max(edge.minY, top) - top].append(i)
    }
    var active: [Int] = []
    var crossings: [Float] = []
    for row in top...bottom {
      active.removeAll { slanted[$0].maxY < row }
      if !beginning[row - top].isEmpty {
        active += beginning[row - top]
        active.sort()
      }
      crossings.removeAll(keepingCapacity: true)
      for (place, i) in active.enumerated() {
        let edge = slanted[i]
        crossings.append(edge.x(in: row))
        if row == edge.maxY, row < bottom {
          crossings.append(crossings[crossings.count - 1])
        } else if row == edge.minY || row == edge.maxY, edge.slope != 0 {
          joined(edge, slanted, active[..<place], row, &crossings[crossings.count - 1])
        }
      }
      crossings.sort()
      var i = 1
      while i < crossings.count {
        canvas.fillRow(row, roundedUp(crossings[i - 1]), roundedDown(crossings[i]), value)
        i += 2
      }
    }
  }

  /// Moves the end of a side where it makes a sharp corner with another, so that the row shows no gap.
  private static func joined(
    _ edge: Edge, _ edges: [Edge], _ earlier: ArraySlice<Int>, _ row: Int, _ x: inout Float
  ) {
    for k in earlier {
      let other = edges[k]
      guard row == other.minY || row == other.maxY, other.slope != 0,
        x.rounded(.toNearestOrAwayFromZero)
          == other.x(in: row).rounded(.toNearestOrAwayFromZero)
      else { continue }
      let neighbour = row + (row == edge.maxY ? -1 : 1)
      guard neighbour >= other.minY, neighbour <= other.maxY else { continue }
      let (here, there) = (edge.x(in: neighbour), other.x(in: neighbour))
      if x > here + 1, x > there + 1 {
        x = max(here, there).rounded(.toNearestOrAwayFromZero) + 1
      } else if x < here - 1, x < there - 1 {
        x = min(here, there).rounded(.toNearestOrAwayFromZero) - 1
      }
      return
    }
  }

  /// Rounds half away from zero.
  private static func roundedUp(_ value: Float) -> Int {
    (value >= 0
      ? Double((value + 0.5).rounded(.down)) : -(abs(Double(value)) + 0.5).rounded(.down)).truncated
  }
  /// Rounds half towards zero.
  private static func roundedDown(_ value: Float) -> Int {
    (value >= 0
      ? Double((value - 0.5).rounded(.up)) : -(abs(Double(value)) - 0.5).rounded(.up)).truncated
  }
  private static func roundedUp(_ value: Double) -> Int {
    (value >= 0 ? (value + 0.5).rounded(.down) : -(-value + 0.5).rounded(.down)).truncated
  }
  private static func roundedDown(_ value: Double) -> Int {
    (value >= 0 ? (value - 0.5).rounded(.up) : -(-value - 0.5).rounded(.up)).truncated
  }
}

extension PillowRaster {
  /// Draws a line through places, of a width of more than one pixel.
  ///
  /// - Parameter isRounded: Whether its corners are, as Pillow's `joint="curve"`.
  static func line(
    _ points: [Point], width: Int, isRounded: Bool, on canvas: inout PixelCanvas, _ value: UInt16
  ) {
    for (from, to) in zip(points, points.dropFirst()) {
      line(from, to, width: width, on: &canvas, value)
    }
    guard isRounded, points.count > 2 else { return }
    for i in 1..<points.count - 1 {
      joint(points[i - 1], points[i], points[i + 1], width, on: &canvas, value)
    }
  }
}
