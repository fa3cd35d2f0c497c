import Foundation
import Imaging
import TestSupport
import Testing

@testable import Datasets

@Suite("Names and colours of classes")
struct ColorFileTests {
  private func read(_ text: String) throws -> [String] {
    try ColorFile(text, named: "f.txt").entries.map { entry in
      "\(entry.name) " + entry.colors.map(\.text).joined(separator: " ")
    }
  }

  @Test("a labelmap.txt of CVAT: comments, parts and actions, a name with a colon")
  func labelMap() throws {
    let text = """
      # label:color_rgb:parts:actions
      background:0,0,0::
      car:51,221,255:wheel,door:
      left:side:10,20,30::

      """
    #expect(
      try read(text) == [
        "background [0, 0, 0]", "car [51, 221, 255]", "left:side [10, 20, 30]",
      ])
  }

  @Test("empty colours are those of PASCAL VOC's colour map by the line's number")
  func withoutColors() throws {
    let text = "# label:color_rgb:parts:actions\r\nbackground:::\r\nroad:::\r\ncar:::\r\n"
    let expected = ["background [0, 0, 0]", "road [128, 0, 0]", "car [0, 128, 0]"]
    #expect(try read(text) == expected)
    // CamVid's form of the same leaves background out.
    #expect(try read(" road\n car\n") == expected)
  }

  @Test("a label_colors.txt of CamVid: names of several words, tabs, background left out")
  func camVid() throws {
    #expect(
      try read("51 221 255 traffic light\n64 128 64\tAnimal\n") == [
        "background [0, 0, 0]", "traffic light [51, 221, 255]", "Animal [64, 128, 64]",
      ])
    // Where something else is black nothing is left out.
    #expect(
      try read("0 0 0 Void\n64 128 64 Animal\n") == ["Void [0, 0, 0]", "Animal [64, 128, 64]"])
  }

  @Test("background comes first, and a class may have several colours")
  func order() throws {
    #expect(
      try read("road:1,2,3::\nbackground:0,0,0::\nroad:4,5,6::\n") == [
        "background [0, 0, 0]", "road [1, 2, 3] [4, 5, 6]",
      ])
  }

  @Test(
    "what makes no sense is named with its line",
    arguments: [
      ("a:1,2,3::\nb:1,2,300::", "f.txt, line 2: has the colour '1,2,300'"),
      ("a:1,2,3::\nb:1,2,3::", "f.txt: gives [1, 2, 3] to a and to b"),
      ("1 2 3", "f.txt, line 1: is '1 2 3'"), (":1,2,3::", "f.txt, line 1: has no name"),
      ("# nothing\n", "f.txt: names no class"),
    ])
  func wrong(text: String, message: String) throws {
    let error = #expect(throws: DatasetError.self) { try ColorFile(text, named: "f.txt") }
    #expect(error?.description.hasPrefix(message) == true, "\(error?.description ?? "")")
  }

  @Test("coloured labels are read by the table, and what it lacks is named with what to write")
  func colored() throws {
    try withTemporaryFolder { root in
      let size = Size(width: 4, height: 3)
      try writePicture("\(root)/images/a.png", size)
      try FileManager.default.createDirectory(
        atPath: "\(root)/labels", withIntermediateDirectories: true)
      let colors: [Color] = [Color(0, 0, 0), Color(0, 0, 0), Color(9, 80, 7), Color(1, 1, 2)]
      try Image(
        width: 4, height: 3,
        pixels: (0..<12).flatMap { i in
          [colors[i % 4].red, colors[i % 4].green, colors[i % 4].blue]
        }
      ).write(to: "\(root)/labels/a.png")
      func set(_ table: LabelTable) throws -> FileDataset {
        let (map, colors) = try table.resolved("the test")
        return try .pairs(
          images: FileSelection("\(root)/images"), labels: FileSelection("\(root)/labels"),
          map: map, labelColors: colors)
      }
      var table = LabelTable(.configuration, classes: ["ground", "tree"])
      let plain = #expect(throws: DatasetError.self) { try set(table).load(0) }
      #expect(
        plain?.description.contains("`data.colors: {ground: [0, 0, 0], tree: [1, 1, 2]}`") == true)
      table.colors = [("ground", [Color(0, 0, 0)]), ("tree", [Color(9, 80, 7)])]
      let lacking = #expect(throws: DatasetError.self) { try set(table).load(0) }
      #expect(
        lacking?.description.hasPrefix(
          "\(root)/labels/a.png: pixel (x 3, y 0) has the colour [1, 1, 2]") == true)
      #expect(lacking?.description.contains("`data.colors: {ignored: [1, 1, 2]}`") == true)
      table.colors.append(("ignored", [Color(1, 1, 2)]))
      let whole = try set(table)
      #expect(try whole.load(0).mask.classes.prefix(4) == [0, 0, 1, 255])
      #expect(whole.labelMap.colors == [Color(0, 0, 0), Color(9, 80, 7)])
    }
  }

  @Test("what a file names and nobody asked for counts nowhere; what is asked for must be there")
  func some() throws {
    var table = LabelTable(.configuration, classes: ["car", "road"])
    table.file = ("f.txt", try ColorFile("road:1,2,3::\ncar:4,5,6::\n", named: "f.txt"))
    let (map, colors) = try table.resolved("the test")
    #expect(map.classes.map(\.name) == ["car", "road"])
    #expect(colors == [Color(4, 5, 6): 0, Color(1, 2, 3): 1, Color(0, 0, 0): 255])
    table.classes = ["car", "tree"]
    #expect(
      throws: DatasetError.invalidLabelMap(
        name: "the test",
        reason: "f.txt has no colour for \"tree\"; it has background, road, car")
    ) { try table.resolved("the test") }
    table.classes = nil
    #expect(
      try table.resolved("the test").map.classes.map(\.name) == ["background", "road", "car"])
  }
}
