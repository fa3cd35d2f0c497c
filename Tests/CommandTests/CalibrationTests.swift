import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Calibrated probabilities from the command line")
struct CalibrationTests {
  @Test("a temperature in the checkpoint changes probabilities and no labels, and goes again")
  func temperature() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    let network = "\(folder.path)/best.safetensors"
    try FileManager.default.copyItem(atPath: "\(run.path)/best.safetensors", toPath: network)
    let before = FileManager.default.contents(atPath: network)
    func predicted(_ name: String) throws -> (labels: Data?, confidence: Data?) {
      let output = "\(folder.path)/\(name)"
      let outcome = try Command.run(
        "predict", network, "\(run.folder)/images/0.png", "--confidence", "--threshold", "0.3",
        "--output", output)
      #expect(outcome.status == 0, "\(outcome)")
      return (
        FileManager.default.contents(atPath: "\(output)/0_labels.png"),
        FileManager.default.contents(atPath: "\(output)/0_confidence.png")
      )
    }
    let plain = try predicted("plain")
    let calibrated = try Command.run("calibrate", network)
    #expect(calibrated.status == 0 && calibrated.output.contains("temperature "), "\(calibrated)")
    #expect(calibrated.output.contains("negative log likelihood"))
    #expect(calibrated.errors.contains("written to \(network); classes stay the same"))
    let soft = try predicted("soft")
    #expect(soft.labels == plain.labels && soft.confidence != plain.confidence)
    struct Scores: Decodable {
      struct Reliability: Decodable {
        struct Part: Decodable { let negativeLogLikelihood: Double }
        struct Calibrated: Decodable { let temperature: [Double], all: Part }
        let all: Part, calibrated: Calibrated?
      }
      let reliability: Reliability
    }
    let scored = try Command.run(
      "evaluate", network, "--reliability", "--json", "--output", "\(folder.path)/scores")
    let scores = try JSONDecoder().decode(Scores.self, from: Data(scored.output.utf8)).reliability
    let own = try #require(scores.calibrated)
    #expect(own.temperature.count == 1)
    #expect(own.all.negativeLogLikelihood < scores.all.negativeLogLikelihood)
    let page = try String(contentsOfFile: "\(folder.path)/scores/index.html", encoding: .utf8)
    #expect(page.contains("<h2>Probabilities</h2>") && page.contains("near borders"))

    let each = try Command.run("calibrate", network, "--per-class", "--json")
    #expect(each.status == 0 && each.output.contains("\"temperature\""), "\(each)")
    #expect(try predicted("each").labels == plain.labels)
    let removed = try Command.run("calibrate", network, "--remove")
    #expect(removed.status == 0, "\(removed)")
    #expect(FileManager.default.contents(atPath: network) == before)
    #expect(try predicted("again").confidence == plain.confidence)
    let text = try Command.run("evaluate", network, "--reliability")
    #expect(text.output.contains("calibration error %") && !text.output.contains("temperature"))
    let wrong = try Command.run("calibrate", network, "--remove", "--per-class")
    #expect(wrong.status == 64, "\(wrong)")
    try Command.run("calibrate", "\(run.folder)/images").expectRefusal("images")
  }
}
