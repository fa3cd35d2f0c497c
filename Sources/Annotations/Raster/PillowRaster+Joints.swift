import Foundation

extension PillowRaster {
  /// Rounds the corner between two lines, as Pillow's `joint="curve"`: a slice of a disc, and two thin lines
  /// over what gaps there are.
  static func joint(
    _ before: Point, _ corner: Point, _ after: Point, _ width: Int, on canvas: inout PixelCanvas,
    _ value: UInt16
  ) {
    func angle(_ from: Point, _ to: Point) -> Double {
      let degrees = atan2(to.x - from.x, from.y - to.y) * (180 / .pi)
      let rest = fmod(degrees, 360)
      return rest < 0 ? rest + 360 : rest
    }
    let (first, second) = (angle(before, corner), angle(corner, after))
    guard first != second else { return }
    let isFlipped =
      second > first && second - 180 > first || second < first && second + 180 > first
    let half = Double(width) / 2 - 1
    let ends = isFlipped ? (second + 90, first + 90) : (first - 90, second - 90)
    slice(
      corner - half, corner + half, from: Float(ends.0 - 90), to: Float(ends.1 - 90), on: &canvas,
      value)
    guard width > 8 else { return }
    func rim(_ angle: Double) -> Point {
      let radians = (angle - 90) * (.pi / 180)
      func outward(_ value: Double) -> Double {
        value > 0 ? value.rounded(.down) : value.rounded(.up)
      }
      return corner + Point(outward(half * cos(radians)), outward(half * sin(radians)))
    }
    let side = isFlipped ? 90.0 : -90
    line(rim(first + side), corner, width: 3, on: &canvas, value)
    line(corner, rim(second + side), width: 3, on: &canvas, value)
  }

  /// Fills a slice of an ellipse within a rectangle, between two angles clockwise from the right.
  private static func slice(
    _ corner: Point, _ other: Point, from start: Float, to end: Float, on canvas: inout PixelCanvas,
    _ value: UInt16
  ) {
    let (left, top) = (corner.x.truncated, corner.y.truncated)
    let (a, b) = (other.x.truncated - left, other.y.truncated - top)
    guard a >= 0, b >= 0, a + b > 0 else { return }
    guard end - start < 360 else { return ellipse(corner, other, on: &canvas, value) }
    let from = Float(
      fmod(start < 0 ? 360 - fmod(Double(-start), 360) : Double(start), 360))
    let turn =
      end < from ? 360 - fmod(Double(from - end), 360) : Double(end - from)
    let to = Float(Double(from) + fmod(turn, 360))
    guard to != from else { return }
    func rim(_ degrees: Float) -> (x: Double, y: Double) {
      let radians = Double(degrees) * .pi / 180
      return (Double(a) * cos(radians), Double(b) * sin(radians))
    }
    let (first, second) = (rim(from), rim(to))
    var planes = [(a: -first.y, b: first.x), (a: second.y, b: -second.x)]
    let isUnion = to - from >= 180
    if to - from < 90 {
      planes.append((a: (first.x + second.x) / 2, b: (first.y + second.y) / 2))
    }
    /// The part of a row's run that lies on the right side of a line through the middle.
    func clipped(_ run: (Int, Int), _ y: Int, _ plane: (a: Double, b: Double)) -> (Int, Int)? {
      let tiny = 1e-9
      let offset = plane.b * Double(y)
      guard abs(plane.a) >= tiny else { return offset < -tiny ? nil : run }
      let meeting = -offset / plane.a
      var (x0, x1) = run
      if plane.a * Double(x0) + offset < tiny {
        x0 = max(Double(x0), meeting).rounded(.toNearestOrAwayFromZero).truncated
      }
      if plane.a * Double(x1) + offset < tiny {
        x1 = min(Double(x1), meeting).rounded(.toNearestOrAwayFromZero).truncated
      }
      return x0 <= x1 ? (x0, x1) : nil
    }
    func draw(_ run: (Int, Int), _ y: Int) {
      canvas.fillRow(top + (y + b) / 2, left + (run.0 + a) / 2, left + (run.1 + a) / 2, value)
    }
    for (y, reach) in rows(a, b) {
      let inner = a % 2
      for y in y == 0 ? [0] : [y, -y] {
        for run in [(-reach, -inner), (inner == 0 ? 2 : inner, reach)] where run.0 <= run.1 {
          if isUnion {
            for plane in planes { if let part = clipped(run, y, plane) { draw(part, y) } }
          } else {
            let parts = planes.map { clipped(run, y, $0) }
            guard !parts.contains(where: { $0 == nil }) else { continue }
            let x0 = parts.compactMap { $0?.0 }.max() ?? 0
            let x1 = parts.compactMap { $0?.1 }.min() ?? -1
            if x0 <= x1 { draw((x0, x1), y) }
          }
        }
      }
    }
  }
}
