import ArgumentParser
import Configuration
import Training

/// `atrous help`: how a command is used, or what the keys of configurations mean.
///
/// It stands in the place of the parser's own `help`, which knows commands only.
struct HelpCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "help",
    abstract: "Explain a command, or the keys of configurations.",
    discussion: """
      'atrous help train' prints the options of a command. 'atrous help configuration' lists the \
      sections of a configuration, 'atrous help configuration train.optimizer' the keys of one with \
      types, defaults and examples, 'atrous help configuration learningRate' one key, and 'atrous help \
      configuration ohem' what a word means.
      """)

  @Argument(
    help: ArgumentHelp(
      "A command such as 'data inspect', or 'configuration' and a key.", valueName: "command"))
  var words: [String] = []

  @Flag(help: "Print all keys of configurations as a page of Markdown.")
  var markdown = false

  func validate() throws {
    let isConfiguration = words.first == "configuration"
    if markdown && (!isConfiguration || words.count > 1) {
      throw ValidationError("--markdown is for 'atrous help configuration' without a key.")
    }
    if isConfiguration && words.count > 2 {
      throw ValidationError("'atrous help configuration' expects one key, such as train.optimizer.")
    }
  }

  func run() throws {
    guard words.first == "configuration" else { throw try CleanExit.helpRequest(command()) }
    let key = words.dropFirst().first
    do {
      print(
        try markdown ? ConfigurationReference.markdown() : ConfigurationReference.text(of: key),
        terminator: markdown ? "" : "\n")
    } catch let error as Reference.UnknownKey {
      throw ValidationError(error.description)
    }
  }

  /// The command that the words name.
  private func command() throws -> any ParsableCommand.Type {
    try words.reduce(Atrous.self as any ParsableCommand.Type) { parent, word in
      let children = parent.configuration.subcommands
      let names = children.map { $0.configuration.commandName ?? "" }
      guard let place = names.firstIndex(of: word) else {
        let near = ConfigurationError.nearest(word, names).map { " Did you mean '\($0)'?" }
        throw ValidationError(
          "'\(word)' is no command, expected one of \(names.joined(separator: ", "))."
            + (near ?? ""))
      }
      return children[place]
    }
  }
}
