extension ReferenceTable {
  /// The section for a terminal: its keys, two lines each, and those of each case.
  package var text: String {
    var parts = [
      topic.path.isEmpty ? topic.summary : "\(topic.path)\n\n\(topic.summary.plain.wrapped())"
    ]
    if !common.isEmpty { parts.append(text(of: common)) }
    for (one, keys) in cases where !one.title.isEmpty { parts.append(text(of: one, keys)) }
    return parts.joined(separator: "\n\n")
  }

  /// A case for a terminal.
  func text(of one: ReferenceTopic.Case, _ keys: [ReferenceKey]) -> String {
    ([one.title] + (one.sentence.map { [$0.plain.wrapped(indent: 2)] } ?? [])
      + one.facts.map { $0.plain.wrapped(indent: 2) } + keys.map(text(of:)))
      .joined(separator: "\n")
  }

  private func text(of keys: [ReferenceKey]) -> String {
    keys.map(text(of:)).joined(separator: "\n")
  }

  /// A key for a terminal.
  func text(of key: ReferenceKey) -> String {
    let fallback =
      switch key.fallback {
      case .required: "required"
      case .none: "not needed"
      case .derived: "default: what fits"
      case .value(let value): "default \(value)"
      case .varied:
        "default: "
          + (key.fallback.choices ?? []).map { "\($0.value) (\($0.names.joined(separator: ", ")))" }
          .joined(separator: "; ")
      }
    let example = key.note?.examples.first.map { "  Example: \(key.name): \($0)" } ?? ""
    return "  \(key.path)\n" + (key.note?.sentence.plain ?? "").wrapped(indent: 6) + "\n"
      + "\(key.kind()); \(fallback).\(example)".wrapped(indent: 6)
  }
}

extension String {
  /// Without the marks of Markdown.
  var plain: String { replacing("`", with: "") }

  /// In lines of at most 96 characters, each indented.
  func wrapped(indent: Int = 0) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    for word in split(separator: " ") {
      if let line = lines.last, line.count + 1 + word.count <= 96 {
        lines[lines.count - 1] = "\(line) \(word)"
      } else {
        lines.append(margin + word)
      }
    }
    return lines.joined(separator: "\n")
  }
}
