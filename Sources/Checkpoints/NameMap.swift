import Configuration

/// Rewrites the names of tensors by an ordered list of rules, each of which sees what those before
/// it left.
///
/// ```yaml
/// rules:
///   - {from: '^encoder\.', to: 'backbone.'}
///   - {from: '\.block(\d+)\.', to: '.layer$1.'}
///   - {drop: '^loss\.'}
/// ```
///
/// `from` and `drop` are regular expressions that are looked for anywhere in a name; in `to`, `$1`
/// stands for what the first group found.
public struct NameMap: Sendable {
  private struct Rule: @unchecked Sendable {
    // A compiled expression does not change.
    let expression: Regex<AnyRegexOutput>
    let replacement: String?
  }

  private let rules: [Rule]

  /// Reads the rules of a YAML file.
  ///
  /// - Throws: `ConfigurationError` naming the rule that makes no sense.
  public init(contentsOf file: String) throws { try self.init(Section(contentsOf: file)) }

  /// Reads the rules of a section.
  ///
  /// - Throws: `ConfigurationError` naming the rule that makes no sense.
  public init(_ section: Section) throws {
    rules = try section.sectionList("rules").map { rule in
      let drops = rule.has("drop")
      let key = drops ? "drop" : "from"
      let pattern = try rule.string(key)
      do {
        return Rule(
          expression: try Regex(pattern), replacement: drops ? nil : try rule.string("to"))
      } catch let error as ConfigurationError {
        throw error
      } catch {
        throw rule.invalid(key, "'\(pattern)'", expected: "a regular expression; \(error)")
      }
    }
    try section.finish()
  }

  /// What `name` becomes, or nil if a rule drops it.
  public func callAsFunction(_ name: String) -> String? {
    var name = name
    for rule in rules {
      guard let replacement = rule.replacement else {
        if name.contains(rule.expression) { return nil }
        continue
      }
      name = name.replacing(rule.expression) { Self.fill(replacement, $0.output) }
    }
    return name
  }

  /// `template` with `$1` and the like replaced by what the groups found.
  private static func fill(_ template: String, _ groups: AnyRegexOutput) -> String {
    guard template.contains("$") else { return template }
    var result = ""
    var rest = template[...]
    while let character = rest.popFirst() {
      if character == "$", let digit = rest.first?.wholeNumberValue, digit < groups.count {
        rest.removeFirst()
        result += groups[digit].substring ?? ""
      } else {
        result.append(character)
      }
    }
    return result
  }
}
