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
    let title = "### The operators that are read\n"
    let section = try #require(page.components(separatedBy: title).last)
    let words = try #require(section.components(separatedBy: "\n#").first).split(separator: "`")
    let listed = words.map(String.init).filter { $0.first?.isLetter == true }
    #expect(listed == ONNXOperators.names)
  }
}
