/// A colour of linear components, 0 to about 1.
struct RGB {
  var r, g, b: Float

  init(_ r: Float, _ g: Float, _ b: Float) {
    self.r = r
    self.g = g
    self.b = b
  }

  /// A grey of this brightness.
  init(_ grey: Float) { self.init(grey, grey, grey) }

  /// A colour of hue 0 to 6 (red, yellow, green, cyan, blue, magenta), saturation and value 0 to 1.
  init(hue: Float, saturation: Float, value: Float) {
    func ramp(_ offset: Float) -> Float {
      let k = (hue + offset).truncatingRemainder(dividingBy: 6)
      return value * (1 - saturation * max(0, min(1, min(k, 4 - k))))
    }
    self.init(ramp(5), ramp(3), ramp(1))
  }

  static func + (a: RGB, b: RGB) -> RGB { RGB(a.r + b.r, a.g + b.g, a.b + b.b) }
  static func * (a: RGB, b: RGB) -> RGB { RGB(a.r * b.r, a.g * b.g, a.b * b.b) }
  static func * (a: RGB, b: Float) -> RGB { RGB(a.r * b, a.g * b, a.b * b) }

  /// This colour with the share `amount` of `other`.
  func mixed(_ other: RGB, _ amount: Float) -> RGB { self * (1 - amount) + other * amount }
}

/// A point on a plane or on the picture.
struct Point {
  var u, v: Float

  init(_ u: Float, _ v: Float) {
    self.u = u
    self.v = v
  }
}

/// A point or direction in the world: metres to the right, up from the ground, and ahead.
struct Vector {
  var x, y, z: Float

  init(_ x: Float, _ y: Float, _ z: Float) {
    self.x = x
    self.y = y
    self.z = z
  }

  static func + (a: Vector, b: Vector) -> Vector { Vector(a.x + b.x, a.y + b.y, a.z + b.z) }
  static func - (a: Vector, b: Vector) -> Vector { Vector(a.x - b.x, a.y - b.y, a.z - b.z) }
  static func * (a: Vector, b: Float) -> Vector { Vector(a.x * b, a.y * b, a.z * b) }

  func dot(_ o: Vector) -> Float { x * o.x + y * o.y + z * o.z }
  func cross(_ o: Vector) -> Vector {
    Vector(y * o.z - z * o.y, z * o.x - x * o.z, x * o.y - y * o.x)
  }
  var length: Float { dot(self).squareRoot() }
  var normalized: Vector { self * (1 / max(length, 1e-12)) }
}

/// A plane in the world with coordinates (u, v) in metres.
struct Plane {
  var origin, u, v: Vector

  /// The plane that stands upright at `origin` and faces the camera, u to the right.
  static func facing(_ origin: Vector) -> Plane {
    let right = Vector(origin.z, 0, -origin.x).normalized
    return Plane(origin: origin, u: right, v: Vector(0, 1, 0))
  }

  static let ground = Plane(origin: Vector(0, 0, 0), u: Vector(1, 0, 0), v: Vector(0, 0, 1))

  func at(_ p: Point) -> Vector { origin + u * p.u + v * p.v }

  /// The plane moved towards the camera's side by some metres.
  func nearer(by distance: Float) -> Plane {
    Plane(origin: origin - Vector(origin.x, 0, origin.z).normalized * distance, u: u, v: v)
  }
}

/// A place and heading on the ground: the axes of a vehicle.
struct Frame {
  var origin, forward: Vector

  init(origin: Vector, forward: Vector) {
    self.origin = origin
    self.forward = forward
  }

  /// The heading is `yaw` radians to the right of straight ahead.
  init(_ origin: Vector, yaw: Float) {
    self.origin = origin
    forward = Vector(sine(yaw), 0, sine(yaw + .pi / 2))
  }

  var right: Vector { Vector(forward.z, 0, -forward.x) }

  /// The point `along` metres ahead, `across` to the right and `up` above the origin.
  func at(_ along: Float, _ across: Float, _ up: Float) -> Vector {
    origin + forward * along + right * across + Vector(0, up, 0)
  }

  /// The corners of a box of this length, width and height that stands on the origin.
  func box(_ length: Float, _ width: Float, _ height: Float) -> [Vector] {
    [0, height].flatMap { y in
      [(-1, -1), (1, -1), (1, 1), (-1, 1)].map { (l: Float, w: Float) in
        at(l * length / 2, w * width / 2, y)
      }
    }
  }
}

/// The sine from arithmetic alone, so that every machine gives the same bits.
func sine(_ x: Float) -> Float {
  let turns = x / (2 * .pi)
  var r = (turns - turns.rounded()) * 2 * .pi
  if r > .pi / 2 { r = .pi - r }
  if r < -.pi / 2 { r = -.pi - r }
  let s = r * r
  return r * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72))))
}

/// The corners of a rectangle from (u0, v0) to (u1, v1).
func rectangle(_ u0: Float, _ v0: Float, _ u1: Float, _ v1: Float) -> [Point] {
  [Point(u0, v0), Point(u1, v0), Point(u1, v1), Point(u0, v1)]
}

/// A regular polygon, or an ellipse when it has many corners.
func ellipse(
  _ u: Float, _ v: Float, _ a: Float, _ b: Float, corners: Int = 14, turn: Float = 0
) -> [Point] {
  (0..<corners).map { i in
    let angle = 2 * .pi * (Float(i) + turn) / Float(corners)
    return Point(u + a * sine(angle), v - b * sine(angle + .pi / 2))
  }
}

/// A stroke from `a` to `b` that is `from` wide at its beginning and `to` at its end.
func stroke(_ a: Point, _ b: Point, _ from: Float, _ to: Float) -> [Point] {
  let du = b.u - a.u, dv = b.v - a.v
  let scale = 0.5 / max((du * du + dv * dv).squareRoot(), 1e-6)
  let nu = -dv * scale, nv = du * scale
  return [
    Point(a.u + nu * from, a.v + nv * from), Point(a.u - nu * from, a.v - nv * from),
    Point(b.u - nu * to, b.v - nv * to), Point(b.u + nu * to, b.v + nv * to),
  ]
}

/// The convex hull of points, counter-clockwise.
func hull(_ points: [Point]) -> [Point] {
  let sorted = points.sorted { ($0.u, $0.v) < ($1.u, $1.v) }
  func half(_ points: some Sequence<Point>) -> [Point] {
    var chain: [Point] = []
    for p in points {
      while chain.count > 1 {
        let a = chain[chain.count - 2], b = chain[chain.count - 1]
        if (b.u - a.u) * (p.v - a.v) > (b.v - a.v) * (p.u - a.u) { break }
        chain.removeLast()
      }
      chain.append(p)
    }
    return Array(chain.dropLast())
  }
  return half(sorted) + half(sorted.reversed())
}
