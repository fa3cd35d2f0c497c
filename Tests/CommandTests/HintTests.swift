import Configuration
import Datasets
import Evaluation
import Foundation
import Testing

@testable import Training

/// What messages tell a person to write exists: keys of the configuration, options and commands.
@Suite("Hints")
struct HintTests {
  private static let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Sources").path

  /// A text of the sources.
  private struct Text {
    let file: String, content: String
  }

  /// The source files by name, without those of pages that browsers run.
  private static let files: [(name: String, content: String)] = {
    let names = FileManager.default.enumerator(atPath: sources)?.compactMap { $0 as? String } ?? []
    return names.filter {
      $0.hasSuffix(".swift") && !$0.contains("Generated") && !$0.hasSuffix("Page+Script.swift")
        && !$0.hasSuffix("ComparisonPage.swift")
        && !$0.contains("PageStyle")
    }.sorted().map {
      let data = FileManager.default.contents(atPath: "\(sources)/\($0)") ?? Data()
      return ($0, String(decoding: data, as: UTF8.self))
    }
  }()

  /// The texts in quotes of Swift's source, those inside of interpolations too; comments have none.
  static func texts(of source: String) -> [String] {
    let letters = Array(source)
    var texts: [String] = []
    var place = 0
    func at(_ text: String) -> Bool {
      place + text.count <= letters.count && String(letters[place..<place + text.count]) == text
    }
    func code(untilParenthesis: Bool) {
      var depth = 0
      while place < letters.count {
        if at("//") {
          while place < letters.count, letters[place] != "\n" { place += 1 }
        } else if letters[place] == "\"" {
          literal()
        } else {
          if letters[place] == "(" { depth += 1 }
          if letters[place] == ")" {
            depth -= 1
            if untilParenthesis, depth < 0 { return }
          }
          place += 1
        }
      }
    }
    func literal() {
      let end = at("\"\"\"") ? "\"\"\"" : "\""
      place += end.count
      var text = ""
      while place < letters.count, !at(end) {
        if at("\\(") {
          place += 2
          code(untilParenthesis: true)
          text += "…"
        } else if letters[place] == "\\" {
          // A letter after a backslash is a control character, an end of line is none.
          if place + 1 < letters.count, letters[place + 1] != "\n" {
            text.append(letters[place + 1].isLetter ? " " : letters[place + 1])
          }
          place += 1
        } else {
          text.append(letters[place])
        }
        place += 1
      }
      place += end.count
      texts.append(text)
    }
    code(untilParenthesis: false)
    return texts
  }

  private static let texts: [Text] = files.flatMap { file in
    texts(of: file.content).map { Text(file: file.name, content: $0) }
  }

  /// The keys that a section knows once it was read; reading refuses one that it does not.
  private func known(_ yaml: String, _ read: (Section) throws -> Void) throws -> Set<String> {
    let section = try Section(yaml: yaml + "\nnoSuchKey: 1\n", named: "known")
    try read(section)
    do { try section.finish() } catch ConfigurationError.unknownKey(_, _, let known, _) {
      return Set(known)
    }
    return []
  }

  /// The keys that the sources ask sections for, whatever the section.
  private static let keys: Set<String> = {
    let question =
      #/(?:\.(?:has|section|sectionList|stringLists|choice|size|bool|string|strings|int|ints|double|doubles|optional[A-Z][A-Za-z]*)\(|Interval\(\w+,|Metric\(\w+,|lookUp\()\s*"([A-Za-z0-9]+)"/#
    var keys: Set<String> = []
    for file in files {
      for match in file.content.matches(of: question) { keys.insert(String(match.1)) }
    }
    return keys
  }()

  /// The commands and options that `atrous` has.
  private func commandLine() throws -> (commands: Set<String>, options: Set<String>) {
    struct Tool: Decodable {
      let command: Command
    }
    struct Command: Decodable {
      let commandName: String
      let subcommands: [Command]?
      let arguments: [Argument]?
    }
    struct Argument: Decodable {
      struct Name: Decodable { let kind: String, name: String }
      let names: [Name]?
    }
    let outcome = try CommandTests.Command.run("--experimental-dump-help")
    let tool = try JSONDecoder().decode(Tool.self, from: Data(outcome.output.utf8))
    var (commands, options): (Set<String>, Set<String>) = ([], ["--help", "--version"])
    func add(_ command: Command) {
      commands.insert(command.commandName)
      for name in (command.arguments ?? []).flatMap({ $0.names ?? [] }) where name.kind == "long" {
        options.insert("--\(name.name)")
      }
      command.subcommands?.forEach(add)
    }
    add(tool.command)
    return (commands, options)
  }

  @Test("every option and command that a text names exists")
  func options() throws {
    let (commands, options) = try commandLine()
    #expect(options.count > 50 && commands.contains("inspect"))
    for text in Self.texts {
      for match in text.content.matches(of: #/(?:^|[^\w-])(--[a-z][a-z0-9]*(?:-[a-z0-9]+)*)/#) {
        #expect(options.contains(String(match.1)), "\(text.file): \(text.content)")
      }
      for match in text.content.matches(of: #/`atrous ([a-z-]+)(?: ([a-z-]+))?/#) {
        #expect(commands.contains(String(match.1)), "\(text.file): \(text.content)")
        if match.1 == "data", let second = match.2 {
          #expect(commands.contains(String(second)), "\(text.file): \(text.content)")
        }
      }
    }
  }

  @Test("every key that a text names by its path exists")
  func paths() throws {
    var sections: [String: Set<String>] = ["model": Self.keys, "evaluate": []]
    for layout in ["folders, classes: [a], train: {images: a, labels: b}", "cityscapes, root: x"] {
      let root = try Section(yaml: "data: {layout: \(layout), noSuchKey: 1}", named: "known")
      let data = try root.section("data")
      _ = try DataConfiguration(data)
      do { try data.finish() } catch ConfigurationError.unknownKey(_, _, let known, _) {
        sections["data", default: []].formUnion(known)
      }
    }
    sections["train"] = try known("iterations: 1\noptimizer: {name: sgd, learningRate: 1}") {
      _ = try TrainingSettings($0, classes: ["a"])
    }
    sections["evaluate"] = try known("") { _ = try EvaluationSettings($0) }
    for (name, keys) in sections { #expect(keys.count > 2, "\(name)") }

    var count = 0
    let path = #/\b(data|model|train|evaluate)\.([a-zA-Z]+)((?:\.[a-zA-Z]+)*)/#
    for text in Self.texts {
      for match in text.content.matches(of: path)
      where !["pkl", "yaml", "yml", "txt", "safetensors"].contains(match.2) {
        count += 1
        let first = String(match.2)
        #expect(
          sections[String(match.1)]?.contains(first) == true, "\(text.file): \(text.content)")
        for deeper in match.3.split(separator: ".") {
          #expect(Self.keys.contains(String(deeper)), "\(text.file): \(text.content)")
        }
      }
    }
    #expect(count > 20)
  }

  /// Words of two cases that sentences have and that are neither keys nor their values.
  private static let otherWords: Set<String> = [
    "trainIds", "iSAID", "cuDNN", "cityscapesScripts",
    // Of the C interface's options.
    "memoryBudget",
    // Keys of other tools' files.
    "toName", "projectType", "imageData",
  ]

  @Test("every word in quotes of code, and every key-like word of a sentence, exists")
  func words() throws {
    let values = Set(
      Self.texts.map(\.content).filter { !$0.contains(" ") } + Self.enumerationCases)
    for text in Self.texts where text.content.contains(" ") {
      for match in text.content.matches(of: #/`([a-z][A-Za-z0-9]*):?`/#) {
        let word = String(match.1)
        #expect(
          Self.keys.contains(word) || values.contains(word) || word == "atrous",
          "\(text.file): \(text.content)")
      }
      for match in text.content.matches(
        of: #/(?:^|[^\w.`(<$\/-])([a-z]+[A-Z][A-Za-z]*)(?![\w(\/-])/#)
      {
        let word = String(match.1)
        #expect(
          Self.keys.contains(word) || values.contains(word) || Self.otherWords.contains(word),
          "\(text.file), '\(word)': \(text.content)")
      }
    }
  }

  /// The cases of enumerations, whose words configurations have as values.
  private static let enumerationCases: [String] = files.flatMap { file in
    file.content.matches(
      of: #/(?m)^\s*(?:private |public )?(?:enum .*\{ )?case ([A-Za-z0-9, =":\n]+)/#
    )
    .flatMap { $0.1.split { !$0.isLetter && !$0.isNumber } }.map(String.init)
  }

  @Test("the scanner finds texts, those inside of interpolations too, and no comments")
  func scanner() {
    let source = #"""
      let a = "one \(b ? "two \"x\"" : "") three" // "no"
      /// "no"
      let c = """
        four \
        five
        """
      """#
    #expect(Self.texts(of: source).map { $0.trimmingCharacters(in: .whitespaces) }.count == 4)
    #expect(Self.texts(of: source).contains("two \"x\""))
    #expect(Self.texts(of: source).contains("one … three"))
  }
}
