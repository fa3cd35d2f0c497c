import Configuration
import Datasets
import Foundation
import Imaging
import TestSupport
import Testing

@testable import Training

@Suite("The section data")
struct DataConfigurationTests {
  private func read(_ yaml: String) throws -> DataConfiguration {
    let root = try Section(yaml: "data: {\(yaml)}", named: "c.yaml")
    let data = try DataConfiguration(root.section("data"))
    try root.finish()
    return data
  }

  @Test("values win over what is ignored by default, in known layouts too")
  func values() throws {
    let folders = try read("layout: folders, classes: [a, b], values: {0: a, 255: b}")
    #expect(folders.labelMap.index(of: 255) == 1)
    let camVid = try read("layout: camvid, root: x, values: {255: car}, ignored: [12]")
    #expect(camVid.labelMap.index(of: 255) == 8)
    #expect(camVid.labelMap.index(of: 12) == LabelMap.ignored && camVid.labelMap.index(of: 3) == 3)
    let cityscapes = try read("layout: cityscapes, root: x, values: {255: road}")
    #expect(cityscapes.labelMap.index(of: 255) == 0)
  }

  @Test("the rules for resizing are read by name")
  func resizing() throws {
    #expect(try read("layout: camvid, root: x").imageResizing == .own)
    let named = try read(
      "layout: camvid, root: x, imageResizing: torch-antialias, labelResizing: torch")
    #expect(named.imageResizing == .torchAntialias && named.labelResizing == .torch)
    let error = #expect(throws: ConfigurationError.self) {
      try read("layout: camvid, root: x, imageResizing: pilow")
    }
    #expect("\(error.map { "\($0)" } ?? "")".contains("did you mean 'pillow'"))
  }

  @Test("colours are written in three ways, and in a file")
  func colors() throws {
    let data = try read(
      """
      layout: folders, classes: [a, b], \
      colors: {a: [0, 0, 0], b: "#80ff01", ignored: ["#ffffff", "1,2,3"]}
      """)
    #expect(
      data.labelColors == [
        Color(0, 0, 0): 0, Color(128, 255, 1): 1, Color(255, 255, 255): 255, Color(1, 2, 3): 255,
      ])
    #expect(data.labelMap.colors == [Color(0, 0, 0), Color(128, 255, 1)])
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/labelmap.txt"
    try Data("# label:color_rgb:parts:actions\nroad:9,8,7::\n".utf8)
      .write(to: URL(fileURLWithPath: file))
    let named = try read("layout: folders, colors: \(file)")
    #expect(named.labelMap.classes.map(\.name) == ["background", "road"])
    #expect(named.labelColors == [Color(0, 0, 0): 0, Color(9, 8, 7): 1])
  }

  @Test(
    "what cannot be meant is refused by name",
    arguments: [
      ("classes: [a, b], colors: {a: #ff0000\n}", "in quotes"),
      ("classes: [a, b], colors: {a: [1, 2]}", "'a' is [1, 2]"),
      ("classes: [a, b], colors: {c: [1, 2, 3]}", "gives a colour to \"c\""),
      ("classes: [a, b], colors: {a: [1, 2, 3], b: [1, 2, 3]}", "two meanings"),
      ("classes: [a, b], colors: nowhere.txt", "nowhere.txt: cannot be read"),
      ("colors: {a: [1, 2, 3]}", "'classes' is missing"),
      ("classes: [a, b], orientation: turned", "one of applied, stored"),
      ("classes: [a, b], holdOut: 0.2", "'holdOut' is given"),
      ("classes: [a, b], train: {images: i, labels: l}, holdOut: 2", "from 0.001 to 0.9"),
    ])
  func refused(yaml: String, message: String) {
    let error = #expect(throws: (any Error).self) { try read("layout: folders, \(yaml)") }
    #expect(error.map { "\($0)".contains(message) } == true, "\(error.map { "\($0)" } ?? "")")
  }

  @Test("a share of the training images is held out at equal distances, and the two never meet")
  func holdOut() throws {
    let names = (0..<10).map { "n\($0)" }
    #expect(DataConfiguration.heldOut(0.2, of: names) == ["n4", "n9"])
    #expect(DataConfiguration.heldOut(0.01, of: names) == ["n9"])
    #expect(DataConfiguration.heldOut(0.9, of: ["a", "b"]) == ["b"])
    #expect(DataConfiguration.heldOut(0.5, of: ["a"]).isEmpty)
    let folder = try TemporaryFolder()
    try writePairs(folder.path, count: 7)
    let data = try read(
      """
      layout: folders, classes: [a, b], holdOut: 0.3, \
      train: {images: \(folder.path)/images, labels: \(folder.path)/labels}
      """)
    let (train, val) = (try data.listing("train"), try data.listing("val"))
    #expect(val.items.map(\.name) == ["2", "6"] && train.count == 5)
    #expect(Set(train.items.map(\.name)).isDisjoint(with: val.items.map(\.name)))
  }

  @Test("photographs are read by the setting, in every part")
  func orientation() throws {
    let folder = try TemporaryFolder()
    let size = Size(width: 6, height: 4)
    try writePicture(
      "\(folder.path)/images/a.tif", size, [UInt16](repeating: 5, count: 24), orientation: 6)
    try writePicture("\(folder.path)/labels/a.png", size, [UInt16](repeating: 1, count: 24))
    let pairs = "{images: \(folder.path)/images, labels: \(folder.path)/labels}"
    let folders = "layout: folders, classes: [a, b], train: \(pairs), val: \(pairs)"
    #expect(throws: DatasetError.self) { try read(folders).dataset("train").load(0) }
    for role in ["train", "val"] {
      let set = try read("\(folders), orientation: stored, limitTrain: 1").dataset(role)
      #expect(try set.load(0).image.size == size)
    }
  }
}

@Suite("Two folders")
struct TwoFolderTests {
  private let folder: TemporaryFolder
  private let size = Size(width: 40, height: 24)

  init() throws { folder = try TemporaryFolder() }

  /// Pairs whose labels hold `values`.
  private func write(_ values: [UInt16], count: Int = 5) throws {
    for index in 0..<count {
      try writePicture("\(folder.path)/images/\(index).jpg", size)
      try writePicture(
        "\(folder.path)/labels/\(index).png", size,
        (0..<size.width * size.height).map { values[$0 / 50 % values.count] })
    }
  }

  private func found(_ classes: String? = nil) throws -> TwoFolders {
    try TwoFolders(
      images: "\(folder.path)/images", labels: "\(folder.path)/labels", classes: classes)
  }

  private func map(_ classes: String? = nil) throws -> LabelMap {
    try TrainingConfiguration(yaml: found(classes).yaml, named: "found").data.labelMap
  }

  private func meaning(_ map: LabelMap) -> [String] {
    map.rows.map { row in "\(row.value) \(row.index.map { map.classes[$0].name } ?? "-")" }
  }

  @Test(
    "labels whose names end in something more are found, and a missing part names those there are")
  func suffix() throws {
    let pixels = (0..<size.width * size.height).map { UInt16($0 % 2) }
    for index in 0..<5 {
      try writePicture("\(folder.path)/images/\(index).jpg", size)
      try writePicture("\(folder.path)/labels/\(index)_1stHO.png", size, pixels)
    }
    let found = try found()
    #expect(found.notes[0].contains("NAME_1stHO (--label-suffix says otherwise)"), "\(found.notes)")
    let data = try TrainingConfiguration(yaml: found.yaml, named: "found").data
    #expect(try data.dataset("train").count == 4)
    func problem(_ root: String) throws -> String {
      let section = try Section(
        yaml: "data: {layout: camvid, root: \(root)}", named: "c.yaml"
      ).section("data")
      do {
        _ = try DataConfiguration(section).dataset("test")
        return ""
      } catch { return "\(error)" }
    }
    #expect(
      try problem("\(folder.path)/none").contains(
        "\(folder.path)/none: no such folder; expected the folder of CamVid, which data.root names")
    )
    try writeMiniature("camvid", in: folder.path, size: size)
    let message = try problem(folder.path)
    #expect(message.contains("test: no such folder; expected "), "\(message)")
    #expect(message.hasSuffix("; splits with images are train, val"), "\(message)")
  }

  @Test(
    "classes follow from the values, or take them in ascending order",
    arguments: [
      ([0, 255], nil, ["0 background", "255 foreground"]),
      ([0, 1], nil, ["0 background", "1 foreground", "255 -"]),
      ([0, 255], "ground,vessel", ["0 ground", "255 vessel"]),
      ([0, 255], "0=ground,255=ignored", ["0 ground", "255 -"]),
      ([0, 1, 255], "ground,vessel", ["0 ground", "1 vessel", "255 -"]),
      ([1, 2], "ground,vessel", ["1 ground", "2 vessel", "255 -"]),
      ([0, 128, 255], "ground,edge,vessel", ["0 ground", "128 edge", "255 vessel"]),
      ([0, 3, 7, 255], nil, ["0 class 0", "3 class 3", "7 class 7", "255 -"]),
    ] as [([UInt16], String?, [String])])
  func classes(values: [UInt16], classes: String?, expected: [String]) throws {
    try write(values)
    #expect(meaning(try map(classes)) == expected)
  }

  @Test("what was found and chosen is said")
  func notes() throws {
    try write([0, 0, 0, 255])
    let notes = try found().notes
    #expect(notes.count == 2)
    #expect(notes[0].hasPrefix("5 images with labels, 4 to train on and 1 to score"))
    #expect(notes[1].contains("255 (") && notes[1].contains("255 is foreground"))
  }

  @Test(
    "what cannot be meant is refused with what was found",
    arguments: [
      ([0], nil, "two values or more"), ([0, 1, 2], "a,b", "one for each of a, b"),
      (Array(0..<100), nil, "smoothed"),
    ] as [([UInt16], String?, String)])
  func refused(values: [UInt16], classes: String?, message: String) throws {
    for index in 0..<2 {
      try writePicture("\(folder.path)/images/\(index).jpg", size)
      try writePicture(
        "\(folder.path)/labels/\(index).png", size,
        (0..<size.width * size.height).map { values[$0 % values.count] })
    }
    let error = #expect(throws: DatasetError.self) { try found(classes) }
    #expect(error?.description.contains(message) == true, "\(error?.description ?? "")")
  }
}
