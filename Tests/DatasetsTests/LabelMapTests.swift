import Imaging
import Testing

@testable import Datasets

@Suite("Label maps")
struct LabelMapTests {
  @Test("all 35 Cityscapes rows come back as they went in")
  func roundTripOfRows() throws {
    #expect(Cityscapes.labels.count == 35)
    let label = LabelImage(
      width: 35, height: 1, values: Cityscapes.labels.map(\.fileValue))
    let mask = try Cityscapes.allRows.classes(of: label, file: "a.png")
    #expect(mask.classes == (0..<35).map { UInt8($0) })
    #expect(try Cityscapes.allRows.labels(of: mask) == label)
  }

  @Test("in 19 classes evaluated rows come back and the others come back unlabeled")
  func roundTripOf19() throws {
    #expect(Cityscapes.classes19.count == 19)
    #expect(Cityscapes.classes19.classes[0].name == "road")
    #expect(Cityscapes.classes19.classes[18].name == "bicycle")
    for row in Cityscapes.labels {
      let index = try #require(Cityscapes.classes19.index(of: row.fileValue))
      let back = Cityscapes.classes19.value(of: index)
      if row.ignoredInEvaluation {
        #expect(index == LabelMap.ignored, "\(row.name)")
        #expect(back == 0, "\(row.name)")
      } else {
        #expect(Int(index) == row.trainId, "\(row.name)")
        #expect(back == row.fileValue, "\(row.name)")
      }
    }
  }

  @Test("in 20 classes nothing is ignored and background is the twentieth")
  func twentyClasses() {
    let map = Cityscapes.classes20
    #expect(map.count == 20 && map.classes[19].name == "background" && map.ignoredValue == nil)
    for row in Cityscapes.labels {
      #expect(
        Int(map.index(of: row.fileValue) ?? 255) == (row.ignoredInEvaluation ? 19 : row.trainId))
    }
    #expect(map.value(of: 19) == 0)
  }

  @Test("the official rows have the counts that Cityscapes states")
  func officialCounts() {
    #expect(Cityscapes.labels.filter { $0.id >= 0 }.count == 34)
    #expect(Cityscapes.evaluated.map(\.trainId) == Array(0..<19))
    #expect(Cityscapes.labels.filter(\.hasInstances).count == 10)
    #expect(Set(Cityscapes.labels.map(\.category)).count == 8)
    #expect(Cityscapes.labels.filter { $0.category == "void" }.count == 7)
  }

  @Test("a value outside the map is named with file, pixel and the values allowed")
  func valueOutside() throws {
    let label = LabelImage(width: 3, height: 2, values: [0, 11, 3, 4, 12, 99])
    let error = DatasetError.valueOutsideMap(
      file: "x/a.png", x: 1, y: 1, value: 12, map: "CamVid, 11 classes",
      allowed: Array(0...11))
    #expect(throws: error) { try LabelMap.camVid.classes(of: label, file: "x/a.png") }
    #expect(
      error.description
        == "x/a.png: pixel (x 1, y 1) has the value 12, which the label map \"CamVid, 11 classes\""
        + " does not list; allowed are 0–11")
  }

  @Test("16-bit values are mapped")
  func wideValues() throws {
    let map = try LabelMap(
      name: "wide", classes: ["a", "b"], values: [1000: "b", 65_535: "a"], ignored: [7])
    let label = LabelImage(width: 3, height: 1, values: [1000, 65_535, 7])
    #expect(try map.classes(of: label, file: "").classes == [1, 0, 255])
    #expect(ranges(of: map.values) == "7, 1000, 65535")
  }

  @Test("merged classes take in their labels and ignore the rest")
  func merged() throws {
    let map = try Cityscapes.merged(
      name: "three",
      ["flat": ["road", "sidewalk"], "sky": ["sky"], "vehicle": ["car", "truck", "bus"]])
    #expect(map.classes.map(\.name) == ["flat", "sky", "vehicle"])
    #expect(map.index(of: 7) == 0 && map.index(of: 8) == 0 && map.index(of: 27) == 2)
    #expect(map.index(of: 11) == LabelMap.ignored)
    #expect(map.value(of: 0) == 7 && map.value(of: 2) == 26)
    #expect(throws: DatasetError.self) {
      try Cityscapes.merged(name: "bad", groups: [("a", ["rode"])])
    }
    #expect(throws: DatasetError.self) {
      try Cityscapes.merged(name: "bad", groups: [("a", ["road"]), ("b", ["road"])])
    }
    #expect(throws: DatasetError.self) { try Cityscapes.merged(name: "bad", groups: [("a", [])]) }
  }

  @Test("binary masks mean the same as 0 and 255 and as 0 and 1")
  func binary() throws {
    let map = LabelMap.binary("vessel")
    let label = LabelImage(width: 3, height: 1, values: [0, 255, 1])
    #expect(try map.classes(of: label, file: "").classes == [0, 1, 1])
    #expect(map.value(of: 1) == 255)
  }

  @Test("impossible maps are refused with the reason")
  func impossible() {
    let a = LabelMap.Class("a", Color(0, 0, 0))
    #expect(throws: DatasetError.self) { try LabelMap(name: "x", classes: [], rows: []) }
    #expect(throws: DatasetError.self) { try LabelMap(name: "x", classes: [a, a], rows: []) }
    #expect(throws: DatasetError.self) {
      try LabelMap(name: "x", classes: [a], rows: [.init(value: 1, index: 1, label: "")])
    }
    #expect(throws: DatasetError.self) {
      let row = LabelMap.Row(value: 1, index: 0, label: "")
      return try LabelMap(name: "x", classes: [a], rows: [row, row])
    }
    #expect(throws: DatasetError.self) {
      try LabelMap(name: "x", classes: ["a"], values: [0: "b"])
    }
    #expect(throws: DatasetError.self) {
      try LabelMap(name: "x", classes: ["a"], values: [70_000: "a"])
    }
    #expect(throws: DatasetError.self) { try LabelMap.identity(256) }
    #expect(throws: DatasetError.self) { try LabelMap.identity(0) }
  }

  @Test("the table shows value, label, class, name and colour")
  func table() {
    let lines = LabelMap.camVid.table.split(separator: "\n")
    #expect(lines.count == 13)
    #expect(lines[0] == "value  label       class  name        colour")
    #expect(lines[4] == "    3  road            3  road        128 64 128")
    #expect(lines[12] == "   11  unlabelled      -  ignored")
  }

  @Test("trainIds read as label ids, and masks of 0 and 255, raise a warning")
  func wrongConvention() throws {
    let trainIds = ValueHistogram(of: LabelImage(width: 4, height: 1, values: [0, 1, 13, 255]))
    let warnings = Cityscapes.classes19.warnings(for: trainIds)
    #expect(warnings.contains { $0.contains("trainIds") })
    let ids = ValueHistogram(of: LabelImage(width: 4, height: 1, values: [0, 7, 26, 23]))
    #expect(Cityscapes.classes19.warnings(for: ids).isEmpty)
    let mask = ValueHistogram(of: LabelImage(width: 2, height: 1, values: [0, 255]))
    #expect(
      try LabelMap.identity(2).warnings(for: mask).contains { $0.contains("black-and-white") })
    #expect(LabelMap.camVid.warnings(for: mask).contains { $0.contains("255") })
  }

  @Test("of two classes the one to be found stands out, and a legend names what occurs")
  func usualColors() throws {
    let (black, bright) = (Color(0, 0, 0), Color(0, 229, 255))
    let map = try LabelMap.identity(2, names: ["background", "vessel"])
    #expect(map.colors == [black, bright])
    #expect(try LabelMap.identity(2, names: ["vessel", "background"]).colors == [bright, black])
    #expect(try LabelMap.identity(3).colors == LabelMap.palette(count: 3))
    let own = [Color(1, 2, 3), Color(4, 5, 6)]
    #expect(try LabelMap.identity(2, colors: own).colors == own)
    func legend(_ classes: [UInt8]) -> [String] {
      map.legend(of: ShownClasses([ClassMask(width: classes.count, height: 1, classes: classes)]))
        .map(\.name)
    }
    #expect(legend([1, 1, 0]) == ["background", "vessel"])
    #expect(legend([1, LabelMap.ignored]) == ["vessel", "ignored"])
  }

  @Test("palette colours are PASCAL VOC's and all differ")
  func palette() {
    let colors = LabelMap.palette(count: 256)
    #expect(Set(colors).count == 256)
    #expect(colors[0] == Color(0, 0, 0) && colors[1] == Color(128, 0, 0))
    #expect(colors[15] == Color(192, 128, 128) && colors[20] == Color(0, 64, 128))
  }
}

@Suite("Histograms")
struct HistogramTests {
  @Test("counts add up to all pixels")
  func sums() throws {
    let set = try scenery(count: 7, width: 33, height: 21)
    let histogram = try ClassHistogram(of: set, threads: 4)
    #expect(histogram.total == 7 * 33 * 21)
    #expect(histogram.ignored > 0 && histogram.imageCount == 7)
    #expect(abs(histogram.shares.reduce(0, +) - 1) < 1e-12)
    #expect(try ClassHistogram(of: set, threads: 1) == histogram)
  }

  @Test("median-frequency weights follow their definition")
  func medianFrequency() {
    var histogram = ClassHistogram(classes: 4)
    // Class 0: 6 of 8 and 4 labelled pixels; class 1: 2 of 8; class 2: 2 of 6.
    histogram.add(ClassMask(width: 4, height: 2, classes: [0, 0, 0, 0, 0, 0, 1, 1]))
    histogram.add(ClassMask(width: 4, height: 2, classes: [0, 0, 0, 0, 2, 2, 255, 255]))
    #expect(histogram.counts == [10, 2, 2, 0] && histogram.ignored == 2)
    #expect(histogram.absent == [3])
    let frequencies = [10.0 / 14, 2.0 / 8, 2.0 / 6]
    let weights = histogram.medianFrequencyWeights
    for i in 0..<3 { #expect(abs(weights[i] - frequencies[2] / frequencies[i]) < 1e-12) }
    #expect(weights[3] == 0)
  }
}
