import ArgumentParser
import Evaluation

/// By whose definitions scores are computed, too.
struct DefinitionOptions: ParsableArguments {
  @Option(
    name: .customLong("as"),
    help: ArgumentHelp(
      "Give the scores by a library's definition, too: \(DefinitionChoice.allValueStrings.joined(separator: ", ")).",
      discussion:
        "May be given repeatedly. Each library's version, and what it does otherwise, is said.",
      valueName: "library"))
  var choices: [DefinitionChoice] = []

  /// The libraries that were asked for, each once, in the order of their names' list.
  var libraries: [ScoreLibrary] {
    let asked = Set(choices.flatMap(\.libraries))
    return ScoreLibrary.allCases.filter(asked.contains)
  }

  /// What was asked for, as it was written.
  var text: String { choices.map(\.name).joined(separator: ", ") }

  /// Prints a result, and the scores of its images by the libraries' definitions behind it.
  func show(_ result: EvaluationResult, _ images: [ImageCounts], asJSON: Bool) throws {
    guard !libraries.isEmpty else {
      return print(asJSON ? String(decoding: try result.json(), as: UTF8.self) : result.text)
    }
    var result = result
    let scores = LibraryScores(images, by: libraries)
    result.libraries = scores
    print(
      asJSON
        ? String(decoding: try result.json(), as: UTF8.self) : result.text + "\n\n" + scores.text)
  }
}

/// A library, or all of them.
struct DefinitionChoice: ExpressibleByArgument {
  let name: String

  init?(argument: String) {
    guard Self.allValueStrings.contains(argument) else { return nil }
    name = argument
  }

  static var allValueStrings: [String] { ScoreLibrary.allCases.map(\.rawValue) + ["all"] }

  var libraries: [ScoreLibrary] {
    ScoreLibrary(rawValue: name).map { [$0] } ?? ScoreLibrary.allCases
  }
}
