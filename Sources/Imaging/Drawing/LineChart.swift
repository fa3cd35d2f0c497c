import Foundation

/// Curves over a common axis, with bars of deviation and marked places.
public struct LineChart: Sendable {
  /// A point of a curve.
  public struct Point: Sendable {
    /// Where it stands.
    public var x, y: Double
    /// What the bar through it reaches up and down; 0 for none.
    public var deviation = 0.0

    /// A point, with a bar of `deviation` if that is not 0.
    public init(_ x: Double, _ y: Double, deviation: Double = 0) {
      self.x = x
      self.y = y
      self.deviation = deviation
    }
  }

  /// The line above the chart.
  public var title = ""
  /// What the axes show.
  public var xLabel = "", yLabel = ""
  /// The curves with their names.
  public var curves: [(name: String, points: [Point])] = []
  /// Places on the horizontal axis that a dashed line marks, with their names.
  public var marks: [(name: String, x: Double)] = []
  /// Whether every point has a dot.
  public var hasDots = true

  /// An empty chart.
  public init() {}

  /// Colours that people who see colours differently can tell apart (Okabe and Ito, 2008).
  static let palette = [
    Color(0, 114, 178), Color(213, 94, 0), Color(0, 158, 115), Color(204, 121, 167),
    Color(230, 159, 0), Color(86, 180, 233),
  ]

  /// The chart as a picture of this size.
  public func image(_ size: Size = Size(width: 720, height: 440)) -> Image {
    let canvas = Canvas(size)
    let left = 72.0
    let heading = TextBlock(title, width: Double(size.width) - left - 12, size: 14)
    let names = curves.count > 1 ? legendPlaces(canvas, width: Double(size.width) - left - 24) : []
    let top = 24 + heading.height + 16 * Double((names.last?.row ?? -1) + 1)
    let (width, height) = (Double(size.width) - left - 24, Double(size.height) - top - 58)
    let all = curves.flatMap(\.points).filter { $0.x.isFinite && $0.y.isFinite }
    let xs = Self.span(all.map(\.x) + marks.map(\.x), margin: 0.04)
    let ys = Self.span(all.flatMap { [$0.y - $0.deviation, $0.y + $0.deviation] }, margin: 0.08)
    func place(_ x: Double, _ y: Double) -> (x: Double, y: Double) {
      (
        left + (x - xs.low) / (xs.high - xs.low) * width,
        top + height - (y - ys.low) / (ys.high - ys.low) * height
      )
    }
    let grid = Color(225, 225, 225)
    canvas.text(heading, x: left, y: 10)
    // Counts and rates have nothing between whole numbers.
    let isWhole = hasDots && all.allSatisfy { $0.x == $0.x.rounded() }
    for tick in Ticks.between(xs.low, xs.high, about: 8) where !isWhole || tick == tick.rounded() {
      let at = place(tick, ys.low)
      canvas.line([(at.x, top), at], grid)
      canvas.text(Ticks.text(tick), centerX: at.x, y: at.y + 17, size: 11)
    }
    for tick in Ticks.between(ys.low, ys.high, about: 6) {
      let at = place(xs.low, tick)
      canvas.line([at, (left + width, at.y)], grid)
      canvas.text(Ticks.text(tick), rightX: left - 7, y: at.y + 4, size: 11)
    }
    canvas.frame(x: left, y: top, width: width, height: height)
    canvas.text(xLabel, centerX: left + width / 2, y: top + height + 40, size: 12)
    canvas.text(yLabel, centerX: 18, y: top + height / 2, upwardsWithin: height + top)
    for (index, mark) in marks.enumerated() {
      let at = place(mark.x, ys.low)
      canvas.line([(at.x, top), at], Color(120, 120, 120), width: 1.5, dashed: true)
      let y = top + 14 + 16 * Double(index)
      let isLeft = at.x + 4 + canvas.width(of: mark.name, size: 11) > left + width
      if isLeft {
        canvas.text(mark.name, rightX: at.x - 4, y: y, size: 11, Color(90, 90, 90))
      } else {
        canvas.text(mark.name, x: at.x + 4, y: y, size: 11, Color(90, 90, 90))
      }
    }
    for (index, curve) in curves.enumerated() {
      let color = Self.palette[index % Self.palette.count]
      let points = curve.points.filter { $0.x.isFinite && $0.y.isFinite }
      canvas.line(points.map { place($0.x, $0.y) }, color, width: 2)
      for point in points {
        let at = place(point.x, point.y)
        if point.deviation > 0 {
          let (up, down) = (
            place(point.x, point.y + point.deviation), place(point.x, point.y - point.deviation)
          )
          canvas.line([up, down], color, width: 1.5)
          for end in [up, down] { canvas.line([(end.x - 4, end.y), (end.x + 4, end.y)], color) }
        }
        if hasDots { canvas.fill(x: at.x - 3, y: at.y - 3, width: 6, height: 6, color) }
      }
    }
    for (place, (index, curve)) in zip(names, curves.enumerated()) {
      let (x, y) = (left + place.x, 26 + heading.height + 16 * Double(place.row))
      let color = Self.palette[index % Self.palette.count]
      canvas.line([(x, y - 4), (x + 20, y - 4)], color, width: 2)
      canvas.text(curve.name, x: x + 26, y: y, size: 11)
    }
    return canvas.image
  }

  /// Where the names of the curves stand, in as many rows as they need.
  private func legendPlaces(_ canvas: Canvas, width: Double) -> [(x: Double, row: Int)] {
    var (x, row) = (0.0, 0)
    return curves.map { curve in
      let own = canvas.width(of: curve.name, size: 11) + 44
      if x > 0 && x + own > width { (x, row) = (0, row + 1) }
      defer { x += own }
      return (x, row)
    }
  }

  private static func span(_ values: [Double], margin: Double) -> (low: Double, high: Double) {
    let (low, high) = (values.min() ?? 0, values.max() ?? 1)
    let room = (high - low) * margin
    return high > low ? (low - room, high + room) : (low - 0.5, high + 0.5)
  }
}
