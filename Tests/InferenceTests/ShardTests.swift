import Files
import Foundation
import TestSupport
import Testing

@testable import Inference

@Suite("A folder that several machines share")
struct ShardTests {
  @Test("every image belongs to one part, whatever else the folder holds")
  func dealing() throws {
    let names = (0..<4000).map { "frame_\($0).jpg" }
    let shards = try (1...7).map { try #require(Shard($0, of: 7)) }
    var counts = [Int](repeating: 0, count: 7)
    for name in names {
      let owners = shards.indices.filter { shards[$0].holds(name) }
      #expect(owners.count == 1)
      for owner in owners { counts[owner] += 1 }
    }
    // About 571 each.
    #expect(counts.allSatisfy { (480...660).contains($0) }, "\(counts)")
    // What other versions dealt stays where it is.
    #expect(shards.firstIndex { $0.holds("frame_0.jpg") } == 3)
    #expect(Shard(0, of: 4) == nil && Shard(5, of: 4) == nil && Shard(text: "3/4/5") == nil)
    #expect(Shard(text: "3/64") == Shard(3, of: 64) && Shard(text: "a/4") == nil)
  }

  @Test("schedulers tell the part by the environment")
  func environment() throws {
    let slurm = [
      "SLURM_ARRAY_TASK_ID": "14", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_STEP": "2",
      "SLURM_ARRAY_TASK_COUNT": "5", "SLURM_ARRAY_TASK_MAX": "18",
    ]
    #expect(try Shard(environment: slurm) == Shard(3, of: 5))
    #expect(try Shard(environment: ["RANK": "0", "WORLD_SIZE": "4"]) == Shard(1, of: 4))
    #expect(try Shard(environment: ["JOB_COMPLETION_INDEX": "7"], count: 8) == Shard(8, of: 8))
    #expect(try Shard(environment: ["HOME": "/"]) == nil)
    #expect(throws: ShardError.missing(name: "the number of parts")) {
      try Shard(environment: ["JOB_COMPLETION_INDEX": "7"])
    }
    #expect(throws: ShardError.several(names: ["SLURM_ARRAY_TASK_ID", "RANK"])) {
      try Shard(environment: slurm.merging(["RANK": "0", "WORLD_SIZE": "4"]) { $1 })
    }
    // An array with gaps, of which the place in it is not known.
    var gaps = slurm
    (gaps["SLURM_ARRAY_TASK_ID"], gaps["SLURM_ARRAY_TASK_COUNT"]) = ("18", "3")
    #expect(throws: ShardError.self) { try Shard(environment: gaps) }
    #expect(throws: ShardError.self) {
      try Shard(environment: ["JOB_COMPLETION_INDEX": "x"], count: 2)
    }
  }

  private func entry(_ name: String, _ pixels: Int, sure: Double?) -> PredictionSummary.Entry {
    .init(
      file: name, width: 20, height: 10, pixels: 200,
      classes: [.init(name: "road, wet", pixels: pixels, share: 0.5, confidence: sure)])
  }

  @Test("summaries of parts are joined, and parts that are missing are told")
  func joining() throws {
    let folder = try TemporaryFolder()
    func part(_ index: Int, _ settings: String, _ entries: [PredictionSummary.Entry]) throws {
      _ = try PredictionSummary(
        networks: ["net"], settings: settings, shard: Shard(index, of: 3), images: entries,
        failed: index == 3 ? [.init(file: "broken.jpg", reason: "is \"cut\" off")] : []
      ).write(to: folder.path)
    }
    try part(1, "a", [entry("b.jpg", 100, sure: 0.5)])
    try part(3, "a", [entry("a.jpg", 50, sure: 0.8)])
    let joined = try PredictionSummary.joined(in: folder.path)
    #expect(joined.missing == [2] && joined.count == 3)
    #expect(joined.summary.images.map(\.file) == ["a.jpg", "b.jpg"])
    #expect(joined.summary.failed.map(\.file) == ["broken.jpg"])
    let total = try #require(joined.summary.total.first)
    #expect(total.pixels == 150 && total.share == 0.375)
    #expect(abs((total.confidence ?? 0) - 0.6) < 1e-12)
    let rows = try String(contentsOfFile: "\(folder.path)/predictions.csv", encoding: .utf8)
      .split(separator: "\n")
    #expect(rows.count == 3 && rows[1] == "a.jpg,20,10,\"road, wet\",50,0.5,0.8,")
    let text = try #require(FileSystem.contents("\(folder.path)/predictions.json"))
    #expect(try JSONDecoder().decode(PredictionSummary.self, from: text) == joined.summary)

    try part(2, "b", [])
    #expect(throws: SummaryError.self) { try PredictionSummary.joined(in: folder.path) }
    let empty = try TemporaryFolder()
    #expect(throws: SummaryError.self) { try PredictionSummary.joined(in: empty.path) }
  }
}
