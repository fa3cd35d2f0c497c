import Testing

@Suite("atrous help")
struct HelpTests {
  @Test(
    "explains commands and keys",
    arguments: [
      (["help"], ["SUBCOMMANDS", "train", "Explain a command, or the keys of configurations."]),
      (["help", "train"], ["USAGE: atrous train", "--resume"]),
      (["help", "data", "inspect"], ["USAGE: atrous data inspect"]),
      (["help", "configuration"], ["Sections:", "train.optimizer", "model.backbone", "evaluate"]),
      (
        ["help", "configuration", "train.optimizer"],
        ["learningRate", "Example: learningRate: 6e-5"]
      ),
      (["help", "configuration", "learningRate"], ["train.optimizer.learningRate", "required"]),
      (
        ["help", "configuration", "--markdown"],
        ["# Configurations, key by key", "| `batchSize` |"]
      ),
    ] as [([String], [String])])
  func explains(_ arguments: [String], _ words: [String]) throws {
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 0, "\(outcome)")
    for word in words { #expect(outcome.output.contains(word), "\(outcome)") }
  }

  @Test(
    "refuses what does not exist, with what was nearly meant",
    arguments: [
      (["help", "configuration", "train.optimiser"], "did you mean 'train.optimizer'"),
      (["help", "configuration", "learningRat"], "did you mean 'train.optimizer.learningRate'"),
      (["help", "configuration", "a", "b"], "expects one key"),
      (["help", "trian"], "Did you mean 'train'?"),
      (["help", "train", "--markdown"], "--markdown is for 'atrous help configuration'"),
    ] as [([String], String)])
  func refuses(_ arguments: [String], _ words: String) throws {
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.errors.contains(words), "\(outcome)")
  }
}
