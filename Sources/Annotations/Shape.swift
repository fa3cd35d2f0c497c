import Imaging

/// An outline, a stroke or a set of pixels that an annotator has drawn, with its class.
public struct Shape: Sendable {
  /// The class of shapes whose pixels count nowhere.
  public static let ignored = -1
  /// What corners may be, in pixels: far outside of any image, so that computing with them is safe.
  static let coordinates = -1e6...1e6
  /// The most shapes of an image.
  static let most = 65_000

  /// The place in ``AnnotationSet/classes``, or ``ignored``.
  public var label: Int
  /// What was drawn.
  public var form: Form
  /// Where it stands in its file, for messages.
  public var place: String
  /// How far above others it lies, where the tool says so; equal ones follow the file.
  public var layer = 0

  /// A shape of a class.
  public init(_ label: Int, _ form: Form, place: String, layer: Int = 0) {
    (self.label, self.form, self.place, self.layer) = (label, form, place, layer)
  }

  /// What was drawn.
  public enum Form: Sendable {
    /// Polygons that are one object: their union.
    case rings([[Point]])
    /// A polygon without those within it.
    case holed([Point], holes: [[Point]])
    /// A rectangle by two of its corners.
    case rectangle(Point, Point)
    /// An ellipse by centre and radii, turned clockwise by degrees.
    case ellipse(Point, radii: Point, degrees: Double)
    /// A circle by its centre and a place on it.
    case circle(Point, rim: Point)
    /// A place, drawn as a disc.
    case dot(Point)
    /// A line through places, ten pixels wide; where it is rounded, its corners are.
    case line([Point], isRounded: Bool)
    /// Pixels of the whole image in runs down its columns, beginning with those that do not belong.
    case runs([UInt32], Size)
    /// Pixels of a part of the image, row by row, true for those that belong; x and y of its first.
    case patch(x: Int, y: Int, Size, [Bool])
  }
}

/// How corners become pixels: the rule of the library that a tool draws with.
public enum RasterRule: String, Sendable, CaseIterable {
  /// pycocotools: without the last row and column, even-odd within a ring.
  case coco
  /// Pillow, by which labelme draws: the outline belongs to the shape, fractions are dropped.
  case pillow
  /// OpenCV 4.12 and later: the outline belongs to the shape, fractions are dropped.
  case opencv
  /// Even-odd at the middles of pixels, as in GeoJSON and on maps.
  case centers
}

/// Draws shapes.
struct Drawing {
  let rule: RasterRule
  private var steps: [UInt64] = []

  init(_ rule: RasterRule) { self.rule = rule }

  /// Fills what a shape covers.
  ///
  /// - Throws: ``AnnotationError`` where runs or a patch do not fit the image.
  mutating func fill(
    _ shape: Shape, on canvas: inout PixelCanvas, _ value: UInt16, file: String
  ) throws {
    switch shape.form {
    case .rings(let rings): for ring in rings { polygon(ring, on: &canvas, value) }
    case .holed(let outer, let holes): fill(outer, holes, on: &canvas, value)
    case .rectangle(let a, let b):
      if rule == .pillow {
        PillowRaster.rectangle(a, b, on: &canvas, value)
      } else {
        polygon([a, Point(b.x, a.y), b, Point(a.x, b.y)], on: &canvas, value)
      }
    case .ellipse(let center, let radii, let degrees):
      func whole(_ value: Double) -> Int { value.rounded(.toNearestOrEven).truncated }
      OpenCVRaster.ellipse(
        center: (whole(center.x), whole(center.y)), radii: (whole(radii.x), whole(radii.y)),
        degrees: whole(degrees), on: &canvas, value)
    case .circle(let center, let rim):
      let offset = center - rim
      let radius = (offset.x * offset.x + offset.y * offset.y).squareRoot()
      PillowRaster.ellipse(center - radius, center + radius, on: &canvas, value)
    case .dot(let center): PillowRaster.ellipse(center - 5, center + 5, on: &canvas, value)
    case .line(let points, let isRounded):
      PillowRaster.line(points, width: 10, isRounded: isRounded, on: &canvas, value)
    case .runs(let counts, let size):
      guard size == Size(width: canvas.width, height: canvas.height) else {
        throw AnnotationError(
          file, shape.place, found: "has runs of \(size.width)×\(size.height) pixels",
          expected: "those of the image, \(canvas.width)×\(canvas.height)")
      }
      try Runs.fill(counts, on: &canvas, value, file, shape.place)
    case .patch(let x, let y, let size, let bits):
      for row in 0..<size.height {
        for column in 0..<size.width where bits[row * size.width + column] {
          canvas.fill(x + column, y + row, value)
        }
      }
    }
  }

  private mutating func polygon(_ ring: [Point], on canvas: inout PixelCanvas, _ value: UInt16) {
    switch rule {
    case .coco: COCORaster.fill(ring, on: &canvas, value, steps: &steps)
    case .pillow: PillowRaster.polygon(ring, on: &canvas, value)
    case .opencv:
      OpenCVRaster.fill([ring.map { ($0.x.truncated, $0.y.truncated) }], on: &canvas, value)
    case .centers: CenterRaster.fill([ring], on: &canvas, value)
    }
  }

  /// Fills a polygon without its holes.
  private mutating func fill(
    _ outer: [Point], _ holes: [[Point]], on canvas: inout PixelCanvas, _ value: UInt16
  ) {
    guard !holes.isEmpty else { return polygon(outer, on: &canvas, value) }
    if rule == .centers { return CenterRaster.fill([outer] + holes, on: &canvas, value) }
    var mask = PixelCanvas(width: canvas.width, height: canvas.height, filledWith: 0)
    polygon(outer, on: &mask, 1)
    if rule == .opencv {
      // Together, as Supervisely gives them to OpenCV.
      OpenCVRaster.fill(
        holes.map { $0.map { ($0.x.truncated, $0.y.truncated) } }, on: &mask, 0)
    } else {
      for hole in holes { polygon(hole, on: &mask, 0) }
    }
    canvas.fill(where: mask, has: 1, value)
  }
}
