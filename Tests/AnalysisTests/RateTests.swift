import Evaluation
import Configuration
import Segmentation
import Testing
import Torch

@testable import Analysis

@Suite("Atrous rates")
struct RateTests {
  /// Table 1 of Kim et al., 2023.
  @Test(
    "r* is that of the paper's table",
    arguments: [
      (16, [1.00, 2.33, 3.00, 5.00, 6.33, 7.67, 7.68, 8.33, 9.00, 10.33]),
      (8, [2.00, 4.67, 6.00, 10.00, 12.67, 15.33, 15.35, 16.67, 18.00, 20.67]),
    ])
  func paper(stride: Int, expected: [Double]) {
    for (size, value) in zip(RateReport.paperSizes, expected) {
      #expect(fixed(RateRule(size: size, stride: stride).optimal) == fixed(value))
    }
  }

  @Test("whole rates are the nearest, and the field of view is 6 r s and 32 more")
  func nearest() {
    let chosen = [(128, 16, 1), (256, 16, 2), (769, 8, 15), (896, 8, 18), (768, 16, 8)]
    for (size, stride, rate) in chosen {
      #expect(RateRule(size: size, stride: stride).nearest == rate)
    }
    let rule = RateRule(size: 513, stride: 16)
    #expect((rule.fieldOfView(6), rule.fieldOfViewWithEnds(6)) == (576, 608))
    #expect(RateRule(width: 1024, height: 512, stride: 8).optimal == 10)
    #expect(RateRule(size: 16, stride: 16).nearest == 1)
  }

  /// The taps that Kim et al., 2023, count as valid.
  @Test(
    "the shares of positions with all nine taps",
    arguments: [
      (28, [3, 6, 9, 12], [61.7, 32.7, 12.8, 2.0]),
      (64, [6, 12, 18, 24], [66.0, 39.1, 19.1, 6.2]),
      (33, [6, 12, 18], [40.5, 7.4, 0.0]), (97, [12, 24, 36], [56.6, 25.5, 6.6]),
    ])
  func taps(side: Int, rates: [Int], expected: [Double]) {
    for (rate, value) in zip(rates, expected) {
      let shares = TapShares(rate: rate, height: side, width: side)
      #expect(abs(shares.nine * 100 - value) <= 0.0501)
      #expect(abs(shares.nine + shares.some + shares.one - 1) < 1e-12)
    }
  }

  @Test("rates too large for a crop of 14 cells leave kernels of one tap")
  func degenerate() {
    let report = RateReport(width: 224, height: 224, stride: 16, rates: [6, 12, 18])
    #expect(report.taps[2].isDegenerate && !report.taps[1].isDegenerate)
    #expect(fixed(report.taps[1].one * 100, 0) == "51")
    #expect(fixed(report.taps[0].nine * 100, 0) == "2")
    #expect(fixed(report.optimal) == "2.00")
    #expect(report.text.contains("degenerated to 1x1"))
  }

  @Test("shares count what a convolution of ones counts", arguments: [(7, 9, 3), (5, 12, 6)])
  func counted(height: Int, width: Int, rate: Int) {
    let ones = Tensor(filledWith: 1, [1, 1, height, width])
    let taps = ones.conv2d(
      Tensor(filledWith: 1, [1, 1, 3, 3]), bias: nil, stride: [1, 1], padding: [rate, rate],
      dilation: [rate, rate], groups: 1
    ).floats
    let shares = TapShares(rate: rate, height: height, width: width)
    let count = Double(height * width)
    #expect(abs(Double(taps.count { $0 == 9 }) / count - shares.nine) < 1e-12)
    #expect(abs(Double(taps.count { $0 == 1 }) / count - shares.one) < 1e-12)
  }

  @Test("a network whose rates do not fit its crop is named")
  func warnings() throws {
    func lines(_ head: String, _ side: Int) throws -> [String] {
      let section = try Section(
        yaml: """
          backbone: {name: densenet, blocks: [1, 1], growth: 8, stem: 8, outputStride: 8}
          head: \(head)
          classes: 3
          """, named: "test")
      return RateCheck.warnings(try ModelBuilder.build(section), width: side, height: side)
    }
    #expect(try lines("{name: deeplabv3, rate: 15, channels: 8}", 769).isEmpty)
    #expect(try lines("{name: deeplabv3, rate: 6, channels: 8}", 769).count == 1)
    #expect(try lines("{name: deeplabv3, rate: 36, channels: 8}", 224).joined().contains("1x1"))
    #expect(try lines("{name: denseaspp, growth: 8, bottleneck: 8}", 512).isEmpty)
    #expect(try lines("{name: denseaspp, growth: 8, bottleneck: 8}", 224).joined().contains("24"))
  }

  @Test("a network's own rates stand beside the rule's")
  func network() throws {
    let report = try shapesOnly {
      NetworkRates(
        try tinyModel("{name: deeplabv3, rates: [1, 6, 12], channels: 8}"), named: "tiny",
        width: 769, height: 769, sizeFrom: "test")
    }
    #expect(report.parts.map(\.rates) == [[6, 12]] && report.parts.map(\.span) == [192])
    #expect(report.parts[0].branches == ["1x1", "rate 6", "rate 12", "image mean"])
    #expect(report.parts[0].taps == [6, 12].map { TapShares(rate: $0, height: 97, width: 97) })
    #expect(report.rule.rates == [15, 30, 45] && report.warnings.count == 1)
    #expect(report.advice.contains("warning: ") && report.advice.contains("rates 15, 30, 45"))
    // The backbone keeps stride 8 by a dilation.
    #expect(report.text.contains("output stride 8"))
    let plain = try NetworkRates(
      tinyModel("{name: fcn}"), named: "tiny", width: 200, height: 100, sizeFrom: "test")
    #expect(plain.parts.isEmpty && plain.text.contains("200x100 (test): a map of 25x13"))
    #expect(plain.advice.contains("no atrous kernels"))
  }
}
