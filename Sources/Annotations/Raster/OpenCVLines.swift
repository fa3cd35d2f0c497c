/// The lines of OpenCV's drawing, which its polygons are outlined with.
enum OpenCVLines {
  /// A place in whole pixels, or in a finer unit.
  typealias Place = (x: Int, y: Int)

  /// Cuts a line to a size; the ends are changed even where nothing of it is inside, and then false.
  static func clip(_ width: Int, _ height: Int, _ a: inout Place, _ b: inout Place) -> Bool {
    let (right, bottom) = (width - 1, height - 1)
    guard width > 0, height > 0 else { return false }
    func side(_ x: Int) -> Int { (x < 0 ? 1 : 0) + (x > right ? 2 : 0) }
    func code(_ p: Place) -> Int { side(p.x) + (p.y < 0 ? 4 : 0) + (p.y > bottom ? 8 : 0) }
    func part(_ distance: Int, _ length: Int, _ total: Int) -> Int {
      total == 0 ? 0 : Int(clamping64: Double(distance) * Double(length) / Double(total))
    }
    var (first, second) = (code(a), code(b))
    guard first & second == 0, first | second != 0 else { return first | second == 0 }
    if first & 12 != 0 {
      let edge = first < 8 ? 0 : bottom
      a.x += part(edge - a.y, b.x - a.x, b.y - a.y)
      a.y = edge
      first = side(a.x)
    }
    if second & 12 != 0 {
      let edge = second < 8 ? 0 : bottom
      b.x += part(edge - b.y, b.x - a.x, b.y - a.y)
      b.y = edge
      second = side(b.x)
    }
    if first & second == 0, first | second != 0 {
      if first != 0 {
        let edge = first == 1 ? 0 : right
        a.y += part(edge - a.x, b.y - a.y, b.x - a.x)
        a.x = edge
        first = 0
      }
      if second != 0 {
        let edge = second == 1 ? 0 : right
        b.y += part(edge - b.x, b.y - a.y, b.x - a.x)
        b.x = edge
        second = 0
      }
    }
    return first | second == 0
  }

  /// Draws a line between whole pixels, each of which touches the next by a side or a corner.
  static func draw(_ from: Place, _ to: Place, on canvas: inout PixelCanvas, _ value: UInt16) {
    var (a, b) = (from, to)
    let size = (canvas.width, canvas.height)
    func isInside(_ p: Place) -> Bool { p.x >= 0 && p.x < size.0 && p.y >= 0 && p.y < size.1 }
    if !isInside(a) || !isInside(b) {
      guard clip(canvas.width, canvas.height, &a, &b) else { return }
    }
    // From left to right.
    if b.x < a.x { (a, b) = (b, a) }
    let (dx, dy) = (b.x - a.x, abs(b.y - a.y))
    let down = b.y < a.y ? -1 : 1
    let isSteep = dy > dx
    let (long, short) = isSteep ? (dy, dx) : (dx, dy)
    var error = long - 2 * short
    var place = a
    for _ in 0...long {
      canvas.fill(place.x, place.y, value)
      let steps = error < 0
      error += -2 * short + (steps ? 2 * long : 0)
      if isSteep {
        place.y += down
        if steps { place.x += 1 }
      } else {
        place.x += 1
        if steps { place.y += down }
      }
    }
  }

  /// Draws a line between places in 1/65536 of a pixel.
  static func drawFine(_ from: Place, _ to: Place, on canvas: inout PixelCanvas, _ value: UInt16) {
    let one = 1 << 16
    var (a, b) = (from, to)
    guard clip(canvas.width * one, canvas.height * one, &a, &b) else { return }
    let isFlat = abs(b.x - a.x) > abs(b.y - a.y)
    if isFlat ? b.x < a.x : b.y < a.y { (a, b) = (b, a) }
    let (dx, dy) = (b.x - a.x, b.y - a.y)
    let count = (isFlat ? dx : dy) >> 16
    let step = isFlat ? dy * one / (dx | 1) : dx * one / (dy | 1)
    let half = one / 2
    canvas.fill((b.x + half) >> 16, (b.y + half) >> 16, value)
    var (x, y) = (a.x + half, a.y + half)
    for _ in 0..<count + 1 {
      canvas.fill(x >> 16, y >> 16, value)
      x += isFlat ? one : step
      y += isFlat ? step : one
    }
  }
}

extension Int {
  /// The number without its fraction, within 62 bits.
  init(clamping64 value: Double) {
    self = Int(Swift.min(Swift.max(value, -4e18), 4e18))
  }
}
