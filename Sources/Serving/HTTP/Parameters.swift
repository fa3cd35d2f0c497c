import Configuration
import Foundation
import NIOHTTP1

/// The parameters of a request, from its query and the fields of its form.
struct Parameters: Sendable, Equatable {
  private var values: [String: String] = [:]

  /// No parameters.
  init() {}

  /// What a query says, which stands after the question mark.
  ///
  /// - Throws: ``Problem`` for escapes that are none and for a name that comes twice.
  init(query: some StringProtocol) throws {
    for pair in query.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let texts = parts.map {
        String($0).replacingOccurrences(of: "+", with: " ").removingPercentEncoding
      }
      guard let name = texts[0], let value = texts.count > 1 ? texts[1] : "" else {
        throw Problem(.badRequest, "the query has an escape with % that stands for no text")
      }
      try add(name, value)
    }
  }

  /// Adds a parameter.
  ///
  /// - Throws: ``Problem`` if there is one of this name.
  mutating func add(_ name: String, _ value: String) throws {
    guard values.updateValue(value, forKey: name) == nil else {
      throw Problem(.badRequest, "the parameter '\(name.brief)' is given twice, expected it once")
    }
  }

  /// Adds others.
  ///
  /// - Throws: ``Problem`` for a name that both have.
  mutating func add(_ others: Parameters) throws {
    for (name, value) in others.values { try add(name, value) }
  }

  /// Refuses names that are not known.
  ///
  /// - Throws: ``Problem`` that names the nearest that there is.
  func check(known: [String]) throws {
    guard let name = values.keys.sorted().first(where: { !known.contains($0) }) else { return }
    let near = ConfigurationError.nearest(name, known).map { "; did you mean '\($0)'?" }
    let list = known.isEmpty ? "none" : known.joined(separator: ", ")
    throw Problem(
      .badRequest, "there is no parameter '\(name.brief)'\(near ?? ""), expected \(list)")
  }

  /// The text of a parameter, if it is given.
  subscript(_ name: String) -> String? { values[name] }

  /// A whole number within a range.
  ///
  /// - Throws: ``Problem``.
  func int(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let text = values[name] else { return nil }
    guard let value = Int(text), range.contains(value) else {
      throw Problem(
        .badRequest,
        "\(name) is '\(text.brief)', expected a whole number from \(range.lowerBound) to"
          + " \(range.upperBound)")
    }
    return value
  }

  /// A number within a range.
  ///
  /// - Throws: ``Problem``.
  func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
    guard let text = values[name] else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw Problem(
        .badRequest,
        "\(name) is '\(text.brief)', expected a number from \(range.lowerBound) to"
          + " \(range.upperBound)")
    }
    return value
  }

  /// The words of a list with commas, of those that are known; empty if it is not given.
  ///
  /// - Throws: ``Problem``.
  func words(_ name: String, of known: [String]) throws -> Set<String> {
    guard let text = values[name] else { return [] }
    let words = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if let word = words.first(where: { !known.contains($0) }) {
      throw Problem(
        .badRequest,
        "\(name) has '\(word.brief)', expected words of \(known.joined(separator: ", "))")
    }
    return Set(words)
  }
}

extension String {
  /// The text as messages repeat it: without control characters, and not at any length.
  var brief: String {
    let shown = unicodeScalars.prefix(60).map { scalar in
      scalar.properties.generalCategory == .control ? "\u{FFFD}" : String(scalar)
    }
    return shown.joined() + (unicodeScalars.count > 60 ? "…" : "")
  }
}
