/// What a figure wears.
private struct Clothes {
  var coat, legs, skin, hair: Surface

  init(_ dice: inout Dice) {
    coat = Surface(dice.paint())
    legs = Surface(dice.paint() * 0.8)
    skin = Surface(dice.pick(RGB(0.8, 0.6, 0.5), RGB(0.6, 0.42, 0.32), RGB(0.36, 0.25, 0.2)))
    hair = Surface(dice.pick(RGB(0.1), RGB(0.3, 0.2, 0.12), RGB(0.6, 0.5, 0.3), RGB(0.55)))
    coat.seed = dice.seed()
  }
}

/// Draws one figure or vehicle on an upright plane.
private struct Pen {
  let canvas: Canvas
  let plane: Plane
  let owner: UInt16
  var lit: Float

  func fill(_ shape: [Point], _ surface: Surface) {
    canvas.fill(shape, on: plane, surface, owner: owner, lit: lit, bias: 1.0005)
  }

  func limb(
    _ a: (Float, Float), _ b: (Float, Float), _ from: Float, _ to: Float, _ surface: Surface
  ) {
    fill(stroke(Point(a.0, a.1), Point(b.0, b.1), from, to), surface)
  }

  func disc(_ u: Float, _ v: Float, _ radius: Float, _ surface: Surface) {
    fill(ellipse(u, v, radius, radius), surface)
  }

  /// A wheel of which the spokes let the background through but not its label.
  func wheel(_ u: Float, _ radius: Float) {
    var surface = Surface(RGB(0.06), .spokes)
    surface.second = RGB(0.45)
    surface.cell.u = radius
    surface.center = Point(u, radius)
    disc(u, radius, radius, surface)
  }
}

extension Canvas {
  private func pen(_ plane: Plane, _ label: SceneLabel) -> Pen {
    let normal = plane.u.cross(plane.v)
    let side = normal.dot(plane.origin) > 0 ? normal * -1 : normal
    return Pen(canvas: self, plane: plane, owner: owner(label), lit: light.on(side) * 0.9 + 0.1)
  }

  /// Somebody on foot.
  func person(at origin: Vector, _ dice: Dice) {
    var dice = dice
    let clothes = Clothes(&dice)
    let tall = dice(0.9, 1.08), stride = dice(-0.3, 0.3), wide = dice(0.42, 0.54)
    let pen = pen(.facing(origin), .person)
    let hip = 0.88 * tall, shoulder = 1.45 * tall
    let skirt = dice.chance(0.3) ? dice(0.45, 0.75) : hip
    pen.limb((-0.09, hip), (-0.1 + stride * 0.6, 0.46), 0.22, 0.17, clothes.legs)
    pen.limb((-0.1 + stride * 0.6, 0.48), (-0.1 + stride, 0.03), 0.16, 0.13, clothes.legs)
    pen.limb((0.09, hip), (0.1 - stride * 0.4, 0.46), 0.22, 0.17, clothes.legs)
    pen.limb((0.1 - stride * 0.4, 0.48), (0.1 - stride, 0), 0.16, 0.13, clothes.legs)
    let sway = dice(-0.2, 0.2)
    pen.limb((-wide * 0.45, shoulder - 0.03), (-wide * 0.55 - sway, hip), 0.14, 0.1, clothes.coat)
    pen.limb((wide * 0.45, shoulder - 0.03), (wide * 0.55 - sway, hip), 0.14, 0.1, clothes.coat)
    pen.fill(
      [
        Point(-wide / 2, shoulder), Point(-wide * 0.42, skirt - 0.08),
        Point(wide * 0.42, skirt - 0.08), Point(wide / 2, shoulder), Point(0.08, shoulder + 0.07),
        Point(-0.08, shoulder + 0.07),
      ], clothes.coat)
    pen.fill(ellipse(0, shoulder + 0.2, 0.115, 0.15), clothes.skin)
    pen.fill(ellipse(0, shoulder + 0.27, 0.13, 0.1), clothes.hair)
    guard dice.chance(0.3) else { return }
    let bag = Surface(dice.paint()), side = dice.sign() * wide * 0.6
    pen.fill(rectangle(side - 0.15, hip - 0.25, side + 0.15, hip + 0.1), bag)
  }

  /// A bicycle or motorcycle, with its rider or parked.
  func cycle(_ frame: Frame, _ label: SceneLabel, ridden: Bool, _ dice: Dice) {
    let view = frame.origin.normalized
    let side = abs(frame.right.dot(view)) > 0.45
    let motor = label == .motorcycle
    if side {
      // The pen's u is the vehicle's forward direction, whichever way that looks from here.
      let plane = Plane(origin: frame.origin, u: frame.forward, v: Vector(0, 1, 0))
      let vehicle = pen(plane, label)
      if motor { motorcycleFlank(vehicle, dice) } else { bicycleFlank(vehicle, dice) }
      if ridden { rider(pen(plane.nearer(by: 0.05), .rider), motor: motor, dice) }
    } else {
      let plane = Plane.facing(frame.origin)
      let away = frame.forward.dot(view) > 0
      let vehicle = pen(plane, label)
      cycleEnd(vehicle, motor: motor, away: away, dice)
      if ridden { riderEnd(pen(plane.nearer(by: 0.05), .rider), motor: motor, dice) }
    }
  }

  private func bicycleFlank(_ pen: Pen, _ dice: Dice) {
    var dice = dice
    let paint = Surface(dice.paint()), dark = Surface(RGB(0.07))
    pen.wheel(-0.55, 0.36)
    pen.wheel(0.56, 0.36)
    for (a, b) in [
      ((-0.55, 0.36), (-0.06, 0.33)), ((-0.06, 0.33), (-0.2, 0.85)), ((-0.2, 0.8), (0.38, 0.82)),
      ((-0.06, 0.33), (0.4, 0.75)), ((-0.55, 0.36), (-0.19, 0.75)), ((0.56, 0.36), (0.36, 0.98)),
    ] as [((Float, Float), (Float, Float))] { pen.limb(a, b, 0.08, 0.08, paint) }
    pen.limb((-0.38, 0.9), (-0.06, 0.9), 0.1, 0.07, dark)
    pen.limb((0.3, 1.02), (0.5, 1.05), 0.07, 0.07, dark)
    if dice.chance(0.4) { pen.fill(rectangle(-0.85, 0.72, -0.4, 0.88), dark) }
  }

  private func motorcycleFlank(_ pen: Pen, _ dice: Dice) {
    var dice = dice
    let paint = Surface(dice.paint()), dark = Surface(RGB(0.09)), steel = Surface(RGB(0.5))
    for u in [Float(-0.68), 0.72] {
      pen.disc(u, 0.34, 0.34, dark)
      pen.disc(u, 0.34, 0.17, steel)
    }
    pen.limb((0.72, 0.34), (0.42, 0.98), 0.12, 0.12, steel)
    pen.fill(
      [
        Point(-0.5, 0.3), Point(0.35, 0.25), Point(0.45, 0.7), Point(-0.3, 0.62),
      ], dark)
    pen.fill(
      [
        Point(-0.95, 0.8), Point(-0.85, 0.62), Point(-0.2, 0.5), Point(0.4, 0.55),
        Point(0.62, 0.85),
        Point(0.5, 1.1), Point(0.3, 1), Point(0.05, 0.98), Point(-0.15, 0.8), Point(-0.6, 0.82),
      ], paint)
    pen.limb((-0.75, 0.84), (-0.1, 0.82), 0.1, 0.1, dark)
    pen.limb((-0.85, 0.28), (0.1, 0.3), 0.12, 0.08, steel)
    pen.limb((0.3, 1.08), (0.5, 1.12), 0.07, 0.07, dark)
    pen.limb((0.95, 0.7), (0.5, 0.72), 0.03, 0.07, paint)
  }

  private func rider(_ pen: Pen, motor: Bool, _ dice: Dice) {
    var dice = dice.self
    for _ in 0..<5 { _ = dice.next() }
    let clothes = Clothes(&dice)
    let helmet = Surface(dice.paint())
    let hip: (Float, Float) = motor ? (-0.25, 0.9) : (-0.22, 0.98)
    let lean = dice(0.1, 0.4), shoulder = (hip.0 + lean, hip.1 + 0.54)
    let pedal = motor ? (Float(0.0), Float(0.35)) : (-0.06 + dice(-0.12, 0.12), dice(0.2, 0.42))
    let knee = (hip.0 + 0.42, hip.1 - 0.22)
    if !motor {
      pen.limb(hip, (0.1, 0.6), 0.18, 0.14, clothes.legs)
      pen.limb((0.1, 0.62), (-0.08, 0.2), 0.13, 0.1, clothes.legs)
    }
    pen.limb(hip, knee, 0.2, 0.16, clothes.legs)
    pen.limb(knee, pedal, 0.16, 0.12, clothes.legs)
    pen.limb(pedal, (pedal.0 + 0.2, pedal.1), 0.12, 0.08, Surface(RGB(0.1)))
    pen.limb((hip.0 - 0.02, hip.1 - 0.06), shoulder, 0.3, 0.36, clothes.coat)
    pen.limb(shoulder, (0.4, motor ? 1.12 : 1.06), 0.15, 0.1, clothes.coat)
    let head = (shoulder.0 + 0.1, shoulder.1 + 0.22)
    pen.disc(head.0, head.1, 0.13, clothes.skin)
    if motor {
      pen.disc(head.0, head.1, 0.17, helmet)
      pen.fill(rectangle(head.0, head.1 - 0.05, head.0 + 0.16, head.1 + 0.06), Surface(RGB(0.08)))
    } else {
      pen.fill(
        ellipse(head.0 - 0.02, head.1 + 0.07, 0.15, 0.1),
        dice.chance(0.5) ? helmet : clothes.hair)
    }
  }

  private func cycleEnd(_ pen: Pen, motor: Bool, away: Bool, _ dice: Dice) {
    var dice = dice
    let paint = Surface(dice.paint()), dark = Surface(RGB(0.07))
    var lamp = Surface(away ? taillight : headlight)
    lamp.glows = true
    if motor {
      pen.fill(ellipse(0, 0.34, 0.12, 0.34), dark)
      pen.fill(
        [
          Point(-0.2, 0.45), Point(0.2, 0.45), Point(0.33, 0.85), Point(0.2, 1.12),
          Point(-0.2, 1.12), Point(-0.33, 0.85),
        ], paint)
      pen.disc(0, 0.86, 0.12, lamp)
      pen.limb((-0.45, 1.1), (0.45, 1.1), 0.07, 0.07, dark)
      for u in [Float(-0.42), 0.42] { pen.disc(u, 1.2, 0.09, dark) }
    } else {
      pen.fill(ellipse(0, 0.36, 0.07, 0.36), dark)
      pen.limb((0, 0.4), (0, 1), 0.1, 0.1, paint)
      pen.limb((-0.32, 1.04), (0.32, 1.04), 0.07, 0.07, dark)
      pen.disc(0, 0.85, 0.06, lamp)
    }
  }

  private func riderEnd(_ pen: Pen, motor: Bool, _ dice: Dice) {
    var dice = dice
    for _ in 0..<5 { _ = dice.next() }
    let clothes = Clothes(&dice)
    let spread: Float = motor ? 0.3 : 0.16, hip: Float = motor ? 0.85 : 0.98
    for side in [Float(-1), 1] {
      let foot = motor ? 0.38 : dice(0.2, 0.45)
      pen.limb((side * 0.1, hip), (side * spread, 0.68), 0.2, 0.15, clothes.legs)
      pen.limb((side * spread, 0.7), (side * (spread - 0.02), foot), 0.15, 0.11, clothes.legs)
      pen.limb((side * 0.2, hip + 0.5), (side * 0.37, hip + 0.25), 0.14, 0.12, clothes.coat)
      pen.limb((side * 0.37, hip + 0.27), (side * 0.3, 1.06), 0.12, 0.1, clothes.coat)
    }
    pen.fill(
      [
        Point(-0.16, hip - 0.06), Point(0.16, hip - 0.06), Point(0.25, hip + 0.52),
        Point(0.08, hip + 0.6), Point(-0.08, hip + 0.6), Point(-0.25, hip + 0.52),
      ], clothes.coat)
    pen.disc(0, hip + 0.74, 0.13, clothes.skin)
    pen.disc(0, hip + (motor ? 0.74 : 0.8), motor ? 0.17 : 0.13, Surface(dice.paint()))
  }
}

private let headlight = RGB(0.95, 0.93, 0.85), taillight = RGB(0.75, 0.06, 0.05)
