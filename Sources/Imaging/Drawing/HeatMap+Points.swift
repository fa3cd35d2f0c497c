import Foundation

extension HeatMap {
  /// The colour of ``marks``, and that of ``points``.
  public static let markColor = Color(255, 255, 255), pointColor = Color(0, 229, 255)

  /// Draws a ring around each of ``points``; `place` gives a point's place on the canvas.
  ///
  /// Many points get small rings, so that what is below them stays to be seen.
  func drawPoints(
    _ canvas: Canvas, _ place: ((x: Double, y: Double)) -> (x: Double, y: Double)
  ) {
    let radius = points.count > 200 ? 1.2 : 4.0
    for point in points {
      let (x, y) = place(point)
      for (tint, wide) in [(Color(0, 0, 0), 2.4), (Self.pointColor, 1.2)] {
        canvas.ring(x: x, y: y, radius: radius, tint, width: radius > 2 ? wide : wide / 2)
      }
    }
  }
}

extension Canvas {
  /// Draws a circle's line.
  func ring(x: Double, y: Double, radius: Double, _ color: Color, width: Double = 1) {
    let around = (0...16).map { step -> (x: Double, y: Double) in
      let angle = Double(step) * .pi / 8
      return (x + radius * cos(angle), y + radius * sin(angle))
    }
    line(around, color, width: width)
  }
}
