import Foundation
import TestSupport
import Testing

/// What the command says of a line that it does not understand.
@Suite("The command line")
struct CommandLineTests {
  /// A command with its options, as the command itself tells of them.
  struct Known: CustomStringConvertible {
    let path: [String], options: [String]
    var description: String { path.joined(separator: " ") }
  }

  /// Every command that has options of its own.
  private static func commands() throws -> [Known] {
    struct Help: Decodable {
      struct Name: Decodable { let kind: String, name: String }
      struct Argument: Decodable { let kind: String, names: [Name]? }
      struct Command: Decodable {
        let commandName: String, arguments: [Argument]?, subcommands: [Command]?
        func leaves(_ path: [String]) -> [Known] {
          let below = (subcommands ?? []).filter { $0.commandName != "help" }
          let options = (arguments ?? []).flatMap { $0.names ?? [] }
          return below.isEmpty
            ? [Known(path: path, options: options.filter { $0.kind == "long" }.map(\.name))]
            : below.flatMap { $0.leaves(path + [$0.commandName]) }
        }
      }
      let command: Command
    }
    let outcome = try Command.run("--experimental-dump-help")
    return try JSONDecoder().decode(Help.self, from: Data(outcome.output.utf8)).command.leaves([])
  }

  /// Without the arguments that the command needs, with one of them, and with a value that would be one
  /// path too many.
  @Test("a misspelt option of any command is named, with the nearest, and the status is 64")
  func misspelt() throws {
    let commands = try Self.commands()
    #expect(commands.count >= 20)
    for command in commands {
      // Two letters of the longest option change places.
      let option = try #require(command.options.max { $0.count < $1.count })
      var letters = Array(option)
      letters.swapAt(letters.count - 1, letters.count - 2)
      let wrong = "--" + String(letters)
      guard !command.options.contains(String(letters)) else { continue }
      for rest in [[wrong], ["a", wrong, "1"]] {
        let outcome = try Command(command.path + rest).wait()
        #expect(outcome.status == 64, "\(command): \(outcome)")
        #expect(outcome.output == "", "\(command)")
        #expect(
          outcome.errors.hasPrefix(
            "Error: Unknown option '\(wrong)'. Did you mean '--\(option)'?\n"),
          "\(command): \(outcome)")
        #expect(outcome.errors.contains("Usage: atrous \(command)"), "\(command): \(outcome)")
      }
    }
  }

  @Test(
    "an unknown word is named, with what is near or what there is",
    arguments: [
      (["predict", "a", "b", "--boundry"], "Unknown option '--boundry'. '--boundary' is"),
      (["predict", "a", "--outptu=b"], "Unknown option '--outptu'. Did you mean '--output'?"),
      (["predict", "a", "-outptu"], "Unknown option '-outptu'. Did you mean '--output'?"),
      (["evaluate", "a", "--zzzzzz"], "Unknown option '--zzzzzz'. Expected one of --"),
      (["evaluate", "-q", "a"], "Unknown option '-q'."),
      (["models", "--exclusions"], "Unknown option '--exclusions'. Expected one of --backbone"),
      (["predct", "a", "b"], "Unknown command 'predct'. Did you mean 'predict'?"),
      (["data", "inspct"], "Unknown command 'inspct'. Did you mean 'inspect'?"),
      (["nonsense"], "Unknown command 'nonsense'. Expected one of train, "),
      (["--versoin"], "Unknown option '--versoin'. Did you mean '--version'?"),
    ])
  func unknown(arguments: [String], message: String) throws {
    let outcome = try Command(arguments).wait()
    #expect(outcome.status == 64, "\(outcome)")
    #expect(outcome.errors.hasPrefix("Error: \(message)"), "\(outcome)")
    #expect(outcome.errors.contains("\n  See 'atrous "), "\(outcome)")
  }

  @Test("what is no unknown option keeps its own message")
  func others() throws {
    for (arguments, message) in [
      (["predict"], "There is no path"),
      (["predict", "a", "b", "c", "--weights", "1,2,3"], "expected a number for each"),
      (["predict", "a", "clip.mp4", "--polygons", "coco"], "--polygons is for images"),
      (["predict", "a", "b.png", "--smooth", "0.5"], "--smooth is for a video"),
      (["predict", "a", "-"], "'-' expects --raw"),
      (["predict", "a", "b", "--shard", "4/3"], "expected a part such as 3/64"),
      (["predict", "a", "b", "--window", "64x64", "--block", "256"], "in two ways"),
      (["train"], "expected a configuration, or --images and --labels"),
      (["summary", "a", "b"], "Unexpected argument 'b'"),
      (["evaluate", "a", "--output"], "Missing value for '--output"),
      (["models", "--stride", "-5"], "Missing value for '--stride"),
    ] {
      let outcome = try Command(arguments).wait()
      #expect(outcome.status == 64 && outcome.errors.contains(message), "\(outcome)")
    }
  }

  @Test("negative values after '=' and names with a leading dash after '--' are taken")
  func dashes() throws {
    let negative = try Command.run("models", "--classes=-3")
    #expect(negative.status == 64, "\(negative)")
    #expect(negative.errors.contains("--classes is -3, expected a number"), "\(negative)")
    let file = try Command.run("predict", "--", "-photo.png")
    file.expectRefusal("-photo.png: cannot be read: there is no such file")
  }
}
