import Checkpoints
import Configuration
import Testing
import Torch

@Suite("Rewrite rules")
struct NameMapTests {
  private func map(_ yaml: String) throws -> NameMap {
    try NameMap(Section(yaml: yaml, named: "rules.yaml"))
  }

  @Test("apply in order, and drop")
  func rules() throws {
    let map = try map(
      #"""
      rules:
        - {from: '^encoder\.', to: 'backbone.'}
        - {from: '\.block(\d+)\.(\w+)\.', to: '.$2.layer$1.'}
        - {from: 'gamma$', to: 'weight'}
        - {drop: '^backbone\.loss'}
      """#)
    #expect(map("encoder.block3.conv.gamma") == "backbone.conv.layer3.weight")
    #expect(map("head.weight") == "head.weight")
    #expect(map("encoder.loss.gamma") == nil)
  }

  @Test("keep what stands for no group")
  func groups() throws {
    let map = try map("rules: [{from: '(a)|(b)', to: '$1$2$7$'}]")
    #expect(map("ab") == "a$7$b$7$")
  }

  @Test(
    "that make no sense are refused by name",
    arguments: [
      ("rules: [{from: '(', to: ''}]", "rules[0]"), ("rules: [{from: 'a'}]", "'to' is missing"),
      ("rules: [{drop: '['}]", "'['"), ("rule: []", "did you mean 'rules'"),
      ("rules: [{from: a, to: b, todo: c}]", "todo"),
    ])
  func refusals(_ yaml: String, _ word: String) {
    let error = #expect(throws: ConfigurationError.self) { try map(yaml) }
    #expect(error?.description.contains(word) == true)
    #expect(error?.description.hasPrefix("rules.yaml") == true)
  }

  @Test("rename the tensors of a file")
  func files() throws {
    let map = try map("rules: [{from: '^0', to: 'conv'}, {drop: 'num_batches'}]")
    let file = try WeightFile.open(fixture("network.pth")).renamed { map($0) }
    #expect(file.entries.count == 6)
    #expect(try file.values("conv.bias") == [0, 1, 2])
  }
}
