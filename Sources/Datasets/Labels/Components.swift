/// The connected parts of the classes of a mask.
public struct Components: Sendable {
  /// For each pixel the number of its part, row-major, in the order of their first pixels; -1 where the mask is ignored,
  /// and for classes that were not looked for.
  public let parts: [Int32]
  /// The pixels of each part.
  public let areas: [Int]

  /// Finds the parts.
  ///
  /// - Parameters:
  ///   - mask: The classes.
  ///   - wanted: The only class that is looked at; nil for all.
  ///   - diagonals: Whether pixels that touch at a corner are connected, too.
  public init(_ mask: ClassMask, of wanted: UInt8? = nil, diagonals: Bool = false) {
    var parts = [Int32](repeating: -1, count: mask.classes.count)
    var areas: [Int] = []
    var open: [Int] = []
    let (width, classes) = (mask.width, mask.classes)
    for start in classes.indices
    where parts[start] < 0
      && (wanted.map { classes[start] == $0 } ?? (classes[start] != LabelMap.ignored))
    {
      let number = Int32(areas.count)
      let label = classes[start]
      var area = 0
      parts[start] = number
      open.append(start)
      while let here = open.popLast() {
        area += 1
        let x = here % width
        func visit(_ next: Int) {
          if classes[next] == label && parts[next] < 0 {
            parts[next] = number
            open.append(next)
          }
        }
        if x > 0 { visit(here - 1) }
        if x + 1 < width { visit(here + 1) }
        if here >= width { visit(here - width) }
        if here + width < classes.count { visit(here + width) }
        guard diagonals else { continue }
        for row in [here - width, here + width] where classes.indices.contains(row) {
          if x > 0 { visit(row - 1) }
          if x + 1 < width { visit(row + 1) }
        }
      }
      areas.append(area)
    }
    self.parts = parts
    self.areas = areas
  }
}
