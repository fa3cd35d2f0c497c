import Datasets
import Foundation
import TestSupport
import Testing

@testable import Evaluation

@Suite("Names of people in tables and pages")
struct NotationTests {
  private static let names = [
    "a|b", "a\nb", "a\r\nb", "`code", "<b>", "x & y", "[link](http://x)", "*bold*", "back\\",
    "~~x~~", "_it_", "a,\"b\"", "plain_name",
  ]

  private func result() -> EvaluationResult {
    var matrix = ConfusionMatrix(classes: Self.names.count)
    let mask = ClassMask(
      width: Self.names.count, height: 1, classes: Self.names.indices.map { UInt8($0) })
    matrix.add(truth: mask, prediction: mask)
    return EvaluationResult(
      dataset: "set|<i>\nsecond line", model: "run|1", images: 1, seconds: 1,
      scoring: ScoringProtocol(classes: Self.names.count, ignored: "255"), matrix: matrix,
      names: Self.names)
  }

  @Test("leave the columns of a Markdown table as they are")
  func markdown() {
    let lines = result().markdown.split(separator: "\n", omittingEmptySubsequences: false)
    let tables = lines.filter { $0.hasPrefix("|") }
    #expect(tables.count == 2 + Self.names.count + 2 + 6)
    for line in tables {
      let columns = line.replacing("\\\\", with: "").replacing("\\|", with: "").count { $0 == "|" }
      #expect(columns == 7 || columns == 5, "\(line)")
    }
    #expect(lines.first == "# set\\|\\<i\\> second line: 1 images")
    for cell in ["a\\|b", "\\`code", "\\<b\\>", "x \\& y", "\\[link\\](http://x)", "plain_name"] {
      #expect(lines.contains { $0.hasPrefix("| \(cell) |") }, "\(cell)")
    }
    // What ends in a sign of escape does not escape the end of its cell.
    #expect(lines.contains { $0.hasPrefix("| back\\\\ |") })
  }

  @Test("are one cell of comma-separated values")
  func csv() {
    #expect(CommaSeparated.cell("a,\"b\"") == "\"a,\"\"b\"\"\"")
    #expect(CommaSeparated.cell("a\r\nb") == "\"a\r\nb\"")
    #expect(CommaSeparated.cell("plain name") == "plain name")
    #expect(result().csv.contains("\n\"a,\"\"b\"\"\",1.0"))
  }

  @Test("are text in a page, in elements and attributes")
  func html() {
    #expect(
      escaped("<a href=\"x\">'&'</a>")
        == "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;")
  }

  @Test("are one line of a table for a terminal")
  func terminal() {
    let lines = result().text.split(separator: "\n").filter { $0.contains("100.00") }
    #expect(lines.count { $0.hasPrefix("  a") } == 4)
  }

  @Test("a folder that another writes results into is refused, and nothing in it changes")
  func locked() throws {
    let folder = try TemporaryFolder()
    let first = try ResultFolder(folder.path)
    let before = try FileManager.default.contentsOfDirectory(atPath: folder.path)
    let error = #expect(throws: ScoringError.self) { try ResultFolder(folder.path) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("process \(getpid()) on "))
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == before)
    withExtendedLifetime(first) {}
  }
}
