extension ClassMask {
  /// The mask without small regions: each is given to the class around it that it shares most of its border
  /// with.
  ///
  /// Regions are connected by four neighbours. The smallest is given away first; what it becomes part of may be
  /// large enough then. Of classes with equal shares of the border the first takes it. Ignored pixels stay, and
  /// a region that has nothing but them around it does, too.
  /// - Parameter area: The pixels that a region has to have.
  package func withoutRegions(below area: Int) -> ClassMask {
    let components = Components(self)
    let small = components.areas.indices.filter { components.areas[$0] < area }
    guard !small.isEmpty else { return self }
    var regions = Regions(self, components)
    for number in small.sorted(by: { (components.areas[$0], $0) < (components.areas[$1], $1) }) {
      regions.giveAway(number, below: area)
    }
    var result = self
    for (pixel, part) in components.parts.enumerated() where part >= 0 {
      result.classes[pixel] = regions.label(Int(part))
    }
    return result
  }
}

/// Regions of a mask that become parts of each other.
private struct Regions {
  /// What each region became part of; itself if it is still there.
  private var parents: [Int]
  private var labels: [UInt8], areas: [Int]
  /// The sides of pixels that a region shares with each neighbour, under the number that it had at first.
  private var borders: [[Int: Int]]

  init(_ mask: ClassMask, _ components: Components) {
    let count = components.areas.count
    parents = Array(0..<count)
    areas = components.areas
    labels = [UInt8](repeating: 0, count: count)
    borders = [[Int: Int]](repeating: [:], count: count)
    let (parts, width) = (components.parts, mask.width)
    for pixel in parts.indices where parts[pixel] >= 0 {
      let own = Int(parts[pixel])
      labels[own] = mask.classes[pixel]
      if (pixel + 1) % width != 0 { meet(own, Int(parts[pixel + 1])) }
      if pixel + width < parts.count { meet(own, Int(parts[pixel + width])) }
    }
  }

  private mutating func meet(_ a: Int, _ b: Int) {
    guard a != b, b >= 0 else { return }
    borders[a][b, default: 0] += 1
    borders[b][a, default: 0] += 1
  }

  private mutating func root(_ number: Int) -> Int {
    var number = number
    while parents[number] != number {
      parents[number] = parents[parents[number]]
      number = parents[number]
    }
    return number
  }

  /// The class that a region has become.
  mutating func label(_ number: Int) -> UInt8 { labels[root(number)] }

  /// Makes a region part of what is around it until it is large enough.
  mutating func giveAway(_ number: Int, below area: Int) {
    var own = root(number)
    while areas[own] < area {
      var sides: [Int: Int] = [:]
      for (other, count) in borders[own] {
        let other = root(other)
        if other != own { sides[other, default: 0] += count }
      }
      var shares = [Int](repeating: 0, count: 256)
      for (other, count) in sides { shares[Int(labels[other])] += count }
      guard let most = shares.max(), most > 0, let label = shares.firstIndex(of: most) else {
        return
      }
      borders[own] = sides
      labels[own] = UInt8(label)
      for other in sides.keys.sorted() where labels[other] == UInt8(label) {
        own = join(own, other)
      }
    }
  }

  /// Joins two regions; the one with more neighbours goes on.
  private mutating func join(_ a: Int, _ b: Int) -> Int {
    let (kept, gone) = borders[a].count >= borders[b].count ? (a, b) : (b, a)
    parents[gone] = kept
    areas[kept] += areas[gone]
    for (other, count) in borders[gone] { borders[kept][other, default: 0] += count }
    borders[gone] = [:]
    return kept
  }
}
