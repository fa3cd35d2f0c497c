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
  static func ints(_ values: [Int]) -> JSON { .list(values.map { .number(Double($0)) }) }

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
