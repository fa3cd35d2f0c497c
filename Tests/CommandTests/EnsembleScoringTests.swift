import Foundation
import TestSupport
import Testing

@Suite("Several networks scored together")
struct EnsembleScoringTests {
  private func scores(_ arguments: [String]) throws -> [String: Any] {
    let outcome = try Command(["evaluate"] + arguments + ["--json"]).wait()
    #expect(outcome.status == 0, "\(outcome)")
    let value = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
    return try #require(value as? [String: Any])
  }

  private func meanIoU(_ result: [String: Any]) throws -> Double {
    try #require((result["scores"] as? [String: Any])?["meanIoU"] as? Double)
  }

  @Test("a network beside itself scores as it does alone; a weight of 0 leaves one out")
  func same() throws {
    let run = try Run.finished()
    let (best, last) = ("\(run.path)/best.safetensors", "\(run.path)/last.safetensors")
    let alone = try scores([best])
    let twice = try scores([best, best])
    #expect(try meanIoU(twice) == meanIoU(alone))
    #expect((twice["model"] as? String)?.contains(" + ") == true)
    let mode = try #require((twice["protocol"] as? [String: Any])?["mode"] as? String)
    #expect(mode.contains("mean of the probabilities of 2 networks by 0.5, 0.5"), "\(mode)")
    #expect(try meanIoU(scores([last, best, "--weights", "0,3"])) == meanIoU(alone))
    let curve = { (result: [String: Any]) in
      ((result["foreground"] as? [String: Any])?["curve"] as? [String: Any])?["averagePrecision"]
        as? Double
    }
    if let own = curve(alone) { #expect(abs(own - (curve(twice) ?? 0)) < 1e-6) }
  }

  @Test("weights of another number, and what only one network has, are refused")
  func refused() throws {
    let run = try Run.finished()
    let weights = try Command.run("evaluate", run.path, run.path, "--weights", "1")
    #expect(weights.status == 64 && weights.errors.contains("--weights is '1'"), "\(weights)")
    let against = try Command.run(
      "evaluate", run.path, run.path, "--precision", "bfloat16", "--against", "float32")
    #expect(against.status == 64 && against.errors.contains("expects one checkpoint"), "\(against)")
    let zero = try Command.run("evaluate", run.path, run.path, "--weights", "0,0")
    zero.expectRefusal("the weights of networks", "one is above 0")
  }
}
