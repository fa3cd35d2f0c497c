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
}
