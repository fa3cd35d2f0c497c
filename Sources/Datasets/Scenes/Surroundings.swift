extension Lighting {
  /// A clear, a hazy or an overcast day.
  init(_ dice: inout Dice) {
    let overcast = dice.chance(0.4)
    sun = Vector(dice(-0.9, 0.9), dice(0.35, 0.9), dice(-0.8, 0.4)).normalized
    strength = overcast ? dice(0.02, 0.15) : dice(0.45, 0.75)
    ambient = overcast ? dice(0.6, 0.8) : dice(0.35, 0.5)
    haze = RGB(dice(0.6, 0.85)) * RGB(dice(0.9, 1.02), 1, dice(0.98, 1.1))
    density = dice(0.0005, overcast ? 0.009 : 0.004)
  }

  /// What a shadow leaves of the light on the ground.
  var shade: Float { max(0.3, on(Vector(0, -1, 0)) / on(Vector(0, 1, 0))) }
}

extension Canvas {
  /// Fills the picture with sky: a gradient from the haze upwards, with clouds.
  func sky(_ dice: inout Dice) {
    let thing = owner(.sky)
    let top: RGB =
      switch dice.unit() {
      case ..<0.45: RGB(hue: dice(3.2, 3.7), saturation: dice(0.25, 0.65), value: dice(0.5, 0.9))
      case ..<0.85: RGB(dice(0.45, 0.9)) * RGB(dice(0.92, 1.02), 1, dice(0.98, 1.1))
      default: RGB(hue: dice(0.2, 0.9), saturation: dice(0.1, 0.4), value: dice(0.6, 0.9))
      }
    let cloud = RGB(dice(0.5, 0.95)), cover = dice(-0.2, 0.9), seed = dice.seed()
    let scale = dice(2, 5) / Float(width)
    for row in 0..<height {
      let above = max(0, camera.horizon - Float(row)) / Float(height)
      let base = light.haze.mixed(top, min(1, above * 2.4))
      for column in 0..<width {
        let x = Float(column) * scale, y = Float(row) * scale * (2.2 + 3 * (1 - min(1, above * 2)))
        let puff =
          noise(x, y, seed) * 0.6 + noise(x * 2.7, y * 2.7, seed &+ 1) * 0.28
          + noise(x * 7, y * 7, seed &+ 2) * 0.12
        let index = row * width + column
        colors[index] = base.mixed(cloud, max(0, min(0.85, (puff - 1 + cover) * 2.5)))
        owners[index] = thing
      }
    }
  }

  /// Lays road, pavements and verges from the horizon to the camera, and paints the lines.
  func ground(of street: Street, _ dice: Dice) {
    var dice = dice
    var zones: [(until: Float, surface: Surface, owner: UInt16)] = []
    var edges: [(edge: Float, strip: Side.Strip)] = [(-.infinity, street.left.beyond)]
    var x = -street.left.front
    for strip in street.left.strips.reversed() {
      edges.append((x, strip))
      x += strip.width
    }
    edges.append((-street.left.kerb, (.road, 0, street.road)))
    x = street.right.kerb
    for strip in street.right.strips {
      edges.append((x, strip))
      x += strip.width
    }
    edges.append((x, street.right.beyond))
    for (i, (_, strip)) in edges.enumerated() {
      let until = i + 1 < edges.count ? edges[i + 1].edge : .infinity
      zones.append((until, strip.surface, owner(strip.label)))
    }
    for row in max(0, Int(camera.horizon) + 1)..<max(height, Int(camera.horizon) + 1) {
      let distance = camera.focal * camera.height / (Float(row) + 0.5 - camera.horizon)
      let shift = street.bend * distance * distance
      var from = 0
      for zone in zones {
        let edge = camera.centerX + camera.focal * (zone.until + shift) / distance
        let to = Int(max(0, min(Float(width), edge.rounded())))
        fillGround(row: row, from: from, to: to, shift: shift, zone.surface, owner: zone.owner)
        from = max(from, to)
      }
    }
    lines(of: street, &dice)
  }

  /// Paints lane lines, and now and then a crossing or tram rails, on the road.
  private func lines(of street: Street, _ dice: inout Dice) {
    var paint = Surface(dice.chance(0.85) ? RGB(dice(0.6, 0.85)) : RGB(0.8, 0.6, 0.15))
    paint.grain = 0.25
    let shade = light.on(Vector(0, 1, 0))
    func stripe(_ x: Float, _ z: Float, _ wide: Float, _ long: Float, _ surface: Surface) {
      let a = street.place(x, z), b = street.place(x, z + long)
      fill(
        [
          Point(a.x - wide / 2, a.z), Point(a.x + wide / 2, a.z), Point(b.x + wide / 2, b.z),
          Point(b.x - wide / 2, b.z),
        ], on: .ground, surface, owner: nil, lit: shade, bias: 1.001)
    }
    func line(_ x: Float, dash: Float, gap: Float, _ surface: Surface) {
      var z: Float = 1
      while z < 80 {
        stripe(x, z, 0.14, dash, surface)
        z += dash + gap
      }
    }
    if dice.chance(0.8) { line(-1.7, dash: 3, gap: dice.chance(0.7) ? 4.5 : 0, paint) }
    if street.right.kerb > 3.9, dice.chance(0.5) { line(1.8, dash: 4, gap: 0, paint) }
    if dice.chance(0.3) {
      let z = dice(6, 22)
      var x = -street.left.kerb + 0.4
      while x < street.right.kerb - 0.4 {
        stripe(x, z, 0.5, 3, paint)
        x += 1
      }
    }
    if dice.chance(0.2) {
      let rail = Surface(RGB(dice(0.2, 0.6)))
      for x in [Float(-4.2), -2.8] { line(x, dash: 4, gap: 0, rail) }
    }
  }

  /// Throws the shadows of all that stands in the street onto the ground.
  func shadows(of street: Street) {
    var cast = Surface(RGB(light.shade), .shadow)
    cast.grain = 0
    let fall = light.sun * (1 / light.sun.y)
    for thing in street.things where !thing.solid.isEmpty && thing.distance < 70 {
      let points = thing.solid.map { p in
        let q = p - fall * p.y
        return Point(q.x, q.z)
      }
      fill(hull(points), on: .ground, cast, owner: nil, bias: 1.001)
    }
  }

  /// Puts the bonnet of the camera's own car into the picture.
  func bonnet(_ dice: inout Dice) {
    let thing = owner(.egoVehicle)
    let top = Float(height) * dice(0.9, 0.96), drop = Float(height) * dice(0.05, 0.2)
    let paint = dice.paint() * 0.7
    for row in Int(top)..<height {
      for column in 0..<width {
        let side = (Float(column) + 0.5) / Float(width) * 2 - 1
        let depth = Float(row) - top - drop * side * side
        guard depth >= 0 else { continue }
        let index = row * width + column
        colors[index] = paint * (1.2 - 0.5 * min(1, depth / Float(height) * 12))
        nearness[index] = .infinity
        owners[index] = thing
      }
    }
  }
}
