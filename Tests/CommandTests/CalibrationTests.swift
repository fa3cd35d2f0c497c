import Foundation
#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif
import Imaging
import Synchronization
import TestSupport
import Testing

@Suite("Calibrated probabilities from the command line")
struct CalibrationTests {
  /// Blocks and the service give the same probabilities as the whole image.
  private func sameEverywhere(_ network: String, _ image: String, _ folder: String) throws {
    func probabilities(_ name: String, _ more: String...) throws -> Data? {
      let outcome = try Command(
        ["predict", network, image, "--probabilities-as", "npy", "--output", "\(folder)/\(name)"]
          + more
      ).wait()
      #expect(outcome.status == 0, "\(outcome)")
      return FileManager.default.contents(atPath: "\(folder)/\(name)/0_probabilities.npy")
    }
    let whole = try #require(try probabilities("whole"))
    #expect(try probabilities("blocks", "--block", "256") == whole)
    let service = try Command(["serve", network, "--port", "0"])
    while !service.outputSoFar.contains("serving "), service.isRunning { usleep(5000) }
    let url = try #require(
      service.outputSoFar.firstMatch(of: /http:\/\/[0-9.:]+\//).map { String($0.0) })
    var request = URLRequest(
      url: try #require(URL(string: "\(url)v1/predict?format=probabilities")))
    request.httpMethod = "POST"
    request.httpBody = FileManager.default.contents(atPath: image)
    request.setValue("image/png", forHTTPHeaderField: "Content-Type")
    let served = try served(request)
    #expect(served.suffix(2 * 2 * 48 * 40) == whole.suffix(2 * 2 * 48 * 40))
    service.send(SIGTERM)
    #expect(service.wait().status == 0)
  }

  /// The body of an answer.
  private func served(_ request: URLRequest) throws -> Data {
    let semaphore = DispatchSemaphore(value: 0)
    let body = Mutex(Data())
    URLSession.shared.dataTask(with: request) { data, _, _ in
      body.withLock { $0 = data ?? Data() }
      semaphore.signal()
    }.resume()
    semaphore.wait()
    return body.withLock { $0 }
  }

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
    try sameEverywhere(network, "\(run.folder)/images/0.png", folder.path)
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
    try sameEverywhere(network, "\(run.folder)/images/0.png", folder.path)
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
