import Configuration
import Foundation
import Testing

@Suite("An override")
struct OverrideTests {
  private func section(_ overrides: String..., yaml: String = "a: {b: old}") throws -> Section {
    try Section(yaml: yaml, named: "x.yaml", overrides: overrides)
  }

  @Test(
    "that is no number, word, list, mapping or text in quotes is the text as it is",
    arguments: [
      "photos #2", "a: b", "photos: new", "photos:", "{old} photos", "[old] photos", "[1, 2", "{a",
      "\"a\" b", "it's", "'a", "@home", "`x`", "%x", "*x", "&x y", "!x y", "key=a=b",
      #"C:\data\x"#,
      #""C:\data""#, "- a", "? a", "| a", "> a", "a\tb", "#x", "x#y", "---", "a, b", "[a] #2",
      "~x/y",
      "café\u{10F7E9}", "=", "\u{7}",
    ])
  func text(_ value: String) throws {
    let found = try section("a.b=\(value)")
    #expect(try found.section("a").string("b") == value)
    // As it stands in a run's configuration.
    let again = try Section(yaml: found.yaml, named: "again")
    #expect(try again.section("a").string("b") == value)
  }

  @Test("in quotes is the text inside", arguments: ["' x '", "\" x \""])
  func quotes(_ value: String) throws {
    #expect(try section("a.b=\(value)").section("a").string("b") == " x ")
  }

  @Test("gives numbers, lists, mappings and nothing as YAML does")
  func values() throws {
    #expect(try section("a.b= 3").section("a").int("b") == 3)
    #expect(try section("a.b=1e-4").section("a").double("b") == 1e-4)
    #expect(try section("a.b=true").section("a").bool("b"))
    #expect(try section("a.b=[3, 6]").section("a").ints("b") == [3, 6])
    #expect(try section("a.b={c: 1, d: [x]}").section("a").section("b").int("c") == 1)
    #expect(try section("a.b=c: 1\nd: 2").section("a").section("b").int("d") == 2)
    for nothing in ["", "null", "~"] {
      #expect(try !section("a.b=\(nothing)").section("a").has("b"))
    }
  }

  @Test("begins no comment with # inside of brackets, either")
  func hashes() throws {
    let folders = try section("a.b={images: photos #2/train, labels: 'x #3', n: #4}")
    let found = try folders.section("a").section("b")
    #expect(try found.string("images") == "photos #2/train" && found.string("labels") == "x #3")
    #expect(try found.string("n") == "#4")
    #expect(try section("a.b=[road #1, b]").section("a").strings("b") == ["road #1", "b"])
    // As they stand in a run's configuration.
    let again = try Section(yaml: folders.yaml, named: "again").section("a").section("b")
    #expect(try again.string("images") == "photos #2/train" && again.string("n") == "#4")
    // Lines have comments.
    let lines = try section("a.b=c: 1 # one\nd: 2").section("a").section("b")
    #expect(try lines.int("c") == 1 && lines.int("d") == 2)
  }

  @Test("reaches a place in a list, and no place that is not there")
  func places() throws {
    let yaml = "list: [{flip: 0.5}, {crop: 3}]\nm: [[1, 2], [3, 4]]"
    let changed = try section("list[1].crop=5", "m[1][0]=9", yaml: yaml)
    #expect(try changed.sectionList("list")[1].int("crop") == 5)
    #expect(try changed.sectionList("list")[0].double("flip") == 0.5)
    for (bad, words) in [
      ("list[2].crop=5", "a list of 2"), ("list.crop=5", "a list"), ("m[0][0][0]=1", "'1'"),
      ("gone[0]=1", "not given"),
    ] {
      let error = #expect(throws: ConfigurationError.self) { try section(bad, yaml: yaml) }
      #expect("\(error.map { "\($0)" } ?? "")".contains(words), "\(bad)")
      #expect("\(error.map { "\($0)" } ?? "")".contains("--set \(bad)"))
    }
  }

  @Test("does not replace a text by a mapping")
  func inside() throws {
    let error = #expect(throws: ConfigurationError.self) { try section("a.b.c=1") }
    #expect("\(error.map { "\($0)" } ?? "")".contains("'a.b' is 'old', expected a mapping"))
    #expect(try section("a.b={c: 1}").section("a").section("b").int("c") == 1)
    #expect(try section("a.n.c=1", yaml: "a: {n: }").section("a").section("n").int("c") == 1)
  }

  @Test("of a path and a path in a file begin at the home folder")
  func home() throws {
    let home = try #require(ProcessInfo.processInfo.environment["HOME"])
    #expect(try section("a.b=~/x").section("a").path("b") == "\(home)/x")
    #expect(try section(yaml: "a: {b: ~/x}").section("a").optionalPath("b") == "\(home)/x")
    #expect(try section(yaml: "a: {b: ~/x}").section("a").string("b") == "~/x")
  }
}
