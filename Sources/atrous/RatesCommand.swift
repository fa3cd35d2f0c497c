import Evaluation
import Analysis
import ArgumentParser
import Foundation

/// `atrous rates`: which atrous rates fit a size of crop.
struct RatesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rates",
    abstract: "Print the atrous rates that fit a crop, and which taps of their kernels are inside.",
    discussion: "The rule is r* = (N - 32) / (6 s) for side N and output stride s (paper 003).")

  @Option(help: "The crop's side N, or WIDTHxHEIGHT.")
  var size: String?

  @Option(help: "The output stride s.")
  var stride = 8

  @Option(help: "Rates to look at instead of the rule's; may be given repeatedly.")
  var rate: [Int] = []

  @Flag(help: "Print the paper's Table 1.")
  var table = false

  @Flag(help: "Print JSON.")
  var json = false

  private var crop: ImageSize? { size.flatMap { ImageSize($0) ?? ImageSize("\($0)x\($0)") } }

  func validate() throws {
    if let size, crop == nil {
      throw ValidationError("--size is '\(size)', expected a side such as 769, or WIDTHxHEIGHT.")
    }
    guard size != nil || table else { throw ValidationError("expected --size or --table.") }
    guard (1...4096).contains(stride) else {
      throw ValidationError("--stride is \(stride), expected a number from 1 to 4096.")
    }
    for rate in rate where !(1...65_535).contains(rate) {
      throw ValidationError("--rate is \(rate), expected a number from 1 to 65535.")
    }
  }

  func run() throws {
    try reportingErrors {
      if table { print(RateReport.paperTable) }
      guard let crop else { return }
      let report = RateReport(width: crop.width, height: crop.height, stride: stride, rates: rate)
      print(json ? String(decoding: try report.json(), as: UTF8.self) : report.text)
    }
  }
}
