import Foundation
import Imaging
import TestSupport
import Testing

@Suite("Audits from the command line")
struct AuditCommandTests {
  @Test("a label that was changed leads the page, the JSON and the annotations of a tool")
  func audit() throws {
    let run = try Run.finished()
    let folder = try TemporaryFolder()
    for name in ["images", "labels"] {
      try FileManager.default.copyItem(
        atPath: "\(run.folder)/\(name)", toPath: "\(folder.path)/\(name)")
    }
    // A label without the thing in it.
    let file = "\(folder.path)/labels/3.png"
    let label = try LabelImage(contentsOf: file)
    try LabelImage(
      width: label.width, height: label.height, values: label.values.map { $0 == 1 ? 0 : $0 }
    ).writePNG(to: file)
    let part = "{images: \(folder.path)/images, labels: \(folder.path)/labels}"
    let output = "\(folder.path)/audit"
    let outcome = try Command.run(
      "data", "audit", run.path, "--set", "data.val=\(part)", "--output", output,
      "--annotations", "labelme", "--minimum-area", "20")
    #expect(outcome.status == 0, "\(outcome)")
    struct Audit: Decodable {
      struct Region: Decodable { let image: String, label, found, pixels: Int, runs: [[Int]] }
      let regions: [Region]
    }
    let data = try #require(FileManager.default.contents(atPath: "\(output)/audit.json"))
    let first = try #require(JSONDecoder().decode(Audit.self, from: data).regions.first)
    #expect(first.image == "3" && first.label == 0 && first.found == 1)
    #expect(first.runs.map { $0[2] }.reduce(0, +) == first.pixels && first.pixels > 100)
    let page = try String(contentsOfFile: "\(output)/index.html", encoding: .utf8)
    #expect(page.contains("<b>1. 3</b>") && page.contains("<h2>Classes</h2>"))
    #expect(FileManager.default.fileExists(atPath: "\(output)/predictions/3.png"))
    let annotation = try String(contentsOfFile: "\(output)/annotations/3.json", encoding: .utf8)
    #expect(annotation.contains("thing?"))
    let wrong = try Command.run("data", "audit", run.path, "--shown", "-1")
    #expect(wrong.status == 64, "\(wrong)")
    try Command.run("data", "audit", run.path, "--split", "none").expectRefusal("none")
  }
}
