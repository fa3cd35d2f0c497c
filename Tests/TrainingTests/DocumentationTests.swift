import Datasets
import Foundation
import Testing
import Training

@Suite("The documentation")
struct DocumentationTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  @Test(
    "shows configurations that are accepted as they stand",
    arguments: [
      ("docs/getting-started.md", 2), ("docs/Atrous.docc/TrainOnYourImages.md", 1),
    ])
  func configurations(_ file: String, _ count: Int) throws {
    let page = try String(
      contentsOf: Self.root.appendingPathComponent(file), encoding: .utf8)
    let blocks = page.split(separator: "```yaml\n", omittingEmptySubsequences: false).dropFirst()
      .map { String($0.prefix { $0 != "`" }) }
    let whole = blocks.filter { $0.contains("\nmodel:") && $0.contains("\ntrain:") }
    #expect(whole.count == count)
    for yaml in whole {
      let configuration = try TrainingConfiguration(yaml: yaml, named: file)
      #expect(configuration.data.labelMap.count == 2)
    }
  }
}
