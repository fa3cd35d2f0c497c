/// A key as a reference shows it.
package struct ReferenceKey: Sendable {
  /// What holds without the key.
  package enum Fallback: Sendable, Equatable {
    /// It must be given.
    case required
    /// Nothing.
    case none
    /// This value.
    case value(String)
    /// Another value for each choice.
    case varied([Choice])
    /// Whatever fits the rest of the configuration.
    case derived
  }

  /// A value for a choice.
  package struct Choice: Sendable, Equatable {
    package let name: String
    package let value: String
  }

  /// The keys from the section to it, joined by dots.
  package let path: String
  /// The kinds of value that it takes.
  package var kinds: [ValueKind]
  package var fallback: Fallback
  /// What it means; nil where nobody wrote it down.
  package let note: KeyNotes.Note?

  /// Its kinds in words; see ``ValueKind/text(_:)``.
  package func kind(_ word: (String) -> String = { $0 }) -> String {
    // Text after words or numbers is how those are read.
    let shown =
      kinds.count > 1 && kinds.contains { if case .word = $0 { true } else { false } }
      ? kinds.filter { $0 != .text } : kinds
    return shown.map { $0.text(word) }.joined(separator: ", or ")
  }
}

/// The keys of a ``ReferenceTopic``: those that every case has, and each case's own.
package struct ReferenceTable {
  /// The topic.
  package let topic: ReferenceTopic
  /// The keys that mean the same in every case.
  package let common: [ReferenceKey]
  /// The cases with the keys of their own.
  package let cases: [(case: ReferenceTopic.Case, keys: [ReferenceKey])]
  /// The sentences of the notes that no key has.
  package let unused: [String]

  /// Runs the readers of `topic`.
  ///
  /// - Throws: What they throw.
  package init(_ topic: ReferenceTopic) throws {
    self.topic = topic
    let recorded = try topic.cases.map { one in
      try (one, one.runs.map { ($0.name, try topic.record($0, of: one.title)) })
    }
    var seen: [(key: String, name: String)] = []
    let merged = recorded.map { one, runs in
      var keys: [ReferenceKey] = []
      for (name, found) in runs {
        for key in found {
          seen.append((key.path, one.title))
          let new = ReferenceKey(key, name: name, note: topic.notes[key.path, in: one.title])
          if let place = keys.firstIndex(where: { $0.path == key.path }) {
            keys[place].join(new)
          } else {
            keys.append(new)
          }
        }
      }
      return (one, keys.map { $0.settled(of: runs.map(\.0)) })
    }
    unused = topic.notes.unused(by: seen)
    guard merged.count > 1, let first = merged.first else {
      common = merged.first?.1 ?? []
      cases = merged.map { ($0.0, []) }
      return
    }
    let shared = first.1.compactMap { key -> ReferenceKey? in
      let all = merged.compactMap { one, keys in
        keys.first { found in
          found.path == key.path && !topic.notes.isOwn(key.path, in: one.title)
        }
      }
      guard all.count == merged.count else { return nil }
      return all.dropFirst().reduce(Optional(key)) { $0?.joinedAcross($1) }
    }
    common = shared
    cases = merged.map { one, keys in
      (one, keys.filter { key in !shared.contains { $0.path == key.path } })
    }
  }

  /// What is not told of keys and cases, and where it has to be written.
  package var gaps: [String] {
    let place = topic.path.isEmpty ? "" : "\(topic.path)."
    let keys =
      (common.map { ($0, "") } + cases.flatMap { one, keys in keys.map { ($0, one.title) } })
      .filter { $0.0.note == nil }
      .map { key, title in
        "'\(place)\(key.path)'\(title.isEmpty ? "" : " of \(title)") has no sentence and example:"
          + " write them in \(topic.notes.file)"
      }
    let vague = (common + cases.flatMap(\.keys)).filter { $0.note != nil && $0.kinds.isEmpty }
      .map { "'\(place)\($0.path)' is read as nothing with its example in \(topic.notes.file)" }
    let choices = cases.filter { $0.case.sentence == nil }
      .map {
        "'\($0.case.title)' of '\(topic.path)' has no sentence: write it in \(topic.notes.file)"
      }
    return keys + vague + choices
      + unused.map {
        "'\(place)\($0)' is told of in \(topic.notes.file), but no reader asks for it"
      }
  }
}

extension ReferenceKey {
  fileprivate init(_ key: KeyRecorder.Key, name: String, note: KeyNotes.Note?) {
    path = key.path
    kinds = key.kinds
    self.note = note
    let value = key.fallback ?? (key.isOptional ? "none" : "required")
    fallback = .varied([Choice(name: name, value: value)])
  }

  /// Takes in what another run of the same case found of this key.
  fileprivate mutating func join(_ other: ReferenceKey) {
    kinds = kinds.joined(with: other.kinds)
    if case .varied(let mine) = fallback, case .varied(let theirs) = other.fallback {
      fallback = .varied(mine + theirs)
    }
  }

  /// What holds without the key, once all runs have been seen.
  fileprivate func settled(of names: [String]) -> ReferenceKey {
    guard case .varied(let choices) = fallback else { return self }
    var key = self
    let values = Set(choices.map(\.value))
    if values.count == 1, let value = values.first {
      key.fallback = value == "required" ? .required : value == "none" ? .none : .value(value)
    } else if Set(names).count == 1 {
      key.fallback = .derived
    }
    return key
  }

  /// The key as several cases have it; nil where they mean different things.
  fileprivate func joinedAcross(_ other: ReferenceKey) -> ReferenceKey? {
    guard kinds.count == other.kinds.count else { return nil }
    let joined = zip(kinds, other.kinds).map { $0.joined(with: $1) }
    guard joined.allSatisfy({ $0 != nil }) else { return nil }
    var key = self
    key.kinds = joined.compactMap { $0 }
    if fallback != other.fallback { key.fallback = .derived }
    return key
  }
}

extension [ValueKind] {
  /// The kinds of both, those that differ in bounds or words only as one.
  fileprivate func joined(with others: [ValueKind]) -> [ValueKind] {
    var result = self
    for kind in others where !result.contains(kind) {
      if let place = result.firstIndex(where: { $0.joined(with: kind) != nil }),
        let whole = result[place].joined(with: kind)
      {
        result[place] = whole
      } else {
        result.append(kind)
      }
    }
    return result
  }
}
