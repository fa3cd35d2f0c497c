/// What the keys of a section mean, kept beside their reader: a sentence and examples for each.
///
/// Keys inside of a key are written with a dot, `layerDecay.rate`. Where a key means something else in
/// one case, such as one loss, the case goes before it: `focal/alpha`.
package struct KeyNotes: Sendable {
  /// What a key means.
  package struct Note: Sendable {
    /// One sentence.
    package let sentence: String
    /// Values that it takes, as YAML; the first is shown.
    package let examples: [String]
    /// Overrides that the examples need beside them.
    let companions: [String]

    /// A sentence with values, and the overrides (`key=value`) without which they would be refused.
    package init(_ sentence: String, _ examples: String..., with companions: [String] = []) {
      (self.sentence, self.examples, self.companions) = (sentence, examples, companions)
    }
  }

  /// The file of the table, for messages.
  package let file: String
  private let table: [String: Note]

  /// A table; `file` is where it stands.
  package init(_ table: [String: Note], file: String = #filePath) {
    self.table = table
    let parts = file.split(separator: "/")
    let start = parts.lastIndex(of: "Sources") ?? parts.startIndex
    self.file = parts[start...].joined(separator: "/")
  }

  /// The note for a key in a case.
  package subscript(_ key: String, in name: String) -> Note? {
    table["\(name)/\(key)"] ?? table[key]
  }

  /// Whether a key means something else in this case than in others.
  func isOwn(_ key: String, in name: String) -> Bool { table["\(name)/\(key)"] != nil }

  /// The entries of the table that no key of `known`, by cases, has.
  func unused(by known: [(key: String, name: String)]) -> [String] {
    let used = Set(known.map { isOwn($0.key, in: $0.name) ? "\($0.name)/\($0.key)" : $0.key })
    return table.keys.filter { !used.contains($0) }.sorted()
  }

  /// Whether there are notes for keys inside of `key`.
  func goInside(_ key: String) -> Bool {
    table.keys.contains { $0.hasPrefix("\(key).") || $0.contains("/\(key).") }
  }
}
