import Foundation

/// The pixels of shapes by the rule of OpenCV 4.12 and later, which YOLO's and CVAT's masks follow.
///
/// `fillPoly` between whole pixels; the outline belongs to the shape, so that the square from 0 to 10 has
/// 121 pixels, and rings that are given together are even-odd.
enum OpenCVRaster {
  private typealias Place = OpenCVLines.Place

  /// A side of a polygon: its rows, where it is in the present one, and what it moves by, in 1/65536.
  private struct Edge {
    var top: Int, bottom: Int
    var x: Int, step: Int
    var next = -1
  }

  /// Fills rings of whole corners together, as `cv2.fillPoly`.
  static func fill(_ rings: [[(x: Int, y: Int)]], on canvas: inout PixelCanvas, _ value: UInt16) {
    var edges: [Edge] = []
    for ring in rings where !ring.isEmpty {
      var previous = ring[ring.count - 1]
      for corner in ring {
        add(previous, corner, &edges, on: &canvas, value)
        previous = corner
      }
    }
    scan(&edges, on: &canvas, value)
  }

  private static func add(
    _ from: Place, _ to: Place, _ edges: inout [Edge], on canvas: inout PixelCanvas, _ value: UInt16
  ) {
    OpenCVLines.draw(from, to, on: &canvas, value)
    guard from.y != to.y else { return }
    var (a, b) = (from, to)
    let (width, height) = (canvas.width, canvas.height)
    func isInside(_ p: Place) -> Bool { p.x >= 0 && p.x < width && p.y >= 0 && p.y < height }
    if !isInside(a) || !isInside(b) {
      _ = OpenCVLines.clip(width, height, &a, &b)
      if a.y == b.y { (a.y, b.y) = (from.y, to.y) }
    }
    let step = ((b.x - a.x) << 16) / (b.y - a.y)
    let (upper, other, lower) = from.y < to.y ? (a, from, to) : (b, to, from)
    edges.append(
      Edge(
        top: other.y, bottom: lower.y, x: upper.x << 16 + (other.y - upper.y) * step, step: step))
  }

  private static func scan(_ edges: inout [Edge], on canvas: inout PixelCanvas, _ value: UInt16) {
    guard edges.count > 1 else { return }
    edges.sort { ($0.top, $0.x, $0.step) < ($1.top, $1.x, $1.step) }
    let bottom = min(edges.map(\.bottom).max() ?? 0, canvas.height)
    let total = edges.count
    // The list of the row's sides begins behind the last; -1 ends it.
    edges.append(Edge(top: .max, bottom: .max, x: 0, step: 0))
    let head = total
    var incoming = 0
    var row = edges[0].top
    while row < bottom {
      var (before, here) = (head, edges[head].next)
      var isInside = false
      while here >= 0 || edges[incoming].top == row {
        if here >= 0, edges[here].bottom == row {
          edges[before].next = edges[here].next
          here = edges[here].next
          continue
        }
        let kept = before
        if here >= 0, edges[incoming].top > row || edges[here].x < edges[incoming].x {
          before = here
          here = edges[here].next
        } else if incoming < total {
          edges[before].next = incoming
          edges[incoming].next = here
          before = incoming
          incoming += 1
        } else {
          break
        }
        if isInside {
          let (first, second) = (edges[kept].x, edges[before].x)
          canvas.fillRow(
            row, (min(first, second) + 0xFFFF) >> 16, max(first, second) >> 16, value)
          edges[kept].x += edges[kept].step
          edges[before].x += edges[before].step
        }
        isInside.toggle()
      }
      sort(&edges, head)
      row += 1
    }
  }

  /// Brings the row's sides into order, neighbours that are equal staying as they are.
  private static func sort(_ edges: inout [Edge], _ head: Int) {
    var end = -1
    while true {
      var (before, here) = (head, edges[head].next)
      var lastExchange = -1
      while here != end, here >= 0, edges[here].next >= 0 {
        let next = edges[here].next
        if edges[here].x > edges[next].x {
          edges[before].next = next
          edges[here].next = edges[next].next
          edges[next].next = here
          before = next
          lastExchange = before
        } else {
          (before, here) = (here, next)
        }
      }
      guard lastExchange >= 0 else { return }
      end = lastExchange
      if end == edges[head].next || end == head { return }
    }
  }

  // MARK: Ellipses

  /// The sine of whole degrees to seven digits, as OpenCV's table has it.
  private static func sine(_ degrees: Int) -> Double {
    Double(Float((sin(Double(degrees) * .pi / 180) * 1e7).rounded() / 1e7))
  }

  /// Fills an ellipse of whole centre and radii as `cv2.ellipse`: a polygon with a corner every few degrees.
  static func ellipse(
    center: (x: Int, y: Int), radii: (x: Int, y: Int), degrees: Int, on canvas: inout PixelCanvas,
    _ value: UInt16
  ) {
    let one = 65_536
    let greater = max(abs(radii.x), abs(radii.y))
    let step = greater < 3 ? 90 : greater < 10 ? 30 : greater < 15 ? 18 : 5
    var degrees = degrees % 360
    if degrees < 0 { degrees += 360 }
    let (cosine, turned) = (sine(450 - degrees), sine(degrees))
    var corners: [Place] = []
    for angle in stride(from: 0, through: 360, by: step) {
      let x = Double(abs(radii.x) * one) * sine(450 - angle)
      let y = Double(abs(radii.y) * one) * sine(angle)
      let corner = (
        x: Double(center.x * one) + x * cosine - y * turned,
        y: Double(center.y * one) + x * turned + y * cosine
      )
      func fixed(_ value: Double) -> Int {
        let whole = Int(clamping64: (value / Double(one)).rounded(.toNearestOrEven)) * one
        return whole + Int(clamping64: (value - Double(whole)).rounded(.toNearestOrEven))
      }
      let place = (x: fixed(corner.x), y: fixed(corner.y))
      if let last = corners.last, last == place { continue }
      corners.append(place)
    }
    if corners.count <= 1 {
      corners = Array(repeating: (x: center.x * one, y: center.y * one), count: 2)
    }
    fillConvex(corners, on: &canvas, value)
  }

  /// Fills a polygon without dents whose corners are in 1/65536 of a pixel.
  private static func fillConvex(_ corners: [Place], on canvas: inout PixelCanvas, _ value: UInt16)
  {
    struct Side { var index: Int, by: Int, x: Int, step: Int, end: Int }
    let (one, half) = (65_536, 32_768)
    var previous = corners[corners.count - 1]
    var first = 0
    for (i, corner) in corners.enumerated() {
      if corner.y < corners[first].y { first = i }
      OpenCVLines.drawFine(previous, corner, on: &canvas, value)
      previous = corner
    }
    func whole(_ value: Int) -> Int { (value + half) >> 16 }
    let top = whole(corners[first].y)
    let bottom = min(whole(corners.map(\.y).max() ?? 0), canvas.height - 1)
    let (left, right) = (
      whole(corners.map(\.x).min() ?? 0), whole(corners.map(\.x).max() ?? 0)
    )
    guard corners.count > 2, right >= 0, bottom >= 0, left < canvas.width, top < canvas.height
    else { return }
    var sides = [1, corners.count - 1].map {
      Side(index: first, by: $0, x: -one, step: 0, end: top)
    }
    var remaining = corners.count
    var row = top
    repeat {
      for i in 0..<2 where row >= sides[i].end {
        var from = sides[i].index
        var to = (from + sides[i].by) % corners.count
        while true {
          remaining -= 1
          guard remaining >= 0 else { break }
          let end = whole(corners[to].y)
          if end > row {
            let rows = end - row
            sides[i].end = end
            sides[i].step = ((corners[to].x - corners[from].x) * 2 + rows) / (2 * rows)
            sides[i].x = corners[from].x
            sides[i].index = to
            break
          }
          from = to
          to = (to + sides[i].by) % corners.count
        }
      }
      if remaining < 0 { break }
      let (a, b) = (sides[0].x, sides[1].x)
      canvas.fillRow(row, (min(a, b) + half) >> 16, (max(a, b) + half) >> 16, value)
      sides[0].x += sides[0].step
      sides[1].x += sides[1].step
      row += 1
    } while row <= bottom
  }
}
