import Configuration
import Testing

@Suite("A configuration")
struct SectionTests {
  enum Kind: String, CaseIterable { case plain, bottleneck }

  @Test("gives values of the types asked for")
  func values() throws {
    let section = try Section(
      yaml: "a: 3\nb: 1e-4\nc: [1, 2]\nd: {kind: plain}\ns: 480x360\nt: yes", named: "x.yaml")
    #expect(try section.int("a") == 3)
    #expect(try section.double("b") == 1e-4)
    #expect(try section.double("a") == 3)
    #expect(try section.ints("c") == [1, 2])
    #expect(try section.ints("a") == [3])
    #expect(try section.section("d").choice("kind", Kind.self) == .plain)
    #expect(try section.size("s").width == 480)
    #expect(try section.size("s").height == 360)
    #expect(try section.int("z", default: 7) == 7)
    #expect(try section.bool("t"))
    try section.finish()
  }

  @Test("refuses a misspelt key and names the one that was meant")
  func misspelt() throws {
    let section = try Section(yaml: "model: {outputSride: 8}", named: "x.yaml")
    _ = try section.section("model").int("outputStride", default: 32)
    let error = #expect(throws: ConfigurationError.self) { try section.finish() }
    let message = error?.description ?? ""
    #expect(message.contains("x.yaml: model"))
    #expect(message.contains("'outputSride'"))
    #expect(message.contains("did you mean 'outputStride'"))
  }

  @Test("refuses wrong types, impossible values and unknown words by name")
  func wrong() throws {
    let section = try Section(yaml: "a: many\nb: -1\nkind: plane\nd: 3", named: "x.yaml")
    for (read, words) in [
      ({ _ = try section.int("a") }, ["'a'", "'many'", "whole number"]),
      ({ _ = try section.int("b", in: 0...10) }, ["'b'", "-1", "from 0 to 10"]),
      ({ _ = try section.choice("kind", Kind.self) }, ["'plane'", "plain, bottleneck"]),
      ({ _ = try section.section("d") }, ["'d'", "mapping"]),
      ({ _ = try section.string("gone") }, ["'gone'", "missing"]),
    ] as [(() throws -> Void, [String])] {
      let error = #expect(throws: ConfigurationError.self) { try read() }
      let message = error?.description ?? ""
      for word in words { #expect(message.contains(word)) }
    }
  }

  @Test("takes overrides by path, and makes sections that are not there")
  func overrides() throws {
    let section = try Section(
      yaml: "train: {steps: 10}", named: "x.yaml",
      overrides: ["train.steps=20", "model.head.rates=[3, 6]"])
    #expect(try section.section("train").int("steps") == 20)
    #expect(try section.section("model").section("head").ints("rates") == [3, 6])
    for bad in ["steps", "=3", "a..b=1"] {
      #expect(throws: ConfigurationError.self) {
        try Section(yaml: "", named: "x.yaml", overrides: [bad])
      }
    }
  }

  @Test("refuses files that are absent, not YAML or not a mapping")
  func files() {
    #expect(throws: ConfigurationError.self) { try Section(contentsOf: "/no/such.yaml") }
    #expect(throws: ConfigurationError.self) { try Section(yaml: "a: [1", named: "x") }
    #expect(throws: ConfigurationError.self) { try Section(yaml: "- 1", named: "x") }
  }
}
