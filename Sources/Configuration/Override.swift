import Yams

/// A change of a configuration from the command line, `key.path=value`.
///
/// A part of the path may name a place in a list: `train.augmentation[0].randomCrop=256x256`.
struct Override {
  private enum Step {
    case key(String)
    case place(Int)
  }

  private let text: String
  private let steps: [Step]
  private let value: Node

  /// Reads an override.
  ///
  /// - Throws: ``ConfigurationError/badOverride(_:)`` for text of another form.
  init(_ text: String) throws {
    guard let equals = text.firstIndex(of: "=") else { throw ConfigurationError.badOverride(text) }
    self.text = text
    steps = try text[..<equals].split(separator: ".", omittingEmptySubsequences: false).flatMap {
      guard let steps = Self.steps($0) else { throw ConfigurationError.badOverride(text) }
      return steps
    }
    value = Self.value(String(text[text.index(after: equals)...]))
  }

  /// A key, and the places in lists after it; nil for no key.
  private static func steps(_ part: Substring) -> [Step]? {
    var (key, places) = (part, [Step]())
    while key.hasSuffix("]"), let open = key.lastIndex(of: "["),
      let place = Int(key[key.index(after: open)...].dropLast()), place >= 0
    {
      places.insert(.place(place), at: 0)
      key = key[..<open]
    }
    return key.isEmpty ? nil : [.key(String(key))] + places
  }

  /// What the right-hand side says: YAML where all of it is a number, a word, a text in quotes, or a
  /// list or mapping; otherwise the text as it is.
  ///
  /// In YAML ` #` begins a comment, `: ` makes a mapping and some signs at the beginning mean
  /// something else. In a path they are letters like others, and ` #` is so inside of brackets, too.
  static func value(_ raw: String) -> Node {
    let isBlank = { (letter: Character) in letter == " " || letter.isNewline || letter == "\t" }
    let trimmed = String(
      raw.drop(while: isBlank).reversed().drop(while: isBlank).reversed())
    if trimmed.isEmpty { return Node("null", Tag(.null), .plain) }
    let whole = Node(trimmed, Tag(.str), .doubleQuoted)
    // Text of several lines is YAML as a file has it, with comments.
    let hidesHash = !trimmed.contains { $0.isNewline || $0 == hiddenHash }
    let yaml = hidesHash ? raw.replacing("#", with: String(hiddenHash)) : raw
    guard let read = try? Yams.compose(yaml: yaml) else { return whole }
    let node = hidesHash ? withHashes(read) : read
    switch node {
    case .scalar(let scalar):
      switch scalar.style {
      case .doubleQuoted, .singleQuoted:
        let quote = scalar.style == .doubleQuoted ? "\"" : "'"
        return trimmed.hasPrefix(quote) && trimmed.hasSuffix(quote) ? node : whole
      default: return scalar.string == trimmed ? node : whole
      }
    case .sequence, .mapping:
      let (first, last) = (trimmed.first, trimmed.last)
      let isFlow = first == "[" && last == "]" || first == "{" && last == "}"
      // In lines of its own a list or mapping is one without brackets, too.
      return isFlow || trimmed.contains(where: \.isNewline) ? node : whole
    case .alias: return whole
    }
  }

  /// What stands for `#` where it is no comment's: a sign for private use.
  private static let hiddenHash: Character = "\u{F8D4}"

  /// The node with `#` in its place again.
  private static func withHashes(_ node: Node) -> Node {
    switch node {
    case .scalar(let scalar):
      guard scalar.string.contains(hiddenHash) else { return node }
      let text = scalar.string.replacing(String(hiddenHash), with: "#")
      let isQuoted = scalar.style == .singleQuoted || scalar.style == .doubleQuoted
      return Node(text, Tag(.str), isQuoted ? scalar.style : .doubleQuoted)
    case .sequence(let list): return .sequence(Node.Sequence(list.map(withHashes)))
    case .mapping(let mapping):
      return .mapping(
        Node.Mapping(mapping.map { (withHashes($0.key), withHashes($0.value)) }))
    case .alias: return node
    }
  }

  /// The configuration with this change.
  ///
  /// - Throws: ``ConfigurationError/overrideInside(override:key:found:)`` where the path leads into a
  ///   value that is no mapping, or to a place that a list does not have.
  func applied(to root: Node) throws -> Node { try changed(root, steps[...], "") }

  private func changed(_ node: Node, _ rest: ArraySlice<Step>, _ path: String) throws -> Node {
    func wrong(_ found: String) -> ConfigurationError {
      .overrideInside(override: text, key: path, found: found)
    }
    switch rest.first {
    case nil: return value
    case .key(let key):
      var mapping: Node.Mapping
      switch node {
      case .mapping(let found): mapping = found
      case .scalar where node.null != nil: mapping = Node.Mapping([])
      default: throw wrong(Section.show(node))
      }
      let inner = mapping[Node(key)] ?? Node.mapping(Node.Mapping([]))
      mapping[Node(key)] = try changed(
        inner, rest.dropFirst(), path.isEmpty ? key : "\(path).\(key)")
      return .mapping(mapping)
    case .place(let place):
      guard case .sequence(var list) = node else {
        if case .mapping(let mapping) = node, mapping.isEmpty { throw wrong("not given") }
        throw wrong("\(Section.show(node)), no list with a place [\(place)]")
      }
      guard place < list.count else {
        throw wrong("a list of \(list.count) without a place [\(place)]")
      }
      list[place] = try changed(list[place], rest.dropFirst(), "\(path)[\(place)]")
      return .sequence(list)
    }
  }
}
