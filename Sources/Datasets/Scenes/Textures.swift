/// A stream of random numbers that depends on its seed alone (SplitMix64).
struct Dice {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  /// The stream of one scene of many.
  init(seed: UInt64, index: Int) {
    state =
      seed &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(bitPattern: Int64(index)) &* 0xD1B5_4A32_D192_ED03
    for _ in 0..<3 { state = next() }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A new stream, independent of what this one gives next.
  mutating func fork() -> Dice { Dice(next()) }

  mutating func seed() -> UInt32 { UInt32(truncatingIfNeeded: next()) }
  mutating func unit() -> Float { Float(next() >> 40) * 0x1p-24 }
  mutating func callAsFunction(_ low: Float, _ high: Float) -> Float { low + (high - low) * unit() }
  mutating func count(_ low: Int, _ high: Int) -> Int { low + Int(next() % UInt64(high - low + 1)) }
  mutating func chance(_ share: Float) -> Bool { unit() < share }
  mutating func sign() -> Float { chance(0.5) ? 1 : -1 }
  mutating func pick<T>(_ choices: T...) -> T { choices[count(0, choices.count - 1)] }

  mutating func shuffled<T>(_ items: [T]) -> [T] {
    var items = items
    for i in items.indices.dropFirst() { items.swapAt(i, count(0, i)) }
    return items
  }
}

/// Colours from ranges that classes share, so that none is told by its colour.
extension Dice {
  /// Paint, cloth, plaster or stone.
  mutating func paint() -> RGB {
    switch unit() {
    case ..<0.45: RGB(self(0.12, 0.85)) * RGB(self(0.93, 1.05), 1, self(0.92, 1.05))
    case ..<0.6: RGB(hue: self(0.2, 1.1), saturation: self(0.15, 0.5), value: self(0.25, 0.75))
    case ..<0.72: foliage()
    default: RGB(hue: self(0, 6), saturation: self(0.2, 0.75), value: self(0.25, 0.8))
    }
  }

  /// Leaves and grass of all seasons.
  mutating func foliage() -> RGB {
    switch unit() {
    case ..<0.7: RGB(hue: self(1.1, 2.3), saturation: self(0.25, 0.65), value: self(0.2, 0.5))
    default: RGB(hue: self(0.3, 1.1), saturation: self(0.2, 0.55), value: self(0.25, 0.6))
    }
  }

  /// Asphalt, concrete, paving or gravel.
  mutating func pavement() -> RGB {
    switch unit() {
    case ..<0.7: RGB(self(0.2, 0.55)) * RGB(self(0.93, 1.07), 1, self(0.92, 1.06))
    default: RGB(hue: self(0, 1), saturation: self(0.1, 0.35), value: self(0.3, 0.6))
    }
  }
}

@inline(__always) func whole(_ x: Float) -> Int32 {
  let i = Int32(max(-1e9, min(1e9, x)))
  return x < Float(i) ? i &- 1 : i
}

/// A number of 0 to 1 that belongs to a lattice point.
@inline(__always) func hash(_ x: Int32, _ y: Int32, _ seed: UInt32) -> Float {
  var h =
    UInt32(bitPattern: x) &* 0x8DA6_B343 ^ UInt32(bitPattern: y) &* 0xD816_3841
    ^ seed &* 0xCB1A_B31F
  h ^= h >> 15
  h = h &* 0x2C1B_3C6D
  h ^= h >> 12
  h = h &* 0x297A_2D39
  h ^= h >> 15
  return Float(h >> 8) * 0x1p-24
}

/// Value noise of 0 to 1 on the unit lattice.
func noise(_ x: Float, _ y: Float, _ seed: UInt32) -> Float {
  let i = whole(x), j = whole(y)
  var s = x - Float(i), t = y - Float(j)
  s *= s * (3 - 2 * s)
  t *= t * (3 - 2 * t)
  let a = hash(i, j, seed), b = hash(i &+ 1, j, seed)
  let c = hash(i, j &+ 1, seed), d = hash(i &+ 1, j &+ 1, seed)
  let low = a + (b - a) * s, high = c + (d - c) * s
  return low + (high - low) * t
}

/// What a surface looks like at each of its points.
struct Surface {
  enum Pattern {
    /// Noise alone.
    case plain
    /// Courses of bricks, `cell.u` by `cell.v` metres, with joints of the second colour.
    case bricks
    /// Vertical boards or corrugation, `cell.u` metres apart.
    case boards
    /// Storeys `cell.v` high with a window of `opening` every `cell.u` metres.
    case windows
    /// Leaves that leave the edge of an ellipse of radii `cell` ragged.
    case crown
    /// Leaves with a ragged top at `cell.v` metres.
    case hedge
    /// A railing of rods every `cell.u` metres, between rails, `cell.v` high.
    case rods
    /// A wire netting with posts every `cell.u` metres, `cell.v` high.
    case netting
    /// A spoked wheel of radius `cell.u`.
    case spokes
    /// Glass that mirrors the second colour towards its top, `cell.v` high.
    case glass
    /// A pole `cell.u` wide, darker to its sides.
    case tube
    /// A shadow: darkens what is there and keeps its label.
    case shadow
  }

  var pattern = Pattern.plain
  var color: RGB
  var second = RGB(0.1)
  var cell = Point(1, 1)
  var opening = Point(0.5, 0.5)
  /// Where u = v = 0 of the pattern lies.
  var center = Point(0, 0)
  /// The strength of the noise, and its size in metres.
  var grain: Float = 0.12, size: Float = 0.3
  var seed: UInt32 = 0
  /// Whether the surface shines by itself.
  var glows = false

  init(_ color: RGB, _ pattern: Pattern = .plain) {
    self.color = color
    self.pattern = pattern
  }

  /// The surface's colour at (u, v) where a pixel measures `pixel` metres, and how much it covers
  /// of what lies behind: 0 to 1, or less than 0 where there is nothing.
  func sample(_ u: Float, _ v: Float, pixel: Float) -> (color: RGB, cover: Float) {
    let u = u - center.u, v = v - center.v
    let detail = size / (size + pixel)
    var tone: Float = 1
    if grain > 0 {
      tone +=
        grain * (noise(u / size, v / size, seed) - 0.5) * 2 * detail
        + grain * (noise(u / (size * 7), v / (size * 7), seed &+ 9) - 0.5)
    }
    switch pattern {
    case .plain, .shadow: return (color * tone, 1)
    case .bricks:
      let row = whole(v / cell.v)
      let shift = row & 1 == 0 ? Float(0) : 0.5
      let column = whole(u / cell.u + shift)
      let s = u / cell.u + shift - Float(column), t = v / cell.v - Float(row)
      let fade = cell.v / (cell.v + pixel * 2)
      let joint = s * cell.u < 0.04 + pixel * 0.3 || t * cell.v < 0.04 + pixel * 0.3
      if joint { return (color.mixed(second, 0.6 * fade) * tone, 1) }
      return (color * (tone + (hash(column, row, seed) - 0.5) * 0.4 * fade), 1)
    case .boards:
      let column = whole(u / cell.u)
      let s = u / cell.u - Float(column)
      let fade = cell.u / (cell.u + pixel * 2)
      return (color * (tone + (s - 0.5) * 0.3 * fade - (s < 0.12 ? 0.25 * fade : 0)), 1)
    case .windows: return (window(u, v, tone), 1)
    case .crown:
      let a = u / cell.u, b = v / cell.v
      let leaves = noise(u * 5, v * 5, seed &+ 3)
      let edge = noise(u * 1.7, v * 1.7, seed &+ 5) * 0.9 + leaves * 0.45 - 0.67
      guard a * a + b * b + edge < 0.85 else { return (color, -1) }
      return (foliage(leaves, 0.75 + 0.3 * b + 0.15 * a + 0.5 * edge), 1)
    case .hedge:
      let leaves = noise(u * 6, v * 6, seed &+ 3)
      guard v + leaves * 0.25 + noise(u, 0, seed) * 0.3 < cell.v else { return (color, -1) }
      return (foliage(leaves, 0.65 + 0.4 * v / cell.v), 1)
    case .rods:
      let s = u / cell.u - Float(whole(u / cell.u))
      let rail = v > cell.v - 0.2 || (v > 0.15 && v < 0.3)
      let post = u / (cell.u * 8) - Float(whole(u / (cell.u * 8))) < 0.08
      return (color * tone, rail || post || s < opening.u ? 1 : 0)
    case .netting:
      let post = u / cell.u - Float(whole(u / cell.u)) < 0.14 / cell.u
      if post || v > cell.v - 0.12 { return (color * tone, 1) }
      let p = (u + v) * 5, q = (u - v) * 5
      let wire = p - Float(whole(p)) < 0.25 || q - Float(whole(q)) < 0.25
      return (second * tone, wire ? 0.9 : 0.45)
    case .spokes:
      let d = (u * u + v * v).squareRoot() / cell.u
      return (d > 0.82 ? color * tone : second, d > 0.82 || d < 0.14 ? 1 : 0.3)
    case .glass:
      let sky = max(0, min(1, v / cell.v + (noise(u * 1.1, v * 1.1, seed) - 0.5) * 0.8))
      return (color.mixed(second, 0.6 * sky * sky), 1)
    case .tube:
      let s = u / cell.u
      return (color * (tone * (1 - 1.6 * s * s + 0.4 * s)), 1)
    }
  }

  private func foliage(_ leaves: Float, _ light: Float) -> RGB {
    color * max(0.2, light + (leaves - 0.5) * 0.9)
  }

  private func window(_ u: Float, _ v: Float, _ tone: Float) -> RGB {
    let column = whole(u / cell.u), row = whole(v / cell.v)
    let s = u / cell.u - Float(column) - 0.5, t = v / cell.v - Float(row) - 0.52
    let ground = row <= 0
    // Some openings of the ground floor are doors; they reach down to the pavement.
    let door = ground && hash(column, 77, seed) < 0.3
    let half = door ? min(opening.u, 0.4) / 2 : opening.u / 2
    let low = door ? Float(-1) : -opening.v / 2
    if abs(s) < half && t > low && t < opening.v / 2 {
      let frame = min(half - abs(s), opening.v / 2 - t) < 0.035 || abs(s) < 0.015
      if frame && !door { return second * tone }
      let inside = hash(column, row, seed &+ 1)
      if door { return second * (0.3 + 0.6 * inside) * tone }
      return RGB(0.1, 0.11, 0.13).mixed(RGB(0.6, 0.65, 0.7), inside * inside * (0.6 + 0.8 * t))
    }
    if opening.u < 0.45 && abs(s) < half + 0.12 && abs(t) < opening.v / 2 && seed & 3 == 0 {
      return second * (tone * 0.8)
    }
    if abs(t - 0.46) < 0.025 { return color * (tone * 0.8) }
    return color * tone
  }
}
