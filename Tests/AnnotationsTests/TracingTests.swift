import Imaging
import Testing

@testable import Annotations

@Suite("Outlines of masks") struct TracingTests {
  /// Draws outlines again and compares.
  private func returns(
    _ mask: LabelImage, _ rule: RasterRule, _ form: (Region) -> Shape.Form
  ) throws -> Bool {
    var canvas = PixelCanvas(
      width: mask.width, height: mask.height, filledWith: AnnotationSet.ignoredValue)
    var drawing = Drawing(rule)
    for region in Tracer.regions(of: PixelCanvas(mask), background: AnnotationSet.ignoredValue) {
      // Alone on a canvas, each covers its own pixels only.
      var alone = PixelCanvas(width: mask.width, height: mask.height, filledWith: 0)
      try drawing.fill(Shape(0, form(region), place: ""), on: &alone, 1, file: "")
      guard alone.pixels.reduce(0, { $0 + Int($1) }) == region.area else { return false }
      canvas.fill(where: alone, has: 1, region.value)
    }
    return canvas.pixels == mask.values
  }

  private func points(_ cells: [Cell], _ shift: Double = 0) -> [Point] {
    cells.map { Point(Double($0.x) + shift, Double($0.y) + shift) }
  }

  @Test("Rings with slits give back 1,000 masks by pycocotools' rule") func coco() throws {
    for seed in 0..<1000 {
      #expect(
        try returns(randomMask(seed), .coco) { .rings([points(Rings.slit($0))]) }, "mask \(seed)")
    }
  }

  @Test("Rings and holes give back 1,000 masks even-odd at the middles of pixels") func centers()
    throws
  {
    for seed in 0..<1000 {
      #expect(
        try returns(randomMask(seed), .centers) {
          .holed(points($0.rings.outer), holes: $0.rings.holes.map { points($0) })
        }, "mask \(seed)")
    }
  }

  @Test("Rings through the middles of pixels give back 1,000 masks by OpenCV's rule") func opencv()
    throws
  {
    for seed in 0..<1000 {
      #expect(
        try returns(randomMask(seed), .opencv) { .rings([points(Rings.centers($0), 0.5)]) },
        "mask \(seed)")
    }
  }

  @Test("Rings through the middles of pixels give back 1,000 masks by Pillow's rule") func pillow()
    throws
  {
    for seed in 0..<1000 {
      #expect(
        try returns(randomMask(seed), .pillow) { .rings([points(Rings.centers($0))]) },
        "mask \(seed)")
    }
  }

  @Test("No ring of a region touches itself") func simple() {
    for seed in 0..<200 {
      for region in Tracer.regions(
        of: PixelCanvas(randomMask(seed)), background: AnnotationSet.ignoredValue)
      {
        let (outer, holes) = region.rings
        #expect(!outer.isEmpty)
        for ring in [outer] + holes { #expect(Set(ring).count == ring.count, "mask \(seed)") }
        #expect(
          Tracer.area(outer) / 2 + holes.reduce(0) { $0 + Tracer.area($1) / 2 } == region.area)
      }
    }
  }
}
