import Foundation

/// A value of a JSON file.
package indirect enum JSON: Sendable {
  case null, bool(Bool), number(Double), string(String), list([JSON]), object([String: JSON])

  /// The value of JSON text; nil if it is none.
  package init?(_ text: Data) {
    guard let value = try? JSONSerialization.jsonObject(with: text) else { return nil }
    self.init(value)
  }

  /// The value that Foundation gives for JSON text.
  package init(_ value: Any) {
    switch value {
    case let value as String: self = .string(value)
    case let value as NSNumber:
      self =
        String(cString: value.objCType) == "c" ? .bool(value.boolValue) : .number(value.doubleValue)
    case let value as [Any]: self = .list(value.map(JSON.init))
    case let value as [String: Any]: self = .object(value.mapValues(JSON.init))
    default: self = .null
    }
  }

  /// The value at `key` of an object.
  package subscript(key: String) -> JSON? {
    if case .object(let object) = self { object[key] } else { nil }
  }
  /// The value as a whole number.
  package var int: Int? { number.flatMap { Int(exactly: $0) } }
  /// The value as a number.
  package var number: Double? { if case .number(let value) = self { value } else { nil } }
  /// The value as yes or no.
  package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
  /// The value as text.
  package var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The value as a list.
  package var list: [JSON]? { if case .list(let value) = self { value } else { nil } }
  /// The value as an object.
  package var object: [String: JSON]? { if case .object(let value) = self { value } else { nil } }
  /// The value as a list of whole numbers.
  package var ints: [Int]? {
    guard let list else { return nil }
    let numbers = list.compactMap(\.int)
    return numbers.count == list.count ? numbers : nil
  }
  /// The value as a list of numbers.
  package var numbers: [Double]? {
    guard let list else { return nil }
    let numbers = list.compactMap(\.number)
    return numbers.count == list.count ? numbers : nil
  }
}

extension JSON: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral
{
  /// A text.
  package init(stringLiteral value: String) { self = .string(value) }
  /// A whole number.
  package init(integerLiteral value: Int) { self = .number(Double(value)) }
  /// True or false.
  package init(booleanLiteral value: Bool) { self = .bool(value) }

  /// A list.
  package init(arrayLiteral elements: JSON...) { self = .list(elements) }

  /// A list of whole numbers.
  package static func ints(_ values: [Int]) -> JSON { .list(values.map { .number(Double($0)) }) }

  /// The value as JSON, which is YAML too, with its keys in order.
  package var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): Int(exactly: value).map(String.init) ?? "\(value)"
    case .string(let value):
      "\"" + value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    case .list(let values): "[" + values.map(\.text).joined(separator: ", ") + "]"
    case .object(let entries):
      "{"
        + entries.sorted { $0.key < $1.key }
        .map { "\(JSON.string($0.key).text): \($0.value.text)" }.joined(separator: ", ") + "}"
    }
  }
}
