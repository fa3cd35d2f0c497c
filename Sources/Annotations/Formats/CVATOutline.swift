import Foundation

/// What CVAT draws, as it is stored: what lies between two of a track's key frames is computed from this.
enum CVATOutline: Sendable {
  case polygon([Point])
  case box(Point, Point, degrees: Double)
  case ellipse(Point, radii: Point, degrees: Double)
  /// Pixels, which do not move.
  case pixels(Shape.Form)

  /// What is drawn.
  var form: Shape.Form {
    switch self {
    case .polygon(let corners): return .rings([corners])
    case .box(let a, let b, let degrees):
      let corners = [a, Point(b.x, a.y), b, Point(a.x, b.y)]
      guard degrees != 0 else { return .rings([corners]) }
      return .rings([corners.map { $0.turned(by: degrees, about: (a + b) / 2) }])
    case .ellipse(let center, let radii, let degrees):
      return .ellipse(center, radii: radii, degrees: degrees)
    case .pixels(let form): return form
    }
  }

  /// What CVAT shows at a share of the way to another outline; nil where it shows nothing.
  ///
  /// Boxes and ellipses move evenly and turn the shorter way. Corners of polygons go to those that lie at the
  /// nearest share of the other's outline (`TrackManager.get_interpolated_shapes` of CVAT's server).
  func between(_ other: CVATOutline, at share: Double) -> CVATOutline? {
    switch (self, other) {
    case (.polygon(let left), .polygon(let right)):
      return .polygon(PolygonMorph(left, right).corners(at: share))
    case (.box(let a, let b, let from), .box(let c, let d, let to)):
      return .box(a + (c - a) * share, b + (d - b) * share, degrees: Self.turn(from, to, share))
    case (.ellipse(let a, let b, let from), .ellipse(let c, let d, let to)):
      return .ellipse(
        a + (c - a) * share, radii: b + (d - b) * share, degrees: Self.turn(from, to, share))
    default: return nil
    }
  }

  /// Whether CVAT knows what lies between this outline and another.
  func isKin(of other: CVATOutline) -> Bool {
    switch (self, other) {
    case (.polygon, .polygon), (.box, .box), (.ellipse, .ellipse), (.pixels, .pixels): true
    default: false
    }
  }

  private static func turn(_ from: Double, _ to: Double, _ share: Double) -> Double {
    func wrapped(_ degrees: Double) -> Double {
      let rest = degrees.truncatingRemainder(dividingBy: 360)
      return rest < 0 ? rest + 360 : rest
    }
    let way = wrapped(to - from + 180) - 180
    // CVAT goes one degree where it would have to turn around.
    return wrapped(from + (way == -180 ? 1 : way) * share)
  }
}

/// A polygon that becomes another as CVAT has it.
private struct PolygonMorph {
  /// The corners, with the first again at the end.
  private let left: [Point], right: [Point]
  /// For each corner on the left those on the right that it goes to, in their order.
  private var goals: [[Int]]

  init(_ left: [Point], _ right: [Point]) {
    self.left = left + left.prefix(1)
    self.right = right + right.prefix(1)
    let (own, other) = (Self.shares(self.left), Self.shares(self.right))
    goals = own.map { [Self.nearest($0, other)] }
    let reached = Set(goals.joined())
    for index in other.indices where !reached.contains(index) {
      goals[Self.nearest(other[index], own)].append(index)
    }
    for index in goals.indices { goals[index].sort() }
  }

  /// The corners at a share of the way.
  func corners(at share: Double) -> [Point] {
    var path: [Point] = []
    var starts: [Int] = []
    for (corner, goals) in zip(left, goals) {
      starts.append(path.count)
      for goal in goals { path.append(corner + (right[goal] - corner) * share) }
    }
    // Of corners that go to one place, and of places that one corner goes to, only those are kept that lie apart.
    var result: [Point] = []
    func keep(_ outline: ArraySlice<Point>, _ first: Int, _ last: Int) {
      result += Self.thinned(
        path[first...last], apart: Self.length(outline) / Double(2 * outline.count))
    }
    func keepLeft(_ first: Int, _ last: Int) {
      if starts[first] == starts[last] {
        result.append(path[starts[first]])
      } else {
        keep(left[first...last], starts[first], starts[last])
      }
    }
    var open: Int?
    for index in left.indices {
      let own = goals[index]
      if own.count == 1 {
        if let first = open {
          guard own[0] != goals[first][0] else { continue }
          keepLeft(first, index - 1)
        }
        open = index
      } else {
        if let first = open { keepLeft(first, index - 1) }
        open = nil
        keep(
          right[own[0]...own[own.count - 1]], starts[index], starts[index] + own.count - 1)
      }
    }
    if let first = open { keepLeft(first, left.count - 1) }
    return Array(result.dropLast())
  }

  private static func thinned(_ path: ArraySlice<Point>, apart: Double) -> [Point] {
    guard let first = path.first, let last = path.last else { return [] }
    var kept = [first]
    for place in path.dropFirst().dropLast() where distance(kept[kept.count - 1], place) >= apart {
      kept.append(place)
    }
    kept.append(last)
    return kept.count == 2 && distance(first, last) < apart ? [(first + last) / 2] : kept
  }

  private static func distance(_ a: Point, _ b: Point) -> Double {
    ((a - b) * (a - b)).sum().squareRoot()
  }

  private static func length(_ path: ArraySlice<Point>) -> Double {
    zip(path, path.dropFirst()).reduce(0) { $0 + distance($1.0, $1.1) }
  }

  /// The share of the whole outline at which each corner lies.
  private static func shares(_ path: [Point]) -> [Double] {
    let whole = length(path[...])
    var way = 0.0
    return path.indices.map { index in
      if index > 0 { way += distance(path[index - 1], path[index]) }
      return index == 0 ? 0 : way / whole
    }
  }

  /// The first of the shares that are nearest to a value.
  private static func nearest(_ value: Double, _ shares: [Double]) -> Int {
    var (best, least) = (0, abs(value - shares[0]))
    for index in shares.indices.dropFirst() where abs(value - shares[index]) < least {
      (best, least) = (index, abs(value - shares[index]))
    }
    return best
  }
}
