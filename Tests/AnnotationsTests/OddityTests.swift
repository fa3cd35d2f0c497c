import Imaging
import Testing

@testable import Annotations

@Suite("What is odd") struct OddityTests {
  @Test("Shapes outside, without pixels, names alike, images twice") func oddities() throws {
    func ring(_ x: Double, _ y: Double, _ side: Double) -> Shape.Form {
      .rings([[Point(x, y), Point(x + side, y), Point(x + side, y + side), Point(x, y + side)]])
    }
    func image(_ name: String, _ shapes: [Shape]) -> AnnotationSet.Image {
      .init(
        name: name, path: "images/a.png", size: Size(width: 20, height: 10), file: "file.json",
        content: .shapes(shapes))
    }
    let shapes = [
      Shape(0, ring(2, 2, 4), place: "good"), Shape(0, ring(30, 2, 4), place: "outside"),
      Shape(0, ring(-5, 2, 9), place: "across"), Shape(0, ring(3.2, 3.2, 0.2), place: "empty"),
      Shape(0, ring(0, 0, 20.5), place: "also across"),
    ]
    let set = AnnotationSet(
      .coco, classes: [.init("traffic light"), .init("road"), .init("Traffic_Light")],
      images: [image("a", shapes), image("b", [])], rule: .coco)
    let sentences = try set.oddities(of: set.images[0]).sentences
    #expect(
      sentences == [
        "1 shape lies outside of the image, such as file.json: a, outside",
        "2 shapes reach more than a pixel beyond the image, such as file.json: a, across",
        "1 shape covers no pixel, such as file.json: a, empty",
      ])
    #expect(set.oddNames.count == 2)
    #expect(
      set.oddNames[0]
        == "the classes 'traffic light' and 'Traffic_Light' differ in their spelling alone")
    #expect(set.oddNames[1].contains("images/a.png"))
  }
}
