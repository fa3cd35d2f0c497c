import Evaluation
import Foundation
import Segmentation

/// Paper 003's rule for one size of crop, with what its rates and others see of a map.
public struct RateReport: JSONReport, Sendable {
  /// The size of the crop, and the output stride.
  public let width, height, stride: Int
  /// The size of the feature map.
  public let mapWidth, mapHeight: Int
  /// r* and the nearest whole rates r, 2r, 3r.
  public let optimal: Double, rates: [Int]
  /// The pixels that the base rate sees from centre to centre and from end to end.
  public let fieldOfView, fieldOfViewWithEnds: Int
  /// The valid taps for the rates, those of the rule unless others were asked for.
  public let taps: [TapShares]

  /// The report for crops of this size; `rates` are looked at instead of the rule's own.
  public init(width: Int, height: Int, stride: Int, rates own: [Int] = []) {
    let rule = RateRule(width: width, height: height, stride: stride)
    (self.width, self.height, self.stride) = (width, height, stride)
    mapWidth = (width + stride - 1) / stride
    mapHeight = (height + stride - 1) / stride
    optimal = rule.optimal
    rates = rule.rates
    fieldOfView = rule.fieldOfView(rule.nearest)
    fieldOfViewWithEnds = rule.fieldOfViewWithEnds(rule.nearest)
    let (rows, columns) = (mapHeight, mapWidth)
    taps = (own.isEmpty ? rule.rates : own).map {
      TapShares(rate: $0, height: rows, width: columns)
    }
  }

  /// The report as text.
  public var text: String {
    let side = width == height ? "" : " (the rule is for squares: the shorter side is taken)"
    let lines = [
      "crop             \(width)x\(height), output stride \(stride): a map of \(mapWidth)x\(mapHeight)\(side)",
      "r*               \(fixed(optimal)) = (N - 32) / (6 s), nearest rates \(rates.map(String.init).joined(separator: ", "))",
      "field of view    \(fieldOfView) pixels centre to centre, \(fieldOfViewWithEnds) end to end",
      "",
    ]
    return (lines + Self.table(taps)).joined(separator: "\n")
  }

  /// The valid taps as a table.
  static func table(_ taps: [TapShares]) -> [String] {
    TextTable.lines(
      ["rate", "all nine %", "some %", "one %", ""],
      taps.map {
        [
          "\($0.rate)", fixed($0.nine * 100, 1), fixed($0.some * 100, 1), fixed($0.one * 100, 1),
          $0.isDegenerate ? "degenerated to 1x1" : "",
        ]
      }, left: 0)
  }

  /// The sizes and strides of Table 1 of Kim et al., 2023.
  public static let paperSizes = [128, 256, 320, 512, 640, 768, 769, 832, 896, 1024]

  /// Table 1 of Kim et al., 2023: r* for ten sizes at output strides 16 and 8.
  public static var paperTable: String {
    TextTable.lines(
      ["N"] + paperSizes.map(String.init),
      [16, 8].map { stride in
        ["s=\(stride)"] + paperSizes.map { fixed(RateRule(size: $0, stride: stride).optimal) }
      }
    ).joined(separator: "\n")
  }
}
