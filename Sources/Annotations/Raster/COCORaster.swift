/// The pixels of polygons by the rule of pycocotools (`rleFrPoly` of COCO's API).
///
/// Corners are taken to a grid five times as fine, the outline's points on it are listed, and where they
/// step from one column's middle to the next a run begins or ends. The square from 0 to 10 has 100 pixels.
enum COCORaster {
  /// What the grid is finer by.
  private static let scale = 5.0

  /// Fills a ring, within which the rule is even-odd.
  ///
  /// - Parameter steps: Memory that is used anew for each ring.
  static func fill(
    _ ring: some RandomAccessCollection<Point>, on canvas: inout PixelCanvas, _ value: UInt16,
    steps: inout [UInt64]
  ) {
    let (width, height) = (canvas.width, canvas.height)
    steps.removeAll(keepingCapacity: true)
    guard let last = ring.last else { return }
    var previous = onGrid(last)
    // The outline begins at the first corner, and its last edge closes it: the order does not matter here.
    for corner in ring {
      let next = onGrid(corner)
      cross(previous, next, width, height, &steps)
      previous = next
    }
    steps.sort()
    canvas.pixels.withUnsafeMutableBufferPointer { pixels in
      var i = 0
      while i + 1 < steps.count {
        let (start, end) = (steps[i], steps[i + 1])
        let x = Int(start >> 32)
        var at = Int(start & 0xFFFF_FFFF) * width + x
        for _ in Int(start & 0xFFFF_FFFF)..<max(Int(end & 0xFFFF_FFFF), Int(start & 0xFFFF_FFFF)) {
          pixels[at] = value
          at += width
        }
        i += 2
      }
    }
  }

  private static func onGrid(_ point: Point) -> (x: Int, y: Int) {
    ((scale * point.x + 0.5).truncated, (scale * point.y + 0.5).truncated)
  }

  /// Notes the column and the row of every run that an edge begins or ends.
  ///
  /// A run changes where neighbouring points of the outline lie in the columns 5 x + 2 and 5 x + 3 of the
  /// grid; its row is that of the upper point, rounded up.
  private static func cross(
    _ from: (x: Int, y: Int), _ to: (x: Int, y: Int), _ width: Int, _ height: Int,
    _ steps: inout [UInt64]
  ) {
    guard from.x != to.x else { return }
    let (dx, dy) = (abs(to.x - from.x), abs(to.y - from.y))
    let isFlat = dx >= dy
    let (start, end) = (isFlat ? from.x > to.x : from.y > to.y) ? (to, from) : (from, to)
    let (left, right) = (min(from.x, to.x), max(from.x, to.x))
    // The first and the last column whose middle lies between.
    var x = max(left < 3 ? 0 : (left + 2) / 5, 0)
    let last = min(right < 3 ? -1 : (right - 3) / 5, width - 1)
    guard x <= last else { return }
    if isFlat {
      let slope = Double(end.y - start.y) / Double(dx)
      while x <= last {
        let t = 5 * x + 2 - start.x
        let first = (Double(start.y) + slope * Double(t) + 0.5).truncated
        let second = (Double(start.y) + slope * Double(t + 1) + 0.5).truncated
        note(x, min(first, second), height, &steps)
        x += 1
      }
    } else {
      let slope = Double(end.x - start.x) / Double(dy)
      func column(_ t: Int) -> Int { (Double(start.x) + slope * Double(t) + 0.5).truncated }
      while x <= last {
        // The last point before the step, found from the line and mended by what rounding did.
        let isRising = slope > 0
        let edge = 5 * x + (isRising ? 3 : 2)
        func isBeyond(_ t: Int) -> Bool { isRising ? column(t) >= edge : column(t) <= edge }
        var t = ((Double(edge - start.x) + (isRising ? -0.5 : 0.5)) / slope).truncated
        t = min(max(t, 0), dy)
        while t > 0, isBeyond(t) { t -= 1 }
        while t < dy, !isBeyond(t + 1) { t += 1 }
        note(x, start.y + t, height, &steps)
        x += 1
      }
    }
  }

  private static func note(_ x: Int, _ y: Int, _ height: Int, _ steps: inout [UInt64]) {
    // ceil((y + 0.5) / 5 - 0.5), from 0 to the height.
    let row = y < 2 ? 0 : min((y + 2) / 5, height)
    steps.append(UInt64(x) << 32 | UInt64(row))
  }
}
