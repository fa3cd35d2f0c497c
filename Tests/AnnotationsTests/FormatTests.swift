import Foundation
import Imaging
import Testing

@testable import Annotations

/// Files of tools of which there are no exports in the shared data; values by the tools themselves.
@Suite("Formats") struct FormatTests {
  /// Writes files into a folder and reads it.
  private func read(
    _ files: [String: String], format: AnnotationFormat? = nil, options: ReadingOptions = .init(),
    _ body: (AnnotationSet) throws -> Void
  ) throws {
    let root = NSTemporaryDirectory() + "formats-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    for (name, text) in files {
      let path = "\(root)/\(name)"
      try FileManager.default.createDirectory(
        atPath: String(path[..<(path.lastIndex(of: "/") ?? path.endIndex)]),
        withIntermediateDirectories: true)
      try text.write(toFile: path, atomically: true, encoding: .utf8)
    }
    try body(AnnotationSet(contentsOf: root, format: format, options: options))
  }

  private func pixels(_ set: AnnotationSet, _ name: String) throws -> [UInt16: Int] {
    let image = try #require(set.images.first { $0.name == name })
    return Dictionary(grouping: try set.mask(of: image).values) { $0 }.mapValues(\.count)
  }

  /// Whether reading fails with a message that has all of these words.
  private func refuses(
    _ files: [String: String], format: AnnotationFormat? = nil, _ words: String...
  ) {
    do {
      try read(files, format: format) { set in
        for image in set.images { _ = try set.mask(of: image) }
      }
      Issue.record("nothing was refused; expected \(words)")
    } catch {
      for word in words { #expect("\(error)".contains(word), "\(error)") }
    }
  }

  @Test("Supervisely's bitmaps, polygons and rectangles") func supervisely() throws {
    // Figures of supervisely 6.74.51: 14 pixels, 56 and 25.
    let bitmap =
      "{\"origin\": [4, 3], \"data\": \"eJzrDPBz5+WS4mJgYOD19HAJAtKsQMzMyAwkE3+E7wZSbAE+Ia5A+v///0tvzr8LZDGWBPkFMzg8u5EG5PB5ujiGVMxJ/nHwS8NDdgaOOqbLW/ecPwKUYfB09XNZ55TQBAAB2B5g\"}"
    let objects = [
      "{\"classTitle\": \"a\", \"geometryType\": \"bitmap\", \"bitmap\": \(bitmap)}",
      "{\"classTitle\": \"b\", \"geometryType\": \"polygon\", \"points\": {\"exterior\": [[2, 2], [10, 2], [10, 9], [2, 9]], \"interior\": [[[4, 4], [7, 4], [7, 7], [4, 7]]]}}",
      "{\"classTitle\": \"c\", \"geometryType\": \"rectangle\", \"points\": {\"exterior\": [[2, 1], [6, 5]], \"interior\": []}}",
    ]
    var files = [
      "meta.json":
        "{\"classes\": [{\"title\": \"a\", \"color\": \"#102030\"}, {\"title\": \"b\"}, {\"title\": \"c\"}], \"tags\": []}"
    ]
    for (index, object) in objects.enumerated() {
      files["ds/ann/i\(index).png.json"] =
        "{\"size\": {\"height\": 12, \"width\": 14}, \"objects\": [\(object)]}"
    }
    try read(files) { set in
      #expect(set.format == .supervisely)
      #expect(
        set.classes.map(\.name) == ["a", "b", "c"] && set.classes[0].color == Color(16, 32, 48))
      for (index, count) in [14, 56, 25].enumerated() {
        let found = try pixels(set, "i\(index)")
        #expect(found[UInt16(index)] == count)
      }
    }
    files["ds/ann/i0.png.json"] = files["ds/ann/i0.png.json"]?.replacing("\"a\"", with: "\"z\"")
    refuses(files, "i0.png.json", "objects[0]", "'z'", "meta.json")
    files["ds/ann/i0.png.json"] = files["ds/ann/i0.png.json"]?.replacing("\"z\"", with: "\"a\"")
      .replacing("eJz", with: "AAA")
    refuses(files, "i0.png.json", "objects[0].bitmap.data", "zlib")
  }

  @Test("VIA's regions") func via() throws {
    let region = { (shape: String, name: String) in
      "{\"shape_attributes\": \(shape), \"region_attributes\": {\"class\": \"\(name)\"}}"
    }
    let square =
      "{\"name\": \"polygon\", \"all_points_x\": [0, 10, 10, 0], \"all_points_y\": [0, 0, 10, 10]}"
    let box = "{\"name\": \"rect\", \"x\": 20, \"y\": 5, \"width\": 4, \"height\": 3}"
    let text =
      "{\"a.png100\": {\"filename\": \"a.png\", \"size\": 100, \"regions\": [\(region(square, "road")), \(region(box, "car"))], \"file_attributes\": {}}}"
    let root = NSTemporaryDirectory() + "via-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    try FileManager.default.createDirectory(atPath: root, withIntermediateDirectories: true)
    try text.write(toFile: "\(root)/via.json", atomically: true, encoding: .utf8)
    try LabelImage(width: 30, height: 20, values: Array(repeating: 0, count: 600)).writePNG(
      to: "\(root)/a.png")
    let set = try AnnotationSet(contentsOf: root)
    #expect(set.format == .via && set.classes.map(\.name) == ["car", "road"])
    #expect(try pixels(set, "a") == [0: 12, 1: 100, AnnotationSet.ignoredValue: 488])
    // Another rule by request: the outline belongs to the shapes.
    let other = try AnnotationSet(contentsOf: root, options: ReadingOptions(rule: .opencv))
    #expect(try pixels(other, "a")[1] == 121)
  }

  @Test("A project of VIA 3: regions of views, classes by options and their default")
  func via3() throws {
    try read(Samples.via3) { set in
      #expect(set.format == .via && set.classes.map(\.name) == ["road", "car", "sky"])
      #expect(set.images.map(\.name) == ["a", "b"])
      #expect(set.notes.count == 1 && set.notes[0].contains("metadata.1_d is a point"))
    }
    // With sizes, as the annotations have none.
    let root = NSTemporaryDirectory() + "via3-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    try FileManager.default.createDirectory(
      atPath: "\(root)/images", withIntermediateDirectories: true)
    try Samples.via3["project.json"]?.write(
      toFile: "\(root)/project.json", atomically: true, encoding: .utf8)
    for name in ["a.png", "images/b.png"] {
      try LabelImage(width: 30, height: 20, values: Array(repeating: 0, count: 600)).writePNG(
        to: "\(root)/\(name)")
    }
    let set = try AnnotationSet(contentsOf: root)
    #expect(try pixels(set, "a") == [0: 100, 1: 12, AnnotationSet.ignoredValue: 488])
    // cv2.ellipse: a circle of radius 4 and, of the default class, an ellipse of radii 4 and 6.
    let b = try pixels(set, "b")
    #expect(b[2] == 57 && b[0] == 89)
    func changed(_ old: String, _ new: String) -> [String: String] {
      Samples.via3.mapValues { $0.replacing(old, with: new) }
    }
    refuses(
      changed("\"av\": {\"2\": \"1\"}", "\"av\": {\"2\": \"7\"}"), "project.json",
      "metadata.1_b.av.2", "is '7'", "options of 'what', 0, 1, 2")
    refuses(changed("[3, 10, 9, 4]", "[3, 10, 9]"), "metadata.2_a.xy", "circle of 2 numbers")
    refuses(changed("[3, 10, 9, 4]", "[10, 9, 4]"), "metadata.2_a.xy", "a kind from 1 to 9")
    refuses(changed("\"fname\": \"b.png\", \"type\": 2", "\"type\": 4"), "file.2", "with 2 regions")
    refuses(changed("\"vid\": \"2\"", "\"vid\": \"9\""), "metadata.2_a", "view '9'")
  }

  @Test("VIA 3's extreme points are a rectangle's and a circle's") func extremes() throws {
    let text = try #require(Samples.via3["project.json"])
      .replacing("[3, 10, 9, 4]", with: "[8, 2, 5, 6, 2, 12, 6, 7, 10]")
      .replacing("[4, 22, 9, 4, 6]", with: "[9, 18, 9, 22, 5, 26, 9]")
    try read(["project.json": text]) { set in
      let shapes = try #require(set.images.last?.content.shapes)
      guard case .rectangle(let a, let b) = shapes[0].form,
        case .ellipse(let center, let radii, _) = shapes[1].form
      else {
        Issue.record("\(shapes)")
        return
      }
      #expect(a == Point(2, 2) && b == Point(12, 10))
      #expect(center == Point(22, 9) && radii == Point(4, 4))
    }
    refuses(
      ["project.json": text.replacing("18, 9, 22, 5, 26, 9", with: "18, 9, 22, 9, 26, 9")],
      "metadata.2_b.xy", "three points on a line")
  }

  @Test("CVAT's tracks: boxes move evenly, are away while they are outside, and stay at the end")
  func boxTracks() throws {
    try read(["annotations.xml": Samples.cvat(Samples.boxes)]) { set in
      #expect(set.format == .cvat && set.classes.map(\.name) == ["road", "car"])
      #expect(set.images.count == 9)
      #expect(set.images[3].name == "frame_000003")
      #expect(set.images[3].path.hasSuffix("images/frame_000003.png"))
      var corners: [Int?] = []
      for image in set.images {
        let mask = try set.mask(of: image)
        #expect(mask.width == 80 && mask.height == 70)
        let first = mask.values.firstIndex(of: 1)
        corners.append(first)
        #expect(mask.values.count { $0 == 1 } == (first == nil ? 0 : 100))
      }
      // Column and row of the first pixel: 10 and 5 further in each frame.
      let row = { (x: Int, y: Int) in y * 80 + x }
      #expect(
        corners == [
          row(0, 0), row(10, 5), row(20, 10), row(30, 15), row(40, 20), nil, nil, row(60, 50),
          row(60, 50),
        ])
    }
  }

  /// What CVAT's server computes (`TrackManager.get_interpolated_shapes` at commit 4c4f6b5, run on its own).
  @Test(
    "CVAT's polygons between key frames are those of its server",
    arguments: [
      (
        "10,10;50,10;50,40;10,40", "20,12;70,15;66,52;24,48;15,30", 1,
        [12.5, 10.5, 55, 11.25, 54, 43, 13.5, 42, 11.25, 37.5]
      ),
      (
        "10,10;50,10;50,40;10,40", "20,12;70,15;66,52;24,48;15,30", 2,
        [15, 11, 60, 12.5, 58, 46, 17, 44, 12.5, 35]
      ),
      (
        "5,5;30,2;45,20;40,44;18,50;3,30", "12,8;52,22;20,60", 2,
        [8.5, 6.5, 41, 12, 48.5, 21, 30, 52, 19, 55, 7.5, 19]
      ),
      ("0,0;20,0;20,20;0,20", "4,6;24,6;24,26;4,26", 3, [3, 4.5, 23, 4.5, 23, 24.5, 3, 24.5]),
    ])
  func polygonTracks(_ from: String, _ to: String, _ frame: Int, _ expected: [Double]) throws {
    let track =
      "<track id=\"0\" label=\"road\">" + Samples.shape("polygon", 0, "points=\"\(from)\"")
      + Samples.shape("polygon", 4, "points=\"\(to)\"") + "</track>"
    try read(["annotations.xml": Samples.cvat(track)]) { set in
      guard case .rings(let rings)? = set.images[frame].content.shapes?.first?.form else {
        Issue.record("there is no polygon")
        return
      }
      #expect(rings.count == 1 && rings[0].flatMap { [$0.x, $0.y] } == expected)
    }
  }

  @Test(
    "CVAT's tracks: ellipses turn, masks are of their frame alone, pictures are frames in order")
  func otherTracks() throws {
    var files = Samples.video
    try read(files) { set in
      let shapes = try #require(set.images[4].content.shapes)
      guard case .ellipse(let center, let radii, let degrees)? = shapes.last?.form else {
        Issue.record("\(shapes)")
        return
      }
      #expect(center == Point(32, 34) && radii == Point(6, 6) && degrees == 45)
      #expect(set.images.map { $0.content.shapes?.count ?? -1 } == [2, 3, 3, 3, 3, 2, 2, 3, 3])
    }
    let text = try #require(files["annotations.xml"])
    // Pictures that CVAT named, of which some frames have none.
    for name in ["frame_000002.PNG", "frame_000007.PNG"] { files["images/\(name)"] = "" }
    try read(files) { set in
      #expect(set.images.map(\.name) == ["frame_000002", "frame_000007"])
      #expect(set.images[1].content.shapes?.count == 3)
    }
    // Other pictures are the frames if there are as many.
    files = ["annotations.xml": text]
    for index in 0..<9 { files["images/city-\(index).jpg"] = "" }
    try read(files) { set in
      #expect(set.images[7].name == "city-7" && set.images[7].content.shapes?.count == 3)
    }
    files["images/city-8.jpg"] = nil
    refuses(files, "annotations.xml", "frames 0 to 8", "8 pictures", "frame_000000")
  }

  @Test("CVAT's tracks that cannot be are refused with their line")
  func refusedTracks() throws {
    func files(_ old: String, _ new: String) -> [String: String] {
      Samples.video.mapValues { $0.replacing(old, with: new) }
    }
    refuses(files("label=\"car\"", "label=\"bus\""), "annotations.xml", "line", "'bus'")
    refuses(files("frame=\"4\"", "frame=\"x\""), "annotations.xml", "line", "the frame 'x'")
    refuses(files("frame=\"4\"", "frame=\"0\""), "has the frame 0 again")
    refuses(
      files("<track id=\"1\"", "<track id=\"1\" task_id=\"7\""), "is of the task 7", "one task")
    refuses(files(">8</stop_frame>", ">900000</stop_frame>"), "frames from 0 to 900000")
    let mixed =
      "<track id=\"0\" label=\"road\">" + Samples.shape("polygon", 0, "points=\"0,0;9,0;9,9\"")
      + Samples.shape("box", 4, "xtl=\"0\" ytl=\"0\" xbr=\"4\" ybr=\"4\"") + "</track>"
    refuses(["annotations.xml": Samples.cvat(mixed)], "another kind than the shape before")
  }

  @Test("labelme 7 rounds the places of masks, 6 drops fractions") func labelmeMasks() throws {
    let mask = Data(try LabelImage(width: 2, height: 2, values: [1, 1, 0, 1]).png())
      .base64EncodedString()
    func text(_ version: String, _ points: String) -> String {
      "{\"version\": \"\(version)\", \"shapes\": [{\"label\": \"a\", \"shape_type\": \"mask\", \"points\": \(points), \"mask\": \"\(mask)\"}], \"imagePath\": \"a.png\", \"imageHeight\": 20, \"imageWidth\": 20}"
    }
    let fractional = "[[10.9, 3.9], [11.9, 4.9]]"
    try read(["a.json": text("6.3.1", fractional)]) { set in
      let mask = try set.mask(of: set.images[0])
      #expect(mask.values[3 * 20 + 10] == 0 && mask.values[5 * 20 + 12] != 0)
    }
    try read(["a.json": text("7.9.1", fractional)]) { set in
      let mask = try set.mask(of: set.images[0])
      #expect(
        mask.values[4 * 20 + 11] == 0 && mask.values[5 * 20 + 12] == 0
          && mask.values[3 * 20 + 10] != 0)
    }
    // A place of another size: an error in 6, the picture's own size in 7.
    refuses(
      ["a.json": text("6.3.1", "[[10.5, 3.5], [12.5, 4.5]]")], "a.json", "shapes[0]", "2×2", "3×2")
    try read(["a.json": text("7.9.1", "[[10.5, 3.5], [12.5, 4.5]]")]) { set in
      let found = try pixels(set, "a")
      #expect(found[0] == 3)
    }
  }

  @Test("datumaro's Cityscapes counts from 1, and labelmap.txt without colours by place")
  func tables() throws {
    let root = NSTemporaryDirectory() + "tables-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: root) }  // may fail: it is temporary
    for folder in ["gtFine/val", "leftImg8bit/val", "voc/SegmentationClass", "voc/JPEGImages"] {
      try FileManager.default.createDirectory(
        atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
    }
    let ids = LabelImage(width: 2, height: 2, values: [0, 1, 2, 3])
    try ids.writePNG(to: "\(root)/gtFine/val/x_gtFine_labelIds.png")
    try ids.writePNG(to: "\(root)/leftImg8bit/val/x_leftImg8bit.png")
    try "51 221 255 car\n220 20 60 person\n128 64 128 traffic light\n".write(
      toFile: "\(root)/label_colors.txt", atomically: true, encoding: .utf8)
    let set = try AnnotationSet(contentsOf: root)
    #expect(
      set.format == .datumaroCityscapes
        && set.classes.map(\.name) == ["car", "person", "traffic light"])
    #expect(set.images[0].name == "x" && set.images[0].part == "val")
    #expect(try set.mask(of: set.images[0]).values == [AnnotationSet.ignoredValue, 0, 1, 2])

    try "# label:color_rgb:parts:actions\nbackground:::\nroad:::\ncar:::\n".write(
      toFile: "\(root)/voc/labelmap.txt", atomically: true, encoding: .utf8)
    let colors: [UInt8] = [0, 0, 0, 128, 0, 0, 0, 128, 0, 0, 0, 0]
    try Image(width: 2, height: 2, pixels: colors).write(to: "\(root)/voc/SegmentationClass/y.png")
    let voc = try AnnotationSet(contentsOf: "\(root)/voc")
    #expect(voc.classes.map(\.name) == ["background", "road", "car"])
    #expect(try voc.mask(of: voc.images[0]).values == [0, 1, 2, 0])
  }

  private let coco =
    "{\"images\": [{\"id\": 1, \"file_name\": \"a.png\", \"width\": 20, \"height\": 10}], \"categories\": [{\"id\": 3, \"name\": \"road\"}], \"annotations\": [{\"id\": 9, \"image_id\": 1, \"category_id\": 3, \"segmentation\": [[0, 0, 5, 0, 5, 5, 0, 5]]}]}"

  @Test("What is wrong is told with file, entry and what was expected") func refusals() throws {
    try read(["c.json": coco]) { set in
      let found = try pixels(set, "a")
      #expect(found[0] == 25)
    }
    refuses(
      ["c.json": coco.replacing("\"category_id\": 3", with: "\"category_id\": 4")], "c.json",
      "annotations[0].category_id", "is 4", "expected the id")
    refuses(
      ["c.json": coco.replacing("\"image_id\": 1", with: "\"image_id\": 2")],
      "annotations[0].image_id", "is 2")
    refuses(
      ["c.json": coco.replacing("0, 5]]", with: "0]]")], "c.json", "annotations[0].segmentation[0]",
      "7 numbers", "pairs")
    refuses(
      ["c.json": coco.replacing("0, 5]]", with: "0, 5e300]]")], "segmentation[0][7]", "1,000,000")
    refuses(
      [
        "c.json": coco.replacing(
          "[[0, 0", with: "{\"counts\": [3, 2], \"size\": [10, 20]}, \"x\": [[0, 0")
      ], "c.json", "annotations[0]", "5 pixels", "200")
    refuses(["c.json": String(coco.dropLast(3))], "c.json", "line 1", "ends")
    refuses(
      ["c.json": coco.replacing("\"width\": 20", with: "\"width\": 200000000")], "images[0].width",
      "from 1 to 1048576")
    let deep = "{\"images\": [], \"info\": " + String(repeating: "[", count: 2000)
    refuses(["c.json": deep], "c.json", "at most 64")
  }

  @Test("Numbers that disagree between files are refused, both named") func disagreement() throws {
    let other = coco.replacing("\"name\": \"road\"", with: "\"name\": \"car\"")
    refuses(
      ["instances_train.json": coco, "instances_val.json": other], "instances_train.json",
      "instances_val.json", "'road'", "'car'", "--classes")
    // With the names given they need not agree.
    try read(
      ["instances_train.json": coco, "instances_val.json": other],
      options: ReadingOptions(classes: ["car", "road"])
    ) { set in
      #expect(set.parts == ["train", "val"])
      let values = try set.images.map { Set(try set.mask(of: $0).values) }
      #expect(values == [[1, AnnotationSet.ignoredValue], [0, AnnotationSet.ignoredValue]])
    }
    refuses(
      [
        "train/_classes.csv": "Pixel Value, Class\n0, background\n1, car\n",
        "valid/_classes.csv": "Pixel Value, Class\n0, background\n1, road\n",
      ],
      "train/_classes.csv", "valid/_classes.csv", "line 3")
  }
}

@Suite("XML") struct XMLTests {
  private func read(_ text: [UInt8]) throws -> [String] {
    let file = NSTemporaryDirectory() + "xml-\(UUID().uuidString).xml"
    defer { try? FileManager.default.removeItem(atPath: file) }  // may fail: it is temporary
    try Data(text).write(to: URL(fileURLWithPath: file))
    var events: [String] = []
    try XMLReading.read(file) { element in
      let attributes = element.attributes.sorted { $0.key < $1.key }.map { "\($0)=\($1)" }
      events.append("\(element.line) <\(element.name) \(attributes.joined(separator: " "))>")
    } end: { name, text in
      events.append("\(name):\(text)")
    }
    return events
  }

  @Test("Elements, attributes, entities, comments and text") func reading() throws {
    let text = """
      \u{FEFF}<?xml version="1.0" encoding="utf-8"?>
      <!-- a > b -->
      <a x="1 &lt; 2" y='&#x41;&#66;"'>
        <b/> <c>one &amp; two<![CDATA[ <3]]></c >
      </a>
      """
    #expect(
      try read(Array(text.utf8)) == [
        "3 <a x=1 < 2 y=AB\">", "4 <b >", "b:", "4 <c >", "c:one & two <3", "a:",
      ])
  }

  @Test(
    "What is no XML is refused with its line",
    arguments: [
      "<a>", "<a></b>", "<a x></a>", "<a x=1></a>", "<a x=\"1></a>", "<a x='1' x='2'/>", "text", "",
      "<a>&nothing;</a>", "<a>&</a>", "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a", "<",
      "</a>", "<!-- ",
      String(repeating: "<a>", count: 100),
    ])
  func refusals(_ text: String) {
    #expect(throws: AnnotationError.self) { try read(Array(text.utf8)) }
  }

  @Test("Text that is no UTF-8 is refused") func bytes() {
    #expect(throws: AnnotationError.self) {
      try read(Array("<a>".utf8) + [0xD6] + Array("</a>".utf8))
    }
  }
}
