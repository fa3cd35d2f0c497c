import Foundation
import Testing

@testable import Graphs

@Suite("The page on ONNX")
struct ONNXPageTests {
  @Test("lists the operators that are read")
  func operators() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let page = try String(contentsOf: root.appendingPathComponent("docs/onnx.md"), encoding: .utf8)
    let section = try #require(page.components(separatedBy: "### The operators that are read\n").last)
    let listed = section.components(separatedBy: "\n#").first?.split(separator: "`").map(String.init)
      .filter { $0.first?.isLetter == true && !$0.contains(" ") } ?? []
    #expect(listed == ONNXOperators.names)
  }
}
