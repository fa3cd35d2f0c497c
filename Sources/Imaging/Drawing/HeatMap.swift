import Foundation

/// Numbers over a plane as a picture with axes, a bar of lengths and a bar of colours.
public struct HeatMap: Sendable {
  /// The numbers, row-major, `width * height` of them.
  public let values: [Float]
  /// The columns and rows of the numbers.
  public let width, height: Int
  /// The line above the picture.
  public var title = ""
  /// What stands beside the bar of colours.
  public var quantity = ""
  /// The colours.
  public var colors = ColorMap.viridis
  /// The numbers at both ends of the colours; the least and the largest number if nil.
  public var range: ClosedRange<Float>?
  /// The power that numbers between the ends are raised to before they are coloured: below 1 small
  /// ones are easier to tell apart.
  public var power = 1.0
  /// A photograph of any size under the colours, which cover it by ``opacity``.
  public var photograph: Image?
  /// How much the colours cover the photograph, 0 to 1.
  public var opacity = 0.6
  /// Whether colours cover the photograph the less the lower their numbers are.
  public var fades = false
  /// The size that the plane has in pixels of the image, which the axes count.
  public var extent: Size
  /// Points of the plane, in pixels of the image, that a cross marks.
  public var marks: [(x: Double, y: Double)] = []
  /// Closed lines over the plane, in pixels of the image.
  public var outlines: [[(x: Double, y: Double)]] = []
  /// Points of the plane, in pixels of the image, with a ring around each.
  public var points: [(x: Double, y: Double)] = []

  /// A heat map of `values`, which must be `width * height`, at least one.
  public init(_ values: [Float], width: Int, height: Int) {
    precondition(values.count == width * height && !values.isEmpty, "values do not fill the map")
    self.values = values
    self.width = width
    self.height = height
    extent = Size(width: width, height: height)
  }

  /// The numbers at both ends of the colours; equal ones are spread.
  private var limits: (low: Float, high: Float) {
    if let range { return (range.lowerBound, range.upperBound) }
    let finite = values.filter(\.isFinite)
    let (low, high) = (finite.min() ?? 0, finite.max() ?? 1)
    return (low, high > low ? high : low + 1)
  }

  /// The coloured plane alone, `size` pixels large.
  public func plane(_ size: Size) -> Image {
    let (low, high) = limits
    let table = (0..<256).map { colors.color(Double($0) / 255) }
    var pixels = [UInt8](repeating: 0, count: size.width * size.height * 3)
    let under = photograph?.rgb.resized(to: size)
    let share = under == nil ? 1 : max(0, min(1, opacity))
    for y in 0..<size.height {
      let row = y * height / size.height
      for x in 0..<size.width {
        let value = values[row * width + x * width / size.width]
        let part = value.isFinite ? Double((value - low) / (high - low)) : 0
        let level = pow(max(0, min(1, part)), power)
        let share = fades && under != nil ? share * (0.1 + 0.9 * level) : share
        let color = table[Int((level * 255).rounded())]
        let at = 3 * (y * size.width + x)
        for (channel, tint) in [color.red, color.green, color.blue].enumerated() {
          let below = Double(under?.pixels[at + channel] ?? 0)
          pixels[at + channel] = UInt8(below * (1 - share) + Double(tint) * share)
        }
      }
    }
    return Image(width: size.width, height: size.height, pixels: pixels)
  }

  /// The picture; the plane's longer side is about `side` pixels.
  public func image(side: Int = 640) -> Image {
    let scale = Double(side) / Double(max(extent.width, extent.height))
    let inner = Size(
      width: max(1, Int(Double(extent.width) * scale)),
      height: max(1, Int(Double(extent.height) * scale)))
    let (left, top, right, bottom) = (62.0, 40.0, 104.0, 54.0)
    let canvas = Canvas(
      Size(
        width: inner.width + Int(left + right), height: max(120, inner.height) + Int(top + bottom)))
    canvas.text(title, x: left, y: 24, size: 14)
    canvas.draw(plane(inner), x: Int(left), y: Int(top))
    let (width, height) = (Double(inner.width), Double(inner.height))
    canvas.frame(x: left, y: top, width: width, height: height)
    drawAxes(canvas, x: left, y: top, width: width, height: height, scale)
    drawScaleBar(canvas, right: left + width, bottom: top + height, scale)
    func point(_ p: (x: Double, y: Double)) -> (x: Double, y: Double) {
      (left + p.x * scale, top + p.y * scale)
    }
    for outline in outlines {
      guard let first = outline.first else { continue }
      canvas.line((outline + [first]).map(point), Color(255, 255, 255), width: 1.5)
    }
    drawPoints(canvas, point)
    for mark in marks {
      let (x, y) = point(mark)
      for (tint, wide) in [(Color(0, 0, 0), 4.0), (Color(255, 255, 255), 2.0)] {
        canvas.line([(x - 7, y), (x + 7, y)], tint, width: wide)
        canvas.line([(x, y - 7), (x, y + 7)], tint, width: wide)
      }
    }
    drawColorBar(canvas, x: left + width + 18, y: top, height: max(60, height))
    return canvas.image
  }

  private func drawAxes(
    _ canvas: Canvas, x: Double, y: Double, width: Double, height: Double, _ scale: Double
  ) {
    let ink = Color(60, 60, 60)
    for tick in Ticks.between(0, Double(extent.width), about: max(2, Int(width / 90))) {
      let at = x + tick * scale
      canvas.line([(at, y + height), (at, y + height + 4)], ink)
      canvas.text(Ticks.text(tick), centerX: at, y: y + height + 17, size: 11)
    }
    for tick in Ticks.between(0, Double(extent.height), about: max(2, Int(height / 70))) {
      let at = y + tick * scale
      canvas.line([(x - 4, at), (x, at)], ink)
      canvas.text(Ticks.text(tick), rightX: x - 7, y: at + 4, size: 11)
    }
    canvas.text("x in pixels", centerX: x + width / 2, y: y + height + 36, size: 12)
    canvas.text("y in pixels", centerX: x - 48, y: y + height / 2, size: 12, upwards: true)
  }

  private func drawScaleBar(_ canvas: Canvas, right: Double, bottom: Double, _ scale: Double) {
    let length = Ticks.niceBelow(Double(extent.width) / 4)
    let (end, y, long) = (right - 12, bottom - 14, length * scale)
    let text = "\(Ticks.text(length)) px"
    let box = max(long, canvas.width(of: text, size: 11)) + 12
    canvas.fill(
      x: end - box + 6, y: y - 20, width: box, height: 28, Color(0, 0, 0), opacity: 0.45)
    canvas.fill(x: end - long, y: y, width: long, height: 3, Color(255, 255, 255))
    canvas.text(text, rightX: end, y: y - 6, size: 11, Color(255, 255, 255))
  }

  private func drawColorBar(_ canvas: Canvas, x: Double, y: Double, height: Double) {
    let (low, high) = limits
    let bar = 14.0
    for step in 0..<Int(height) {
      let color = colors.color(1 - Double(step) / max(1, height - 1))
      canvas.fill(x: x, y: y + Double(step), width: bar, height: 1.5, color)
    }
    canvas.frame(x: x, y: y, width: bar, height: height)
    let span = Double(high - low)
    for tick in Ticks.between(Double(low), Double(high), about: max(2, Int(height / 60))) {
      let at = y + height * (1 - pow((tick - Double(low)) / span, power))
      canvas.line([(x + bar, at), (x + bar + 4, at)], Color(60, 60, 60))
      canvas.text(Ticks.text(tick), x: x + bar + 7, y: at + 4, size: 11)
    }
    canvas.text(quantity, centerX: x + 68, y: y + height / 2, size: 12, upwards: true)
  }
}
