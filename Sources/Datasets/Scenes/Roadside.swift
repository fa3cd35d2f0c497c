extension Dice {
  /// What walls, houses and lorries alike are covered with.
  mutating func wallSurface() -> Surface {
    var surface = Surface(paint(), pick(.plain, .plain, .bricks, .boards))
    surface.second = surface.color * self(0.4, 1.5)
    surface.cell = chance(0.5) ? Point(0.5, 0.22) : Point(self(0.9, 1.8), self(0.4, 0.8))
    if surface.pattern == .boards { surface.cell.u = self(0.2, 0.6) }
    surface.grain = self(0.05, 0.25)
    surface.size = self(0.1, 0.4)
    surface.seed = seed()
    return surface
  }

  /// A facade: the same, with windows.
  mutating func facade() -> Surface {
    var surface = wallSurface()
    surface.pattern = .windows
    surface.cell = Point(self(1.9, 3.4), self(2.8, 3.6))
    surface.opening = Point(self(0.35, 0.75), self(0.4, 0.62))
    surface.second = paint()
    return surface
  }
}

extension Canvas {
  /// A box between two points of its front edge, `depth` metres deep to the right of the way there.
  private func block(
    from a: Vector, to b: Vector, depth: Float, height: Float, _ surface: Surface, owner: UInt16
  ) {
    let along = (b - a).normalized, inward = Vector(along.z, 0, -along.x) * depth
    let up = Vector(0, 1, 0)
    let length = (b - a).length
    fill(
      rectangle(0, 0, length, height), on: Plane(origin: a, u: along, v: up), surface, owner: owner)
    let deep = inward.normalized
    for end in [a, b] {
      fill(
        rectangle(0, 0, abs(depth), height), on: Plane(origin: end, u: deep, v: up), surface,
        owner: owner)
    }
    if height < camera.height {
      fill(
        rectangle(0, 0, length, abs(depth)),
        on: Plane(origin: a + Vector(0, height, 0), u: along, v: deep), surface, owner: owner)
    }
  }

  /// A house with storeys of windows, and a roof where it is low.
  func building(from a: Vector, to b: Vector, depth: Float, height: Float, _ dice: Dice) {
    var dice = dice
    let thing = owner(.building)
    var facade = dice.facade()
    // Some houses turn a windowless wall to the street.
    if dice.chance(0.12) { facade.pattern = .bricks }
    block(from: a, to: b, depth: depth, height: height, facade, owner: thing)
    guard height < 9, dice.chance(0.8) else { return }
    var tiles = Surface(dice.pick(RGB(0.45, 0.2, 0.14), RGB(0.2), RGB(0.35, 0.28, 0.24)), .bricks)
    tiles.cell = Point(0.3, 0.3)
    let along = (b - a).normalized, inward = Vector(along.z, 0, -along.x) * depth
    let up = Vector(0, height, 0), rise = dice(1.5, 3.5), half = abs(depth) / 2
    let slope = (inward * 0.5 + Vector(0, rise, 0))
    let length = (b - a).length
    fill(
      rectangle(-0.3, -0.3, length + 0.3, slope.length),
      on: Plane(origin: a + up, u: along, v: slope.normalized), tiles, owner: thing)
    for end in [a, b] {
      fill(
        [Point(0, 0), Point(half * 2, 0), Point(half, rise)],
        on: Plane(origin: end + up, u: inward.normalized, v: Vector(0, 1, 0)), facade, owner: thing)
    }
  }

  /// A free-standing wall.
  func wall(from a: Vector, to b: Vector, depth: Float, _ dice: Dice) {
    var dice = dice
    let thing = owner(.wall), height = dice(1.5, 2.8)
    let surface = dice.wallSurface()
    block(from: a, to: b, depth: depth, height: height, surface, owner: thing)
    let along = (b - a).normalized, length = (b - a).length, post = Surface(surface.color * 1.15)
    let pillars = dice.chance(0.8)
    var s: Float = 0
    while pillars && s < length {
      let foot = a + along * s - Vector(along.z, 0, -along.x) * 0.08
      block(
        from: foot, to: foot + along * 0.45, depth: depth, height: height + 0.25, post, owner: thing
      )
      s += 3
    }
    guard dice.chance(0.6) else { return }
    let up = Vector(0, height - 0.1, 0)
    block(
      from: a + up, to: b + up, depth: depth, height: 0.18, Surface(surface.color * 0.7),
      owner: thing)
  }

  /// A fence that one sees through.
  func fence(from a: Vector, to b: Vector, height: Float, _ dice: Dice) {
    var dice = dice
    var surface = Surface(
      dice.pick(RGB(0.07), RGB(0.85), dice.paint()), dice.pick(.rods, .rods, .rods, .netting))
    surface.cell = Point(surface.pattern == .rods ? dice(0.3, 0.5) : dice(1.6, 2.6), height)
    surface.opening.u = dice(0.4, 0.6)
    surface.second = surface.color
    let plane = Plane(origin: a, u: (b - a).normalized, v: Vector(0, 1, 0))
    let thing = owner(.fence)
    fill(rectangle(0, 0, (b - a).length, height), on: plane, surface, owner: thing)
  }

  /// A hedge, or a belt of bushes.
  func hedge(from a: Vector, to b: Vector, depth: Float, height: Float, _ dice: Dice) {
    var dice = dice
    var surface = Surface(dice.foliage(), .hedge)
    surface.cell.v = height
    surface.seed = dice.seed()
    block(
      from: a, to: b, depth: depth, height: height, surface, owner: owner(.vegetation))
  }

  /// A tree: a trunk below several crowns.
  func tree(at origin: Vector, _ dice: Dice) {
    var dice = dice
    let thing = owner(.vegetation), plane = Plane.facing(origin)
    let radius = dice(1.4, 2.6), middle = dice(3.6, 5.2) + radius * 0.4
    var bark = Surface(RGB(0.34, 0.28, 0.23) * dice(0.5, 1.3), .tube)
    let thick = dice(0.18, 0.4)
    bark.cell.u = thick * 1.2
    fill(
      stroke(Point(0, 0), Point(dice(-0.3, 0.3), middle), thick, thick * 0.6), on: plane, bark,
      owner: thing)
    let color = dice.foliage(), lit = light.ambient * 0.9 + light.strength * 0.55
    for i in 0..<dice.count(3, 5) {
      var crown = Surface(color * dice(0.85, 1.15), .crown)
      crown.cell = Point(radius * dice(0.6, 1), radius * dice(0.55, 0.9))
      crown.center = Point(dice(-0.6, 0.6) * radius, middle + dice(-0.5, 0.9) * radius)
      if i == 0 { crown.center = Point(0, middle) }
      crown.seed = dice.seed()
      let c = crown.center, e = crown.cell
      fill(
        rectangle(c.u - e.u * 1.3, c.v - e.v * 1.3, c.u + e.u * 1.3, c.v + e.v * 1.3), on: plane,
        crown, owner: thing, lit: lit)
    }
  }

  /// An upright post.
  private func post(_ plane: Plane, height: Float, width: Float, _ color: RGB) {
    var surface = Surface(color, .tube)
    surface.cell.u = width
    fill(rectangle(-width / 2, 0, width / 2, height), on: plane, surface, owner: owner(.pole))
  }

  /// A street lamp or a bare mast; `reach` is the arm's length towards the road.
  func lamp(at origin: Vector, reach: Float, _ dice: Dice) {
    var dice = dice
    let plane = Plane.facing(origin), height = dice(4.5, 8), color = dice.paint()
    post(plane, height: height, width: dice(0.22, 0.36), color)
    guard dice.chance(0.75) else { return }
    let thing = owner(.pole)
    fill(
      stroke(Point(0, height), Point(reach, height + 0.3), 0.16, 0.12), on: plane, Surface(color),
      owner: thing)
    fill(
      rectangle(reach - 0.35, height + 0.15, reach + 0.35, height + 0.4), on: plane,
      Surface(RGB(0.75)), owner: thing)
  }

  /// A traffic sign on its post; `board` makes it a direction board above the road.
  func sign(at origin: Vector, board: Bool, _ dice: Dice) {
    var dice = dice
    let plane = Plane.facing(origin), thing = owner(.trafficSign)
    let face = Surface(
      dice.pick(
        RGB(0.85), RGB(0.1, 0.25, 0.6), RGB(0.9, 0.75, 0.1), RGB(0.7, 0.1, 0.08), dice.paint()))
    let edge = Surface(dice.pick(RGB(0.7, 0.08, 0.07), RGB(0.85), RGB(0.15), dice.paint()))
    let ink = Surface(dice.chance(0.5) ? RGB(0.08) : RGB(0.9))
    let front = plane.nearer(by: 0.06)
    func put(_ shape: [Point], _ surface: Surface) {
      fill(shape, on: front, surface, owner: thing, bias: 1.0005)
    }
    if board {
      let wide = dice(2.4, 3.6), low: Float = 4.2, high = dice(5.4, 6)
      post(plane, height: high, width: 0.26, RGB(0.45))
      put(rectangle(-0.3, low, wide, high), edge)
      put(rectangle(-0.2, low + 0.1, wide - 0.1, high - 0.1), face)
      for v in [low + 0.3, low + 0.75] {
        put(rectangle(0.1, v, wide * dice(0.4, 0.8), v + 0.18), ink)
      }
      return
    }
    let low = dice(2, 2.5), r = dice(0.42, 0.58), v = low + r
    post(plane, height: v + 0.2, width: dice(0.16, 0.26), RGB(dice(0.3, 0.65)))
    let corners = dice.pick(3, 4, 14, 14, 8), turn: Float = corners == 4 || corners == 8 ? 0.5 : 0
    let flip: Float = corners == 3 && dice.chance(0.6) ? -1 : 1
    put(ellipse(0, v, r, r * flip, corners: corners, turn: turn), edge)
    put(ellipse(0, v, r * 0.78, r * 0.78 * flip, corners: corners, turn: turn), face)
    put(rectangle(-r * 0.4, v - r * 0.15, r * 0.4, v + r * 0.15), ink)
    guard dice.chance(0.4) else { return }
    put(rectangle(-r * 0.9, v - r * 1.75, r * 0.9, v - r * 1.1), face)
  }

  /// A traffic light on its post, or hanging over the road from an arm of `reach` metres.
  func trafficLight(at origin: Vector, reach: Float, _ dice: Dice) {
    var dice = dice
    let plane = Plane.facing(origin), color = RGB(dice(0.15, 0.5))
    let hangs = dice.chance(0.3), low: Float = hangs ? 4.1 : dice(2, 2.6)
    post(plane, height: hangs ? 5.2 : low + 1, width: dice(0.16, 0.24), color)
    let thing = owner(.trafficLight), front = plane.nearer(by: 0.08)
    if hangs {
      fill(
        stroke(Point(0, 5), Point(reach, 5), 0.16, 0.12), on: plane, Surface(color),
        owner: owner(.pole))
    }
    let lit = dice.count(0, 2), u = hangs ? reach : 0
    let box = Surface(dice.pick(RGB(0.07), RGB(0.1, 0.14, 0.1), RGB(0.6, 0.5, 0.1), RGB(0.35)))
    func put(_ shape: [Point], _ surface: Surface) {
      fill(shape, on: front, surface, owner: thing, bias: 1.0005)
    }
    if dice.chance(0.3) {
      put(rectangle(u - 0.4, low - 0.1, u + 0.4, low + 1.3), Surface(RGB(0.85)))
    }
    put(rectangle(u - 0.25, low, u + 0.25, low + 1.2), box)
    for (i, color) in [RGB(0.1, 0.9, 0.45), RGB(1, 0.7, 0.1), RGB(1, 0.12, 0.08)].enumerated() {
      var lens = Surface(i == lit ? color : color * 0.22)
      lens.glows = i == lit
      put(ellipse(u, low + 0.22 + Float(i) * 0.38, 0.16, 0.16), lens)
    }
  }

  /// A bin, a box or a barrow: things that no class counts.
  func clutter(at origin: Vector, moves: Bool, _ dice: Dice) {
    var dice = dice
    let body = Body(
      self, Frame(origin, yaw: dice(-0.4, 0.4)), width: dice(0.4, 0.8),
      owner: owner(moves ? .isDynamic : .isStatic))
    let long = dice(0.25, 0.5), high = dice(0.7, 1.3)
    body.hull(rectangle(-long, moves ? 0.25 : 0, long, high), dice.wallSurface())
    if moves { body.wheels(at: [0], radius: 0.2, ends: (-long, long)) }
  }
}
