/// What is known of all keys of configurations, to be printed whole or looked up.
package struct Reference {
  /// A key that nobody knows.
  package struct UnknownKey: Error, CustomStringConvertible {
    /// The key that was asked for.
    package let key: String
    /// The keys that are written nearly so.
    package let near: [String]

    /// The message for a person.
    package var description: String {
      "'\(key)' is no key of a configuration"
        + (near.isEmpty
          ? "" : ", did you mean \(near.map { "'\($0)'" }.joined(separator: " or "))?")
        + " '\(Section.helpCommand)' lists the sections."
    }
  }

  /// What can be asked for, and the text that answers.
  private struct Answer {
    let path: String
    let text: String
    /// The case that it is about, and the key of it, if it is about one.
    var about: [String] = []
  }

  private let tables: [ReferenceTable]

  /// A reference of these sections.
  package init(_ tables: [ReferenceTable]) { self.tables = tables }

  /// What is missing in it, and where it has to be written; empty if nothing is.
  package var gaps: [String] { tables.flatMap(\.gaps) }

  /// All of it as a page of Markdown.
  package var markdown: String {
    let contents = tables.filter { !$0.topic.path.isEmpty }.map { table in
      let path = table.topic.path
      let depth = String(repeating: "  ", count: path.count { $0 == "." })
      return
        "\(depth)- [`\(path)`](#\(path.lowercased().replacing(".", with: ""))): \(table.topic.summary)"
    }
    return """
      # Configurations, key by key

      <!-- Made by `\(Section.helpCommand) --markdown`: change the notes beside the readers, not this page. -->

      `\(Section.helpCommand)` prints this page's sections, `\(Section.helpCommand) train.optimizer` one
      of them, and `\(Section.helpCommand) learningRate` one key. A key that does not exist is an error that
      names those that do. Where a list is expected, one value is a list of one; `null` is as good as no
      key. A default that fits follows from the rest of the configuration.

      \(contents.joined(separator: "\n"))

      \(tables.map(\.markdown).joined(separator: "\n"))
      """
  }

  /// What `key` means; without one, the sections.
  ///
  /// - Parameter key: A section, a key by its path or the end of it, or a word such as `ohem`.
  /// - Throws: ``UnknownKey``.
  package func text(of key: String?) throws -> String {
    guard let key, !key.isEmpty else { return overview }
    let wanted = key.lowercased()
    if let table = tables.first(where: { $0.topic.path.lowercased() == wanted }) {
      let inner = tables.map(\.topic.path).filter { $0.hasPrefix("\(table.topic.path).") }
      return table.text
        + (inner.isEmpty ? "" : "\n\nSections of their own: \(inner.joined(separator: ", "))")
    }
    let answers = answers
    let whole = answers.filter { $0.path.lowercased() == wanted }
    let found =
      whole.isEmpty ? answers.filter { $0.path.lowercased().hasSuffix(".\(wanted)") } : whole
    guard !found.isEmpty else { throw UnknownKey(key: key, near: near(key, answers.map(\.path))) }
    var (texts, told) = ([String](), Set<[String]>())
    // A case tells of its keys, too.
    for answer in found
    where !told.contains(answer.about) && !told.contains(Array(answer.about.dropLast())) {
      texts.append("\(answer.path)\n\(answer.text)")
      if !answer.about.isEmpty { told.insert(answer.about) }
    }
    return texts.joined(separator: "\n\n")
  }

  private var overview: String {
    let sections = tables.filter { !$0.topic.path.isEmpty }.map {
      "  \($0.topic.path)\n\($0.topic.summary.plain.wrapped(indent: 6))"
    }
    return
      (tables.filter { $0.topic.path.isEmpty }.map(\.text)
      + [
        "Sections:\n" + sections.joined(separator: "\n"),
        "'\(Section.helpCommand) train.optimizer' explains one of them, '\(Section.helpCommand)"
          + " learningRate' a key.",
      ]).joined(separator: "\n\n")
  }

  /// Every key and every case by the ways to ask for them.
  private var answers: [Answer] {
    var answers: [Answer] = []
    for table in tables {
      let place = table.topic.path.isEmpty ? "" : "\(table.topic.path)."
      for key in table.common {
        answers.append(Answer(path: place + key.path, text: table.text(of: key)))
      }
      for (one, keys) in table.cases where !one.title.isEmpty {
        let words = [one.title] + one.names.filter { $0 != one.title }
        for word in words {
          answers.append(
            Answer(path: place + word, text: table.text(of: one, keys), about: [place, one.title]))
        }
        for key in keys {
          let (text, about) = (table.text(of: key), [place, one.title, key.path])
          answers.append(
            Answer(path: "\(place)\(one.title).\(key.path)", text: text, about: about))
          // The key as it stands in a file, which does not say the case.
          answers.append(
            Answer(path: place + key.path, text: "  of \(one.title):\n\(text)", about: about))
        }
      }
    }
    return answers
  }

  /// The paths that are nearly `key`, or whose last part is.
  private func near(_ key: String, _ paths: [String]) -> [String] {
    let known = paths + tables.map(\.topic.path)
    let ends = known.map { ($0.split(separator: ".").last.map(String.init) ?? $0, $0) }
    let whole = ConfigurationError.nearest(key, known)
    let end = ConfigurationError.nearest(
      key.split(separator: ".").last.map(String.init) ?? key, ends.map(\.0))
    var near = [whole].compactMap { $0 }
    for (name, path) in ends where name == end && !near.contains(path) { near.append(path) }
    return Array(near.prefix(3))
  }
}

extension ReferenceTopic.Case {
  /// The words that choose it.
  var names: [String] {
    runs.map(\.name).reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
  }
}
