import Files
import Foundation
import Yams

/// What is wrong with a configuration, and where.
public enum ConfigurationError: Error, CustomStringConvertible, LocalizedError {
  case unreadable(file: String, reason: String)
  case syntax(file: String, message: String)
  /// `help` is the command that explains the keys that are known, if there is one.
  case unknownKey(place: String, key: String, known: [String], help: String? = nil)
  case wrongType(place: String, key: String, found: String, expected: String)
  case missing(place: String, key: String, expected: String)
  case invalid(place: String, key: String, value: String, expected: String)
  case badOverride(String)
  case overrideInside(override: String, key: String, found: String)

  /// The message for a person.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason): "\(file): cannot be read: \(reason)"
    case .syntax(let file, let message): "\(file): \(message)"
    case .unknownKey(let place, let key, let known, let help):
      "\(place): unknown key '\(key)'"
        + (Self.nearest(key, known).map { ", did you mean '\($0)'?" } ?? ".")
        + " Known here: \(known.sorted().joined(separator: ", "))"
        + (help.map { " ('\($0)' explains them)" } ?? "")
    case .wrongType(let place, let key, let found, let expected):
      "\(place): '\(key)' is \(found), expected \(expected)"
    case .missing(let place, let key, let expected):
      "\(place): '\(key)' is missing, expected \(expected)"
    case .invalid(let place, let key, let value, let expected):
      "\(place): '\(key)' is \(value), expected \(expected)"
    case .badOverride(let text): "'\(text)' is not of the form key.path=value"
    case .overrideInside(let text, let key, let found):
      "--set \(text): '\(key)' is \(found), expected a mapping of keys to values; set '\(key)' as a"
        + " whole"
    }
  }

  /// The message for a person.
  public var errorDescription: String? { description }

  /// The known word closest to a misspelt one, if any is close.
  public static func nearest(_ word: String, _ known: [String]) -> String? {
    let ranked = known.map { ($0, distance(word.lowercased(), $0.lowercased())) }
    guard let best = ranked.min(by: { $0.1 < $1.1 }), best.1 <= max(2, word.count / 3) else {
      return nil
    }
    return best.0
  }

  /// The number of letters to insert, remove or change to get from one word to the other.
  private static func distance(_ a: String, _ b: String) -> Int {
    let b = Array(b)
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
      var corner = row[0]
      row[0] = i + 1
      for (j, other) in b.enumerated() {
        let here = min(row[j] + 1, row[j + 1] + 1, corner + (letter == other ? 0 : 1))
        corner = row[j + 1]
        row[j + 1] = here
      }
    }
    return row[b.count]
  }
}

/// One mapping of a configuration, read key by key; keys that nobody reads are refused.
///
/// A section remembers what is asked of it, so that `finish()` can name unknown keys together with
/// those that exist.
public final class Section {
  /// Where the section stands, such as `camvid.yaml: model.head`.
  public let place: String
  private let path: String
  private let file: String
  private var node: Node.Mapping
  private var known: [String] = []
  private var sections: [Section] = []
  private let recorder: KeyRecorder?

  init(file: String, path: String, node: Node.Mapping, recorder: KeyRecorder? = nil) {
    self.file = file
    self.path = path
    self.node = node
    self.recorder = recorder
    place = path.isEmpty ? file : "\(file): \(path)"
  }

  /// The keys that are given.
  public var keys: [String] { node.keys.compactMap(\.string) }

  /// Whether `key` is given and not null.
  public func has(_ key: String) -> Bool {
    recorder?.noteOptional(full(key))
    return value(key) != nil
  }

  /// The keys from the root to `key`, joined by dots.
  private func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// The command that explains the keys of configurations.
  package static let helpCommand = "atrous help configuration"

  /// Says what the value at `key` may be where a type alone does not, such as a number or a word.
  ///
  /// It changes nothing here: the reference of all keys is made from what readers say and ask for.
  /// - Parameter fallback: What holds without the key, as YAML.
  package func declare(_ key: String, as kind: ValueKind, default fallback: String? = nil) {
    recorder?.declare(full(key), kind, default: fallback)
  }

  private func value(_ key: String) -> Node? {
    if !known.contains(key) { known.append(key) }
    // A number in quotes, as JSON has it, is another key than the number.
    guard let value = node[Node(key)] ?? node[Node(key, Tag(.str))] else { return nil }
    if case .scalar = value, value.null != nil { return nil }
    return value
  }

  private func read<T>(
    _ key: String, _ kind: ValueKind, _ fallback: T?, _ expected: String, _ convert: (Node) -> T?
  ) throws -> T {
    recorder?.note(full(key), kind, default: fallback.map { yamlText($0) })
    guard let value = value(key) else {
      guard let fallback else {
        throw ConfigurationError.missing(place: place, key: key, expected: expected)
      }
      return fallback
    }
    guard let result = convert(value) else {
      throw ConfigurationError.wrongType(
        place: place, key: key, found: Self.show(value), expected: expected)
    }
    return result
  }

  /// The text at `key`.
  public func string(_ key: String, default fallback: String? = nil) throws -> String {
    try read(key, .text, fallback, "text", Self.text)
  }

  /// The text at `key`, or nothing.
  public func optionalString(_ key: String) throws -> String? {
    recorder?.note(full(key), .text, default: nil)
    return has(key) ? try string(key) : nil
  }

  /// The path at `key`, with the home folder for `~` at its beginning.
  public func path(_ key: String, default fallback: String? = nil) throws -> String {
    try read(key, .path, fallback, "text", Self.text).withHomeFolder
  }

  /// The path at `key`, or nothing.
  public func optionalPath(_ key: String) throws -> String? {
    recorder?.note(full(key), .path, default: nil)
    return has(key) ? try path(key) : nil
  }

  /// The whole number at `key`, within `range`.
  public func int(
    _ key: String, default fallback: Int? = nil, in range: ClosedRange<Int> = Int.min...Int.max
  ) throws -> Int {
    let value = try read(key, .wholeNumber(range), fallback, "a whole number", \.int)
    guard range.contains(value) else {
      throw ConfigurationError.invalid(
        place: place, key: key, value: "\(value)", expected: "a whole number \(Self.show(range))")
    }
    return value
  }

  /// The whole number at `key`, or nothing.
  public func optionalInt(
    _ key: String, in range: ClosedRange<Int> = Int.min...Int.max
  ) throws -> Int? {
    recorder?.note(full(key), .wholeNumber(range), default: nil)
    return has(key) ? try int(key, in: range) : nil
  }

  /// The number at `key`, within `range`.
  public func double(
    _ key: String, default fallback: Double? = nil,
    in range: ClosedRange<Double> = -Double.infinity...Double.infinity
  ) throws -> Double {
    let value = try read(key, .number(range), fallback, "a number", Self.number)
    guard range.contains(value) else {
      throw ConfigurationError.invalid(
        place: place, key: key, value: "\(value)",
        expected: "a number \(Self.show(range))")
    }
    return value
  }

  /// The number at `key`, or nothing.
  public func optionalDouble(
    _ key: String, in range: ClosedRange<Double> = -Double.infinity...Double.infinity
  ) throws -> Double? {
    recorder?.note(full(key), .number(range), default: nil)
    return has(key) ? try double(key, in: range) : nil
  }

  /// Yes or no at `key`.
  public func bool(_ key: String, default fallback: Bool? = nil) throws -> Bool {
    try read(key, .yesOrNo, fallback, "true or false", \.bool)
  }

  /// The list of whole numbers at `key`; a single number is a list of one.
  public func ints(
    _ key: String, default fallback: [Int]? = nil, in range: ClosedRange<Int> = Int.min...Int.max
  ) throws -> [Int] {
    let values = try read(
      key, .wholeNumbers(range), fallback, "a list of whole numbers", { Self.list($0, \.int) })
    for value in values where !range.contains(value) {
      throw ConfigurationError.invalid(
        place: place, key: key, value: "\(values)", expected: "whole numbers \(Self.show(range))")
    }
    return values
  }

  /// The list of numbers at `key`; a single number is a list of one.
  public func doubles(_ key: String, default fallback: [Double]? = nil) throws -> [Double] {
    try read(
      key, .numbers, fallback, "a list of numbers", { Self.list($0, Self.number) })
  }

  /// The lists of numbers at `key`; a single list is a list of one.
  public func doubleLists(_ key: String) throws -> [[Double]] {
    try read(
      key, .numbers, nil, "a list of numbers, or a list of such lists",
      { node in
        if let list = Self.list(node, Self.number) { return [list] }
        return Self.list(node) { Self.list($0, Self.number) }
      })
  }

  /// The list of texts at `key`; a single text is a list of one.
  public func strings(_ key: String, default fallback: [String]? = nil) throws -> [String] {
    try read(
      key, .texts, fallback, "a list of texts",
      { Self.list($0, Self.text) })
  }

  /// A width and a height, written `480x360` or `[480, 360]`; one number is a square.
  public func size(
    _ key: String, default fallback: (width: Int, height: Int)? = nil
  ) throws -> (width: Int, height: Int) {
    let size = try read(
      key, .size, fallback, "a size such as 480x360 (width x height)",
      { node -> (width: Int, height: Int)? in
        let parts: [Int?]
        if case .scalar(let scalar) = node {
          parts = scalar.string.lowercased().split(separator: "x", omittingEmptySubsequences: false)
            .map { Int($0.trimmingCharacters(in: .whitespaces)) }
        } else {
          parts = Self.list(node, \.int) ?? []
        }
        let numbers = parts.compactMap { $0 }
        guard numbers.count == parts.count, let first = numbers.first, numbers.count <= 2 else {
          return nil
        }
        return (first, numbers.last ?? first)
      })
    guard size.width > 0, size.height > 0 else {
      throw ConfigurationError.invalid(
        place: place, key: key, value: "\(size.width)x\(size.height)",
        expected: "a width and a height of at least 1")
    }
    return size
  }

  /// The word at `key`, one of the cases of an enumeration.
  public func choice<E: RawRepresentable & CaseIterable>(
    _ key: String, _ type: E.Type = E.self, default fallback: E? = nil
  ) throws -> E where E.RawValue == String {
    let names = E.allCases.map(\.rawValue)
    declare(key, as: .word(names))
    let text = try string(key, default: fallback?.rawValue)
    guard let value = E(rawValue: text) else {
      throw ConfigurationError.invalid(
        place: place, key: key, value: "'\(text)'",
        expected: "one of " + names.joined(separator: ", ")
          + (ConfigurationError.nearest(text, names).map { " (did you mean '\($0)'?)" } ?? ""))
    }
    return value
  }

  /// The mapping at `key`; an empty one if it is not given.
  ///
  /// - Parameters:
  ///   - key: The key of this section.
  ///   - isNamed: Whether its key `name` says what it is about, for the message on a word alone.
  public func section(_ key: String, isNamed: Bool = false) throws -> Section {
    recorder?.noteOptional(full(key))
    recorder?.note(full(key), .mapping, default: nil)
    let mapping: Node.Mapping
    switch value(key) {
    case nil: mapping = Node.Mapping([])
    case .mapping(let found): mapping = found
    case .some(let other):
      var expected = "a mapping of keys to values"
      if isNamed, case .scalar(let word) = other { expected += ", such as {name: \(word.string)}" }
      throw ConfigurationError.wrongType(
        place: place, key: key, found: Self.show(other), expected: expected)
    }
    return child(key, mapping)
  }

  /// The mapping at `key`, or nothing.
  public func optionalSection(_ key: String) throws -> Section? {
    recorder?.note(full(key), .mapping, default: nil)
    return has(key) ? try section(key) : nil
  }

  /// The list of mappings at `key`; one mapping is a list of one.
  public func sectionList(_ key: String) throws -> [Section] {
    recorder?.noteOptional(full(key))
    recorder?.note(full(key), .mappings, default: nil)
    switch value(key) {
    case nil: return []
    case .mapping(let one): return [child(key, one)]
    case .sequence(let list):
      return try list.enumerated().map { index, node in
        guard case .mapping(let mapping) = node else {
          throw ConfigurationError.wrongType(
            place: place, key: "\(key)[\(index)]", found: Self.show(node),
            expected: "a mapping of keys to values")
        }
        return child("\(key)[\(index)]", mapping)
      }
    case .some(let other):
      throw ConfigurationError.wrongType(
        place: place, key: key, found: Self.show(other), expected: "a list of mappings")
    }
  }

  /// The mapping of texts to lists of texts at `key`.
  public func stringLists(_ key: String) throws -> [(key: String, values: [String])] {
    declare(key, as: .other("mapping of names to lists of texts"))
    let section = try section(key)
    return try section.keys.map { ($0, try section.strings($0)) }
  }

  private func child(_ key: String, _ mapping: Node.Mapping) -> Section {
    let child = Section(file: file, path: full(key), node: mapping, recorder: recorder)
    sections.append(child)
    return child
  }

  /// The section with another value at `key`, written in YAML; what was read of this one stays its own.
  ///
  /// - Throws: ``ConfigurationError`` if the value is no YAML.
  public func with(_ key: String, _ yaml: String) throws -> Section {
    guard let value = try? Yams.compose(yaml: yaml) else {
      throw ConfigurationError.badOverride("\(key)=\(yaml)")
    }
    var changed = node
    changed[Node(key)] = value
    return Section(file: file, path: path, node: changed)
  }

  /// The section with a text at `key`, as it is; what was read of this one stays its own.
  package func with(_ key: String, text: String) -> Section {
    var changed = node
    changed[Node(key)] = Node(text, Tag(.str), .doubleQuoted)
    return Section(file: file, path: path, node: changed)
  }

  /// An error about the value at `key`, for checks that only the reader can make.
  public func invalid(_ key: String, _ value: String, expected: String) -> ConfigurationError {
    .invalid(place: place, key: key, value: value, expected: expected)
  }

  /// Refuses the keys that nobody asked for, here and in the sections inside.
  ///
  /// - Parameter help: The command that explains keys, whose path follows it in the message.
  /// - Throws: ``ConfigurationError/unknownKey(place:key:known:help:)`` for the first of them.
  public func finish(help: String? = nil) throws {
    for key in keys where !known.contains(key) { throw unknown(key, known: known, help: help) }
    for section in sections { try section.finish(help: help) }
  }

  /// An error about a key that means nothing here, where `known` do.
  public func unknown(
    _ key: String, known: [String], help: String? = nil
  ) -> ConfigurationError {
    let path = path.replacing(/\[\d+\]/, with: "")
    return .unknownKey(
      place: place, key: key, known: known,
      help: help.map { path.isEmpty ? $0 : "\($0) \(path)" })
  }

  /// The mapping as YAML text, as it was given.
  public var yaml: String { (try? Yams.serialize(node: .mapping(node))) ?? "" }

  private static func text(_ node: Node) -> String? {
    if case .scalar(let scalar) = node { scalar.string } else { nil }
  }

  private static func number(_ node: Node) -> Double? { node.float ?? node.int.map(Double.init) }

  private static func list<T>(_ node: Node, _ convert: (Node) -> T?) -> [T]? {
    guard case .sequence(let sequence) = node else { return convert(node).map { [$0] } }
    let items = sequence.map(convert)
    return items.contains { $0 == nil } ? nil : items.compactMap { $0 }
  }

  static func show(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar): "'\(scalar.string)'"
    case .mapping: "a mapping"
    case .sequence: "a list"
    case .alias: "an alias"
    }
  }

  private static func show(_ range: ClosedRange<Double>) -> String {
    range.upperBound == .infinity
      ? "of at least \(range.lowerBound)" : "from \(range.lowerBound) to \(range.upperBound)"
  }

  private static func show(_ range: ClosedRange<Int>) -> String {
    switch (range.lowerBound, range.upperBound) {
    case (let low, Int.max): "of at least \(low)"
    case (Int.min, let high): "of at most \(high)"
    case (let low, let high): "from \(low) to \(high)"
    }
  }
}

extension Section {
  /// Reads a YAML file.
  ///
  /// `overrides` are of the form `key.path=value`: a number, a word, a list or mapping in brackets or a
  /// quoted text as in YAML, and any other text as it is, so that `#` and `: ` need no quotes.
  /// - Throws: ``ConfigurationError`` if the file cannot be read or is not a mapping.
  public convenience init(contentsOf file: String, overrides: [String] = []) throws {
    guard let text = FileSystem.text(file) else {
      let run = "\(file)/config.yaml"
      let reason =
        FileSystem.isFolder(file)
        ? "it is a folder, expected a file (YAML)"
          + (FileSystem.exists(run) ? " such as \(run)" : "")
        : FileSystem.exists(file) ? "it is not a readable text file" : "there is no such file"
      throw ConfigurationError.unreadable(file: file, reason: reason)
    }
    try self.init(yaml: text, named: file, overrides: overrides)
  }

  /// Reads YAML text; `named` stands for the file in messages.
  ///
  /// - Throws: ``ConfigurationError`` if the text is not a mapping.
  public convenience init(yaml text: String, named file: String, overrides: [String] = []) throws {
    try self.init(yaml: text, named: file, overrides: overrides, recorder: nil)
  }

  /// As ``init(yaml:named:overrides:)``, telling `recorder` what readers ask for.
  package convenience init(
    yaml text: String, named file: String, overrides: [String] = [], recorder: KeyRecorder?
  ) throws {
    var root: Node
    do {
      root = try Yams.compose(yaml: text) ?? Node.mapping(Node.Mapping([]))
    } catch let error as YamlError {
      throw ConfigurationError.syntax(file: file, message: "is not valid YAML: \(error)")
    }
    guard case .mapping = root else {
      throw ConfigurationError.syntax(file: file, message: "is not a mapping of keys to values")
    }
    for text in overrides { root = try Override(text).applied(to: root) }
    guard case .mapping(let mapping) = root else { throw ConfigurationError.badOverride("") }
    self.init(file: file, path: "", node: mapping, recorder: recorder)
  }
}
