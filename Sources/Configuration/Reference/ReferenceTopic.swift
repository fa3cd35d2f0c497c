/// A section of configurations as its readers see it: its keys, and what further keys each case has.
///
/// A case is a choice that decides which keys are read, such as a loss by its name.
package struct ReferenceTopic {
  /// One reading of the section.
  package struct Run {
    /// What is chosen in it, such as `resnet50`.
    let name: String
    /// What stands in the section, as overrides (`key=value`).
    let overrides: [String]
    /// The reader.
    let read: (Section) throws -> Void

    /// A reading by `read` of a section in which `overrides` stand.
    package init(
      _ name: String, _ overrides: [String] = [], read: @escaping (Section) throws -> Void
    ) {
      (self.name, self.overrides, self.read) = (name, overrides, read)
    }
  }

  /// A choice, and the readings that show its keys.
  package struct Case {
    /// The word for it; for several words that share keys, what they have in common.
    package let title: String
    /// What it is, in a sentence; nil where nobody wrote one.
    package let sentence: String?
    /// What else there is to know: words that choose it, what it needs.
    package let facts: [String]
    let runs: [Run]

    /// A choice with these readings.
    package init(_ title: String, _ sentence: String?, facts: [String] = [], runs: [Run]) {
      (self.title, self.sentence, self.facts, self.runs) = (title, sentence, facts, runs)
    }
  }

  /// The keys from the root to the section, joined by dots; empty for the file itself.
  package let path: String
  /// What the section is about, in a sentence or two.
  package let summary: String
  /// Where the sentences of its keys stand.
  package let notes: KeyNotes
  let cases: [Case]
  /// The keys whose insides are told elsewhere.
  let inner: [String]
  /// Whether the section is an entry of a list.
  package let isEntry: Bool

  /// A section that `cases` show.
  package init(
    _ path: String, _ summary: String, notes: KeyNotes, inner: [String] = [], isEntry: Bool = false,
    cases: [Case]
  ) {
    (self.path, self.summary, self.notes) = (path, summary, notes)
    (self.inner, self.isEntry, self.cases) = (inner, isEntry, cases)
  }

  /// A section whose keys are always the same.
  package init(
    _ path: String, _ summary: String, notes: KeyNotes, inner: [String] = [],
    overrides: [String] = [], read: @escaping (Section) throws -> Void
  ) {
    self.init(
      path, summary, notes: notes, inner: inner,
      cases: [Case("", "", runs: [Run("", overrides, read: read)])])
  }

  /// The keys that `run` asks for.
  ///
  /// Where the reader wants a key, or looks inside of a value, it is given the examples of the notes.
  func record(_ run: Run, of title: String) throws -> [KeyRecorder.Key] {
    var (keys, overrides) = try record(run, of: title, [])
    for key in keys
    where key.kinds.isEmpty || key.kinds.contains(where: \.hasKeys) || notes.goInside(key.path) {
      guard let note = notes[key.path, in: title] else { continue }
      for example in note.examples {
        let beside = ["\(key.path)=\(example)"] + note.companions
        // An example that is refused here may be for another run; a test looks at all.
        let more = try? record(run, of: title, overrides + beside).keys
        for found in more ?? [] {
          guard let place = keys.firstIndex(where: { $0.path == found.path }) else {
            keys.append(found)
            continue
          }
          if key.path == found.path && key.kinds.isEmpty {
            keys[place].kinds += found.kinds.filter { !keys[place].kinds.contains($0) }
          }
        }
      }
    }
    let own = keys.filter { key in
      key.kinds.contains { if case .other = $0 { true } else { false } }
    }
    let closed = inner + own.map(\.path)
    return keys.filter { key in !closed.contains { key.path.hasPrefix("\($0).") } }
  }

  /// The keys that the reader asks for where `more` stands in the section, and what had to stand there.
  private func record(
    _ run: Run, of title: String, _ more: [String]
  ) throws -> (keys: [KeyRecorder.Key], overrides: [String]) {
    var given = more
    while true {
      let recorder = KeyRecorder()
      let section = try Section(
        yaml: "", named: path, overrides: run.overrides + given, recorder: recorder)
      do {
        try run.read(section)
        return (recorder.keys, given)
      } catch ConfigurationError.missing(let place, let key, let expected) {
        let key = place == path ? key : "\(place.dropFirst(path.count + 2)).\(key)"
        guard let example = notes[key, in: title]?.examples.first,
          !given.contains("\(key)=\(example)")
        else { throw ConfigurationError.missing(place: place, key: key, expected: expected) }
        given.append("\(key)=\(example)")
      }
    }
  }

  /// What is wrong with the examples of the notes: those that no reading of their case accepts.
  package func refusedExamples() throws -> [String] {
    let table = try ReferenceTable(self)
    func isAccepted(_ key: ReferenceKey, _ example: String, by one: Case) -> Bool {
      one.runs.contains { run in
        guard let note = notes[key.path, in: one.title],
          let found = try? record(
            run, of: one.title, ["\(key.path)=\(example)"] + note.companions),
          let section = try? Section(
            yaml: "", named: path, overrides: run.overrides + found.overrides)
        else { return false }
        return (try? run.read(section)) != nil && (try? section.finish()) != nil
      }
    }
    let groups = [(table.common, cases)] + zip(table.cases, cases).map { ($0.keys, [$1]) }
    return groups.flatMap { keys, cases in
      keys.flatMap { key in
        (key.note?.examples ?? [])
          .filter { example in !cases.contains { isAccepted(key, example, by: $0) } }
          .map {
            "'\(path.isEmpty ? "" : "\(path).")\(key.path): \($0)' is refused (\(notes.file))"
          }
      }
    }
  }
}
