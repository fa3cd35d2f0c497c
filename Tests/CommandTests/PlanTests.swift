import Foundation
import TestSupport
import Testing

@Suite("Measured plans on the command line")
struct PlanTests {
  private let folder: TemporaryFolder
  private let network: String

  init() throws {
    folder = try TemporaryFolder()
    network = folder.path + "/network.yaml"
    let text = """
      model:
        classes: 2
        backbone: { name: unet, widths: [16, 32] }
        head: { name: linear }
      """
    try Data(text.utf8).write(to: URL(fileURLWithPath: network))
  }

  /// `atrous benchmark` with plans in this place.
  private func benchmark(_ plans: String, _ more: String...) throws -> Command.Outcome {
    try Command(
      "/usr/bin/env",
      ["ATROUS_PLANS=\(plans)", Command.program, "benchmark", network, "--size", "24x16"]
        + ["--repeats", "1", "--threads", "1"] + more
    ).wait()
  }

  @Test("are measured, kept for the machine, and read again without a word")
  func tuning() throws {
    let plans = folder.path + "/plans"
    let outcome = try benchmark(plans, "--tune", "--json")
    #expect(outcome.status == 0, "\(outcome)")
    struct Report: Decodable {
      struct Layer: Decodable { let layer: String, milliseconds: Double }
      let layers: [Layer], file: String, plans: Int
    }
    let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    #expect(report.layers.count == 4, "\(outcome)")
    #expect(report.layers.allSatisfy { $0.milliseconds > 0 })
    let files = try FileManager.default.contentsOfDirectory(atPath: plans)
    #expect(files.map { "\(plans)/\($0)" } == [report.file])
    let again = try benchmark(plans, "--form", "prepared")
    #expect(again.status == 0 && again.errors == "", "\(again)")
  }

  @Test("that cannot be read are named in one line, and the network runs")
  func broken() throws {
    let plans = folder.path + "/plans"
    let file = try #require(
      try JSONSerialization.jsonObject(
        with: Data(benchmark(plans, "--tune", "--json").output.utf8)) as? [String: Any])["file"]
    let path = try #require(file as? String)
    try Data("{ \"format\": ".utf8).write(to: URL(fileURLWithPath: path))
    let outcome = try benchmark(plans, "--form", "prepared")
    #expect(outcome.status == 0, "\(outcome)")
    #expect(outcome.errors.hasPrefix("warning: \(path): "), "\(outcome)")
    #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
    // Turned off, nobody looks.
    #expect(try benchmark("off", "--form", "prepared").errors == "")
    let refused = try benchmark("off", "--tune")
    #expect(refused.status == 1, "\(refused)")
    #expect(refused.errors.hasPrefix("error: ") && refused.errors.contains("ATROUS_PLANS"))
  }
}
