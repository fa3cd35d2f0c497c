import Foundation
import Imaging
import Testing

@testable import Annotations

/// Values of pycocotools 2.0.11, Pillow 12.3.0 and OpenCV 4.14.0.
@Suite("Rules for pixels") struct RasterTests {
  private func area(
    _ rule: RasterRule, _ form: Shape.Form, _ width: Int = 30, _ height: Int = 30
  ) throws -> Int {
    try drawn(rule, form, width, height).pixels.reduce(0) { $0 + Int($1) }
  }

  private func drawn(
    _ rule: RasterRule, _ form: Shape.Form, _ width: Int = 30, _ height: Int = 30
  ) throws -> PixelCanvas {
    var canvas = PixelCanvas(width: width, height: height, filledWith: 0)
    var drawing = Drawing(rule)
    try drawing.fill(Shape(0, form, place: "shape"), on: &canvas, 1, file: "file")
    return canvas
  }

  private func square(_ from: Double, _ to: Double) -> [Point] {
    [Point(from, from), Point(to, from), Point(to, to), Point(from, to)]
  }

  @Test("A square has 100 pixels or 121") func squares() throws {
    for (from, to, coco, others) in [(0.0, 10.0, 100, 121), (0.5, 10.5, 100, 121), (3, 4, 1, 4)] {
      #expect(try area(.coco, .rings([square(from, to)])) == coco)
      #expect(try area(.pillow, .rings([square(from, to)])) == others)
      #expect(try area(.opencv, .rings([square(from, to)])) == others)
      #expect(try area(.centers, .rings([square(from, to)])) == coco)
    }
    // At half a pixel pycocotools takes rows 1 to 10.
    let canvas = try drawn(.coco, .rings([square(0.5, 10.5)]))
    #expect(canvas.pixels[0] == 0 && canvas.pixels[30 + 1] == 1 && canvas.pixels[10 * 30 + 10] == 1)
    let triangle = [Point(2, 2), Point(12, 2), Point(2, 12)]
    #expect(try area(.coco, .rings([triangle])) == 45)
    #expect(try area(.pillow, .rings([triangle])) == 66)
    #expect(try area(.opencv, .rings([triangle])) == 66)
  }

  @Test("Rings are united, and even-odd within themselves") func rings() throws {
    #expect(try area(.coco, .rings([square(0, 10), square(5, 15)])) == 175)
    #expect(try area(.coco, .rings([square(0, 10), square(3, 7)])) == 100)
    #expect(try area(.coco, .rings([square(0, 10) + square(0, 10)])) == 0)
    #expect(try area(.coco, .holed(square(0, 12), holes: [square(4, 8)])) == 128)
    // A keyhole.
    let ring =
      [Point(0, 0), Point(12, 0), Point(12, 12), Point(0, 12), Point(0, 0)] + square(4, 8) + [
        Point(4, 4)
      ]
    #expect(try area(.coco, .rings([ring])) == 128)
  }

  @Test("labelme's shapes") func labelme() throws {
    #expect(try area(.pillow, .circle(Point(10, 10), rim: Point(15, 10))) == 97)
    #expect(try area(.pillow, .dot(Point(10, 10))) == 97)
    #expect(try area(.pillow, .rectangle(Point(5, 5), Point(15, 15))) == 121)
    #expect(try area(.pillow, .line([Point(5, 5), Point(15, 5)], isRounded: false)) == 110)
    let strip = [Point(5, 5), Point(15, 5), Point(15, 15)]
    #expect(try area(.pillow, .line(strip, isRounded: false)) == 190)
    #expect(try area(.pillow, .line(strip, isRounded: true)) == 201)
    let slanted = [Point(5, 5), Point(20, 8), Point(6, 20)]
    #expect(try area(.pillow, .line(slanted, isRounded: false)) == 278)
    #expect(try area(.pillow, .line(slanted, isRounded: true)) == 294)
  }

  @Test("cv2.ellipse is a coarse polygon") func ellipses() throws {
    let cases: [(Point, Point, Double, Int)] = [
      (Point(15, 15), Point(9, 4), 0, 131), (Point(15, 15), Point(9, 4), 30, 131),
      (Point(15, 15), Point(2, 2), 0, 13), (Point(15, 14), Point(12, 6), 335, 251),
      (Point(3, 3), Point(14, 9), 10, 207),
    ]
    for (center, radii, degrees, area) in cases {
      #expect(try self.area(.coco, .ellipse(center, radii: radii, degrees: degrees)) == area)
    }
  }

  @Test("Runs go down the columns, and must be those of the image") func runs() throws {
    let size = Size(width: 3, height: 2)
    let canvas = try drawn(.coco, .runs([2, 2, 2], size), 3, 2)
    #expect(canvas.pixels == [0, 1, 0, 0, 1, 0])
    #expect(Runs.counts(of: canvas, where: 1) == [2, 2, 2])
    #expect(Runs.encoded([2, 2, 2]) == "222")
    #expect(Runs.encoded([0, 6]) == "06")
    #expect(Runs.decoded("222") == [2, 2, 2])
    #expect(Runs.decoded("2!2") == nil)
    for counts: [UInt32] in [[2, 2], [2, 2, 3], []] {
      #expect(throws: AnnotationError.self) { try drawn(.coco, .runs(counts, size), 3, 2) }
    }
    #expect(throws: AnnotationError.self) { try drawn(.coco, .runs([2, 2, 2], size), 2, 3) }
    // Any runs come back from their text.
    var draws = Draws(7)
    for _ in 0..<200 {
      let counts = (0..<Int.random(in: 1...40, using: &draws)).map { _ in
        UInt32.random(in: 0...100_000, using: &draws)
      }
      #expect(Runs.decoded(Runs.encoded(counts)) == counts)
    }
  }

  @Test("Brushes of label-studio-sdk 2.1.2") func brushes() throws {
    // mask2rle of 7 × 5 pixels: columns 2 to 5 of rows 1 to 3 without (3, 2), and (6, 4) at an opacity of 77.
    let bytes: [Double] = [
      0, 0, 0, 140, 57, 27, 254, 35, 0, 191, 255, 108, 2, 63, 248, 192, 39, 255, 182, 1, 127, 255,
      13, 128,
      70, 154,
    ]
    var wanted = [Bool](repeating: false, count: 35)
    for y in 1...3 { for x in 2...5 where (x, y) != (3, 2) { wanted[7 * y + x] = true } }
    wanted[7 * 4 + 6] = true
    let text = "{\"rle\": [\(bytes.map { "\(Int($0))" }.joined(separator: ","))]}"
    let file = NSTemporaryDirectory() + "brush-\(UUID().uuidString).json"
    defer { try? FileManager.default.removeItem(atPath: file) }  // may fail: it is temporary
    try text.write(toFile: file, atomically: true, encoding: .utf8)
    let tree = try JSONTree(contentsOf: file)
    #expect(try BrushRuns.decoded(tree, Size(width: 7, height: 5)) == wanted)
    #expect(throws: AnnotationError.self) { try BrushRuns.decoded(tree, Size(width: 5, height: 8)) }
    for seed in 0..<50 {
      let mask = randomMask(seed)
      let covered = mask.values.map { $0 == 0 }
      let own = "{\"rle\": \(BrushRuns.encoded(covered))}"
      try own.write(toFile: file, atomically: true, encoding: .utf8)
      #expect(try BrushRuns.decoded(JSONTree(contentsOf: file), mask.size) == covered)
    }
  }
}
