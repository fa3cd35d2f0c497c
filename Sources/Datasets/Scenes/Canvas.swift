/// The light of a scene.
struct Lighting {
  /// Towards the sun.
  var sun = Vector(0.5, 0.7, -0.5).normalized
  var strength: Float = 0.6
  var ambient: Float = 0.5
  var haze = RGB(0.7)
  /// The share of haze that each metre adds.
  var density: Float = 0.004

  /// How bright a surface of this normal is.
  func on(_ normal: Vector) -> Float {
    ambient * (0.85 + 0.15 * normal.y) + strength * max(0, normal.dot(sun))
  }
}

/// How the world falls on the picture: a pinhole that looks straight ahead.
struct Camera {
  /// Metres above the ground.
  var height: Float
  /// Pixels of the canvas.
  var focal, centerX, horizon: Float

  func project(_ p: Vector) -> Point {
    Point(centerX + focal * p.x / p.z, horizon - focal * (p.y - height) / p.z)
  }
}

/// A picture in the making: for each pixel a colour, how near it is, and what it belongs to.
///
/// Things are filled from far to near; nearness decides where they cross.
final class Canvas {
  let width, height: Int
  let camera: Camera
  let light: Lighting
  let colors: UnsafeMutablePointer<RGB>
  let nearness: UnsafeMutablePointer<Float>
  let owners: UnsafeMutablePointer<UInt16>
  private let shadowed: UnsafeMutablePointer<Bool>
  /// The label and the instance number of each owner.
  private(set) var table: [(label: SceneLabel, instance: UInt16)] = []
  private var counts = [UInt16](repeating: 0, count: 64)
  private var corners: [Point] = [], crossings: [Float] = []

  init(width: Int, height: Int, camera: Camera, light: Lighting) {
    self.width = width
    self.height = height
    self.camera = camera
    self.light = light
    let count = width * height
    colors = .allocate(capacity: count)
    nearness = .allocate(capacity: count)
    owners = .allocate(capacity: count)
    shadowed = .allocate(capacity: count)
    colors.initialize(repeating: RGB(0), count: count)
    nearness.initialize(repeating: 0, count: count)
    owners.initialize(repeating: 0, count: count)
    shadowed.initialize(repeating: false, count: count)
  }

  deinit {
    colors.deallocate()
    nearness.deallocate()
    owners.deallocate()
    shadowed.deallocate()
  }

  /// A new thing of this label: what ``fill(_:on:_:owner:lit:bias:)`` calls its owner.
  func owner(_ label: SceneLabel) -> UInt16 {
    let id = label.rawValue
    table.append((label, counts[Int(id)]))
    counts[Int(id)] += 1
    return UInt16(table.count - 1)
  }

  /// The colour at `index` seen through the haze of `distance` metres.
  @inline(__always) func hazed(_ color: RGB, _ distance: Float) -> RGB {
    let clear = 1 / (1 + light.density * distance)
    return light.haze.mixed(color, clear * clear)
  }

  /// Fills a row of the ground at height 0 from pixel `from` to `to`, coordinates (x, z) less `shift`.
  func fillGround(row: Int, from: Int, to: Int, shift: Float, _ surface: Surface, owner: UInt16) {
    let below = Float(row) + 0.5 - camera.horizon
    guard below > 0 else { return }
    let distance = camera.focal * camera.height / below
    let pixel = distance / camera.focal
    // Rows lie farther apart on the ground than columns.
    let footprint = pixel * max(1, min(8, distance / 8))
    let shade = light.on(Vector(0, 1, 0))
    for column in max(0, from)..<max(0, from, min(width, to)) {
      let x = (Float(column) + 0.5 - camera.centerX) * pixel - shift
      let index = row * width + column
      let color = surface.sample(x, distance, pixel: footprint).color * shade
      colors[index] = hazed(color, distance)
      nearness[index] = 1 / distance
      owners[index] = owner
    }
  }

  /// Fills a polygon on a plane where nothing nearer is.
  ///
  /// - Parameters:
  ///   - owner: What the pixels belong to; nil keeps what they belonged to.
  ///   - lit: The brightness; nil takes it from the plane's direction.
  ///   - bias: More than 1 lifts a decal above the surface it lies on.
  func fill(
    _ polygon: [Point], on plane: Plane, _ surface: Surface, owner: UInt16?, lit: Float? = nil,
    bias: Float = 1
  ) {
    let eye = plane.origin - Vector(0, camera.height, 0)
    let (bottom, top) = project(polygon, eye, plane)
    guard corners.count > 2 else { return }
    let vo = plane.v.cross(eye), ou = eye.cross(plane.u)
    var uv = plane.u.cross(plane.v)
    let determinant = plane.u.dot(vo)
    guard abs(determinant) > 1e-7 else { return }
    let shade: Float
    if let lit {
      shade = lit
    } else if surface.glows {
      shade = 1
    } else {
      let normal = uv.normalized
      shade = light.on(normal.dot(eye) > 0 ? normal * -1 : normal)
    }
    uv = uv * (1 / determinant)
    let f = 1 / camera.focal
    let pu = vo * (1 / determinant), pv = ou * (1 / determinant)
    let first = max(0, Int(bottom.rounded(.up))), last = min(height - 1, Int(top.rounded(.up)))
    guard first <= last else { return }
    for row in first...last {
      cross(Float(row) + 0.5)
      let dy = (camera.horizon - Float(row) - 0.5) * f
      let baseU = pu.y * dy + pu.z, baseV = pv.y * dy + pv.z, baseN = uv.y * dy + uv.z
      for pair in stride(from: 0, to: crossings.count - 1, by: 2) {
        let from = max(0, crossings[pair] - 0.5), to = min(Float(width), crossings[pair + 1] - 0.5)
        guard from < to else { continue }
        for column in Int(from.rounded(.up))..<Int(to.rounded(.up)) {
          let dx = (Float(column) + 0.5 - camera.centerX) * f
          let near = uv.x * dx + baseN
          let index = row * width + column
          guard near > 0, near * bias >= nearness[index] else { continue }
          let distance = 1 / near
          if surface.pattern == .shadow {
            guard !shadowed[index] else { continue }
            shadowed[index] = true
            colors[index] = colors[index] * surface.color
            continue
          }
          let (color, cover) = surface.sample(
            (pu.x * dx + baseU) * distance, (pv.x * dx + baseV) * distance, pixel: distance * f)
          guard cover >= 0 else { continue }
          let seen = hazed(color * shade, distance)
          colors[index] = cover < 1 ? colors[index].mixed(seen, cover) : seen
          nearness[index] = near
          if let owner { owners[index] = owner }
        }
      }
    }
  }

  /// Projects a polygon into `corners`, cut off just before the camera; returns its rows.
  private func project(_ polygon: [Point], _ eye: Vector, _ plane: Plane) -> (Float, Float) {
    let nearest: Float = 0.4
    corners.removeAll(keepingCapacity: true)
    var low = Float.infinity, high = -Float.infinity
    func add(_ p: Vector) {
      let v = max(-1e6, min(1e6, camera.horizon - camera.focal * p.y / p.z))
      corners.append(Point(max(-1e6, min(1e6, camera.centerX + camera.focal * p.x / p.z)), v))
      low = min(low, v)
      high = max(high, v)
    }
    guard var previous = polygon.last.map({ eye + plane.u * $0.u + plane.v * $0.v }) else {
      return (0, 0)
    }
    for point in polygon {
      let p = eye + plane.u * point.u + plane.v * point.v
      if (p.z < nearest) != (previous.z < nearest) {
        add(previous + (p - previous) * ((nearest - previous.z) / (p.z - previous.z)))
      }
      if p.z >= nearest { add(p) }
      previous = p
    }
    return (max(low, -1) - 0.5, min(high, Float(height) + 1) - 0.5)
  }

  /// Collects where the polygon's edges cross a line, in order.
  private func cross(_ y: Float) {
    crossings.removeAll(keepingCapacity: true)
    var a = corners[corners.count - 1]
    for b in corners {
      if (a.v <= y) != (b.v <= y) {
        let x = a.u + (b.u - a.u) * ((y - a.v) / (b.v - a.v))
        var place = crossings.count
        while place > 0 && crossings[place - 1] > x { place -= 1 }
        crossings.insert(x, at: place)
      }
      a = b
    }
  }
}
