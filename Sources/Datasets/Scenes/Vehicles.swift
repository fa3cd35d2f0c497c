/// A profile, seen from the right, drawn out to a width: how vehicles and houses are built.
struct Body {
  let canvas: Canvas
  let frame: Frame
  let width: Float
  let owner: UInt16
  /// The flank in view, with u ahead and v up; nil where neither is.
  let flank: Plane?

  init(_ canvas: Canvas, _ frame: Frame, width: Float, owner: UInt16) {
    self.canvas = canvas
    self.frame = frame
    self.width = width
    self.owner = owner
    let eye = Vector(0, canvas.camera.height, 0) - frame.origin
    let side = eye.dot(frame.right)
    flank =
      abs(side) > width / 2
      ? Plane(
        origin: frame.at(0, side > 0 ? width / 2 : -width / 2, 0), u: frame.forward,
        v: Vector(0, 1, 0)) : nil
  }

  /// Fills the outline, counter-clockwise with u ahead and v up, and returns the plane of each edge
  /// (u to the right across the body, v along the edge), nil for those that look away.
  @discardableResult
  func hull(_ outline: [Point], _ surface: Surface) -> [(plane: Plane, length: Float)?] {
    let eye = Vector(0, canvas.camera.height, 0)
    var panels: [(plane: Plane, length: Float)?] = []
    for (i, a) in outline.enumerated() {
      let b = outline[(i + 1) % outline.count]
      let edge = frame.forward * (b.u - a.u) + Vector(0, b.v - a.v, 0)
      let normal = frame.right.cross(edge)
      let plane = Plane(
        origin: frame.at(a.u, -width / 2, a.v), u: frame.right, v: edge.normalized)
      guard normal.dot(eye - plane.origin) > 0 else {
        panels.append(nil)
        continue
      }
      canvas.fill(rectangle(0, 0, width, edge.length), on: plane, surface, owner: owner)
      panels.append((plane, edge.length))
    }
    if let flank { canvas.fill(outline, on: flank, surface, owner: owner) }
    return panels
  }

  /// Fills a decal on the flank.
  func onFlank(_ shape: [Point], _ surface: Surface) {
    if let flank { canvas.fill(shape, on: flank, surface, owner: owner, bias: 1.0005) }
  }

  /// Fills a decal on a panel, coordinates as shares of its width and height.
  func on(
    _ panel: (plane: Plane, length: Float)?, _ u0: Float, _ v0: Float, _ u1: Float, _ v1: Float,
    _ surface: Surface
  ) {
    guard let panel else { return }
    let w = width, h = panel.length
    canvas.fill(
      rectangle(u0 * w, v0 * h, u1 * w, v1 * h), on: panel.plane, surface, owner: owner,
      bias: 1.0005)
  }

  /// Fills the wheels under the body: on the flank, and as tyres below the front or rear.
  func wheels(at places: [Float], radius: Float, ends: (rear: Float, front: Float)) {
    let tyre = Surface(RGB(0.07)), rim = Surface(RGB(0.45))
    for u in places {
      onFlank(ellipse(u, radius, radius, radius), tyre)
      onFlank(ellipse(u, radius, radius * 0.55, radius * 0.55), rim)
    }
    for end in [ends.rear, ends.front] {
      let plane = Plane(origin: frame.at(end, -width / 2, 0), u: frame.right, v: Vector(0, 1, 0))
      for u in [Float(0.08), width - 0.33] {
        canvas.fill(rectangle(u, 0, u + 0.25, radius), on: plane, tyre, owner: owner)
      }
    }
  }

  /// Fills a pair of lamps on a panel.
  func lamps(_ panel: (plane: Plane, length: Float)?, _ low: Float, _ high: Float, _ color: RGB) {
    var lamp = Surface(color)
    lamp.glows = true
    on(panel, 0.04, low, 0.2, high, lamp)
    on(panel, 0.8, low, 0.96, high, lamp)
  }
}

private let headlight = RGB(0.95, 0.93, 0.85), taillight = RGB(0.75, 0.06, 0.05)

extension Surface {
  /// Window glass from 0 to `top` metres that mirrors the sky.
  static func glass(_ sky: RGB, top: Float, _ seed: UInt32) -> Surface {
    var surface = Surface(RGB(0.07, 0.08, 0.1), .glass)
    surface.second = sky
    surface.cell.v = top
    surface.seed = seed
    surface.grain = 0
    return surface
  }
}

extension Canvas {
  /// A passenger car: hatchback, saloon, estate or van by its proportions.
  func car(_ frame: Frame, _ dice: Dice) {
    var dice = dice
    let length = dice(3.9, 4.8), width = dice(1.7, 1.9)
    let roof = dice(1.4, 1.85), belt = dice(0.85, 1), bonnet = roof > 1.7 ? dice(0.6, 0.9) : 1.15
    let boot: Float = roof > 1.6 || dice.chance(0.5) ? 0.1 : 0.75
    let h = length / 2
    var paint = Surface(dice.paint())
    paint.grain = 0.04
    let body = Body(self, frame, width: width, owner: owner(.car))
    let top0 = -h + boot + 0.3, top1 = h - bonnet - 0.75
    let panels = body.hull(
      [
        Point(-h, 0.28), Point(h, 0.28), Point(h + 0.02, 0.7), Point(h - bonnet, belt),
        Point(top1, roof), Point(top0, roof), Point(-h + boot, belt + 0.02), Point(-h, belt),
      ], paint)
    let glass = Surface.glass(light.haze, top: roof, dice.seed())
    body.on(panels[3], 0.06, 0.06, 0.94, 0.92, glass)
    body.on(panels[5], 0.08, 0.12, 0.92, 0.95, glass)
    let middle = (top0 + top1) / 2 + 0.1
    body.onFlank(
      [
        Point(middle + 0.04, belt), Point(h - bonnet - 0.12, belt), Point(top1, roof - 0.1),
        Point(middle + 0.04, roof - 0.1),
      ], glass)
    body.onFlank(
      [
        Point(-h + boot + 0.15, belt + 0.03), Point(middle - 0.04, belt),
        Point(middle - 0.04, roof - 0.1), Point(top0 + 0.05, roof - 0.1),
      ], glass)
    body.onFlank(rectangle(middle - 0.01, 0.35, middle + 0.02, belt), Surface(paint.color * 0.5))
    body.lamps(panels[1], 0.55, 0.95, headlight)
    body.on(panels[1], 0.25, 0.3, 0.75, 0.75, Surface(RGB(0.1)))
    body.lamps(panels[7], 0.3, 0.65, taillight)
    body.on(panels[7], 0.34, 0.45, 0.66, 0.68, Surface(RGB(0.8)))
    body.on(panels[7], 0, 0.78, 1, 1, Surface(RGB(0.13)))
    body.wheels(at: [-h + 0.8, h - 0.8], radius: 0.33, ends: (-h + 0.1, h - 0.1))
  }

  /// A bus: one box on wheels, with a band of windows and a large windscreen.
  func bus(_ frame: Frame, _ dice: Dice) {
    var dice = dice
    let length = dice(9.5, 12.5), height = dice(2.9, 3.3), width: Float = 2.5, h = length / 2
    var paint = Surface(dice.paint())
    paint.grain = 0.05
    let trim = Surface(dice.paint())
    let body = Body(self, frame, width: width, owner: owner(.bus))
    let panels = body.hull(
      [
        Point(-h, 0.35), Point(h, 0.35), Point(h, height - 0.2), Point(h - 0.25, height),
        Point(-h + 0.2, height), Point(-h, height - 0.2),
      ], paint)
    let glass = Surface.glass(light.haze, top: height, dice.seed())
    if dice.chance(0.6) { body.onFlank(rectangle(-h, 0.5, h, 0.95), trim) }
    var u = -h + 0.3
    while u < h - 1.6 {
      body.onFlank(rectangle(u, 1.25, u + 1.32, height - 0.55), glass)
      u += 1.45
    }
    for door in [h - 1.5, -0.6] {
      body.onFlank(rectangle(door, 0.42, door + 1.15, height - 0.5), glass)
      body.onFlank(rectangle(door + 0.54, 0.42, door + 0.62, height - 0.5), paint)
    }
    for (panel, lamp) in [(1, headlight), (5, taillight)] {
      body.on(panels[panel], 0.05, 0.28, 0.95, 0.83, glass)
      var sign = Surface(RGB(0.95, 0.6, 0.15))
      sign.glows = true
      body.on(panels[panel], 0.2, 0.87, 0.8, 0.98, Surface(RGB(0.05)))
      body.on(panels[panel], 0.28, 0.9, 0.72, 0.95, sign)
      body.lamps(panels[panel], 0.08, 0.17, lamp)
      body.on(panels[panel], 0, 0, 1, 0.05, Surface(RGB(0.1)))
    }
    body.wheels(at: [-h + 2.6, h - 2.5], radius: 0.5, ends: (-h + 0.1, h - 0.1))
  }

  /// A lorry: a cab, a gap, and a plain box or tarpaulin over a dark chassis.
  func truck(_ frame: Frame, _ dice: Dice) {
    var dice = dice
    let length = dice(6.5, 9.5), high = dice(3.1, 3.7), low: Float = 0.95, h = length / 2
    let thing = owner(.truck)
    var load = dice.wallSurface(), paint = Surface(dice.paint())
    load.center.v = low
    paint.grain = 0.05
    let glass = Surface.glass(light.haze, top: 2.6, dice.seed())
    let chassis = Body(self, frame, width: 2.1, owner: thing)
    chassis.hull(rectangle(-h, 0.5, h - 0.2, low), Surface(RGB(0.08)))
    let box = Body(self, frame, width: 2.5, owner: thing)
    let back = box.hull(rectangle(-h, low, h - 2.3, high), load)
    box.on(back[3], 0.49, 0.03, 0.51, 0.97, Surface(RGB(0.12)))
    box.on(back[3], 0, 0, 1, 0.04, Surface(RGB(0.15)))
    box.lamps(back[3], 0.01, 0.06, taillight)
    let rear = Body(self, frame, width: 2.4, owner: thing)
    let bumper = rear.hull(rectangle(-h, 0.5, -h + 0.1, low), Surface(RGB(0.2)))
    rear.lamps(bumper[3], 0.3, 0.8, taillight)
    let cab = Body(self, frame, width: 2.35, owner: thing)
    let top = min(high - 0.3, dice(2.5, 3))
    let front = cab.hull(
      [
        Point(h - 1.95, 0.5), Point(h, 0.5), Point(h, 1.45), Point(h - 0.3, top),
        Point(h - 1.95, top),
      ], paint)
    cab.on(front[2], 0.06, 0.08, 0.94, 0.75, glass)
    cab.lamps(front[1], 0.12, 0.35, headlight)
    cab.on(front[1], 0.25, 0.3, 0.75, 0.85, Surface(RGB(0.1)))
    cab.onFlank(
      [
        Point(h - 1.3, 1.5), Point(h - 0.18, 1.5), Point(h - 0.38, top - 0.35),
        Point(h - 1.3, top - 0.35),
      ], glass)
    cab.wheels(at: [h - 1.1, -h + 1.2, -h + 2.4], radius: 0.52, ends: (-h + 0.3, h - 0.2))
  }

  /// A tram of several cars with slanted noses, low skirts without wheels, and a current collector.
  func train(_ frame: Frame, _ dice: Dice) {
    var dice = dice
    let cars = dice.count(2, 3), piece: Float = 8, height = dice(3.2, 3.6), width: Float = 2.5
    let h = Float(cars) * piece / 2, slant = dice(0.7, 1.4)
    var paint = Surface(dice.paint())
    paint.grain = 0.05
    let trim = Surface(dice.paint()), dark = Surface(RGB(0.08))
    let glass = Surface.glass(light.haze, top: height, dice.seed())
    let body = Body(self, frame, width: width, owner: owner(.train))
    let panels = body.hull(
      [
        Point(-h, 0.12), Point(h, 0.12), Point(h, 1.1), Point(h - slant, height),
        Point(-h + slant, height), Point(-h, 1.1),
      ], paint)
    for (windscreen, nose, lamp) in [(2, 1, headlight), (4, 5, taillight)] {
      body.on(panels[windscreen], 0.06, 0.02, 0.94, 0.85, glass)
      body.lamps(panels[nose], 0.55, 0.8, lamp)
      body.on(panels[nose], 0, 0.28, 1, 0.42, trim)
      body.on(panels[nose], 0.3, 0, 0.7, 0.2, dark)
    }
    body.onFlank(rectangle(-h, 0.12, h, 0.3), dark)
    body.onFlank(rectangle(-h + 0.1, 0.85, h - 0.1, 1.1), trim)
    body.onFlank(rectangle(-h + slant * 0.8, 1.3, h - slant * 0.8, 2.75), glass)
    for i in 0..<cars {
      let start = -h + Float(i) * piece
      if i > 0 { body.onFlank(rectangle(start - 0.3, 0.12, start + 0.3, height), dark) }
      for door in [start + 2.2, start + 4.9] {
        body.onFlank(rectangle(door, 0.3, door + 1.3, 2.85), trim)
        body.onFlank(rectangle(door + 0.12, 0.6, door + 0.58, 2.7), glass)
        body.onFlank(rectangle(door + 0.72, 0.6, door + 1.18, 2.7), glass)
      }
      let middle = Frame(origin: frame.at(start + 4, 0, 0), forward: frame.forward)
      let crate = Body(self, middle, width: 1.8, owner: body.owner)
      crate.hull(rectangle(-1.8, height, 1.6, height + 0.4), Surface(RGB(0.35)))
    }
    let collector = Plane.facing(frame.origin)
    for (a, b) in [(-0.7, 0.45), (0.7, 0.45)] as [(Float, Float)] {
      let top = Point(a, height + 1.1)
      fill(
        stroke(Point(0, height + b), top, 0.08, 0.08), on: collector, dark, owner: body.owner)
    }
    fill(
      stroke(Point(-0.85, height + 1.1), Point(0.85, height + 1.1), 0.1, 0.1), on: collector, dark,
      owner: body.owner)
  }
}
