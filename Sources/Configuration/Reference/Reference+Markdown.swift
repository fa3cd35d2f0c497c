extension ReferenceTable {
  /// The section as Markdown, from its heading on.
  package var markdown: String {
    let heading = topic.path.isEmpty ? "The file" : "`\(topic.path)`"
    var parts = ["## \(heading)", topic.summary]
    if !common.isEmpty { parts.append(table(common)) }
    for (one, keys) in cases where !one.title.isEmpty {
      parts.append("### \(one.title)")
      if let sentence = one.sentence { parts.append(sentence) }
      if !one.facts.isEmpty { parts.append(one.facts.map { "- \($0)" }.joined(separator: "\n")) }
      if !keys.isEmpty { parts.append(table(keys)) }
      parts += keys.compactMap(varied)
    }
    return parts.joined(separator: "\n\n") + "\n"
  }

  private func table(_ keys: [ReferenceKey]) -> String {
    let rows = keys.map { key in
      let word = { (text: String) in "`\(text)`" }
      let example = key.note?.examples.first.map { word("\(key.name): \($0)") } ?? ""
      return "| `\(key.path)` | \(key.kind(word)) | \(key.fallback.text(word)) | \(example) |"
        + " \(key.note?.sentence ?? "") |"
    }
    return (["| key | value | default | example | what it is |", "|---|---|---|---|---|"] + rows)
      .joined(separator: "\n")
  }

  /// The defaults that differ from name to name, in a line.
  private func varied(_ key: ReferenceKey) -> String? {
    guard let values = key.fallback.choices else { return nil }
    return "`\(key.path)` by default: "
      + values.map { "\($0.value) (\($0.names.joined(separator: ", ")))" }.joined(separator: "; ")
      + "."
  }
}

extension ReferenceKey {
  /// The last part of the path.
  var name: String { path.split(separator: ".").last.map(String.init) ?? path }
}

extension ReferenceKey.Fallback {
  /// The default in words, values as `word` shows them.
  package func text(_ word: (String) -> String = { $0 }) -> String {
    switch self {
    case .required: "required"
    case .none: "none"
    case .value(let value): word(value)
    case .varied: "by name"
    case .derived: "what fits"
    }
  }

  /// The values that differ from name to name, with the names that have them.
  package var choices: [(value: String, names: [String])]? {
    guard case .varied(let choices) = self else { return nil }
    return choices.reduce(into: []) { groups, choice in
      if let place = groups.firstIndex(where: { $0.value == choice.value }) {
        groups[place].names.append(choice.name)
      } else {
        groups.append((choice.value, [choice.name]))
      }
    }
  }
}
