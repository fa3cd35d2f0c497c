/// What kind of value a key takes, as far as its reader says.
package enum ValueKind: Hashable, Sendable {
  case text, path, yesOrNo, numbers, texts, size, mapping, mappings
  case wholeNumber(ClosedRange<Int>)
  case wholeNumbers(ClosedRange<Int>)
  case number(ClosedRange<Double>)
  /// One of these words.
  case word([String])
  /// What no other case says. Keys below it are the user's own.
  case other(String)

  /// Whether keys are inside of such a value.
  var hasKeys: Bool { self == .mapping || self == .mappings }

  /// The kind in words, those that a value can be written with as `word` shows them.
  package func text(_ word: (String) -> String = { $0 }) -> String {
    switch self {
    case .text: "text"
    case .path: "path"
    case .yesOrNo: "\(word("true")) or \(word("false"))"
    case .numbers: "list of numbers"
    case .texts: "list of texts"
    case .size: "size, width x height, such as \(word("480x360"))"
    case .mapping: "mapping"
    case .mappings: "list of mappings"
    case .wholeNumber(let range): "whole number" + Self.bounds(range)
    case .wholeNumbers(let range): "list of whole numbers" + Self.bounds(range)
    case .number(let range): "number" + Self.bounds(range)
    case .word(let words): words.map(word).joined(separator: ", ")
    case .other(let text): text
    }
  }

  /// One kind that covers this and another, where they differ in bounds or words only.
  package func joined(with other: ValueKind) -> ValueKind? {
    switch (self, other) {
    case _ where self == other: self
    case (.wholeNumber(let a), .wholeNumber(let b)): .wholeNumber(a.hull(b))
    case (.wholeNumbers(let a), .wholeNumbers(let b)): .wholeNumbers(a.hull(b))
    case (.number(let a), .number(let b)): .number(a.hull(b))
    case (.word(let a), .word(let b)): .word(a + b.filter { !a.contains($0) })
    default: nil
    }
  }

  private static func bounds(_ range: ClosedRange<Int>) -> String {
    switch (range.lowerBound, range.upperBound) {
    case (Int.min, Int.max): ""
    case (let low, Int.max): ", at least \(low)"
    case (Int.min, let high): ", at most \(high)"
    case (let low, let high): ", \(low) to \(high)"
    }
  }

  private static func bounds(_ range: ClosedRange<Double>) -> String {
    switch (range.lowerBound, range.upperBound) {
    case (-Double.infinity, Double.infinity): ""
    case (let low, Double.infinity): ", at least \(yamlText(low))"
    case (let low, let high): ", \(yamlText(low)) to \(yamlText(high))"
    }
  }
}

extension ClosedRange {
  fileprivate func hull(_ other: ClosedRange) -> ClosedRange {
    Swift.min(lowerBound, other.lowerBound)...Swift.max(upperBound, other.upperBound)
  }
}

/// A value as one would write it in YAML.
func yamlText(_ value: Any) -> String {
  switch value {
  case let text as String: return text.isEmpty ? "''" : text
  case let list as [Any]: return "[\(list.map(yamlText).joined(separator: ", "))]"
  case let size as (width: Int, height: Int): return "\(size.width)x\(size.height)"
  case let number as Double:
    let text = number.description
    guard text.hasSuffix(".0") else { return text }
    // 1000000000000.0 is easier to read as 1e12.
    let digits = text.dropLast(2)
    let zeros = digits.reversed().prefix { $0 == "0" }.count
    return zeros < 6 ? String(digits) : "\(digits.dropLast(zeros))e\(zeros)"
  default: return "\(value)"
  }
}
