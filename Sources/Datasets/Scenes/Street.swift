/// Something that stands in a street.
struct Thing {
  /// Metres ahead of the camera, by which things are painted from far to near.
  var distance: Float
  /// The points that throw its shadow.
  var solid: [Vector] = []
  let paint: (Canvas) -> Void
}

/// The ground on one side of the road, and what bounds the street there.
struct Side {
  /// A strip along the street: its label, its width in metres and its looks.
  typealias Strip = (label: SceneLabel, width: Float, surface: Surface)

  /// -1 for the left side, 1 for the right.
  let sign: Float
  /// Metres from the camera's line to the edge of the road.
  let kerb: Float
  let strips: [Strip]
  /// The ground beyond the strips.
  let beyond: Strip

  /// Metres from the camera's line to where houses, walls and fences stand.
  var front: Float { strips.reduce(kerb) { $0 + $1.width } }

  /// The middle of the strip of this label, in metres to the right of the camera's line.
  func middle(of label: SceneLabel) -> Float? {
    var edge = kerb
    for strip in strips {
      if strip.label == label && strip.width > 1 { return sign * (edge + strip.width / 2) }
      edge += strip.width
    }
    return nil
  }

  init(sign: Float, kerb: Float, _ dice: inout Dice) {
    self.sign = sign
    self.kerb = kerb
    let pavement: Strip = (.sidewalk, dice(2, 4), dice.paving(laid: 0.75))
    let verge: Strip = (.terrain, dice(1.2, 4.5), dice.ground())
    var stone = Surface(pavement.surface.color.mixed(RGB(0.6), 0.5), .bricks)
    stone.cell = Point(0.25, 1)
    let edge: Strip = (.sidewalk, 0.22, stone)
    switch dice.unit() {
    case ..<0.45: strips = [edge, pavement]
    case ..<0.65: strips = [edge, pavement, verge]
    case ..<0.85: strips = [edge, verge, pavement]
    default: strips = [verge]
    }
    beyond = dice.chance(0.75) ? (.terrain, 0, dice.ground()) : (.sidewalk, 0, pavement.surface)
  }
}

extension Dice {
  /// The surface of a road or a pavement; `laid` is the share of those laid in slabs.
  mutating func paving(laid: Float) -> Surface {
    var surface = Surface(pavement(), chance(laid) ? .bricks : .plain)
    surface.second = surface.color * self(0.55, 0.85)
    surface.cell = chance(0.5) ? Point(0.3, 0.3) : Point(self(0.5, 1), self(0.5, 1))
    surface.grain = self(0.08, 0.3)
    surface.size = self(0.08, 0.3)
    surface.seed = seed()
    return surface
  }

  /// Grass, or the soil and gravel between it.
  mutating func ground() -> Surface {
    var surface = Surface(chance(0.9) ? foliage() : pavement())
    surface.grain = self(0.2, 0.45)
    surface.size = self(0.1, 0.4)
    surface.seed = seed()
    return surface
  }
}

/// The plan of a street: its cross-section, its bend, and everything that stands in it.
struct Street {
  var dice: Dice
  let left, right: Side
  let road: Surface
  /// By how many metres the street has turned to the right after z metres: bend · z².
  let bend: Float
  private(set) var things: [Thing] = []
  private var taken: [(x: ClosedRange<Float>, z: ClosedRange<Float>)] = []

  init(_ dice: Dice) {
    self.dice = dice
    bend = self.dice.chance(0.4) ? 0 : self.dice(-0.0022, 0.0022)
    left = Side(sign: -1, kerb: self.dice(4.8, 9), &self.dice)
    right = Side(sign: 1, kerb: self.dice(1.9, 5.5), &self.dice)
    road = self.dice.paving(laid: 0.06)
    for side in [left, right] { lineUp(side) }
    traffic()
    for side in [left, right] {
      furnish(side)
      people(side)
    }
    closeOff()
  }

  /// The point `x` metres to the right of the street's line, `z` metres ahead.
  func place(_ x: Float, _ z: Float) -> Vector { Vector(x + bend * z * z, 0, z) }

  mutating func add(_ distance: Float, solid: [Vector] = [], _ paint: @escaping (Canvas) -> Void) {
    things.append(Thing(distance: distance, solid: solid, paint: paint))
  }

  /// Takes a place for something `wide` by `long` metres, unless another has it.
  mutating func take(_ x: Float, _ z: Float, wide: Float, long: Float) -> Bool {
    let across = (x - wide / 2 - 0.3)...(x + wide / 2 + 0.3)
    let along = (z - long / 2 - 0.6)...(z + long / 2 + 0.6)
    guard !taken.contains(where: { $0.x.overlaps(across) && $0.z.overlaps(along) }) else {
      return false
    }
    taken.append((across, along))
    return true
  }
}

// MARK: - What bounds the street

extension Street {
  /// Lines the side with houses, walls, fences, hedges and trees, one after the other.
  private mutating func lineUp(_ side: Side) {
    let urban = dice(0.05, 0.7)
    var z: Float = -6
    while z < 100 {
      let length = dice(7, 19), end = z + length
      if dice.chance(urban) {
        house(side, z, end, back: 0)
      } else {
        barrier(side, z, end)
        if dice.chance(0.55) { house(side, z, end - dice(0, 4), back: dice(3, 8)) }
        for _ in 0..<dice.count(0, 2) {
          tree(side.sign * (side.front + dice(1.8, 6)), dice(max(z, 6), max(end, 7)))
        }
      }
      z = end + (dice.chance(0.2) ? dice(2, 7) : 0)
    }
  }

  /// The ends of a stretch of frontage, so that its depth lies to the right of the way there.
  private func stretch(_ side: Side, _ z0: Float, _ z1: Float, back: Float) -> (Vector, Vector) {
    let x = side.sign * (side.front + back)
    return side.sign > 0 ? (place(x, z0), place(x, z1)) : (place(x, z1), place(x, z0))
  }

  private mutating func house(_ side: Side, _ z0: Float, _ z1: Float, back: Float) {
    let (a, b) = stretch(side, z0, z1, back: back)
    let depth = dice(7, 12), own = dice.fork()
    let height = dice.chance(0.4) ? dice(4, 8) : dice(8, 22)
    let away = Vector(side.sign * depth, 0, 0), up = Vector(0, height, 0)
    add((z0 + z1) / 2 + back, solid: [a, b, a + away, b + away, a + up, b + up]) {
      $0.building(from: a, to: b, depth: depth, height: height, own)
    }
  }

  private mutating func barrier(_ side: Side, _ z0: Float, _ z1: Float) {
    let (a, b) = stretch(side, z0, z1, back: 0)
    let own = dice.fork()
    let middle = (z0 + z1) / 2
    switch dice.unit() {
    case ..<0.38:
      let up = Vector(0, 2, 0)
      add(middle, solid: [a, b, a + up, b + up]) { $0.wall(from: a, to: b, depth: 0.35, own) }
    case ..<0.8:
      let height = dice(1.2, 2.4)
      add(middle) { $0.fence(from: a, to: b, height: height, own) }
    case ..<0.92:
      let height = dice(1, 2.4), up = Vector(0, height, 0)
      add(middle, solid: [a, b, a + up, b + up]) {
        $0.hedge(from: a, to: b, depth: 0.9, height: height, own)
      }
    default: break
    }
  }

  private mutating func tree(_ x: Float, _ z: Float) {
    guard take(x, z, wide: 1, long: 1) else { return }
    let own = dice.fork(), at = place(x, z)
    let crown = [-1.6, 1.6].flatMap { dx in
      [3.2, 6.4].map { at + Vector(dx, $0, 0) }
    }
    add(z, solid: crown) { $0.tree(at: at, own) }
  }

  /// Sets something across the street's far end, so that not every road ends in the sky.
  private mutating func closeOff() {
    guard dice.chance(0.6) else { return }
    let z = dice(95, 130), own = dice.fork(), leafy = dice.chance(0.5)
    let a = place(0, z) - Vector(90, 0, 0), b = place(0, z) + Vector(90, 0, 0)
    let height = leafy ? dice(5, 11) : dice(8, 22)
    add(z) {
      if leafy {
        $0.hedge(from: a, to: b, depth: 3, height: height, own)
      } else {
        $0.building(from: a, to: b, depth: 8, height: height, own)
      }
    }
  }
}

// MARK: - Traffic

extension Street {
  private mutating func traffic() {
    // A few kinds are brought close in every scene, so that the rare ones are seen often.
    let kinds = dice.shuffled(Vehicle.allCases + [.bicycle, .motorcycle])
    for kind in kinds.prefix(dice.count(2, 4)) {
      for _ in 0..<4 where drive(kind, near: true) { break }
    }
    for _ in 0..<dice.count(1, 5) { _ = drive(dice.chance(0.6) ? .car : kinds[3], near: false) }
    if dice.chance(0.25) { crossing(dice.pick(.car, .bus, .truck, .train, .motorcycle, .bicycle)) }
    for side in [left, right] where side.kerb > (side.sign > 0 ? 3.9 : 6.5) { park(side) }
  }

  /// Lets a vehicle drive in one of the lanes; false if the place was taken.
  private mutating func drive(_ kind: Vehicle, near: Bool) -> Bool {
    let oncoming = dice.chance(0.55)
    var x = oncoming ? dice(-3.9, -3.1) : dice(-0.5, 0.5)
    if kind.isCycle && dice.chance(0.6) {
      x = oncoming ? -left.kerb + 0.7 : max(right.kerb - 0.7, 1.2)
    }
    let start: Float = abs(x) > 1.5 || kind.isCycle ? 3.2 : 6
    let z = (near ? dice(start, start + (kind.isCycle ? 7 : 13)) : dice(16, 70)) + kind.length / 2
    guard take(x, z, wide: kind.width, long: kind.length) else { return false }
    let turn = oncoming ? Float.pi : 0
    stand(kind, x, z, yaw: turn + 2 * bend * z + dice(-0.04, 0.04), ridden: true)
    return true
  }

  /// Lets a vehicle cross the road, so that its flank is seen.
  private mutating func crossing(_ kind: Vehicle) {
    let z = dice(11, 32), x = dice(-5, 4)
    guard take(x, z, wide: kind.length, long: kind.width) else { return }
    stand(kind, x, z, yaw: dice.sign() * .pi / 2 + dice(-0.15, 0.15), ridden: true)
  }

  /// Parks vehicles along the kerb.
  private mutating func park(_ side: Side) {
    var z = dice(2, 14)
    for _ in 0..<dice.count(0, 6) {
      let kind: Vehicle = dice.chance(0.8) ? .car : dice.pick(.truck, .motorcycle, .bus)
      z += kind.length / 2
      let x = side.sign * (side.kerb - 1.15)
      if z < 70, take(x, z, wide: kind.width, long: kind.length) {
        let yaw = (dice.chance(0.5) == (side.sign > 0) ? 0 : Float.pi) + 2 * bend * z
        stand(kind, x, z, yaw: yaw + dice(-0.05, 0.05), ridden: false)
      }
      z += kind.length / 2 + dice(0.8, 9)
    }
  }

  mutating func stand(_ kind: Vehicle, _ x: Float, _ z: Float, yaw: Float, ridden: Bool) {
    let frame = Frame(place(x, z), yaw: yaw), own = dice.fork()
    add(z, solid: frame.box(kind.length, kind.width, kind.height)) {
      kind.paint(on: $0, frame, ridden: ridden, own)
    }
  }
}

/// What drives or is parked.
enum Vehicle: CaseIterable {
  case car, truck, bus, train, motorcycle, bicycle

  var isCycle: Bool { self == .motorcycle || self == .bicycle }

  /// About how much ground it takes, in metres.
  var length: Float {
    switch self {
    case .car: 4.4
    case .truck: 8.5
    case .bus: 11.5
    case .train: 22
    case .motorcycle, .bicycle: 1.9
    }
  }

  var width: Float {
    switch self {
    case .car: 1.8
    case .truck, .bus, .train: 2.5
    case .motorcycle, .bicycle: 0.6
    }
  }

  var height: Float {
    switch self {
    case .car: 1.5
    case .truck, .bus, .train: 3.2
    case .motorcycle, .bicycle: 1.2
    }
  }

  func paint(on canvas: Canvas, _ frame: Frame, ridden: Bool, _ dice: Dice) {
    switch self {
    case .car: canvas.car(frame, dice)
    case .truck: canvas.truck(frame, dice)
    case .bus: canvas.bus(frame, dice)
    case .train: canvas.train(frame, dice)
    case .motorcycle: canvas.cycle(frame, .motorcycle, ridden: ridden, dice)
    case .bicycle: canvas.cycle(frame, .bicycle, ridden: ridden, dice)
    }
  }
}

// MARK: - The pavement

extension Street {
  /// Sets up lamps, signs, traffic lights and trees along the kerb.
  private mutating func furnish(_ side: Side) {
    let x = side.sign * (side.kerb + 0.55)
    var z = dice(5, 11)
    while z < 36 {
      if take(x, z, wide: 0.3, long: 0.3) {
        let at = place(x, z), own = dice.fork(), inward = -side.sign
        let reach = inward * dice(0.8, 2.6)
        switch dice.unit() {
        case ..<0.3: add(z) { $0.lamp(at: at, reach: reach, own) }
        case ..<0.6:
          let board = side.sign < 0 && dice.chance(0.2)
          add(z) { $0.sign(at: at, board: board, own) }
        case ..<0.85: add(z) { $0.trafficLight(at: at, reach: reach * 1.3, own) }
        default: tree(x + side.sign * 0.5, z + 0.8)
        }
      }
      z += dice(4.5, 13)
    }
    for _ in 0..<dice.count(0, 2) {
      let x = side.sign * (side.front - 0.6), z = dice(6, 30)
      guard take(x, z, wide: 0.6, long: 0.6) else { continue }
      let at = place(x, z), own = dice.fork(), moves = dice.chance(0.3)
      add(z) { $0.clutter(at: at, moves: moves, own) }
    }
  }

  /// Fills the pavement with people, alone and in groups, and with parked cycles.
  private mutating func people(_ side: Side) {
    let middle = side.middle(of: .sidewalk) ?? side.sign * (side.kerb + 1)
    for _ in 0..<dice.count(1, 4) {
      let z = dice(4.5, 17), group = dice.chance(0.4) ? dice.count(2, 4) : 1
      for _ in 0..<group { stroll(middle + dice(-1, 1), z + dice(-1, 1)) }
    }
    if dice.chance(0.35) { stroll(side.sign * dice(0.5, side.kerb), dice(6, 18)) }
    guard dice.chance(0.7) else { return }
    let kind: Vehicle = dice.chance(0.75) ? .bicycle : .motorcycle
    var z = dice(4, 16)
    for _ in 0..<dice.count(1, 4) {
      let x = middle + side.sign * dice(-0.2, 0.8)
      if take(x, z, wide: 0.6, long: 0.6) {
        stand(kind, x, z, yaw: dice.sign() * dice(0.7, 1.6), ridden: false)
      }
      z += dice(0.9, 1.6)
    }
  }

  private mutating func stroll(_ x: Float, _ z: Float) {
    guard z > 3.5, take(x, z, wide: 0.3, long: 0.1) else { return }
    let at = place(x, z), own = dice.fork()
    let up = Vector(0, 1.7, 0), half = Vector(0.22, 0, 0)
    add(z, solid: [at - half, at + half, at + up]) { $0.person(at: at, own) }
  }
}
