import Imaging

/// A place between pixels, or a pixel: column and row.
struct Cell: Hashable {
  var x: Int, y: Int
  init(_ x: Int, _ y: Int) { (self.x, self.y) = (x, y) }
}

/// A region of one value whose pixels touch by their sides, with its outlines along the sides of pixels.
struct Region {
  /// The value of its pixels.
  var value: UInt16
  /// The number of pixels.
  var area: Int
  /// The outline, clockwise, with a corner wherever it turns; it may touch itself at corners.
  var outline: [Cell] = []
  /// The outlines of what it surrounds, counter-clockwise; they may touch, too.
  var inner: [[Cell]] = []

  /// The outer ring and those of the holes, none of which touches itself.
  var rings: (outer: [Cell], holes: [[Cell]]) {
    var (outer, holes): ([Cell], [[Cell]]) = ([], [])
    for ring in ([outline] + inner).flatMap(Tracer.simple) {
      if Tracer.area(ring) > 0 { outer = ring } else { holes.append(ring) }
    }
    return (outer, holes)
  }
}

/// Finds the regions of a canvas.
struct Tracer {
  private let width: Int, height: Int
  private let canvas: PixelCanvas
  /// The number of each pixel's region; -1 for pixels of the background.
  private(set) var numbers: [Int32]
  private var areas: [Int] = []

  /// The regions of pixels that have another value than `background`, in the order of their first pixels.
  static func regions(of canvas: PixelCanvas, background: UInt16) -> [Region] {
    var tracer = Tracer(canvas, background)
    return tracer.traced()
  }

  private init(_ canvas: PixelCanvas, _ background: UInt16) {
    self.canvas = canvas
    (width, height) = (canvas.width, canvas.height)
    numbers = [Int32](repeating: -1, count: canvas.pixels.count)
    // Each pixel first has the number of a part of its region; parts that meet are joined.
    var parents: [Int32] = []
    func root(_ number: Int32) -> Int32 {
      var number = number
      while parents[Int(number)] != number {
        parents[Int(number)] = parents[Int(parents[Int(number)])]
        number = parents[Int(number)]
      }
      return number
    }
    for y in 0..<height {
      for x in 0..<width {
        let i = y * width + x
        let value = canvas.pixels[i]
        guard value != background else { continue }
        let left = x > 0 && canvas.pixels[i - 1] == value ? numbers[i - 1] : -1
        let above = y > 0 && canvas.pixels[i - width] == value ? numbers[i - width] : -1
        switch (left >= 0, above >= 0) {
        case (false, false):
          numbers[i] = Int32(parents.count)
          parents.append(Int32(parents.count))
        case (true, false): numbers[i] = left
        case (false, true): numbers[i] = above
        case (true, true):
          let (a, b) = (root(left), root(above))
          parents[Int(max(a, b))] = min(a, b)
          numbers[i] = min(a, b)
        }
      }
    }
    var final = [Int32](repeating: -1, count: parents.count)
    for i in numbers.indices where numbers[i] >= 0 {
      let root = Int(root(numbers[i]))
      if final[root] < 0 {
        final[root] = Int32(areas.count)
        areas.append(0)
      }
      numbers[i] = final[root]
      areas[Int(final[root])] += 1
    }
  }

  private mutating func traced() -> [Region] {
    var regions = areas.map { Region(value: 0, area: $0) }
    // Every outline has an upper side of a pixel, along which it runs to the right.
    var seen = [Bool](repeating: false, count: numbers.count)
    for y in 0..<height {
      for x in 0..<width {
        let i = y * width + x
        let number = numbers[i]
        guard number >= 0, !seen[i], self.number(x, y - 1) != number else { continue }
        let ring = outline(x, y, number, &seen)
        if Self.area(ring) > 0 {
          regions[Int(number)].outline = ring
          regions[Int(number)].value = canvas.pixels[i]
        } else {
          regions[Int(number)].inner.append(ring)
        }
      }
    }
    return regions
  }

  private func number(_ x: Int, _ y: Int) -> Int32 {
    x < 0 || y < 0 || x >= width || y >= height ? -1 : numbers[y * width + x]
  }

  /// Follows an outline with its region to the right; where two pixels touch by a corner alone it turns to
  /// its own, so that they stay apart.
  private func outline(_ x: Int, _ y: Int, _ number: Int32, _ seen: inout [Bool]) -> [Cell] {
    var corners: [Cell] = []
    var (here, step) = (Cell(x, y), Cell(1, 0))
    repeat {
      if step.x == 1 { seen[here.y * width + here.x] = true }
      here = Cell(here.x + step.x, here.y + step.y)
      // The pixels ahead, to the right and to the left of the way.
      let (right, left): (Cell, Cell) =
        switch (step.x, step.y) {
        case (1, _): (here, Cell(here.x, here.y - 1))
        case (-1, _): (Cell(here.x - 1, here.y - 1), Cell(here.x - 1, here.y))
        case (_, 1): (Cell(here.x - 1, here.y), here)
        default: (Cell(here.x, here.y - 1), Cell(here.x - 1, here.y - 1))
        }
      if self.number(right.x, right.y) != number {
        corners.append(here)
        step = Cell(-step.y, step.x)
      } else if self.number(left.x, left.y) == number {
        corners.append(here)
        step = Cell(step.y, -step.x)
      }
    } while here != Cell(x, y) || step != Cell(1, 0)
    return corners
  }

  /// The rings of an outline that meets itself at corners, none of which does.
  static func simple(_ outline: [Cell]) -> [[Cell]] {
    var (rings, path): ([[Cell]], [Cell]) = ([], [])
    var places: [Cell: Int] = [:]
    for corner in outline {
      if let place = places[corner] {
        let ring = Array(path[place...])
        for passed in ring.dropFirst() { places[passed] = nil }
        path.removeSubrange((place + 1)...)
        rings.append(ring)
      } else {
        places[corner] = path.count
        path.append(corner)
      }
    }
    rings.append(path)
    return rings.filter { $0.count > 2 }
  }

  /// Twice the area of a ring, positive for clockwise ones.
  static func area(_ ring: [Cell]) -> Int {
    var (sum, previous) = (0, ring[ring.count - 1])
    for corner in ring {
      sum += previous.x * corner.y - corner.x * previous.y
      previous = corner
    }
    return sum
  }
}
