/// Regions as the rings that formats can hold.
enum Rings {
  /// One ring along the sides of pixels, in which slits lead to the holes.
  ///
  /// It is for formats that are even-odd within a ring and know no holes. A slit is gone along twice, which
  /// cancels.
  static func slit(_ region: Region) -> [Cell] { slit(region.rings.outer, region.rings.holes) }

  /// One ring of an outer one and of holes, joined by slits.
  static func slit(_ outer: [Cell], _ holes: [[Cell]]) -> [Cell] {
    var ring = outer
    // The nearest corner is looked for where that does not take long.
    let isFew =
      holes.count * (outer.count + holes.reduce(0) { $0 + $1.count }) < 20_000_000
    for hole in holes where !hole.isEmpty && !ring.isEmpty {
      var (place, best, start) = (0, Int.max, 0)
      if isFew {
        start = hole.indices.min { (hole[$0].y, hole[$0].x) < (hole[$1].y, hole[$1].x) } ?? 0
        for (i, corner) in ring.enumerated() {
          let distance = abs(corner.x - hole[start].x) + abs(corner.y - hole[start].y)
          if distance < best { (place, best) = (i, distance) }
        }
      }
      ring.insert(contentsOf: hole[start...] + hole[...start] + [ring[place]], at: place + 1)
    }
    return ring
  }

  // MARK: Middles

  /// One ring through the middles of the region's own pixels, for formats in which the outline belongs to a
  /// shape: along its border, and where it has holes along a slit to each and around it.
  static func centers(_ region: Region) -> [Cell] {
    /// A place on a path.
    struct Place { var path: Int, index: Int }
    /// A way that leaves a path and comes back.
    struct Branch { var cells: [Cell] }
    var paths: [[Cell]] = []
    // The pixels whose upper, or lower, side is on an outline.
    var (upper, lower): ([Cell: Place], [Cell: Place]) = ([:], [:])
    /// The topmost lower side of each path.
    var tops: [(cell: Cell, index: Int)?] = []
    for ring in [region.outline] + region.inner {
      var path: [Cell] = []
      var top: (cell: Cell, index: Int)?
      walk(ring) { cell, step in
        if path.last != cell { path.append(cell) }
        let place = Place(path: paths.count, index: path.count - 1)
        if step.x == 1 { upper[cell] = place }
        if step.x == -1 {
          lower[cell] = place
          if cell.y < top?.cell.y ?? .max { top = (cell, place.index) }
        }
      }
      paths.append(path)
      tops.append(top)
    }
    guard paths.count > 1 else { return compressed(paths[0]) }
    var branches: [[Int: [Branch]]] = Array(repeating: [:], count: paths.count)
    // From the lowest up, so that what hangs on a path is joined to it before it is joined itself.
    let order = paths.indices.dropFirst().sorted {
      (tops[$0]?.cell.y ?? 0) > (tops[$1]?.cell.y ?? 0)
    }
    func whole(_ path: Int, from start: Int) -> [Cell] {
      var cells: [Cell] = []
      let count = paths[path].count
      for k in 0...count {
        let index = (start + k) % count
        cells.append(paths[path][index])
        guard k < count else { break }
        for branch in branches[path][index] ?? [] { cells += branch.cells }
      }
      return cells
    }
    for hole in order {
      guard let top = tops[hole] else { continue }
      // Up from above the hole to the next outline.
      var slit = [top.cell]
      while upper[slit[slit.count - 1]] == nil, slit[slit.count - 1].y > 0 {
        slit.append(Cell(top.cell.x, slit[slit.count - 1].y - 1))
      }
      guard let place = upper[slit[slit.count - 1]] else { continue }
      let cells = slit.reversed() + whole(hole, from: top.index) + slit
      branches[place.path][place.index, default: []].append(Branch(cells: Array(cells)))
    }
    return compressed(whole(0, from: 0))
  }

  /// Goes along an outline and gives the pixel to the right of every step; where it turns to the left also
  /// the one in the corner.
  private static func walk(_ ring: [Cell], _ body: (Cell, Cell) -> Void) {
    func right(_ at: Cell, _ step: Cell) -> Cell {
      switch (step.x, step.y) {
      case (1, _): at
      case (-1, _): Cell(at.x - 1, at.y - 1)
      case (_, 1): Cell(at.x - 1, at.y)
      default: Cell(at.x, at.y - 1)
      }
    }
    func step(_ from: Cell, _ to: Cell) -> Cell {
      Cell((to.x - from.x).signum(), (to.y - from.y).signum())
    }
    for i in ring.indices {
      let (from, to) = (ring[i], ring[(i + 1) % ring.count])
      let along = step(from, to)
      var here = from
      while here != to {
        body(right(here, along), along)
        here = Cell(here.x + along.x, here.y + along.y)
      }
      let next = step(to, ring[(i + 2) % ring.count])
      // To the left where y points down.
      if along.x * next.y - along.y * next.x < 0 { body(right(to, along), Cell(0, 0)) }
    }
  }

  /// A closed way without the pixels at which it goes straight on.
  private static func compressed(_ path: [Cell]) -> [Cell] {
    var cells: [Cell] = []
    for cell in path where cells.last != cell { cells.append(cell) }
    while cells.count > 1, cells.first == cells.last { cells.removeLast() }
    // A polygon has three corners, even where it is a pixel or a row of them.
    guard cells.count > 2 else {
      return cells + Array(repeating: cells[cells.count - 1], count: 3 - cells.count)
    }
    func step(_ from: Cell, _ to: Cell) -> Cell {
      Cell((to.x - from.x).signum(), (to.y - from.y).signum())
    }
    let turns = cells.indices.filter { i in
      let (before, after) = (
        cells[(i + cells.count - 1) % cells.count], cells[(i + 1) % cells.count]
      )
      return step(before, cells[i]) != step(cells[i], after)
    }.map { cells[$0] }
    guard let last = turns.last else { return cells }
    return turns + Array(repeating: last, count: max(3 - turns.count, 0))
  }

  // MARK: Fewer corners

  /// A ring with fewer corners, none of which it had is farther from it than `tolerance` pixels (Douglas
  /// and Peucker, 1973); at least a triangle.
  static func simplified(_ ring: [Point], _ tolerance: Double) -> [Point] {
    guard tolerance > 0, ring.count > 4 else { return ring }
    // From the first corner to that farthest from it, and back.
    let far = ring.indices.max { distance(ring[$0], ring[0]) < distance(ring[$1], ring[0]) } ?? 0
    var kept = [Bool](repeating: false, count: ring.count)
    kept[0] = true
    kept[far] = true
    var open = [(0, far), (far, ring.count)]
    while let (first, last) = open.popLast() {
      guard last - first > 1 else { continue }
      let (a, b) = (ring[first], ring[last % ring.count])
      var (worst, place) = (tolerance, -1)
      for i in first + 1..<last {
        let away = distance(ring[i], a, b)
        if away > worst { (worst, place) = (away, i) }
      }
      guard place >= 0 else { continue }
      kept[place] = true
      open += [(first, place), (place, last)]
    }
    let result = ring.indices.filter { kept[$0] }.map { ring[$0] }
    return result.count > 2 ? result : ring
  }

  private static func distance(_ a: Point, _ b: Point) -> Double {
    ((a - b) * (a - b)).sum().squareRoot()
  }

  /// How far a place is from a line between two.
  private static func distance(_ place: Point, _ a: Point, _ b: Point) -> Double {
    let line = b - a
    let length = (line * line).sum()
    guard length > 0 else { return distance(place, a) }
    let share = min(max(((place - a) * line).sum() / length, 0), 1)
    return distance(place, a + line * share)
  }
}
