import Imaging
import Testing

@testable import Datasets

@Suite("Values that a person gives to classes")
struct LabelTableTests {
  @Test("a value that is ignored by default is a class's where it is given to one")
  func given() throws {
    let map = try LabelTable(
      .configuration, classes: ["background", "vessel"], values: [0: "background", 255: "vessel"]
    ).resolved("c").map
    #expect(map.index(of: 255) == 1 && map.ignoredValue == nil)
    let usual = try LabelTable(.configuration, classes: ["background", "vessel"]).resolved("c").map
    #expect(usual.index(of: 255) == LabelMap.ignored)
    // `ignored` is a word for values, unless a class has the name.
    let word = try LabelTable(
      .configuration, classes: ["a"], values: [0: "a", 7: "ignored"]
    ).resolved("c").map
    #expect(word.index(of: 7) == LabelMap.ignored && word.index(of: 255) == LabelMap.ignored)
    let named = try LabelTable(
      .configuration, classes: ["a", "ignored"], values: [0: "a", 7: "ignored"]
    ).resolved("c").map
    #expect(named.index(of: 7) == 1)
  }

  @Test("a value that is both a class's and ignored is refused")
  func contradiction() throws {
    let reason = "ignores the value 255, which is \"b\"; expected one of the two"
    #expect(throws: DatasetError.invalidLabelMap(name: "c", reason: reason)) {
      try LabelTable(
        .configuration, classes: ["a", "b"], values: [0: "a", 255: "b"], ignored: [255]
      ).resolved("c")
    }
    #expect(throws: DatasetError.self) {
      try LabelTable(.configuration, values: [11: "sky"], ignored: [11]).over(.camVid)
    }
  }

  @Test("a known data set's values can be changed one by one")
  func known() throws {
    let map = try LabelTable(
      .configuration, values: [12: "car", 0: "ignored"], ignored: [255]
    ).over(.camVid)
    #expect(map.index(of: 12) == 8 && map.index(of: 8) == 8 && map.value(of: 8) == 8)
    #expect(map.index(of: 0) == LabelMap.ignored && map.index(of: 255) == LabelMap.ignored)
    #expect(map.index(of: 11) == LabelMap.ignored && map.index(of: 3) == 3)
  }

  @Test(
    "an unlisted value comes with what a person can write",
    arguments: [
      (
        LabelMap.Origin.configuration, [0, 200],
        "`data.values: {0: background, 200: vessel}` says so"
      ),
      (.commandLine, [0, 200], "`--classes 0=background,200=vessel` says so"),
      (.configuration, [0, 1, 7], "`data.ignored: [7, 255]` lets 7 count nowhere"),
      (.commandLine, [0, 1, 7], "`7=ignored`"),
      (.configuration, [1, 2, 255], "`data.values: {1: background, 2: vessel}` says so"),
      (.configuration, [0, 1, 7], "`data.values: {0: background, 1: vessel, 7: background}`"),
      (.commandLine, [0, 1, 7], "`--classes 0=background,1=vessel,7=ignored`"),
      (.configuration, [0, 65_535], "`data.values: {0: background, 65535: vessel}` says so"),
      (.commandLine, [0, 1, 65_535], "`--classes 0=background,1=vessel,65535=ignored`"),
    ])
  func mend(origin: LabelMap.Origin, values: [UInt16], expected: String) throws {
    let map = try LabelTable(origin, classes: ["background", "vessel"]).resolved("c").map
    let label = LabelImage(width: values.count, height: 1, values: values)
    let error = #expect(throws: DatasetError.self) { try map.classes(of: label, file: "f.png") }
    #expect(error?.description.contains(expected) == true, "\(error?.description ?? "")")
  }

  @Test("pixels without data are no class, even where that would make as many values as classes")
  func withoutData() throws {
    let map = try LabelTable(.commandLine, classes: ["a road", "b", "c"]).resolved("c").map
    let label = LabelImage(width: 3, height: 1, values: [0, 1, 65_535])
    let error = #expect(throws: DatasetError.self) { try map.classes(of: label, file: "f.png") }
    let text = error?.description ?? ""
    #expect(text.contains("`--classes '0=a road,1=b,2=c,65535=ignored'`"), "\(text)")
  }

  private func warnings(_ classes: [String], _ values: [UInt16]) throws -> [String] {
    let map = try LabelTable(.configuration, classes: classes).resolved("c").map
    let histogram = ValueHistogram(of: LabelImage(width: values.count, height: 1, values: values))
    return map.trainingWarnings(for: histogram, of: "the training labels")
  }

  @Test("what keeps a network from learning is said, with shares and what to write")
  func training() throws {
    let masks = try warnings(["background", "vessel"], [0, 0, 0, 255])
    #expect(masks.count == 2, "\(masks)")
    #expect(masks[0].contains("black-and-white") && masks[0].contains("0 (75.0 %), 255 (25.0 %)"))
    #expect(masks[0].contains("`data.values: {0: background, 255: vessel}`"))
    #expect(masks[1].contains("background is the only class in the training labels"))

    let one = try warnings(["vessel"], [0, 255, 255])
    #expect(
      one[0].contains(
        "`data: {classes: [background, vessel], values: {0: background, 255: vessel}}`"))

    let absent = try warnings(["a", "b", "c"], [0, 0, 2, 255])
    #expect(absent.count == 1 && absent[0].hasPrefix("never in the training labels: b (value 1)"))
    #expect(absent[0].contains("`data: {classes: [a, c], values: {0: a, 2: c}}` leaves it out"))

    let nothing = try warnings(["a", "b"], [255, 255])
    #expect(nothing.count == 1 && nothing[0].contains("ignores every pixel"))

    // A line that says what holds already is no help.
    let empty = try warnings(["a", "b"], [0, 0])
    #expect(empty.count == 1 && !empty[0].contains("data.values"), "\(empty)")
    #expect(try warnings(["a", "b"], [0, 1, 255]).isEmpty)
  }

  @Test("names that YAML would take for something else stand in quotes")
  func quotes() {
    #expect(LabelMap.yaml("traffic light") == "traffic light")
    #expect(LabelMap.yaml("no") == "\"no\"" && LabelMap.yaml("a: b") == "\"a: b\"")
    #expect(LabelMap.yaml("17") == "\"17\"" && LabelMap.yaml("say \"x\"") == "\"say \\\"x\\\"\"")
  }
}
