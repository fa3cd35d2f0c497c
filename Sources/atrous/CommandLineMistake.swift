import ArgumentParser
import Configuration
import Foundation

/// An option or a command on the command line that there is none of, with the nearest that there is.
///
/// The parser tells of a missing argument or of too many first, which is often but the consequence: the
/// value of an option that it does not know is one path more to it. So whatever the parser refuses is looked
/// through for unknown names here.
struct CommandLineMistake: CustomStringConvertible {
  /// What is wrong, in a sentence or two.
  let description: String
  /// The names of the command that was asked for, from `atrous` on.
  let path: [String]
  /// The command's usage.
  let usage: String

  /// Looks through arguments that `Root`'s parser refused; nil if every name in them is known.
  init?<Root: ParsableCommand>(_ arguments: [String], of root: Root.Type) {
    guard let help = Help(root) else { return nil }
    var command = help.command, type: any ParsableCommand.Type = root
    var path = [command.commandName], words = arguments[...]
    while let word = words.first, let next = command.subcommand(word) {
      guard let nextType = type.configuration.subcommands.first(where: { $0.name == word }) else {
        return nil
      }
      (command, type) = (next, nextType)
      path.append(word)
      words.removeFirst()
    }
    self.path = path
    usage = type == root ? root.usageString() : root.usageString(for: type)
    if let word = words.first, !word.hasPrefix("-"), !command.commands.isEmpty {
      let near = ConfigurationError.nearest(word, command.commands)
      description =
        "Unknown command '\(word)'. "
        + (near.map { "Did you mean '\($0)'?" }
          ?? "Expected one of \(command.commands.joined(separator: ", ")).")
      return
    }
    guard let word = command.unknown(in: Array(words)) else { return nil }
    let known = command.options.flatMap(\.longNames)
    let others = help.command.leaves().filter { $0.path != Array(path.dropFirst()) }
    description =
      "Unknown option '\(word)'. " + Self.hint(for: word, known: known, others: others)
  }

  /// The nearest option of the command; else the commands that have this one; else all of the command's.
  private static func hint(
    for word: String, known: [String], others: [(path: [String], options: [String])]
  ) -> String {
    let name = String(word.drop { $0 == "-" })
    // Whatever begins alike is meant: an option's first letters are not near it letter by letter.
    let begun = known.filter { name.count > 2 && $0.hasPrefix(name) }
    // An option may be another's name with more behind it.
    let continued = known.filter { name.hasPrefix("\($0)-") }
    if let near = begun.count == 1
      ? begun.first
      : ConfigurationError.nearest(name, known) ?? (continued.count == 1 ? continued.first : nil)
    {
      return "Did you mean '--\(near)'?"
    }
    let elsewhere = others.flatMap(\.options)
    if let near = elsewhere.contains(name) ? name : ConfigurationError.nearest(name, elsewhere) {
      let places = others.filter { $0.options.contains(near) }.prefix(3)
        .map { "'\($0.path.joined(separator: " "))'" }
      return "'--\(near)' is an option of \(places.joined(separator: ", "))."
        + " Expected one of \(list(known))."
    }
    return "Expected one of \(list(known))."
  }

  private static func list(_ names: [String]) -> String {
    names.map { "--\($0)" }.joined(separator: ", ")
  }

  /// The whole message, as the parser words its own.
  var message: String {
    """
    Error: \(description)
    Usage: \(usage)
      See '\(path.joined(separator: " ")) --help' for more information.
    """
  }
}

extension ParsableCommand {
  fileprivate static var name: String? { configuration.commandName }

  /// Runs the command that the program's arguments ask for, and ends the program if they, or it, fail.
  static func start() {
    let arguments = Arguments.own
    var command: any ParsableCommand
    do {
      command = try parseAsRoot(arguments)
    } catch {
      if exitCode(for: error) == .validationFailure,
        let mistake = CommandLineMistake(arguments, of: Self.self)
      {
        FileHandle.standardError.write(Data("\(mistake.message)\n".utf8))
        exit(withError: ExitCode.validationFailure)
      }
      exit(withError: error)
    }
    do { try command.run() } catch { exit(withError: error) }
  }
}

/// The commands as the parser itself describes them.
private struct Help: Decodable {
  struct Option: Decodable {
    struct Name: Decodable { let kind: String, name: String }
    let kind: String
    let names: [Name]?

    /// The names after two dashes.
    var longNames: [String] { names?.filter { $0.kind == "long" }.map(\.name) ?? [] }
  }

  struct Command: Decodable {
    let commandName: String
    let arguments: [Option]?
    let subcommands: [Command]?

    var options: [Option] { (arguments ?? []).filter { $0.kind != "positional" } }
    /// The names of the commands below it.
    var commands: [String] { (subcommands ?? []).map(\.commandName) }

    func subcommand(_ name: String) -> Command? {
      subcommands?.first { $0.commandName == name }
    }

    /// The commands that do something, with the options that only some have.
    func leaves(_ path: [String] = []) -> [(path: [String], options: [String])] {
      let below = subcommands ?? []
      return below.isEmpty
        ? [(path, options.flatMap(\.longNames))]
        : below.flatMap { $0.leaves(path + [$0.commandName]) }
    }

    /// The first word before `--` that is an option by its looks, and none that the command has.
    func unknown(in words: [String]) -> String? {
      let words = words.prefix { $0 != "--" }
      let long = Set(options.flatMap(\.longNames))
      let short = Set(options.flatMap { $0.names ?? [] }.filter { $0.kind == "short" }.map(\.name))
      let valued = Set(options.filter { $0.kind == "option" }.flatMap(\.longNames))
      for (index, word) in words.enumerated() where word.hasPrefix("-") && word != "-" {
        let name = String(word.drop { $0 == "-" }.prefix { $0 != "=" })
        if word.hasPrefix("--") {
          if !long.contains(name) { return "--" + name }
        } else {
          // A negative number, or the value that belongs to an option, is no option.
          let before = index > 0 ? words[index - 1] : ""
          let isValue = before.hasPrefix("--") && valued.contains(String(before.dropFirst(2)))
          let isNumber = name.first.map { $0.isNumber || $0 == "." } ?? false
          if !isValue && !isNumber && !short.contains(name) { return "-" + name }
        }
      }
      return nil
    }
  }

  let command: Command

  init?(_ root: any ParsableCommand.Type) {
    guard let help = try? JSONDecoder().decode(Self.self, from: Data(root._dumpHelp().utf8)) else {
      return nil
    }
    self = help
  }
}
