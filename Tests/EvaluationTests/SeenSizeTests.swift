import Configuration
import Evaluation
import Imaging
import Testing

@Suite("The size that a network sees")
struct SeenSizeTests {
  @Test(
    "keeps proportions where the shorter side is given, the longer rounded down as torchvision does",
    arguments: [
      (Size(width: 640, height: 480), 513, Size(width: 684, height: 513)),
      (Size(width: 480, height: 640), 513, Size(width: 513, height: 684)),
      (Size(width: 100, height: 100), 7, Size(width: 7, height: 7)),
      (Size(width: 1000, height: 3), 16_384, Size(width: 5_461_333, height: 16_384)),
      (Size(width: 3, height: 1000), 1, Size(width: 1, height: 333)),
    ])
  func shorterSide(_ size: Size, _ length: Int, _ expected: Size) {
    #expect(SeenSize.shortSide(length).size(for: size) == expected)
    #expect(SeenSize.exact(expected).size(for: size) == expected)
  }

  @Test(
    "follows the side that changes an image less, in multiples, as transformers 5.24 has it for DPT",
    arguments: [
      (Size(width: 640, height: 480), 480, 32, Size(width: 640, height: 480)),
      (Size(width: 256, height: 192), 288, 32, Size(width: 288, height: 224)),
      (Size(width: 192, height: 256), 288, 32, Size(width: 224, height: 288)),
      (Size(width: 333, height: 250), 300, 1, Size(width: 300, height: 225)),
      // Halves go to the even multiple.
      (Size(width: 80, height: 80), 80, 32, Size(width: 64, height: 64)),
      (Size(width: 1000, height: 1), 64, 32, Size(width: 64, height: 32)),
    ])
  func near(_ size: Size, _ side: Int, _ multiple: Int, _ expected: Size) {
    let target = Size(width: side, height: side)
    #expect(SeenSize.near(target, multiple: multiple).size(for: size) == expected)
  }

  @Test("is read from a configuration, where keys that say nothing alone are refused")
  func configuration() throws {
    func read(_ yaml: String) throws -> SeenSize? {
      try EvaluationSettings(Section(yaml: yaml, named: "test")).imageSize
    }
    let size = Size(width: 480, height: 320)
    #expect(try read("{imageSize: 480x320}") == .exact(size))
    #expect(try read("{imageSize: 480x320, keepAspectRatio: false}") == .exact(size))
    #expect(
      try read("{imageSize: 480x320, keepAspectRatio: true}") == .near(size, multiple: 1))
    #expect(
      try read("{imageSize: 480x320, keepAspectRatio: true, multipleOf: 32}")
        == .near(size, multiple: 32))
    for (yaml, key) in [
      ("{keepAspectRatio: true}", "keepAspectRatio"),
      ("{imageSize: 9x9, multipleOf: 8}", "multipleOf"),
      ("{imageSize: 9x9, keepAspectRatio: true, multipleOf: 0}", "multipleOf"),
    ] {
      let error = #expect(throws: ConfigurationError.self) { _ = try read(yaml) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(key))
    }
  }
}
