import Configuration
import Testing

@Suite("A reference of keys")
struct ReferenceTests {
  private enum Kind: String, CaseIterable { case plain, deep }

  /// A section whose `kind` decides what else is read.
  private static func read(_ section: Section) throws {
    let kind = try section.choice("kind", Kind.self)
    _ = try section.int("size", default: 4, in: 1...64)
    _ = try section.optionalDouble("rate", in: 0...1)
    if section.has("area") { _ = try section.size("area") }
    if kind == .deep {
      for part in try section.sectionList("parts") { _ = try part.ints("rates", in: 1...9) }
    }
  }

  private static let notes: [String: KeyNotes.Note] = [
    "kind": .init("What it is.", "deep"),
    "size": .init("How large.", "8"),
    "rate": .init("How fast.", "0.5"),
    "area": .init("Where.", "32x16"),
    "parts": .init("What of.", "[{rates: [1, 2]}]"),
    "parts.rates": .init("How far.", "[3]"),
  ]

  private static func topic(
    _ notes: [String: KeyNotes.Note] = notes, deep sentence: String? = "It is deep."
  ) -> ReferenceTopic {
    ReferenceTopic(
      "a.b", "Things.", notes: KeyNotes(notes, file: "/x/Sources/Here/Things.swift"),
      cases: Kind.allCases.map { kind in
        .init(
          kind.rawValue, kind == .deep ? sentence : "It is plain.",
          runs: [.init(kind.rawValue, ["kind=\(kind.rawValue)"], read: read)])
      })
  }

  @Test("has types, bounds, defaults and words from the calls of the reader")
  func kinds() throws {
    let table = try ReferenceTable(Self.topic())
    let keys = Dictionary(uniqueKeysWithValues: table.common.map { ($0.path, $0) })
    #expect(keys["kind"]?.kind() == "plain, deep")
    #expect(keys["kind"]?.fallback == .required)
    #expect(keys["size"]?.kind() == "whole number, 1 to 64")
    #expect(keys["size"]?.fallback == .value("4"))
    #expect(keys["rate"]?.kind() == "number, 0 to 1")
    #expect(keys["rate"]?.fallback == ReferenceKey.Fallback.none)
    // Read only where it is given: the example shows its type.
    #expect(keys["area"]?.kind() == "size, width x height, such as 480x360")
    let deep = try #require(table.cases.last)
    #expect(deep.case.title == "deep")
    #expect(deep.keys.map(\.path) == ["parts", "parts.rates"])
    #expect(table.gaps.isEmpty)
    #expect(try Self.topic().refusedExamples().isEmpty)
  }

  @Test("says where a sentence is missing, or has no key any more")
  func gaps() throws {
    var notes = Self.notes
    notes["rate"] = nil
    notes["parts.rates"] = nil
    notes["gone"] = .init("What was.", "1")
    let gaps = try ReferenceTable(Self.topic(notes, deep: nil)).gaps
    for words in [
      "'a.b.rate' has no sentence and example: write them in Sources/Here/Things.swift",
      "'a.b.parts.rates' of deep has no sentence",
      "'deep' of 'a.b' has no sentence",
      "'a.b.gone' is told of in Sources/Here/Things.swift, but no reader asks for it",
    ] {
      #expect(gaps.contains { $0.contains(words) }, "\(words) is not in \(gaps)")
    }
    #expect(gaps.count == 4)
  }

  @Test("finds examples that the reader refuses")
  func examples() throws {
    var notes = Self.notes
    notes["size"] = .init("How large.", "65")
    let refused = try Self.topic(notes).refusedExamples()
    #expect(refused == ["'a.b.size: 65' is refused (Sources/Here/Things.swift)"])
  }

  @Test(
    "answers for sections, keys by their path or its end, and words, in any case of letters",
    arguments: [
      ("a.b", "Things."), ("a.b.size", "default 4"), ("SIZE", "How large."),
      ("rates", "list of whole numbers, 1 to 9"), ("deep", "It is deep."),
      ("a.b.deep.parts", "Example: parts: [{rates: [1, 2]}]"),
    ])
  func lookUp(_ key: String, _ words: String) throws {
    let text = try Reference([ReferenceTable(Self.topic())]).text(of: key)
    #expect(text.contains(words))
  }

  @Test("proposes what a wrong key was meant to be")
  func near() throws {
    let reference = Reference([try ReferenceTable(Self.topic())])
    let error = #expect(throws: Reference.UnknownKey.self) { try reference.text(of: "sise") }
    #expect(error?.near == ["a.b.size"])
    #expect(error?.description.contains("did you mean 'a.b.size'?") == true)
    #expect(throws: Reference.UnknownKey.self) { try reference.text(of: "elephant") }
  }
}
