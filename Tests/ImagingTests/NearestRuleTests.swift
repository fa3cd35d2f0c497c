import Testing

@testable import Imaging

/// What the libraries give, found by running Pillow 13.0, OpenCV 4.14 and 5.0, torch 2.11 and ONNX Runtime 1.32.
@Suite("Rules for the nearest pixel")
struct NearestRuleTests {
  @Test(
    "give the libraries' pixels",
    arguments: [
      (
        5, 3, [0, 2, 4],
        [NearestRule.centre, .pillow, .opencv4Exact, .opencv5Exact, .torchExact, .onnx]
      ),
      (5, 3, [0, 1, 3], [.opencv, .torch]),
      (10, 4, [1, 3, 6, 8], [.pillow, .opencv4Exact, .opencv5Exact, .torchExact, .onnx]),
      (10, 4, [0, 2, 5, 7], [.opencv, .torch]),
      (8, 4, [1, 3, 5, 7], [.centre, .pillow, .opencv4Exact, .opencv5Exact, .torchExact]),
      (8, 4, [0, 2, 4, 6], [.opencv, .torch, .onnx]),
      (4, 10, [0, 0, 1, 1, 1, 2, 2, 2, 3, 3], [.pillow, .opencv5Exact]),
      (4, 10, [0, 0, 1, 1, 1, 2, 2, 3, 3, 3], [.centre, .torchExact]),
      (4, 10, [0, 0, 0, 1, 1, 2, 2, 2, 3, 3], [.opencv4Exact, .onnx]),
      (4, 6, [0, 1, 1, 2, 3, 3], [.opencv4Exact]),
      (4, 6, [0, 1, 1, 2, 2, 3], [.opencv5Exact]),
    ])
  func pixels(_ source: Int, _ target: Int, _ expected: [Int], _ rules: [NearestRule]) {
    for rule in rules {
      #expect(rule.positions(source, target) == expected, "\(rule)")
      let labels = LabelImage(width: source, height: 1, values: (0..<UInt16(source)).map { $0 })
      let resized = labels.resized(to: Size(width: target, height: 1), by: rule)
      #expect(resized.values == expected.map(UInt16.init), "\(rule)")
    }
  }

  @Test("round as the libraries do, where their numbers are not exact")
  func rounding() {
    // The corner lies at 3 exactly, and at 13; OpenCV falls short of the one, torch of the other.
    #expect(NearestRule.opencv.positions(6, 34)[17] == 2)
    #expect(NearestRule.torch.positions(6, 34)[17] == 3)
    #expect(NearestRule.opencv.positions(26, 22)[11] == 13)
    #expect(NearestRule.torch.positions(26, 22)[11] == 12)
    // The centre lies at 3 exactly.
    #expect(NearestRule.centre.positions(6, 37)[18] == 3)
    #expect(NearestRule.torchExact.positions(6, 37)[18] == 2)
  }

  @Test(
    "stay inside, keep an image of the same size, and give none of none",
    arguments: NearestRule.allCases)
  func bounds(_ rule: NearestRule) {
    for (source, target) in [(1, 1), (1, 7), (7, 1), (3, 1000), (1000, 3), (65535, 11)] {
      let positions = rule.positions(source, target)
      #expect(positions.count == target)
      #expect(positions.allSatisfy { (0..<source).contains($0) })
      #expect(positions == positions.sorted())
    }
    #expect(rule.positions(37, 37) == Array(0..<37))
    #expect(rule.positions(0, 3).isEmpty)
  }
}
